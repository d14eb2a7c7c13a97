//! What processes take of the processor and of memory, as the kernel tells it.

use std::fs;
use std::io;
use std::str::FromStr;
use std::time::Duration;

/// A process under a name of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    pub pid: u32,
}

impl FromStr for Process {
    type Err = String;

    fn from_str(text: &str) -> Result<Process, String> {
        let wrong = || format!("{text:?} should be NAME=PID, as in broker=1234");
        let (name, pid) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Process { name: name.to_owned(), pid: pid.parse().map_err(|_| wrong())? })
    }
}

impl Process {
    /// What it has taken of the processor so far, user and system, to a hundredth of a second.
    pub fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        cpu_of(&stat)
            .ok_or_else(|| io::Error::other(format!("cannot read /proc/{}/stat", self.pid)))
    }

    /// Bytes of its memory that are resident.
    pub fn resident(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| {
            io::Error::other(format!("there is no VmRSS in /proc/{}/status", self.pid))
        })
    }
}

/// Fields 14 and 15 of proc(5), in clock ticks. The second is a name and may hold anything.
fn cpu_of(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    // SAFETY: asks for a constant of the system.
    let ticks = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
    Some(Duration::from_millis((user + system) * 1_000 / ticks.max(1)))
}

/// Several processes, and what each had taken at a moment.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    processes: Vec<Process>,
    began: Vec<Duration>,
}

impl Meter {
    /// From now on.
    pub fn start(processes: &[Process]) -> io::Result<Meter> {
        let began = processes.iter().map(Process::cpu).collect::<io::Result<_>>()?;
        Ok(Meter { processes: processes.to_vec(), began })
    }

    /// What each has taken since.
    pub fn read(&self) -> io::Result<Vec<(String, Duration)>> {
        let since = |(process, began): (&Process, &Duration)| {
            Ok((process.name.clone(), process.cpu()?.saturating_sub(*began)))
        };
        self.processes.iter().zip(&self.began).map(since).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named() {
        let broker = Process { name: "broker".into(), pid: 12 };
        assert_eq!("broker=12".parse(), Ok(broker));
        assert!("broker".parse::<Process>().is_err() && "broker=x".parse::<Process>().is_err());
    }

    #[test]
    fn a_name_in_brackets_is_no_field() {
        let stat = "7 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(cpu_of(stat), Some(Duration::from_secs(2)));
        assert_eq!(cpu_of("7 (a"), None);
    }

    #[test]
    fn this_process_takes_memory_and_time() {
        let own = Process { name: "own".into(), pid: std::process::id() };
        let meter = Meter::start(std::slice::from_ref(&own)).unwrap();
        while meter.read().unwrap()[0].1.is_zero() {
            std::hint::black_box((0..10_000).sum::<u64>());
        }
        assert!(own.resident().unwrap() > 100_000);
    }
}
