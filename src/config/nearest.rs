//! Which known name was meant by one that is not known.

/// The known name that differs least from one that is not, if it is near enough.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Whatever is longer is nothing that is known, and not worth the time.
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let (distance, known) = known.map(|known| (edit_distance(name, known), known)).min()?;
    (1..=1 + name.len() / 4).contains(&distance).then_some(known)
}

const NAME_BYTES_MAX: usize = 100;

fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["csv_file", "output_file", "batch_size", "pipeline_id", "pipelines", "config"];
        for (typed, meant) in [
            ("csv_flie", Some("csv_file")),
            ("ouput_file", Some("output_file")),
            ("batchsize", Some("batch_size")),
            ("pipeline", Some("pipelines")),
            ("password", None),
            // It is known, so nothing else was meant.
            ("config", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known.into_iter()), None);
    }
}
