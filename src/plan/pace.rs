//! `worker_spawn_delay`: the time between the starts of two polecats.

use std::time::Duration;

/// When the last polecat of a command was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    last: Option<Duration>,
}

impl Pace {
    /// How long the next start has to wait, when the command has run for `now`; it is taken as started then.
    pub fn wait(&mut self, delay: Duration, now: Duration) -> Duration {
        let wait = self.last.map_or(Duration::ZERO, |last| (last + delay).saturating_sub(now));
        self.last = Some(now + wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_from_start_to_start() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::default();
        assert_eq!(pace.wait(seconds(5), seconds(3)), seconds(0), "the first waits for none");
        assert_eq!(pace.wait(seconds(5), seconds(3)), seconds(5));
        // Started at 8; what the start itself took counts.
        assert_eq!(pace.wait(seconds(5), seconds(10)), seconds(3));
        assert_eq!(pace.wait(seconds(5), seconds(30)), seconds(0));
        assert_eq!(pace.wait(seconds(0), seconds(30)), seconds(0));
    }
}
