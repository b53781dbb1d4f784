//! What a scrape says, taken apart: the text format 0.0.4 as samples, with what must hold in every
//! one of them.

use std::collections::BTreeMap;

use super::http;

/// One line of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Sample {
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}

#[derive(Debug)]
pub struct Scrape {
    pub text: String,
    pub samples: Vec<Sample>,
    /// By family.
    types: BTreeMap<String, String>,
}

impl Scrape {
    /// Asks for `/metrics`, and holds the answer to what every answer must be.
    #[track_caller]
    pub fn of(address: &str) -> Scrape {
        let answer = http::get(address, "/metrics").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let scrape = Scrape::parse(answer.text());
        for sample in &scrape.samples {
            assert!(sample.label("pipeline_id").is_some(), "no pipeline_id: {sample:?}");
        }
        let states: Vec<f64> = scrape.series("pipeline_state").map(|state| state.value).collect();
        let is_one = states.iter().all(|state| [0.0, 1.0].contains(state));
        assert!(is_one && states.iter().sum::<f64>() == 1.0, "not one state: {states:?}");
        scrape
    }

    #[track_caller]
    pub fn parse(text: &str) -> Scrape {
        let mut samples = Vec::new();
        let mut types = BTreeMap::new();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (family, kind) = kind.split_once(' ').unwrap();
                types.insert(family.to_string(), kind.to_string());
            } else if !line.starts_with('#') {
                samples.push(sample(line));
            }
        }
        Scrape { text: text.to_string(), samples, types }
    }

    pub fn series(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// The one series with these labels, whatever others it has; none where it is absent.
    #[track_caller]
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| labels.iter().all(|(l, v)| sample.label(l) == Some(v));
        let found: Vec<&Sample> = self.series(name).filter(has).collect();
        assert!(found.len() < 2, "several series: {found:?}");
        found.first().map(|sample| sample.value)
    }

    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        match self.find(name, labels) {
            Some(value) => value,
            None => panic!("no {name} with {labels:?} in\n{}", self.text),
        }
    }

    /// The state whose series is 1.
    pub fn state(&self) -> &str {
        let mut states = self.series("pipeline_state").filter(|state| state.value == 1.0);
        states.next().and_then(|state| state.label("state")).unwrap_or_default()
    }

    /// Families of this type, in order.
    pub fn families(&self, kind: &str) -> Vec<&str> {
        let types = self.types.iter().filter(|(_, other)| *other == kind);
        types.map(|(family, _)| family.as_str()).collect()
    }
}

#[track_caller]
fn sample(line: &str) -> Sample {
    parsed(line).unwrap_or_else(|| panic!("malformed: {line:?}"))
}

fn parsed(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (series, ""),
    };
    let labels = labels_of(labels);
    Some(Sample { name: name.to_string(), labels, value: value.parse().ok()? })
}

/// `a="b",c="d\"e"`
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, quoted)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let mut end = quoted.len();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped)) => value.push(escaped),
                    None => {}
                },
                char => value.push(char),
            }
        }
        labels.insert(name.trim_start_matches(',').to_string(), value);
        rest = &quoted[end..];
    }
    labels
}

mod tests {
    use super::Scrape;

    #[test]
    fn names_labels_and_values_are_told_apart() {
        let text = "# TYPE a_total counter\na_total{x=\"1,\\\"}\\\\\",y=\"\"} 2\nb NaN\n";
        let scrape = Scrape::parse(text);
        assert_eq!(scrape.value("a_total", &[("x", "1,\"}\\"), ("y", "")]), 2.0);
        assert!(scrape.value("b", &[]).is_nan());
        assert_eq!((scrape.find("c", &[]), scrape.families("counter")), (None, vec!["a_total"]));
    }
}
