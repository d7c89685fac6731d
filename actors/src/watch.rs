//! How much of the silence of who is watched was heard by nobody.

use std::time::{Duration, Instant};

/// When who watches looked last. Time in which it did not look itself, though it was its turn (the
/// process stopped, the machine busy or suspended), says nothing of the others: they may have had no processor either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    looked: Instant,
}

impl Watch {
    /// A watch that begins now.
    pub(crate) const fn since(now: Instant) -> Self {
        Self { looked: now }
    }

    /// Looks, and says for how long nobody did beyond the `interval` at which it is done.
    pub(crate) fn look(&mut self, now: Instant, interval: Duration) -> Duration {
        let since = now.saturating_duration_since(self.looked);
        self.looked = now;
        since.saturating_sub(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_beyond_the_interval_is_unwatched() {
        let interval = Duration::from_millis(500);
        let start = Instant::now();
        let mut watch = Watch::since(start);
        for (at_ms, unwatched_ms) in [(500, 0), (900, 0), (1_400, 0), (1_950, 50), (5_750, 3_300), (6_250, 0)]
        {
            let unwatched = watch.look(start + Duration::from_millis(at_ms), interval);
            assert_eq!(unwatched, Duration::from_millis(unwatched_ms), "at {at_ms} ms");
        }
    }
}
