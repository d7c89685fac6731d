//! Waiting for conditions, never for time to pass.

use std::time::{Duration, Instant};

/// Long enough for a slow machine; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Looks until there is something to see.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut seen = None;
    within(PATIENCE, || {
        seen = look();
        seen.is_some()
    });
    let Some(seen) = seen else { panic!("never came: {what}") };
    seen
}

/// Looks until it is so, or this time is over: for who looks once more then, and says what is wrong.
pub(crate) fn within(patience: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() && Instant::now() < deadline {
        look_again();
    }
}

/// Between two looks at a condition that have a deadline.
#[expect(clippy::disallowed_methods, reason = "whoever looks bounds it")]
pub(crate) fn look_again() {
    std::thread::sleep(LOOK);
}
