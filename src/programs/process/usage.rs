//! Whether the processes of a group get on: what they read, write and compute.

use rustix::process::Pid;

/// What the processes of a group have used so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Bytes read and written, by process. ssh's are left out: a connection is kept alive by a few bytes now and then
    /// when nothing comes from the other end.
    bytes: Vec<(i32, u64)>,
    /// Hundredths of a second, children that have ended included.
    computed: u64,
}

impl Usage {
    /// Whether they got on since `earlier`, which was `seconds` ago. A process that starts another one now and then in
    /// order to wait does not: its share of the time is below 1 %.
    pub(super) fn more_than(&self, earlier: &Usage, seconds: u64) -> bool {
        let before = |pid| earlier.bytes.iter().find(|(own, _)| *own == pid).map(|(_, bytes)| *bytes);
        let moved = self.bytes.iter().any(|(pid, bytes)| before(*pid).is_some_and(|before| *bytes > before));
        moved || self.computed > earlier.computed + seconds
    }
}

#[cfg(target_os = "linux")]
pub(super) fn of_group(group: Pid) -> Usage {
    let mut usage = Usage::default();
    for pid in super::stamp::pids() {
        let Some((name, fields)) = super::stamp::stat(pid) else { continue };
        let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if number(2) != u64::from(group.as_raw_nonzero().get().unsigned_abs()) {
            continue;
        }
        // utime, stime, cutime and cstime
        usage.computed += (11..15).map(number).sum::<u64>();
        if name != "ssh" {
            let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
            let bytes = text.lines().filter_map(|line| {
                let (key, value) = line.split_once(": ")?;
                ["rchar", "wchar"].contains(&key).then(|| value.parse::<u64>().ok())?
            });
            usage.bytes.push((pid, bytes.sum()));
        }
    }
    usage
}

/// `ps` tells the time that each process has computed, in hundredths of a second where it is exact.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_group(group: Pid) -> Usage {
    let ps = crate::programs::Process::new("ps")
        .args(["-axo", "pgid=,time="])
        .timeout(crate::base::limits::MOMENT);
    let text = ps.run().map(|output| output.text()).unwrap_or_default();
    let own = group.as_raw_nonzero().get().to_string();
    let times = text.lines().filter_map(|line| {
        let (pgid, time) = line.trim().split_once(char::is_whitespace)?;
        let parts = time.trim().split([':', '-']);
        let seconds = parts.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap_or(0.0));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (pgid == own).then_some((seconds * 100.0) as u64)
    });
    Usage { bytes: Vec::new(), computed: times.sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_and_a_computation_are_progress_and_a_waiting_loop_is_not() {
        let usage = |bytes: &[(i32, u64)], computed| Usage { bytes: bytes.to_vec(), computed };
        let before = usage(&[(1, 100), (2, 5)], 50);
        assert!(usage(&[(1, 104)], 50).more_than(&before, 6));
        assert!(usage(&[], 57).more_than(&before, 6));
        assert!(!usage(&[(1, 100), (3, 900)], 52).more_than(&before, 6));
    }
}
