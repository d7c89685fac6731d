//! Waiting for conditions, never for time to pass.

use std::time::{Duration, Instant};

/// Long enough for a slow machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        look_again();
    }
}

/// Between two looks at a condition that have a deadline.
#[expect(clippy::disallowed_methods, reason = "whoever looks bounds it")]
pub(crate) fn look_again() {
    std::thread::sleep(LOOK);
}
