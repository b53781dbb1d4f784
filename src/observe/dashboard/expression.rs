//! What a panel asks, as Prometheus takes it. A run may come to one Prometheus in several ways: scraped, pushed, from
//! the Pushgateway that has the run before, from the exporter. So every query says which of these it means, by one of
//! these words between angle brackets, behind a metric; labels that the metric has beside those of its run follow.
//!
//! - `<pipelines>`: the choice at the top of the dashboard
//! - `<on: stage>`: of runs that are on
//! - `<newest: stage>`: of the run that began last, whether it is on or over
//! - `<latest: outcome>`: as whoever knows of the last end tells it
//! - `<over: outcome>`: not as a run tells it that is on, which has it of the one before
//! - `<new>`: at the first moment at which that end is known

/// Of the numbers of a run that is on, whoever brought them.
const ON: &str = "pipeline_state{state=~\"starting|running|draining\",<pipelines>} == 1";

/// Between backticks nothing is escaped but what a regular expression needs, whatever the version of Grafana: an
/// identifier may hold quotes.
const PIPELINES: &str = "pipeline_id=~`${pipeline:regex}`";

/// An exporter tells when a run began, but has no state.
const NEWEST: &str = "pipeline_start_timestamp_seconds{<pipelines>} == on (pipeline_id) group_left () \
    max by (pipeline_id) (pipeline_start_timestamp_seconds{<pipelines>} and ignoring (state) pipeline_state{<pipelines>})";

const LATEST: &str = "pipeline_last_completion_timestamp_seconds{<pipelines>} == on (pipeline_id) group_left () \
    max by (pipeline_id) (pipeline_last_completion_timestamp_seconds{<pipelines>})";

const NEW: &str = "unless on (pipeline_id) (\
    max by (pipeline_id) (pipeline_last_completion_timestamp_seconds{<pipelines>}) == \
    max by (pipeline_id) (pipeline_last_completion_timestamp_seconds{<pipelines>} offset $__interval))";

pub fn expression(written: &str) -> String {
    let mut parts = written.split('<');
    let mut whole = parts.next().unwrap_or_default().to_string();
    for part in parts {
        match part.split_once('>').and_then(|(word, after)| Some((meaning(word)?, after))) {
            Some((meaning, after)) => whole.extend([&meaning, after]),
            // Less than.
            None => whole.extend(["<", part]),
        }
    }
    whole.replace("<pipelines>", PIPELINES)
}

fn meaning(word: &str) -> Option<String> {
    let (word, labels) = word.split_once(':').unwrap_or((word, ""));
    let labels = labels.trim();
    let with_state = if labels.is_empty() { "state".into() } else { format!("{labels}, state") };
    Some(match word {
        "pipelines" => PIPELINES.into(),
        "on" => format!("and ignoring ({with_state}) ({ON})"),
        "over" => format!("unless ignoring ({with_state}) ({ON})"),
        "newest" => format!("and ignoring ({labels}) ({NEWEST})"),
        "latest" => format!("and ignoring ({labels}) ({LATEST})"),
        "new" => NEW.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_angle_brackets_are_replaced_and_comparisons_are_not() {
        for (written, whole) in [
            ("a{<pipelines>} > 0", "a{pipeline_id=~`${pipeline:regex}`} > 0"),
            (
                "a <on>",
                "a and ignoring (state) (pipeline_state{state=~\"starting|running|draining\",pipeline_id=~`${pipeline:regex}`} == 1)",
            ),
            ("1 < a > 2", "1 < a > 2"),
            ("a < 1", "a < 1"),
        ] {
            assert_eq!(expression(written), whole);
        }
        let both = expression("a <over: stage, for> and b <newest: stage>");
        assert!(
            both.starts_with("a unless ignoring (stage, for, state) (pipeline_state"),
            "{both}"
        );
        assert!(both.contains("and b and ignoring (stage) (pipeline_start"), "{both}");
    }
}
