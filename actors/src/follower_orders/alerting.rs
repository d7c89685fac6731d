//! What a person should know of an account, in words that say what happened and what to do.

use actix::Context;
use tandem_domain::follower::{Alert, Conversion, Effect};
use tandem_domain::order::lifecycle::IllegalTransition;
use tandem_domain::slippage::FillComparison;
use tandem_domain::time::Timestamp;
use tandem_domain::trading::HaltCause;
use tracing::error;

use super::FollowerOrderActor;
use crate::alerts::AlertText;
use crate::records::gap_text;
use crate::store::Write;

impl FollowerOrderActor {
    /// What these effects tell a person, as rows: that something is so, and that something is so no more.
    pub(super) fn told(&mut self, effects: &[Effect], now: Timestamp) -> Vec<Write> {
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::Alert(Alert::Illegal(illegal)) => self.on_illegal(illegal),
                Effect::Alert(alert) => {
                    told.extend(self.words(alert).map(|text| self.row_of(text, now)));
                }
                Effect::Over(alert) => {
                    told.extend(self.words(alert).map(|text| text.end(Some(self.id()), now)));
                }
                _ => {}
            }
        }
        told
    }

    /// What was said in this alert is so no more: its incident ends.
    pub(super) fn over(&mut self, alert: &Alert, ctx: &mut Context<Self>) {
        let now = self.params.clock.now();
        let ended = self.words(alert).map(|text| text.end(Some(self.id()), now));
        self.record(ended.into_iter().collect(), ctx);
    }

    /// Tells it, behind all that was recorded before and before all that will be.
    pub(super) fn raise(&mut self, alert: AlertText, ctx: &mut Context<Self>) {
        let row = self.row_of(alert, self.params.clock.now());
        self.record(vec![row], ctx);
    }

    fn row_of(&self, alert: AlertText, now: Timestamp) -> Write {
        Write::IncidentOpen(alert.row(Some(self.id()), now))
    }

    fn on_illegal(&mut self, illegal: &IllegalTransition) {
        self.vitals.failed(illegal);
        error!(follower = %self.id(), %illegal, "an event that makes no sense");
    }

    fn words(&self, alert: &Alert) -> Option<AlertText> {
        let account = || self.params.account.account.masked();
        of_account(alert, account).or_else(|| of_position(alert)).or_else(|| of_order(alert))
    }
}

/// What concerns the whole account.
fn of_account(alert: &Alert, account: impl Fn() -> String) -> Option<AlertText> {
    Some(match alert {
        Alert::AccountHalted => AlertText {
            kind: "account_halted",
            subject: account(),
            text: "the broker refuses this follower's access token: nothing is sent until it is replaced"
                .to_owned(),
        },
        Alert::Stopped(cause) => AlertText {
            kind: "trading_stopped",
            subject: cause.to_string(),
            text: stopped(*cause).to_owned(),
        },
        Alert::SquaredOff => AlertText {
            kind: "squared_off",
            subject: account(),
            text:
                "everything that was copied is closed; nothing new is copied until you resume this follower"
                    .to_owned(),
        },
        Alert::SquaringOff(instruments, units) => AlertText {
            kind: "squaring_off",
            subject: account(),
            text: format!(
                "a square-off goes on: {units} units in {instruments} instruments are still to be closed; \
                 look at the account if this does not become less"
            ),
        },
        Alert::FlatteningFails => AlertText {
            kind: "square_off_refused",
            subject: account(),
            text: "the broker does not take an order that closes what was copied: it is tried again, at most a minute \
                   apart, until the account is flat or you resume this follower; see why in `tandem status` or the \
                   broker's app, and close by hand what you can"
                .to_owned(),
        },
        _ => return None,
    })
}

const fn stopped(cause: HaltCause) -> &'static str {
    match cause {
        HaltCause::Operator => "an operator stopped this follower: nothing new is opened until you resume it",
        HaltCause::DailyLoss => {
            "the account lost more today than risk.daily_loss_max_rupees: nothing new is opened until you resume it"
        }
        HaltCause::Rejections => {
            "the broker rejected order after order: nothing new is opened; find out why, then resume this follower"
        }
        HaltCause::Drift => {
            "the account does not hold what it should: nothing new is opened; compare the two, then resume this follower"
        }
    }
}

