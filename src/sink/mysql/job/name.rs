//! Which job a run belongs to: (pipeline id, source, target). Locks and tokens carry its hash. Pure.

use crate::sink::mysql::table_name::TableName;

/// Whose locks and tokens it is about, together with the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobIdentity {
    pub pipeline_id: String,
    /// The source in words that stay the same from run to run.
    pub source: String,
    pub run_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName {
    /// The same on every machine and in every version, because it stands in tables.
    pub hash: String,
    /// For people who look into the tables.
    pub text: String,
}

/// What of the name's text is kept in the table.
const TEXT_CHARS_MAX: usize = 255;

impl JobName {
    pub fn new(job: &JobIdentity, target: &TableName) -> JobName {
        let target = target.quoted();
        let parts = [&job.pipeline_id, &job.source, &target];
        let text = format!("{}: {} to {target}", job.pipeline_id, job.source);
        JobName {
            hash: format!("{:032x}", hash(parts.map(|part| part.as_bytes()))),
            text: text
                .chars()
                .take(TEXT_CHARS_MAX)
                .filter(|letter| *letter <= '\u{FFFF}')
                .collect(),
        }
    }

    /// Held while a run is at work. Servers take 64 characters.
    pub fn lock(&self) -> String {
        format!("flowgauge:{}", self.hash)
    }

    /// Held by the connection of a lane.
    pub fn lane_lock(&self, lane: usize) -> String {
        format!("flowgauge:{}:{lane}", self.hash)
    }
}

/// FNV-1a of 128 bits. A NUL ends each part, so that they cannot run into one another.
fn hash(parts: [&[u8]; 3]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = parts.into_iter().flat_map(|part| part.iter().chain(&[0]));
    bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(pipeline_id: &str, source: &str) -> JobName {
        let job = JobIdentity {
            pipeline_id: pipeline_id.to_string(),
            source: source.to_string(),
            run_id: "r".to_string(),
        };
        JobName::new(&job, &TableName { database: Some("d".to_string()), table: "t".to_string() })
    }

    #[test]
    fn a_hash_is_of_all_parts_and_stays_what_it_is() {
        let name = job("p", "s");
        assert_eq!(name, job("p", "s"));
        assert_eq!(name.hash, "0b3dc8d7923594e8ef8490e56fe92154");
        assert_ne!(name.hash, job("ps", "").hash);
        assert_eq!(name.text, "p: s to `d`.`t`");
        assert!(name.lane_lock(999).len() <= 64);
        assert_eq!(job(&"x".repeat(999), "s").text.len(), TEXT_CHARS_MAX);
    }
}
