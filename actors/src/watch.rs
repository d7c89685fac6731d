//! How much of the silence of who is watched was heard by nobody.

use std::time::{Duration, Instant};

/// From when on a late look is worth a line.
pub(crate) const ABSENCE_MIN: Duration = Duration::from_secs(1);

/// When who watches looked last. Time in which it did not look itself, though it was its turn (the
/// process stopped, the machine busy or suspended), says nothing of the others: they may have had no processor either. So a
/// silence is counted in looks, each worth its interval: where every look comes twice as late, who hangs is found after twice
/// the time. Were up to a second's lateness of each look held against them, a machine that lets nobody run for nearly that long,
/// again and again, would end a process in which nobody hangs.
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
        let late = now.saturating_duration_since(self.looked).saturating_sub(interval);
        self.looked = now;
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_unwatched() {
        let interval = Duration::from_millis(500);
        let start = Instant::now();
        let mut watch = Watch::since(start);
        for (at_ms, unwatched_ms) in
            [(500, 0), (900, 0), (1_400, 0), (1_950, 50), (3_400, 950), (7_200, 3_300), (7_700, 0)]
        {
            let unwatched = watch.look(start + Duration::from_millis(at_ms), interval);
            assert_eq!(unwatched, Duration::from_millis(unwatched_ms), "at {at_ms} ms");
        }
    }
}
