//! The message of Prometheus remote write 1.0: a `WriteRequest` of protobuf in one block of snappy. Pure.
//!
//! ```text
//! WriteRequest { repeated TimeSeries timeseries = 1 }
//! TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2 }
//! Label        { string name = 1; string value = 2 }
//! Sample       { double value = 1; int64 timestamp = 2 }
//! ```

use std::collections::BTreeMap;

use crate::export::labels::Labels;
use crate::observe::Series;

/// One sample of each series, at one time.
pub struct Samples<'a> {
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    pub series: &'a [Series],
}

type LabelSet = Vec<(String, String)>;

/// The samples, which are in the order of their times, as a body.
pub fn body(samples: &[Samples<'_>], labels: &Labels) -> Vec<u8> {
    let mut by_labels: BTreeMap<LabelSet, Vec<(i64, f64)>> = BTreeMap::new();
    for Samples { at_ms, series } in samples {
        for one in *series {
            by_labels.entry(label_set(one, labels)).or_default().push((*at_ms, one.value));
        }
    }
    let mut request = Vec::new();
    for (labels, samples) in &by_labels {
        field(&mut request, 1, &time_series(labels, samples));
    }
    compressed(&request)
}

/// Receivers want the labels of a series in order.
fn label_set(series: &Series, added: &Labels) -> LabelSet {
    let name = ("__name__".to_string(), series.name.clone());
    let added = added.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let mut labels: LabelSet =
        std::iter::once(name).chain(series.labels.iter().cloned()).chain(added).collect();
    // An empty label is none.
    labels.retain(|(_, value)| !value.is_empty());
    labels.sort();
    labels
}

fn time_series(labels: &LabelSet, samples: &[(i64, f64)]) -> Vec<u8> {
    let mut series = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        field(&mut label, 1, name.as_bytes());
        field(&mut label, 2, value.as_bytes());
        field(&mut series, 1, &label);
    }
    for (at_ms, value) in samples {
        let mut sample = vec![(1 << 3) | FIXED_64];
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push((2 << 3) | VARINT);
        varint(&mut sample, *at_ms as u64);
        field(&mut series, 2, &sample);
    }
    series
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH_DELIMITED: u8 = 2;

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push((number << 3) | LENGTH_DELIMITED);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).expect("a page of numbers is below 4 GiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reader of protobuf that shares nothing with the writer: fields in their order.
    fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        fn number(bytes: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let byte = bytes[0];
                *bytes = &bytes[1..];
                value |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let key = number(&mut bytes) as u8;
            let content = match key & 7 {
                0 => number(&mut bytes).to_le_bytes().to_vec(),
                1 => {
                    let (fixed, rest) = bytes.split_at(8);
                    bytes = rest;
                    fixed.to_vec()
                }
                _ => {
                    let length = number(&mut bytes) as usize;
                    let (content, rest) = bytes.split_at(length);
                    bytes = rest;
                    content.to_vec()
                }
            };
            all.push((key >> 3, content));
        }
        all
    }

    type Decoded = Vec<(LabelSet, Vec<(f64, i64)>)>;

    fn decoded(body: &[u8]) -> Decoded {
        let request = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let mut all = Vec::new();
        for (_, series) in fields(&request) {
            let (mut labels, mut samples) = (Vec::new(), Vec::new());
            for (number, content) in fields(&series) {
                let mut parts = fields(&content).into_iter().map(|(_, part)| part);
                let (first, second) = (parts.next().unwrap(), parts.next().unwrap());
                if number == 1 {
                    labels.push((text(first), text(second)));
                } else {
                    let value = f64::from_le_bytes(first.try_into().unwrap());
                    samples.push((value, i64::from_le_bytes(second.try_into().unwrap())));
                }
            }
            all.push((labels, samples));
        }
        all
    }

    fn one(name: &str, labels: &[(&str, &str)], value: f64) -> Series {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Series { name: name.to_string(), labels: labels.iter().map(pair).collect(), value }
    }

    #[test]
    fn labels_are_in_order_and_samples_of_one_series_together() {
        let labels = Labels::parse(&["env=prod".to_string()], |_| false).unwrap();
        let begun = [one("b", &[("z", "1"), ("a", "")], 0.0)];
        let ended = [one("b", &[("z", "1"), ("a", "")], 7.5), one("a", &[], -1.0)];
        let samples =
            [Samples { at_ms: 5, series: &begun }, Samples { at_ms: 1 << 40, series: &ended }];
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        let expected = vec![
            (vec![pair("__name__", "a"), pair("env", "prod")], vec![(-1.0, 1 << 40)]),
            (
                vec![pair("__name__", "b"), pair("env", "prod"), pair("z", "1")],
                vec![(0.0, 5), (7.5, 1 << 40)],
            ),
        ];
        assert_eq!(decoded(&body(&samples, &labels)), expected);
        assert_eq!(decoded(&body(&[], &labels)), vec![]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            at_ms in any::<i64>(),
            all in proptest::collection::btree_map("[a-z_]{1,300}", any::<f64>(), 0..20),
        ) {
            let series: Vec<_> = all.iter().map(|(name, value)| one(name, &[], *value)).collect();
            let read = decoded(&body(&[Samples { at_ms, series: &series }], &Labels::default()));
            let expected: Vec<_> = all.iter().map(|(name, value)| {
                (vec![("__name__".to_string(), name.clone())], vec![(value.to_bits(), at_ms)])
            }).collect();
            let bits = |(labels, samples): (LabelSet, Vec<(f64, i64)>)| {
                (labels, samples.iter().map(|(value, at)| (value.to_bits(), *at)).collect())
            };
            let read: Vec<(LabelSet, Vec<(u64, i64)>)> = read.into_iter().map(bits).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
