//! Where the account holds other units than our rows explain (P11).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::instrument::InstrumentKey;
use crate::time::Timestamp;

/// Differences that were seen, and do not count yet, each with the read that showed it first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::follower) struct Seen(BTreeMap<InstrumentKey, (i64, Timestamp)>);

/// What a read of the positions says of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::follower) enum Verdict {
    /// Rows and account agree.
    Agree,
    /// They differ, and may do so because the broker's books lag behind each other (P4).
    Suspected,
    /// They differ by so many units, in reads far enough apart.
    Proven(i64),
}

/// Judges one instrument. `explained`: units that the rows explain, `shown`: what the account holds, by a read that began at
/// `started_at`; `before`: what earlier reads have shown. Gives what is to be remembered for the next read, too.
pub(in crate::follower) fn of(
    instrument: InstrumentKey,
    explained: i64,
    shown: i64,
    (started_at, settle): (Timestamp, Duration),
    before: &Seen,
    next: &mut Seen,
) -> Verdict {
    let difference = shown - explained;
    if difference == 0 {
        return Verdict::Agree;
    }
    let known = before.0.get(&instrument).filter(|(units, _)| *units == difference);
    let since = known.map_or(started_at, |(_, since)| *since);
    next.0.insert(instrument, (difference, since));
    if started_at >= since.plus(settle) { Verdict::Proven(difference) } else { Verdict::Suspected }
}
