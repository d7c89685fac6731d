//! Whether a leader order is followed at all. Each refusal has one reason; the reasons are one enum.
//!
//! Gates that look at the leader's order and the follower's policy are here ([`examine`]); those that need the
//! follower's state of the moment (trading state, session, filters, caps, loss, margin, breaker) are in [`entry`], and
//! are asked by [`crate::follower`] before it wraps a placement as [`RiskApproved`].

mod admit;
mod cost;
pub mod entry;
mod prices;

pub use admit::{Admission, weigh};
pub use cost::{Cover, cost, unit_cost};
pub use prices::{clamp, clamp_exit};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ids::DhanClientId;
use crate::instrument::{Instrument, InstrumentKind, coded_enum};
use crate::leader::LeaderOrder;
use crate::order::{BrokerStatus, Leg, OrderForm, OrderTerms, Product};
use crate::policy::{CopyOn, Translation};
use crate::time::Timestamp;

coded_enum! {
    /// Why a leader order is not copied to a follower. The text is what the database and `tandem status` show.
    DeniedReason {
        /// The order was placed by Tandem itself, or belongs to the follower's own account: copying it would loop.
        CopyLoop = "copy_loop",
        /// The leader's order was rejected; nothing was sent.
        LeaderRejected = "leader_rejected",
        /// The leader's order ended unfilled before it could be copied.
        LeaderGone = "leader_gone",
        /// A leg of a super, cover or bracket order; copied with its parent only.
        OrderLeg = "order_leg",
        /// The instrument is in no master file of the day.
        UnknownInstrument = "unknown_instrument",
        /// Not an option, while only options are copied.
        NotOption = "not_option",
        /// An option of a kind that the settings leave out.
        KindNotCopied = "kind_not_copied",
        /// A cover or bracket order whose legs are not known: without them it would be half an order.
        UnsupportedProduct = "unsupported_product",
        /// A stop, an immediate or an after-market order with exit legs: no order of the broker has them.
        UnsupportedOrderType = "unsupported_order_type",
        /// The follower's share is less than one lot.
        BelowOneLot = "below_one_lot",
        /// The capital of the leader or of the follower is not known, so no proportion can be taken.
        CapitalUnknown = "capital_unknown",
        /// What one unit costs is not known, so it cannot be told how many a share of the capital, or a limit, pays for.
        PriceUnknown = "price_unknown",
        /// A forever order on a derivative: the broker has them for equity only. What it leaves when it fires is copied.
        ForeverOnDerivatives = "forever_on_derivatives",
        /// The order that a fired forever order left: the follower's own forever order leaves one too.
        ForeverChild = "forever_child",
        /// The leader closed by it what the follower does not hold because of copies.
        NothingToClose = "nothing_to_close",
        /// A sell that the leader has covered, and the follower's own cover is missing.
        CoverMissing = "cover_missing",
        /// The leader filled and the follower's entry did not, for longer than the owner lets it wait.
        LeftBehind = "left_behind",
        /// The leader's order is older than entries may be.
        StaleEntry = "stale_entry",
        /// The leader went in and out, or out and in, while nobody heard of it: nothing is left of that to follow.
        RoundTripMissed = "round_trip_missed",
        /// The follower's circuit breaker is open.
        BreakerOpen = "breaker_open",
        /// The broker refuses the follower's credentials; nothing is sent until that is mended.
        AccountHalted = "account_halted",
        /// The broker's book holds an order with this very id, and there is no record of it here: it is not sent again.
        AlreadyAtBroker = "already_at_broker",
        /// A copy of it that was placed on an earlier day may rest at the broker still, and nobody can prove that it is one
        /// that was carried over.
        RestsFromBefore = "rests_from_before",
        /// The answer was lost, and the broker's book proved that no order had come of it; too late to send again.
        ProvenAbsent = "proven_absent",
        /// The account is halted, or the leader placed the order before it was resumed.
        Halted = "halted",
        /// The account only leaves positions.
        Reducing = "reducing",
        /// The owner has switched copying off.
        CopyingOff = "copying_off",
        /// Outside the part of the day in which the owner lets entries be opened.
        OutsideWindow = "outside_window",
        /// The exchange does not trade today: a weekend or a holiday.
        MarketHoliday = "market_holiday",
        /// Before or after the session.
        MarketClosed = "market_closed",
        /// An after-market order while the session is on.
        MarketOpen = "market_open",
        /// The instrument has expired, or will have before the order could trade.
        InstrumentExpired = "instrument_expired",
        /// Too late on the day the instrument expires.
        ExpiryDay = "expiry_day",
        /// Too late in the day for a product that the broker squares off by itself.
        IntradayCutoff = "intraday_cutoff",
        /// The owner's lists leave out the segment.
        SegmentFiltered = "segment_filtered",
        /// The owner's lists leave out the underlying.
        UnderlyingFiltered = "underlying_filtered",
        /// The owner's lists leave out the instrument.
        InstrumentFiltered = "instrument_filtered",
        /// The owner's lists leave out the product.
        ProductFiltered = "product_filtered",
        /// The owner's lists leave out the side.
        SideFiltered = "side_filtered",
        /// The market has moved too far from what the leader paid, against the follower.
        PriceDrift = "price_drift",
        /// More lots than one order may have.
        LotsPerOrder = "lots_per_order",
        /// More lots than may be held and under way in one instrument.
        LotsPerInstrument = "lots_per_instrument",
        /// More premium, or margin, than one order may cost.
        OrderValue = "order_value",
        /// More premium, or margin, than one instrument may have of the account's capital.
        PositionShare = "position_share",
        /// As many orders as may work at the same time do.
        OpenOrders = "open_orders",
        /// As many orders as may be placed in a day were.
        OrdersPerDay = "orders_per_day",
        /// The account has lost as much today as its owner bears.
        DailyLoss = "daily_loss",
        /// A limit needs the account's loss or money, and that is not known, or too old to rely on.
        FiguresUnknown = "figures_unknown",
        /// The account lacks the money.
        MarginShort = "margin_short",
        /// A price is no whole number of ticks.
        OffTick = "off_tick",
        /// A price lies outside the day's band.
        OutsideBand = "outside_band",
        /// Nobody knows what came of an order of ours in this instrument, for longer than it should take to prove.
        OutcomeUnknown = "outcome_unknown",
        /// Our rows and the broker's account differ in this instrument.
        LedgerDrift = "ledger_drift",
    }
}

