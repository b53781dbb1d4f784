//! Whether a document is no JSON, or its page was bent on its way: the page is asked for once more, and
//! the document is rejected when it comes again in the same bytes. Pure.

use super::malformed;

/// What has been wrong at one place of a slice since the last page that counted.
#[derive(Default)]
pub struct PageFaults {
    /// Answers that no parser gets through.
    unreadable: u32,
    /// What was bad in the last answer.
    suspect: Option<Vec<u8>>,
    /// A hit that came twice, whose name is not known.
    nameless: Option<Vec<u8>>,
}

/// What to do about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// The page counts.
    Take,
    /// Ask for another, at once.
    Ask,
    /// The same for a smaller one.
    Halve,
    /// It is worth another try, after a while.
    Wait,
}

impl PageFaults {
    /// A page whose bad documents are known, as records.
    pub fn judged(&mut self, records: &[u8]) -> NextStep {
        match self.same(malformed::bad(records)) {
            Some(true) => NextStep::Take,
            Some(false) => NextStep::Wait,
            None => NextStep::Ask,
        }
    }

    /// An answer to the wish for `size` hits that cannot be cut. It may hold a document that hides its
    /// own end, which is found where it is the only one.
    pub fn unread(&mut self, size: u64, answer: &[u8]) -> NextStep {
        self.unreadable += 1;
        if self.unreadable == 1 {
            return NextStep::Wait;
        }
        if size > 1 {
            return NextStep::Halve;
        }
        let Some(hit) = malformed::only_hit(answer) else { return NextStep::Wait };
        match self.same(hit.to_vec()) {
            Some(true) => {
                self.nameless = self.suspect.take();
                NextStep::Ask
            }
            Some(false) => NextStep::Wait,
            None => NextStep::Ask,
        }
    }

    /// The server fails at one of `size` hits, and nobody has its bytes.
    pub fn unserved(&mut self, size: u64) -> NextStep {
        if size > 1 {
            return NextStep::Halve;
        }
        self.nameless = Some(Vec::new());
        NextStep::Ask
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
        bad.iter().for_each(|raw| malformed::frame(b"{}", raw, &mut records));
        records
    }

    #[test]
    fn bad_documents_are_rejected_when_they_come_again() {
        let mut faults = PageFaults::default();
        for (bad, next) in [
            (&[&b"a"[..]][..], NextStep::Ask),
            // Another time, something else was bent.
            (&[b"b"], NextStep::Wait),
            (&[b"b", b"a"], NextStep::Wait),
            (&[b"b", b"a"], NextStep::Take),
        ] {
            assert_eq!(faults.judged(&records(bad)), next, "{bad:?}");
        }
        assert_eq!(faults.settled(), None);
        assert_eq!(faults.judged(&records(&[b"a"])), NextStep::Ask);
    }

    #[test]
    fn a_document_that_the_server_cannot_give_is_asked_for_its_name_when_it_is_alone() {
        let mut faults = PageFaults::default();
        assert_eq!(faults.unserved(8), NextStep::Halve);
        assert!(!faults.wants_name());
        assert_eq!(faults.unserved(1), NextStep::Ask);
        assert!(faults.wants_name());
        assert_eq!(faults.settled(), Some(Vec::new()));
    }

    #[test]
    fn a_document_that_hides_its_end_is_looked_for_and_asked_for_its_name() {
        let (one, other) =
            (br#"{"hits":{"hits":[{"a" // }]}}"#, br#"{"hits":{"hits":[{"b" // }]}}"#);
        let mut faults = PageFaults::default();
        for (size, answer, next) in [
            (4, &one[..], NextStep::Wait),
            (4, one, NextStep::Halve),
            (2, one, NextStep::Halve),
            (1, b"{\"hits\":{\"hits\":[{", NextStep::Wait),
            (1, one, NextStep::Ask),
            (1, other, NextStep::Wait),
            (1, one, NextStep::Wait),
            (1, one, NextStep::Ask),
        ] {
            assert!(!faults.wants_name());
            assert_eq!(faults.unread(size, answer), next, "{size} {}", answer.escape_ascii());
        }
        assert!(faults.wants_name());
        assert_eq!(faults.settled().as_deref(), Some(&b"{\"a\" // }"[..]));
        assert!(!faults.wants_name());
    }
}
