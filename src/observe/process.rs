//! What the process itself costs, asked of the kernel at the moment of a scrape.
//!
//! The collector that comes with the crate `prometheus` counts CPU in whole seconds, which says
//! nothing about a run of three. A number that cannot be read is none, never 0.

use procfs::WithCurrentSystemInfo;
use procfs::process::{LimitValue, Process as Proc};
use rustix::time::{ClockId, clock_gettime};

/// The numbers of this process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub open_fds: Option<u64>,
    /// None also where the number of files is not limited.
    pub max_fds: Option<u64>,
    pub threads: Option<u64>,
    /// Seconds since the epoch.
    pub start_seconds: Option<f64>,
    /// Bytes the storage was asked for; what the page cache had is not among them.
    pub read_bytes: Option<u64>,
    pub written_bytes: Option<u64>,
}

impl Process {
    pub fn read() -> Process {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let numbers = Process {
            cpu_seconds: Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
            ..Process::default()
        };
        Proc::myself().map_or(numbers.clone(), |proc| numbers.filled_from(&proc))
    }

    fn filled_from(self, proc: &Proc) -> Process {
        let stat = proc.stat().ok();
        let io = proc.io().ok();
        let boot_seconds = procfs::boot_time_secs().ok();
        let start_seconds = stat.as_ref().zip(boot_seconds).map(|(stat, boot)| {
            boot as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64
        });
        let max_fds =
            proc.limits().ok().and_then(|limits| match limits.max_open_files.soft_limit {
                LimitValue::Value(count) => Some(count),
                LimitValue::Unlimited => None,
            });
        Process {
            cpu_seconds: self.cpu_seconds,
            resident_bytes: stat.as_ref().map(|stat| stat.rss_bytes().get()),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize),
            open_fds: proc.fd_count().ok().map(|count| count as u64),
            max_fds,
            threads: stat.as_ref().and_then(|stat| u64::try_from(stat.num_threads).ok()),
            start_seconds,
            read_bytes: io.as_ref().map(|io| io.read_bytes),
            written_bytes: io.as_ref().map(|io| io.write_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_us() {
        let before = Process::read();
        let burnt =
            (0..2_000_000u64).fold(1u64, |x, n| std::hint::black_box(x.wrapping_mul(n | 1)));
        std::hint::black_box(burnt);
        let after = Process::read();
        let fraction = after.cpu_seconds.unwrap() - before.cpu_seconds.unwrap();
        assert!(fraction > 0.0, "the clock is finer than a second");
        assert!(after.resident_bytes.unwrap() > 100_000);
        assert!(after.virtual_bytes.unwrap() >= after.resident_bytes.unwrap());
        assert!(after.open_fds.unwrap() >= 3);
        assert!(after.threads.unwrap() >= 1);
        assert!(after.start_seconds.unwrap() > 1.6e9);
    }
}
