//! Alert rules for Prometheus, with the times in them that depend on who runs what, and a link to what is to
//! be done about each.

use std::time::Duration;

/// A time in the rules that may be another one.
#[derive(Debug)]
pub struct RuleTime {
    /// As an option and, between angle brackets, in the rules.
    pub name: &'static str,
    pub default: Duration,
    pub help: &'static str,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub const RULE_TIMES: &[RuleTime] = &[
    time("remember", 30 * DAY, "How long ago a pipeline may have run and still be missed"),
    time("failed-for", DAY, "How long a failure raises an alert while no success follows"),
    time("told-for", HOUR, "How long after a run its rejected records and errors raise alerts"),
    time("stuck-after", 10 * MINUTE, "Time without a record that is settled"),
    time("longest-run", 6 * HOUR, "Time that no run should take"),
    time("full-for", 10 * MINUTE, "Time that the memory for records, or the queue, may stay full"),
    time("retrying-over", 5 * MINUTE, "Time over which the share of waiting for retries is taken"),
    time("exporter-away", 10 * MINUTE, "Time that the exporter or its ledger may be away"),
    time("slow-batch", 5, "Time that 95 % of the batches should be written in"),
    time("slow-over", 10 * MINUTE, "Time over which the share of slow batches is taken"),
    time("slow-for", 5 * MINUTE, "Time that batches may be slower than that"),
];

const fn time(name: &'static str, seconds: u64, help: &'static str) -> RuleTime {
    RuleTime { name, default: Duration::from_secs(seconds), help }
}

const RULES: &str = include_str!("alert_rules.yml");

/// Where the rules are explained, as an option and, between angle brackets, in the rules.
pub const RUNBOOKS: &str = "runbooks";

/// In the source of the program. Each rule has a paragraph, whose anchor is its name in lower case.
pub const RUNBOOKS_DEFAULT: &str = "docs/alerts.md";

/// The rules with the times that `time` names, in whole seconds, and links to paragraphs of `runbooks`.
pub fn alert_rules(time: impl Fn(&RuleTime) -> Duration, runbooks: &str) -> String {
    let with = |rules: String, rule_time: &RuleTime| {
        let seconds = time(rule_time).as_secs().max(1);
        let name = rule_time.name;
        rules
            .replace(&format!("<{name}>"), &as_prometheus(seconds))
            .replace(&format!("<{name}, seconds>"), &seconds.to_string())
    };
    let rules = RULES.replace(&format!("<{RUNBOOKS}>"), runbooks);
    RULE_TIMES.iter().fold(rules, with)
}

/// Such as `30d`, in the largest unit that needs no fraction.
pub fn as_prometheus(seconds: u64) -> String {
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length));
    let (length, unit) = unit.unwrap_or((1, "s"));
    format!("{}{unit}", seconds / length)
}

/// The whole seconds of a time as Prometheus writes it, such as `1h30m`.
pub fn seconds(text: &str) -> Option<u64> {
    let mut sum: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let units = [(365 * DAY, "y"), (7 * DAY, "w"), (DAY, "d"), (HOUR, "h"), (1, "s")];
        // `ms` begins with the unit of minutes.
        let (length, behind) = match behind.strip_prefix('m') {
            Some(behind) if !behind.starts_with('s') => (MINUTE, behind),
            _ => units
                .iter()
                .find_map(|(length, unit)| Some((*length, behind.strip_prefix(unit)?)))?,
        };
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(length)?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_where_their_names_did() {
        let rules = alert_rules(|time| time.default, RUNBOOKS_DEFAULT);
        for rule_time in RULE_TIMES {
            assert!(RULES.contains(&format!("<{}", rule_time.name)), "{}", rule_time.name);
            assert!(!rules.contains(&format!("<{}", rule_time.name)), "{}", rule_time.name);
        }
        assert!(alert_rules(|_| Duration::from_secs(90), "").contains("[90s]"));
    }

    #[test]
    fn times_are_written_as_prometheus_has_them() {
        for (seconds, text) in
            [(1, "1s"), (90, "90s"), (300, "5m"), (5_400, "90m"), (172_800, "2d")]
        {
            assert_eq!(as_prometheus(seconds), text);
            assert_eq!(super::seconds(text), Some(seconds));
        }
    }

    #[test]
    fn times_are_read_as_prometheus_has_them() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("1h30m", Some(5_400)),
            ("1w2d", Some(9 * DAY)),
            ("1y", Some(365 * DAY)),
            ("", None),
            ("10", None),
            ("m", None),
            ("500ms", None),
            ("1x", None),
            ("99999999999999999999y", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