impl DeniedReason {
    /// Whether it says that less of the leader's order stands, so that less of a copy that is out should. All others say
    /// only that nothing new is to be placed: a master file that cannot be read takes nobody's stop away.
    pub const fn takes_back(self) -> bool {
        matches!(self, Self::LeaderGone | Self::LeaderRejected | Self::BelowOneLot | Self::NothingToClose)
    }

    /// Whether the broker has no order like the leader's: the follower's owner must know, because nobody copies it for him.
    pub const fn is_without_equivalent(self) -> bool {
        matches!(self, Self::UnsupportedProduct | Self::UnsupportedOrderType)
    }
}

/// What a follower copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPolicy {
    /// Kinds of instrument that are copied.
    pub kinds: BTreeSet<InstrumentKind>,
    /// Products placed instead of the leader's.
    pub product_map: BTreeMap<Product, Product>,
    /// The age beyond which an entry is no longer sent.
    pub entry_age_max: Duration,
    /// When a copy is due.
    pub on: CopyOn,
    /// How it is put in terms the broker takes.
    pub translation: Translation,
}

/// A value that passed every gate: the only thing that may reach the broker client (P16). Made by
/// [`crate::follower`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskApproved<T>(T);

impl<T> RiskApproved<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// What an examination found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The leader's order in the follower's product, its quantity still the leader's.
    pub terms: OrderTerms,
    /// Why nothing may be opened by it. What was opened before may still be closed by it.
    pub entry_denial: Option<DeniedReason>,
}

/// Whether the leader's order is one that this follower copies, and with which terms.
pub fn examine(
    order: &LeaderOrder,
    instrument: Option<&Instrument>,
    policy: &CopyPolicy,
    follower: &DhanClientId,
) -> Result<Examined, DeniedReason> {
    let ours = order.tag.as_ref().is_some_and(crate::ids::Tag::is_tandem);
    if ours || order.account == *follower {
        return Err(DeniedReason::CopyLoop);
    }
    if matches!(order.leg, Leg::StopLoss | Leg::Target) {
        return Err(DeniedReason::OrderLeg);
    }
    if order.standing_quantity().is_zero() {
        let rejected = order.status == BrokerStatus::Rejected;
        return Err(if rejected { DeniedReason::LeaderRejected } else { DeniedReason::LeaderGone });
    }
    let instrument = instrument.ok_or(DeniedReason::UnknownInstrument)?;
    if matches!(order.terms.form, OrderForm::Forever(_)) && instrument.kind != InstrumentKind::Equity {
        return Err(DeniedReason::ForeverOnDerivatives);
    }
    if order.forever_parent.is_some() && instrument.kind == InstrumentKind::Equity {
        return Err(DeniedReason::ForeverChild);
    }
    let product = policy.product_map.get(&order.terms.product).copied().unwrap_or(order.terms.product);
    let terms = OrderTerms { product, quantity: order.standing_quantity(), ..order.terms.clone() };
    Ok(Examined { terms, entry_denial: kind_denial(instrument.kind, policy) })
}

fn kind_denial(kind: InstrumentKind, policy: &CopyPolicy) -> Option<DeniedReason> {
    if policy.kinds.contains(&kind) {
        return None;
    }
    let only_options = policy.kinds.iter().all(|kind| kind.is_option());
    let is_no_option = only_options && !kind.is_option();
    Some(if is_no_option { DeniedReason::NotOption } else { DeniedReason::KindNotCopied })
}

/// Whether something the leader did is too old to be followed as an entry (P13), by the broker's own times.
pub fn is_stale(since: Timestamp, policy: &CopyPolicy, now: Timestamp) -> bool {
    now.since(since) > policy.entry_age_max
}

#[cfg(test)]
mod tests;
