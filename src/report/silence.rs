//! A run in which nothing moves: how long, and whom it waits for. Pure.

use std::time::Duration;

use super::text;
use crate::event::Stage;

/// Below it a pause is nothing to speak of: large batches take a while.
pub const SILENCE_MIN: Duration = Duration::from_secs(5);

/// What was last heard of a run in which nothing moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastSign {
    /// A batch was read, or is durable, or a server has answered.
    #[default]
    Moved,
    /// Something failed and is tried again.
    Retrying(Stage),
    /// Writing is held back, as the user wants it.
    HeldBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    pub lasted: Duration,
    pub sign: LastSign,
    pub waits_for: WaitsFor,
}

/// As far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// One of the two ends is not open yet.
    Opening,
    Source,
    /// Records were read and are not durable.
    Sink,
}

impl Silence {
    /// `no answer from mysql for 40 s`
    pub fn sentence(&self, source: &str, sink: &str) -> String {
        let lasted = text::duration(Duration::from_secs(self.lasted.as_secs()));
        let (is_of_sink, end) = match (self.sign, self.waits_for) {
            (LastSign::HeldBack, _) => return format!("writing is held back for {lasted}"),
            (LastSign::Retrying(Stage::Fetch), _) => (false, ", trying again"),
            (LastSign::Retrying(_), _) => (true, ", trying again"),
            (LastSign::Moved, WaitsFor::Opening) => {
                return format!("{source} and {sink} are not open after {lasted}");
            }
            (LastSign::Moved, waits_for) => (waits_for == WaitsFor::Sink, ""),
        };
        let name = if is_of_sink { sink } else { source };
        match (name, is_of_sink) {
            ("elasticsearch" | "mysql", _) => format!("no answer from {name} for {lasted}{end}"),
            (_, true) => format!("the output takes nothing for {lasted}{end}"),
            (_, false) => format!("nothing new to read for {lasted}{end}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_said() {
        use LastSign::{HeldBack, Moved, Retrying};
        use WaitsFor::{Opening, Sink, Source};
        let tries = "no answer from elasticsearch for 40.0 s, trying again";
        for (sign, waits_for, sentence) in [
            (Moved, Source, "no answer from elasticsearch for 40.0 s"),
            (Moved, Sink, "the output takes nothing for 40.0 s"),
            (Moved, Opening, "elasticsearch and file are not open after 40.0 s"),
            (Retrying(Stage::Fetch), Sink, tries),
            (Retrying(Stage::Fetch), Opening, tries),
            (HeldBack, Sink, "writing is held back for 40.0 s"),
        ] {
            let silence = Silence { lasted: Duration::from_millis(40_700), sign, waits_for };
            assert_eq!(silence.sentence("elasticsearch", "file"), sentence);
        }
    }
}
