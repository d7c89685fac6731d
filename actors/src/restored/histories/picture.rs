//! What matters of a book, line by line, so that two can be held beside each other.

use tandem_domain::follower::FollowerBook;
use tandem_domain::mirror::{Allotment, ChangeState, Child, Mirror, Outcome, Permit};
use tandem_domain::order::lifecycle::ChildState;
use tandem_domain::time::Timestamp;

/// Whether nothing is under way, waits, or is held for a while.
pub(super) fn is_at_rest(book: &FollowerBook, now: Timestamp) -> bool {
    let rests = |child: &Child| {
        let is_held = child.held_until.is_some_and(|until| until > now);
        !is_held
            && child.state != ChildState::Planned
            && !child.is_in_flight()
            && !child.is_chased
            && child.refused_change.is_none()
            && child.request.as_deref().is_none_or(|request| request.state == ChangeState::Acked)
    };
    let mut mirrors = mirrors(book);
    // A square-off is begun again in a new life, with all that is open by then.
    !book.trading().is_squaring_off
        && book.waiting_count() == 0
        && mirrors.all(|mirror| mirror.children.iter().all(rests))
}

/// `heard`: whether the leader's orders were told to both, so that what follows from them can be compared too.
pub(super) fn picture(book: &FollowerBook, heard: bool) -> Vec<String> {
    let mut lines = vec![format!(
        "{:?} open {} waiting {} unknown {} left {:?}",
        book.trading(),
        book.open_orders(),
        book.waiting_count(),
        book.unknown_count(),
        book.left_to_close()
    )];
    for mirror in mirrors(book) {
        lines.push(of_mirror(mirror, heard));
        let mut children: Vec<String> = mirror.children.iter().map(|child| of_child(child, heard)).collect();
        children.sort();
        lines.extend(children);
    }
    lines
}

fn mirrors(book: &FollowerBook) -> impl Iterator<Item = &Mirror> {
    book.outcomes().filter_map(|(id, ..)| book.mirror(id))
}

fn of_mirror(mirror: &Mirror, heard: bool) -> String {
    let leader = &mirror.leader;
    let held = book_figures(mirror);
    // Of what is over less counts as opened once the leader closes: how much less hangs on when it was settled.
    let is_over = leader.status.is_terminal() && !mirror.children.iter().any(Child::is_live);
    let permit = Permit {
        admitted: if is_over { 0 } else { mirror.admitted },
        refused: mirror.permit().refused.map(|units| if is_over { 0 } else { units }),
        purpose: None,
        ..mirror.permit()
    };
    let gap = mirror.gap.map(|gap| if is_over { format!("{:?}", gap.kind) } else { format!("{gap:?}") });
    // Of what is over nothing more is cut.
    let lives = !leader.status.is_terminal() || mirror.children.iter().any(Child::is_live);
    let lives = lives && !matches!(mirror.outcome, Outcome::Detached | Outcome::Skipped | Outcome::Voided);
    let follows = if heard && lives { shares(mirror) } else { String::new() };
    format!(
        "{} {} {:?} {:?} gap {:?} {:?} seen {} {held} fills {:?}{follows} {:?}",
        leader.broker_order_id,
        mirror.outcome,
        // Which of several gates was the last to refuse hangs on when they were asked.
        mirror.reason.filter(|_| !heard || mirror.outcome != Outcome::Sent),
        permit,
        gap,
        mirror.note,
        leader.ts_first_seen.micros(),
        mirror.fills,
        mirror.sizing,
    )
}

fn shares(mirror: &Mirror) -> String {
    let purpose = mirror.purpose.filter(|_| !mirror.children.is_empty());
    // The product matters where something is closed.
    let closes = |share: &Allotment| share.closing > 0 || share.flatten > 0;
    let share = mirror
        .allotment
        .map(|share| Allotment { product: share.product.filter(|_| closes(&share)), ..share });
    format!(" {share:?} {:?} {purpose:?} {:?}", mirror.target, mirror.wake())
}

fn book_figures(mirror: &Mirror) -> String {
    format!("worst {} held {} repaired {}", mirror.worst_case(), mirror.held(), mirror.repaired())
}

fn of_child(child: &Child, heard: bool) -> String {
    // A stop that has fired is a limit: of what is over that says nothing any more.
    let order_type = child.is_live().then_some(child.terms.order_type);
    let terms =
        (&child.terms.instrument, child.terms.side, order_type, child.terms.quantity, child.terms.price);
    // A change that was taken is looked for in the next book.
    let request = child.request.as_deref().filter(|request| heard || request.state != ChangeState::Acked);
    let request = request.map(|request| (&request.change, request.state, request.serial));
    format!(
        "  {}.{}.{} {:?} {:?} {:?} {:?} {} retired {} fired {} changes {} serial {} {request:?} cancels {} {} ordered {} {:?}",
        child.key.leg,
        child.key.slice,
        child.key.attempt,
        child.state,
        child.purpose,
        child.status,
        child.broker_order_id,
        child.cumulative,
        child.is_retired,
        child.has_fired && child.is_live(),
        child.changes,
        child.serial,
        child.cancel_asked,
        child.cancel_may_act,
        child.ordered(),
        terms
    )
}
