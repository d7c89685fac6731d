//! What both benches stand on: the broker's process, the daemon's process, files, figures.

pub(crate) mod broker;
pub(crate) mod daemon;
pub(crate) mod instruments;
pub(crate) mod process;
pub(crate) mod protocol;

use hdrhistogram::Histogram;

/// The machine's monotonic clock, the same in every process.
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // Neither is ever negative.
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// An empty histogram of microseconds, to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are legal")
}

/// Counts one figure; a histogram made by [`histogram`] grows to hold any.
pub(crate) fn count(figures: &mut Histogram<u64>, figure_us: u64) {
    figures.record(figure_us).expect("it resizes itself");
}

/// p50, p99 and max in one cell, in microseconds.
pub(crate) fn spread(figures: &Histogram<u64>) -> String {
    format!(
        "{:>8} {:>8} {:>8}",
        figures.value_at_quantile(0.5),
        figures.value_at_quantile(0.99),
        figures.max()
    )
}
