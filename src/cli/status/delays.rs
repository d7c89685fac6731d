//! The way from the leader's exchange to the follower's fill, stretch by stretch.

use tandem_actors::store::DelayRow;
use tandem_domain::ids::FollowerId;

/// The stretches, in order, as text and JSON name them.
pub(super) const STRETCHES: [(&str, &str); 5] = [
    ("leader to frame", "event_to_frame"),
    ("to decision", "frame_to_decision"),
    ("to request sent", "decision_to_sent"),
    ("to answer", "sent_to_answer"),
    ("to first fill", "answer_to_fill"),
];

/// One follower's placements of a day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FollowerDelays {
    pub(super) follower: FollowerId,
    /// One for each of [`STRETCHES`]; none where nothing was measured.
    pub(super) stretches: [Option<Stretch>; 5],
}

/// What one stretch took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) measured: usize,
    pub(super) median: i64,
    pub(super) worst: i64,
}

/// Rows come ordered by follower.
pub(super) fn by_follower(rows: &[DelayRow]) -> Vec<FollowerDelays> {
    let of_each = rows.chunk_by(|left, right| left.follower == right.follower);
    let delays = of_each.filter_map(|rows| {
        let stretch = |of: fn(&DelayRow) -> Option<i64>| Stretch::of(rows.iter().filter_map(of).collect());
        Some(FollowerDelays {
            follower: rows.first()?.follower.clone(),
            stretches: [
                stretch(|row| row.event_to_frame_us),
                stretch(|row| row.frame_to_decision_us),
                stretch(|row| row.decision_to_sent_us),
                stretch(|row| row.sent_to_answer_us),
                stretch(|row| row.answer_to_fill_us),
            ],
        })
    });
    delays.collect()
}

impl Stretch {
    /// The median is a value that was measured, the lower of two.
    fn of(mut micros: Vec<i64>) -> Option<Self> {
        micros.sort_unstable();
        let median = *micros.get(micros.len().saturating_sub(1) / 2)?;
        Some(Self { measured: micros.len(), median, worst: *micros.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(follower: &str, decided: Option<i64>) -> DelayRow {
        DelayRow {
            follower: FollowerId::new(follower).unwrap(),
            event_to_frame_us: Some(400_000),
            frame_to_decision_us: decided,
            decision_to_sent_us: None,
            sent_to_answer_us: None,
            answer_to_fill_us: None,
        }
    }

    #[test]
    fn each_follower_has_its_own_median_and_worst() {
        let rows = [row("asha", Some(9)), row("asha", Some(1)), row("asha", None), row("bina", Some(5))];
        let delays = by_follower(&rows);
        assert_eq!(delays.len(), 2);
        assert_eq!(delays[0].stretches[1], Some(Stretch { measured: 2, median: 1, worst: 9 }));
        assert_eq!(delays[0].stretches[0].map(|stretch| stretch.measured), Some(3));
        assert_eq!(delays[1].stretches[1], Some(Stretch { measured: 1, median: 5, worst: 5 }));
        assert_eq!(delays[1].stretches[4], None);
    }
}
