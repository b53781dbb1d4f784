//! What hits are sorted by, and whether they come in that order. Pure.
//!
//! The count at the end cannot tell a page that came twice from one that is missing as many hits.

use std::cmp::Ordering;

/// What came before a page, and how often the same sort values may be there.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Of the last hit, in the server's words.
    pub after: Option<&'a [u8]>,
    /// Hits that had them.
    pub equals: u64,
    /// Documents of several shards may share their place in a scroll, and nowhere else.
    pub equals_max: Option<u64>,
}

/// Looks at hits one by one.
pub struct OrderCheck<'a> {
    last: Option<&'a [u8]>,
    /// A byte that parts the numbers of the last one, and where. Sort values of the same length that
    /// have it there are in the order of their bytes.
    parted: Option<(usize, u8)>,
    equals: u64,
    equals_max: u64,
}

/// Why hits are not in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    Falling,
    Repeated,
    /// Not what was asked for.
    Strange,
}

impl Disorder {
    pub fn words(self) -> &'static str {
        match self {
            Disorder::Falling => "hits come in another order than was asked for",
            Disorder::Repeated => "a hit comes twice",
            Disorder::Strange => "hits are sorted by something that was not asked for",
        }
    }
}

impl<'a> OrderCheck<'a> {
    /// `shards` take part in the page.
    pub fn new(order: Order<'a>, shards: u64) -> OrderCheck<'a> {
        OrderCheck {
            last: order.after,
            parted: None,
            equals: order.equals,
            equals_max: order.equals_max.unwrap_or(shards.max(1)),
        }
    }

    pub fn see(&mut self, words: &'a [u8]) -> Result<(), Disorder> {
        if let (Some(last), Some((at, byte))) = (self.last, self.parted)
            && last.len() == words.len()
            && words.get(at) == Some(&byte)
            && last < words
        {
            (self.last, self.equals) = (Some(words), 1);
            return Ok(());
        }
        self.look(words)
    }

    fn look(&mut self, words: &'a [u8]) -> Result<(), Disorder> {
        // Once a page, and for names.
        if self.parted.is_none() {
            Key::read(words).ok_or(Disorder::Strange)?;
        }
        let order = self.last.map_or(Some(Ordering::Less), |last| compare(last, words));
        match order.ok_or(Disorder::Strange)? {
            Ordering::Less => self.equals = 1,
            Ordering::Equal if self.equals < self.equals_max => self.equals += 1,
            Ordering::Equal => return Err(Disorder::Repeated),
            Ordering::Greater => return Err(Disorder::Falling),
        }
        self.parted = match memchr::memchr(b',', words) {
            // Names of different lengths move what stands before them.
            _ if has_name(words) => None,
            Some(comma) => Some((comma, b',')),
            None => Some((0, b'[')),
        };
        self.last = Some(words);
        Ok(())
    }

    /// How many hits share the sort values of the last one, which is looked at once more: the next
    /// page begins behind it.
    pub fn end(&self) -> Result<u64, Disorder> {
        match self.last.is_none_or(|last| Key::read(last).is_some()) {
            true => Ok(self.equals),
            false => Err(Disorder::Strange),
        }
    }
}

/// Compares without reading the numbers: of two that begin alike, the longer one is larger.
fn compare(one: &[u8], other: &[u8]) -> Option<Ordering> {
    if has_name(one) || has_name(other) {
        return Some(Key::read(one)?.cmp(&Key::read(other)?));
    }
    let end = one.len().min(other.len());
    let mut at = 0;
    while at < end && one[at] == other[at] {
        at += 1;
    }
    if at == end {
        return (one.len() == other.len()).then_some(Ordering::Equal);
    }
    let is_digit = |text: &[u8], at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut behind = at;
    loop {
        match (is_digit(one, behind), is_digit(other, behind)) {
            (true, true) => behind += 1,
            (true, false) => return Some(Ordering::Greater),
            (false, true) => return Some(Ordering::Less),
            (false, false) => return (behind > at).then(|| one[at].cmp(&other[at])),
        }
    }
}

fn has_name(words: &[u8]) -> bool {
    words.ends_with(b"\"]")
}

/// Sort values: one or two numbers, and what stands behind them, which is the name of an index.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    numbers: [u64; 2],
    name: &'a [u8],
}

impl<'a> Key<'a> {
    fn read(words: &'a [u8]) -> Option<Key<'a>> {
        let mut rest = words.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let mut numbers = [0_u64; 2];
        for number in &mut numbers {
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            for digit in &rest[..length] {
                *number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            }
            rest = &rest[length..];
            match rest.strip_prefix(b",") {
                Some(more) => rest = more.trim_ascii_start(),
                None if rest.is_empty() => return Some(Key { numbers, name: b"" }),
                None => return None,
            }
        }
        // Quotes are no part of the order of names.
        let name = rest.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(Key { numbers, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(hits: &[&str], equals_max: Option<u64>) -> Result<u64, Disorder> {
        let order = Order { after: Some(b"[7,4294967303]"), equals: 1, equals_max };
        let mut watch = OrderCheck::new(order, 2);
        hits.iter().try_for_each(|hit| watch.see(hit.as_bytes()))?;
        watch.end()
    }

    #[test]
    fn sort_values_rise() {
        for (hits, expected) in [
            (&["[7,4294967304]", "[8,8]", "[10, 10]", "[10,18446744073709551615]"][..], Ok(1)),
            (&["[8,8,\"a\"]", "[8,8,\"a!\"]", "[8,8,\"b\"]"], Ok(1)),
            (&["[7,4294967303]"], Err(Disorder::Repeated)),
            (&["[6,99999999999]"], Err(Disorder::Falling)),
            (&["[7,7]"], Err(Disorder::Falling)),
            (&["[9,9]", "[8,8]"], Err(Disorder::Falling)),
            (&["[8,8,\"b\"]", "[8,8,\"a\"]"], Err(Disorder::Falling)),
            (&["[8,8]", "[8,4294967304]", "[9,7]", "[9,10]", "[10,1]"], Ok(1)),
            (&["[8,10]", "[8,9]"], Err(Disorder::Falling)),
            (&["[8,10]", "[8,x]"], Err(Disorder::Falling)),
            (&["[8,10]", "[8]"], Err(Disorder::Strange)),
            (&["[11,8]", "[9,9]"], Err(Disorder::Falling)),
            (&["[11,8]", "[12,8]", "[13,8]", "[13,9]", "[9,10]"], Err(Disorder::Falling)),
            (&["[8,10,\"a\"]", "[8,11,\"a\"]", "[8,8,\"ab\"]"], Err(Disorder::Falling)),
            (&["[8,10]", "[8,1x]"], Err(Disorder::Strange)),
            (&["[8.5,8]"], Err(Disorder::Strange)),
            (&["[null]"], Err(Disorder::Strange)),
            (&["[\"8\",8]"], Err(Disorder::Strange)),
            (&["[18446744073709551616]"], Err(Disorder::Strange)),
            (&["[]"], Err(Disorder::Strange)),
            (&["7"], Err(Disorder::Strange)),
        ] {
            assert_eq!(seen(hits, Some(1)), expected, "{hits:?}");
        }
    }

    #[test]
    fn as_many_as_there_are_shards_may_be_equal_in_a_scroll() {
        assert_eq!(seen(&["[8]", "[8]", "[9]"], None), Ok(1));
        assert_eq!(seen(&["[8]", "[8]"], None), Ok(2));
        assert_eq!(seen(&["[8]", "[8]", "[8]"], None), Err(Disorder::Repeated));
    }
}
