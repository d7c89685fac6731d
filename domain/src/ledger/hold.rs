//! What is held because of each order, and how it is cut as the leader closes.

use crate::flaw::flawed;
use crate::quantity::Lots;
use crate::sizing::{Share, nearest_lots, reduced, whole_lots};

/// What is held, or may be, because of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hold {
    /// What of the entitled the leader has not closed since.
    pub(super) stays: Share,
    /// What of the entitled is kept in whole lots: together as much as stays of all, to the nearest lot.
    pub(super) keeps: Share,
    /// What the follower has opened by it, but for what others of the leader's orders have closed again of that.
    pub(super) opened: Share,
    /// And that. An order may go on opening after it: what was closed does not fill its place.
    pub(super) away: Share,
}

impl Hold {
    /// Whether nothing of it is left: it never counts again.
    pub(super) fn is_empty(&self) -> bool {
        self.stays.is_zero() && self.keeps.is_zero()
    }

    /// What of the kept lots is filled.
    fn filled(&self) -> Share {
        self.opened.min(self.keeps).max(Share::ZERO)
    }
}

/// Cuts what may be held, as the leader's position went from so many units to so many. Each entry by itself cannot be
/// rounded, or every one of them would be a part of a lot short: what is kept of all so far, the oldest first, is what
/// stays of them to the nearest lot. Nothing that was taken from an entry comes back to it. Of the holds those are gone
/// through that are not empty, in their order.
pub(super) fn cut(before: &mut Share, holds: &mut [Hold], live: &[usize], from: u64, to: u64) {
    let filled: Vec<Share> = live.iter().map(|place| holds[*place].filled()).collect();
    *before = reduced(*before, from, to);
    for place in live {
        let hold = &mut holds[*place];
        hold.stays = reduced(hold.stays, from, to);
        // Once he is flat, it all begins anew.
        hold.keeps = if to == 0 { Share::ZERO } else { hold.keeps };
        if flawed!(EntriesRoundedAlone) {
            hold.keeps = Share::from_lots(whole_lots(hold.stays)).min(hold.keeps);
        }
    }
    let holds_of = || live.iter().map(|place| &holds[*place]);
    let sum = |share: fn(&Hold) -> Share| holds_of().map(share).fold(*before, Share::saturating_add);
    let (kept, stay) = (nearest(sum(|hold| hold.keeps)), nearest(sum(|hold| hold.stays)));
    let mut too_many = kept.saturating_sub(stay);
    let (mut keep, mut stay) = (*before, *before);
    for place in live {
        if too_many == 0 {
            break;
        }
        let hold = &mut holds[*place];
        stay = stay.saturating_add(hold.stays);
        let kept = keep.saturating_add(hold.keeps);
        let taken = nearest(kept).saturating_sub(nearest(stay)).min(too_many);
        too_many -= taken;
        hold.keeps = hold.keeps.saturating_sub(Share::from_lots(Lots(taken)));
        keep = keep.saturating_add(hold.keeps);
    }
    for (place, filled) in live.iter().zip(filled) {
        let hold = &mut holds[*place];
        let gone = filled.saturating_sub(hold.filled());
        hold.away = hold.away.saturating_add(gone);
        hold.opened = hold.opened.saturating_sub(gone);
    }
}

/// What the follower holds of what it may hold: all that stays but the lots that it keeps and has not filled, and but what
/// was lost. Less than nothing where what it has not filled is kept in more than stays of it.
pub(super) fn pool(before: Share, holds: &[Hold], live: &[usize], lost: Share) -> Share {
    let holds = || live.iter().map(|place| &holds[*place]);
    let stays = holds().map(|hold| hold.stays).fold(before, Share::saturating_add);
    let unfilled = holds().map(|hold| hold.keeps.saturating_sub(hold.opened).max(Share::ZERO));
    unfilled.fold(stays, Share::saturating_sub).saturating_sub(lost)
}

/// On the side of a net what is signed, and signed what is on its side.
pub(super) fn signed(net: i64, share: Share) -> Share {
    if net < 0 { Share::ZERO.saturating_sub(share) } else { share }
}

pub(super) fn nearest(pool: Share) -> u32 {
    if flawed!(ExitsRoundedDown) {
        const PER_LOT: i128 = Share::PER_LOT as i128;
        // What stays is rounded up, so that what leaves is rounded down.
        return u32::try_from((i128::from(pool.billionths()) + PER_LOT - 1) / PER_LOT).unwrap_or(u32::MAX);
    }
    nearest_lots(pool).0
}
