//! The leader's books over REST: which is read when, one at a time, and what a snapshot is.
//!
//! A wish that comes while a read is under way is met by another read, begun after it: what the first one was answered may
//! be older than the reason for the wish.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tandem_dhan::rest::{Book, ReadError};
use tandem_domain::error_policy::{Reaction, Trouble, outage_tries};
use tandem_domain::leader::Merge;
use tandem_domain::order::{ForeverReport, OrderReport, OrderTerms, SuperReport, TradeReport};
use tandem_domain::time::Timestamp;
use tracing::{info, warn};

use super::{LeaderStream, StreamState};
use crate::account::ReadRetry;
use crate::alerts::{AlertText, Standing};
use crate::order_stream::Listens;

/// The kind of the alert of an order book that cannot be read.
const UNREAD: &str = "leader_unread";

/// A list of the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// Super orders with their legs.
    Supers,
    /// Forever orders.
    Forevers,
    /// The trade book.
    Trades,
    /// The order book.
    Orders,
}

/// Which lists are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wishes {
    pub(super) orders: bool,
    pub(super) supers: bool,
    pub(super) forevers: bool,
    pub(super) trades: bool,
}

impl Wishes {
    pub(super) const fn all() -> Self {
        Self { orders: true, supers: true, forevers: true, trades: true }
    }

    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            orders: self.orders || other.orders,
            supers: self.supers || other.supers,
            forevers: self.forevers || other.forevers,
            trades: self.trades || other.trades,
        }
    }

    /// Takes the next one out. The order book comes last: what it shows makes sense only beside the others. But a busy
    /// stream of legs must not keep it waiting for ever, so after one read the same comes again after all others.
    fn take_next(&mut self, last: Option<Listing>) -> Option<Listing> {
        let wished = [
            (Listing::Supers, &mut self.supers),
            (Listing::Forevers, &mut self.forevers),
            (Listing::Trades, &mut self.trades),
            (Listing::Orders, &mut self.orders),
        ];
        let mut wished: Vec<_> = wished.into_iter().filter(|(_, wish)| **wish).collect();
        wished.sort_by_key(|(listing, _)| Some(*listing) == last);
        let (listing, wish) = wished.into_iter().next()?;
        *wish = false;
        Some(listing)
    }
}

impl Listing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Supers => "list of super orders",
            Self::Forevers => "list of forever orders",
            Self::Trades => "trade book",
            Self::Orders => "order book",
        }
    }

    const fn wish(self) -> Wishes {
        Wishes {
            orders: matches!(self, Self::Orders),
            supers: matches!(self, Self::Supers),
            forevers: matches!(self, Self::Forevers),
            trades: matches!(self, Self::Trades),
        }
    }
}

/// How each kind of read stands with the error policy.
#[derive(Debug, Default)]
pub(super) struct Retries {
    supers: ReadRetry,
    forevers: ReadRetry,
    trades: ReadRetry,
    orders: ReadRetry,
    unread: Standing,
    pub(super) positions: ReadRetry,
    pub(super) funds: ReadRetry,
}

impl Retries {
    /// Whether some list was asked for in vain so often that nobody can tell when it is answered.
    pub(super) fn are_in_vain(&self) -> bool {
        let most = [&self.supers, &self.forevers, &self.orders].map(ReadRetry::failures).into_iter().max();
        most.is_some_and(|most| most >= outage_tries())
    }

    /// What was asked for in vain most often of that which copying stands on: how often, what it is, and what its lack means.
    /// The lists of legs are part of it while a snapshot is merged.
    fn most_wanted(&self, is_merging: bool) -> (u32, &'static str, &'static str) {
        let (book, merged) =
            ("What his stream does not tell is not copied", "Nothing is copied before it is read");
        let legs = |retry: &ReadRetry| if is_merging { retry.failures() } else { 0 };
        [
            (self.orders.failures(), Listing::Orders.as_str(), book),
            (legs(&self.supers), Listing::Supers.as_str(), merged),
            (legs(&self.forevers), Listing::Forevers.as_str(), merged),
            (self.trades.failures(), Listing::Trades.as_str(), "A fill that only it tells is not copied"),
            (
                self.positions.failures(),
                "positions",
                "What he holds from before today, and what he converts, is not seen",
            ),
            (
                self.funds.failures(),
                "funds",
                "On a day that begins so nothing is opened for who sizes by capital; what he closes is followed",
            ),
        ]
        .into_iter()
        .max_by_key(|(failures, ..)| *failures)
        .unwrap_or_default()
    }