/// What concerns what is held.
fn of_position(alert: &Alert) -> Option<AlertText> {
    let (kind, subject, text) = match alert {
        Alert::Drift(instrument, units) => (
            "ledger_drift",
            instrument,
            format!(
                "the account holds {units:+} units of {instrument} that no record explains: nothing more is opened in it \
                 until they agree; if you traded by hand, it settles by itself, else look at the account"
            ),
        ),
        Alert::OutcomeUnknown(instrument) => (
            "outcome_unknown",
            instrument,
            format!(
                "nobody knows what came of an order in {instrument}: its answer was lost, and no book proves it. Nothing more is \
                 opened there until one does, exits and cancels pass, and it is asked for again for ever; look at the account"
            ),
        ),
        Alert::UnresolvedYesterday(instrument) => (
            "unresolved_yesterday",
            instrument,
            format!(
                "a request of an earlier day in {instrument} has no proven outcome: it is never sent again, and nothing is \
                 opened there until the positions show that nothing came of it; else look what the account holds, and \
                 resume this follower: it counts as the owner's own then"
            ),
        ),
        Alert::Overshot(instrument, units) => (
            "overshot",
            instrument,
            format!(
                "more of {instrument} was closed than was held: {units:+} units are traded back at once; check the account"
            ),
        ),
        Alert::CarriedLeft(instrument, units) => (
            "carried_left",
            instrument,
            format!(
                "{units:+} units of {instrument} are held because of copies, and no order can close them (no master file of \
                 today has the instrument, they are less than a lot, or an evening left them against the leader): close them by \
                 hand"
            ),
        ),
        Alert::SquaredOffByBroker(instrument, units) => (
            "squared_off_by_broker",
            instrument,
            format!(
                "the broker closed {units:+} copied units of {instrument} by itself: they are no longer followed; \
                 check the account"
            ),
        ),
        Alert::LeaderConverted(conversion) => return Some(converted(conversion)),
        _ => return None,
    };
    Some(AlertText { kind, subject: subject.to_string(), text })
}

fn converted(conversion: &Conversion) -> AlertText {
    let Conversion { instrument, from, to, units } = conversion;
    AlertText {
        kind: "leader_converted",
        subject: format!("{instrument}/{from}/{to}"),
        text: format!(
            "the leader converted {units:+} units of {instrument} from {from} to {to}: convert the copies by hand, or set \
             copy.conversions = \"copy\""
        ),
    }
}

/// What concerns one order.
fn of_order(alert: &Alert) -> Option<AlertText> {
    let (kind, subject, text) = match alert {
        Alert::Overfill(id) => {
            ("overfill", id.to_string(), "more was filled than was ordered: check the account")
        }
        Alert::LookAlike(id) => (
            "outcome_in_doubt",
            id.to_string(),
            "an order's answer was lost, and the book holds an unexplained order like it: check the account",
        ),
        Alert::Unrecorded(id) => (
            "unrecorded_order",
            id.to_string(),
            "an order carries Tandem's tag and is on no record here; it is left alone",
        ),
        Alert::Missing(id) => (
            "order_missing",
            id.to_string(),
            "the broker took this order, and its order book does not show it any more: nothing is concluded from that; look \
             at it in the account",
        ),
        Alert::AppearedLate(id) => (
            "appeared_late",
            id.to_string(),
            "an order that was thought absent or refused appeared in the book: it is tracked, check the account",
        ),
        Alert::Duplicate(id) => (
            "duplicate_order",
            id.to_string(),
            "a second order carries the tag of one of ours; it is left alone: check the account",
        ),
        Alert::ExitGivenUp(id) => (
            "exit_given_up",
            id.to_string(),
            "an exit was tried three times to no avail: close the position by hand",
        ),
        Alert::Detached(id) => (
            "detached",
            id.to_string(),
            "the copy was changed or cancelled by hand: it is left alone from now on",
        ),
        Alert::LateFill(id) => (
            "late_fill",
            id.to_string(),
            "an order filled after the broker had said it was over: it is counted, check the account",
        ),
        Alert::ChangesExhausted(id) => (
            "changes_exhausted",
            id.to_string(),
            "the copy was changed as often as the broker allows and is left as it is: change it by hand",
        ),
        Alert::ChangeRefused(id) => (
            "change_refused",
            id.to_string(),
            "the broker does not take a change or cancel of the copy: look at it in the account",
        ),
        Alert::LegUnlinked(id) => (
            "leg_unlinked",
            id.to_string(),
            "an exit leg belongs to no order that is known: look at it in the account",
        ),
        Alert::CoverMissing(id) => (
            "cover_missing",
            id.to_string(),
            "the leader sold this covered by a bought leg, and the follower's cover had not filled in time: the sale was \
             not copied; see spread.on_missing_cover",
        ),
        _ => return of_leader_order(alert),
    };
    Some(AlertText { kind, subject, text: text.to_owned() })
}

/// What concerns the copy of one leader order, with figures.
fn of_leader_order(alert: &Alert) -> Option<AlertText> {
    let (kind, id, text) = match alert {
        Alert::NoEquivalent(id, reason) => (
            "no_equivalent",
            id,
            format!("the broker has no order like this one of the leader's, so it is not copied ({reason})"),
        ),
        Alert::CopyGap(id, gap) => ("copy_gap", id, gap_text(*gap)),
        Alert::Slippage(id, comparison) => ("slippage", id, slipped(comparison)),
        _ => return None,
    };
    Some(AlertText { kind, subject: id.to_string(), text })
}

fn slipped(comparison: &FillComparison) -> String {
    format!(
        "{} units cost {} rupees more than the leader's price: {}.{:02} basis points",
        comparison.filled,
        comparison.slippage,
        comparison.bps_x100 / 100,
        comparison.bps_x100.unsigned_abs() % 100
    )
}
