//! Whether a document is no JSON, or its page was bent on its way: the page is asked for once more, and
//! the document is rejected when it comes again in the same bytes. Pure.

use super::poison;

/// What has been wrong at one place of a slice since the last page that counted.
#[derive(Default)]
pub struct Doubt {
    /// Answers that no parser gets through.
    unreadable: u32,
    /// What was bad in the last answer.
    suspect: Option<Vec<u8>>,
    /// A hit that came twice, whose name is not known.
    nameless: Option<Vec<u8>>,
}

/// What to do about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The page counts.
    Take,
    /// Ask for another, at once.
    Ask,
    /// The same for a smaller one.
    Halve,
    /// It is worth another try, after a while.
    Wait,
}

impl Doubt {
    /// A page whose bad documents are known, as records.
    pub fn judged(&mut self, records: &[u8]) -> Next {
        match self.same(poison::bad(records)) {
            Some(true) => Next::Take,
            Some(false) => Next::Wait,
            None => Next::Ask,
        }
    }

    /// An answer to the wish for `size` hits that cannot be cut. It may hold a document that hides its
    /// own end, which is found where it is the only one.
    pub fn unread(&mut self, size: u64, answer: &[u8]) -> Next {
        self.unreadable += 1;
        if self.unreadable == 1 {
            return Next::Wait;
        }
        if size > 1 {
            return Next::Halve;
        }
        let Some(hit) = poison::only_hit(answer) else { return Next::Wait };
        match self.same(hit.to_vec()) {
            Some(true) => {
                self.nameless = self.suspect.take();
                Next::Ask
            }
            Some(false) => Next::Wait,
            None => Next::Ask,
        }
    }

    /// The server fails at one of `size` hits, and nobody has its bytes.
    pub fn unserved(&mut self, size: u64) -> Next {
        if size > 1 {
            return Next::Halve;
        }
        self.nameless = Some(Vec::new());
        Next::Ask
    }

    /// Whether the last answer was bad in the same way, if it was.
    fn same(&mut self, bad: Vec<u8>) -> Option<bool> {
        let is_same = self.suspect.as_ref().map(|suspect| *suspect == bad);
        self.suspect = Some(bad);
        is_same
    }

    /// The next page is to hold the name of a hit, and nothing else.
    pub fn wants_name(&self) -> bool {
        self.nameless.is_some()
    }

    /// A page counts: gives the hit whose name it holds, if it was asked for one.
    pub fn settled(&mut self) -> Option<Vec<u8>> {
        std::mem::take(self).nameless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(bad: &[&[u8]]) -> Vec<u8> {
        let mut records = b"{\"good\":1}\n".to_vec();
        bad.iter().for_each(|raw| poison::frame(b"{}", raw, &mut records));
        records
    }

    #[test]
    fn bad_documents_are_rejected_when_they_come_again() {
        let mut doubt = Doubt::default();
        for (bad, next) in [
            (&[&b"a"[..]][..], Next::Ask),
            // Another time, something else was bent.
            (&[b"b"], Next::Wait),
            (&[b"b", b"a"], Next::Wait),
            (&[b"b", b"a"], Next::Take),
        ] {
            assert_eq!(doubt.judged(&records(bad)), next, "{bad:?}");
        }
        assert_eq!(doubt.settled(), None);
        assert_eq!(doubt.judged(&records(&[b"a"])), Next::Ask);
    }

    #[test]
    fn a_document_that_the_server_cannot_give_is_asked_for_its_name_when_it_is_alone() {
        let mut doubt = Doubt::default();
        assert_eq!(doubt.unserved(8), Next::Halve);
        assert!(!doubt.wants_name());
        assert_eq!(doubt.unserved(1), Next::Ask);
        assert!(doubt.wants_name());
        assert_eq!(doubt.settled(), Some(Vec::new()));
    }

    #[test]
    fn a_document_that_hides_its_end_is_looked_for_and_asked_for_its_name() {
        let (one, other) =
            (br#"{"hits":{"hits":[{"a" // }]}}"#, br#"{"hits":{"hits":[{"b" // }]}}"#);
        let mut doubt = Doubt::default();
        for (size, answer, next) in [
            (4, &one[..], Next::Wait),
            (4, one, Next::Halve),
            (2, one, Next::Halve),
            (1, b"{\"hits\":{\"hits\":[{", Next::Wait),
            (1, one, Next::Ask),
            (1, other, Next::Wait),
            (1, one, Next::Wait),
            (1, one, Next::Ask),
        ] {
            assert!(!doubt.wants_name());
            assert_eq!(doubt.unread(size, answer), next, "{size} {}", answer.escape_ascii());
        }
        assert!(doubt.wants_name());
        assert_eq!(doubt.settled().as_deref(), Some(&b"{\"a\" // }"[..]));
        assert!(!doubt.wants_name());
    }
}