    const fn of(&mut self, listing: Listing) -> &mut ReadRetry {
        match listing {
            Listing::Supers => &mut self.supers,
            Listing::Forevers => &mut self.forevers,
            Listing::Trades => &mut self.trades,
            Listing::Orders => &mut self.orders,
        }
    }
}

/// A list as it was answered.
#[derive(Debug)]
enum Answer {
    Supers(Result<Book<SuperReport>, ReadError>),
    Forevers(Result<Book<ForeverReport>, ReadError>),
    Trades(Result<Book<TradeReport>, ReadError>),
    Orders(Result<Book<OrderReport>, ReadError>),
}

/// When and why a read began.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: Timestamp,
    /// The session that was logged in and waiting for its snapshot: only what is read after the login tells all that the
    /// stream does not tell any more (P12).
    snapshot_of: Option<u64>,
}

impl LeaderStream {
    /// Reads the books again and again; without a connection too: they tell all that the stream does, only later.
    pub(super) fn read_on_a_period(&self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.params.book_poll, |stream, ctx| {
            // A life that hung, was given up and goes on would hold its socket and spend the reads of the next one.
            if !stream.is_present_generation() {
                return actix::ActorContext::stop(ctx);
            }
            let has_legs = stream.book.has_living_supers() || stream.book.without_legs().next().is_some();
            stream.wish(Wishes { orders: true, supers: has_legs, ..Wishes::default() }, ctx);
        });
        if let Some(poll) = self.params.forever_poll {
            ctx.run_interval(poll, |stream, ctx| {
                stream.wish(Wishes { forevers: true, ..Wishes::default() }, ctx);
            });
        }
    }

    /// Everything anew, for a stream that has just logged in. The order of the reads matters: an entry whose exits only the
    /// list of super orders tells must not be taken for an ordinary order, nor what a forever order left; and what the trade
    /// book tells more than the order book is told with it.
    pub(super) fn read_snapshot(&mut self, ctx: &mut Context<Self>) {
        self.wish(Wishes::all(), ctx);
    }

    pub(super) fn wish(&mut self, wishes: Wishes, ctx: &mut Context<Self>) {
        // Without a follower who copies equity nobody asks what rests for days.
        let forevers = wishes.forevers && self.params.forever_poll.is_some();
        self.wishes = self.wishes.and(Wishes { forevers, ..wishes });
        self.read_next(None, ctx);
    }

    fn read_next(&mut self, last: Option<Listing>, ctx: &mut Context<Self>) {
        if self.reading.is_some() || !self.state.reads() {
            return;
        }
        // A snapshot is read in its order, whatever was read before.
        let last = last.filter(|_| self.state != StreamState::Merging);
        let Some(listing) = self.wishes.take_next(last) else { return };
        self.reading = Some(listing);
        self.read(listing, ctx);
    }

    fn read(&mut self, listing: Listing, ctx: &mut Context<Self>) {
        let Some(client) = self.client.clone() else { return };
        let underway = self.params.in_flight.begin();
        if let Err(wait) = self.reads.take() {
            ctx.run_later(wait, move |stream, ctx| {
                stream.read(listing, ctx);
                drop(underway);
            });
            return;
        }
        let merging = self.state == StreamState::Merging;
        let begun = Begun { at: self.params.clock.now(), snapshot_of: merging.then(|| self.link.session()) };
        self.legs.read_begins(&self.book);
        let read = async move {
            let answer = match listing {
                Listing::Supers => Answer::Supers(client.supers().await),
                Listing::Forevers => Answer::Forevers(client.forevers().await),
                Listing::Trades => Answer::Trades(client.trades().await),
                Listing::Orders => Answer::Orders(client.orders().await),
            };
            (answer, underway)
        };
        ctx.spawn(read.into_actor(self).map(move |(answer, underway), stream, ctx| {
            stream.vitals.progressed();
            stream.on_answer(answer, begun, ctx);
            drop(underway);
        }));
    }

    fn on_answer(&mut self, answer: Answer, begun: Begun, ctx: &mut Context<Self>) {
        let (listing, is_told) = match answer {
            Answer::Supers(Ok(book)) => {
                self.on_supers(&book, begun, ctx);
                (Listing::Supers, names_all(&book))
            }
            Answer::Forevers(Ok(book)) => {
                self.on_forevers(&book, begun, ctx);
                (Listing::Forevers, names_all(&book))
            }
            Answer::Trades(Ok(book)) => {
                let is_told = names_all(&book);
                self.on_trades(book, ctx);
                (Listing::Trades, is_told)
            }
            Answer::Orders(Ok(book)) => {
                self.on_orders(&book, begun, ctx);
                (Listing::Orders, names_all(&book))
            }
            Answer::Supers(Err(error)) => return self.on_read_failed(&error, Listing::Supers, ctx),
            Answer::Forevers(Err(error)) => return self.on_read_failed(&error, Listing::Forevers, ctx),
            Answer::Trades(Err(error)) => return self.on_read_failed(&error, Listing::Trades, ctx),
            Answer::Orders(Err(error)) => return self.on_read_failed(&error, Listing::Orders, ctx),
        };
        if is_told {
            self.retries.of(listing).answered();
        } else {
            // It is asked for again at its turn, with the rest.
            self.retries.of(listing).unusable();
        }
        self.tell_of_unread();
        let last = self.reading.take();
        self.read_next(last, ctx);
    }

    fn on_supers(&mut self, book: &Book<SuperReport>, begun: Begun, ctx: &mut Context<Self>) {
        for error in &book.unreadable {
            self.on_unreadable(error);
        }
        let is_over = self.is_day_over(self.params.clock.now());
        for report in book.rows.iter().filter(|_| !is_over) {
            if report.entry.account != self.params.account.account {
                continue;
            }
            if let Merge::Changed(order) = self.book.merge_super(report, begun.at) {
                self.on_changed(order, None, ctx);
            }
        }
        if book.is_complete() {
            self.legs.read_done(Listing::Supers);
            self.tell_of_legs();
        }
    }

    fn on_forevers(&mut self, book: &Book<ForeverReport>, begun: Begun, ctx: &mut Context<Self>) {
        for error in &book.unreadable {
            self.on_unreadable(error);
        }
        let is_over = self.is_day_over(self.params.clock.now());
        for report in book.rows.iter().filter(|_| !is_over) {
            if report.order.account != self.params.account.account {
                continue;
            }
            if let Merge::Changed(order) = self.book.merge_forever(report, begun.at) {
                self.on_changed(order, None, ctx);
            }
        }
    }

    fn on_orders(&mut self, book: &Book<OrderReport>, begun: Begun, ctx: &mut Context<Self>) {
        crate::fault_point!(LeaderBookRead, ctx);
        for error in &book.unreadable {
            self.on_unreadable(error);
        }
        self.tell_together(true);
        self.merge_orders(book, begun, ctx);
        self.tell_together(false);
        self.is_heard_at(begun.at);
        self.leave_silent_stream(ctx);
    }

    fn merge_orders(&mut self, book: &Book<OrderReport>, begun: Begun, ctx: &mut Context<Self>) {
        // First, so that no row that is behind them is told without them.
        let fills = std::mem::take(&mut self.fills_read);
        self.merge_trades(&fills, ctx);
        let mut wishes = Wishes::default();
        for report in &book.rows {
            wishes = wishes.and(self.merge(report, None, ctx));
        }
        // A row never contradicts: it decides.
        wishes.orders = false;
        if book.is_complete() {
            self.legs.read_done(Listing::Orders);
            self.tell_of_legs();
            self.end_unseen(book, begun.at, ctx);
        }
        self.wish(wishes, ctx);
        if self.state != StreamState::Merging {
            return;
        }
        if begun.snapshot_of == Some(self.link.session()) {
            self.go_live(ctx);
        } else {
            // Begun before the login: what happened between its answer and the login it does not tell.
            self.wish(Wishes { orders: true, ..Wishes::default() }, ctx);
        }
    }

    /// What was carried over and is not shown any more, although the broker's books have turned.
    fn end_unseen(&mut self, book: &Book<OrderReport>, read_at: Timestamp, ctx: &mut Context<Self>) {
        let now = self.params.clock.now();
        if self.is_day_over(now) {
            return;
        }
        let calendar = Arc::clone(&self.params.calendar);
        let have_turned = |terms: &OrderTerms| calendar.books_have_turned(terms.instrument.segment, read_at);
        let shown = book.rows.iter().map(|report| &report.broker_order_id).collect();
        for order in self.book.end_unseen(&shown, have_turned, now) {
            warn!(order = %order.broker_order_id, day = %order.trading_day,
                "an order of the leader's that waited over midnight is not shown any more: it counts as cancelled");
            self.on_changed(order, None, ctx);
        }
    }

    fn go_live(&mut self, ctx: &mut Context<Self>) {
        crate::fault_point!(LeaderMerged, ctx);
        self.enter(StreamState::Live);
        for frame in std::mem::take(&mut self.buffered) {
            self.take_in(frame, ctx);
        }
        info!(orders = self.book.len(), "leader's book merged: live");
    }

    fn on_read_failed(&mut self, error: &ReadError, listing: Listing, ctx: &mut Context<Self>) {
        self.on_read_error(error, listing.as_str(), ctx);
        if listing == Listing::Orders && self.state != StreamState::Live {
            self.goes_unheard();
        }
        // A broker who refuses one list will go on to; who did not answer may answer next.
        let is_final = matches!(error, ReadError::Refused(_)) && listing != Listing::Orders;
        // What the order book tells is not kept waiting by what the trade book may tell more.
        let is_needed = self.state == StreamState::Merging && !is_final && listing != Listing::Trades;
        if is_needed {
            // The whole snapshot again, in its order; no read in between.
            let wait = self.retries.of(listing).failed_but_needed(error);
            ctx.run_later(wait, |stream, ctx| {
                stream.reading = None;
                stream.read_snapshot(ctx);
            });
        } else {
            let retry = self.retries.of(listing);
            // Of the others the period asks again.
            let wait = match listing {
                Listing::Trades if !is_final => Some(retry.failed_but_needed(error)),
                _ => retry.failed(error),
            };
            if let Some(wait) = wait {
                ctx.run_later(wait, move |stream, ctx| stream.wish(listing.wish(), ctx));
            }
        }
        self.tell_of_unread();
        self.mind_the_clock();
        if !is_needed {
            let last = self.reading.take();
            self.read_next(last, ctx);
        }
    }

    /// What every failed read of the leader's account leads to.
    pub(super) fn on_read_error(&mut self, error: &ReadError, what: &'static str, ctx: &mut Context<Self>) {
        warn!(%error, "the leader's {what} could not be read");
        self.reads.on_error(error);
        self.vitals.failed(error);
        if error.trouble().policy().reaction == Reaction::HaltAccount {
            self.on_token_refused(ctx);
        }
    }

    /// A person is told once something that copying stands on was asked for in vain often enough, and when it has its answer.
    pub(super) fn tell_of_unread(&mut self) {
        let (failures, what, so) = self.retries.most_wanted(self.state == StreamState::Merging);
        let mut unread = std::mem::take(&mut self.retries.unread);
        let (subject, now) = (self.params.account.account.masked(), self.params.clock.now());
        if Trouble::ReadUnanswered.policy().alerting.is_due_after(failures) {
            let text = format!(
                "the leader's {what} cannot be read: {failures} tries in a row came to nothing, or to a row of which not even the \
                 order number can be read. {so}; it is asked for again for ever, see the log for what the broker answers"
            );
            unread.raise(&self.voice(), AlertText { kind: UNREAD, subject, text }, now);
        } else if failures == 0 {
            unread.over(&self.voice(), UNREAD, &subject, now);
        }
        self.retries.unread = unread;
    }
}

/// Whether each row of a list was read, or at least named: of one that was named a person is told by its order.
fn names_all<T>(book: &Book<T>) -> bool {
    book.unreadable.iter().all(|error| error.order.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_book_comes_last_and_nothing_comes_twice_before_the_others() {
        let mut wishes = Wishes::all();
        assert_eq!(wishes.take_next(None), Some(Listing::Supers));
        wishes.supers = true;
        assert_eq!(wishes.take_next(Some(Listing::Supers)), Some(Listing::Forevers));
        assert_eq!(wishes.take_next(None), Some(Listing::Supers));
        assert_eq!(wishes.take_next(Some(Listing::Supers)), Some(Listing::Trades));
        assert_eq!(wishes.take_next(Some(Listing::Trades)), Some(Listing::Orders));
        assert_eq!(wishes.take_next(None), None);
        wishes.orders = true;
        assert_eq!(wishes.take_next(Some(Listing::Orders)), Some(Listing::Orders), "alone it waits for none");
    }
}
