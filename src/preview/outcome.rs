//! What a preview found, ready to be shown.

use std::collections::BTreeMap;

use tandem_domain::gap::{Gap, GapResult};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, FollowerId};
use tandem_domain::instrument::{InstrumentKey, InstrumentTable};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{Mirror, Outcome, Target};
use tandem_domain::order::Side;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;
use tandem_domain::sizing::{Ratio, Share, Strategy};
use tandem_domain::time::{Timestamp, TradingDay};
use tandem_domain::trading::Trading;
use tandem_domain::translate::Note;

use super::LeaderDay;
use super::capital::Means;
use super::following::{Following, PER_LOT, Tally};
use super::holdings::{Holdings, Tape};
use super::leading::Leading;

/// A day run through the settings.
#[derive(Debug)]
pub struct Preview {
    /// Which day.
    pub day: TradingDay,
    /// Where it comes from.
    pub source: String,
    /// The leader's side.
    pub leader: LeaderOutcome,
    /// One for each follower, as the settings list them.
    pub followers: Vec<FollowerOutcome>,
    /// The leader's orders, oldest first.
    pub orders: Vec<Ordered>,
    /// What a reader must know to trust the numbers.
    pub warnings: Vec<String>,
}

/// The leader's side.
#[derive(Debug)]
pub struct LeaderOutcome {
    /// His capital, where it is known.
    pub capital: Option<Money>,
    /// States of his orders that were run.
    pub states: usize,
    /// What he made.
    pub traded: Traded,
}

/// What an account made.
#[derive(Debug)]
pub struct Traded {
    /// By closing.
    pub realised: Money,
    /// On paper, at the last prices known.
    pub unrealised: Money,
    /// What is held at the end.
    pub open: Vec<Holding>,
}

/// A position at the end of the day.
#[derive(Debug)]
pub struct Holding {
    /// The instrument's symbol, or its key where that is not known.
    pub symbol: String,
    /// Units, signed.
    pub units: i64,
    /// The last price known.
    pub last: Option<Price>,
    /// Profit on paper.
    pub unrealised: Money,
}

/// One follower.
#[derive(Debug)]
pub struct FollowerOutcome {
    /// Who.
    pub id: FollowerId,
    /// His capital.
    pub capital: Option<Money>,
    /// How he is sized.
    pub strategy: Strategy,
    /// The ratio of his first sized order, multiplier apart; it stands for all where the strategy has one ratio a day.
    pub ratio: Option<Ratio>,
    /// One for each leader order, in the order of [`Preview::orders`].
    pub copies: Vec<Copied>,
    /// The most money that positions and working entries held at a time.
    pub margin_peak: Money,
    /// When that was.
    pub margin_peak_at: Option<Timestamp>,
    /// Orders of his that still wait at the end.
    pub working: usize,
    /// How the account stands at the end.
    pub trading: Trading,
    /// What he made.
    pub traded: Traded,
    /// What a person should know, and how often it happened.
    pub alerts: BTreeMap<&'static str, usize>,
}

/// A leader order.
#[derive(Debug)]
pub struct Ordered {
    /// The broker's id.
    pub id: BrokerOrderId,
    /// When it was first known.
    pub at: Timestamp,
    /// The instrument's symbol, or its key where that is not known.
    pub symbol: String,
    /// Buy or sell.
    pub side: Side,
    /// Units in a lot; one where the instrument is not known.
    pub lot: u32,
    /// Units asked for.
    pub quantity: Quantity,
    /// Units filled.
    pub filled: Quantity,
    /// At which average price.
    pub average: Price,
    /// The broker's word for how it stands at the end.
    pub status: String,
}

/// A leader order at one follower.
#[derive(Debug)]
pub struct Copied {
    /// What became of it; none where it was never told of.
    pub outcome: Option<Outcome>,
    /// Why it was not copied, or not in full.
    pub reason: Option<DeniedReason>,
    /// How the copy differs in kind.
    pub note: Option<Note>,
    /// How leader and follower parted.
    pub gap: Option<Gap>,
    /// Units wanted in the end.
    pub target: Quantity,
    /// Units filled by the copy, repairs apart.
    pub filled: u32,
    /// At which average price.
    pub average: Option<Price>,
    /// Units that repairs traded.
    pub repaired: u32,
    /// What was opened.
    pub entry: Rounding,
    /// What was closed.
    pub exit: Rounding,
    /// Units by which the leader opened and closed.
    pub leader_opened: u32,
    /// The same, closed.
    pub leader_closed: u32,
}

/// What exact proportion comes to beside what was traded, in billionths of a lot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounding {
    /// Exact proportion.
    pub exact: i128,
    /// What was traded.
    pub copied: i128,
}

impl Rounding {
    /// Traded beyond exact proportion, or short of it.
    pub const fn difference(self) -> i128 {
        self.copied - self.exact
    }

    /// The difference in hundredths of a percent of exact proportion; none where that is nothing.
    pub fn bps(self) -> Option<i64> {
        (self.exact > 0).then(|| i64::try_from(self.difference() * 10_000 / self.exact).unwrap_or(i64::MAX))
    }

    #[must_use]
    const fn plus(self, other: Self) -> Self {
        Self { exact: self.exact + other.exact, copied: self.copied + other.copied }
    }
}

impl Copied {
    /// Whether it was copied, if not always in full.
    pub fn is_copied(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Sent | Outcome::Detached))
    }

    /// Whether nothing but whole lots keeps it from exact proportion.
    pub fn is_rounded_only(&self) -> bool {
        let by_rounding = matches!(self.reason, None | Some(DeniedReason::BelowOneLot));
        by_rounding && self.gap.is_none_or(|gap| gap.units == 0 || gap.result == GapResult::Repaired)
    }
}

impl FollowerOutcome {
    /// What whole lots made of the copies, entries and exits: of those that were not denied or cut by anything else.
    pub fn rounding(&self) -> (Rounding, Rounding) {
        let counted = self.copies.iter().filter(|copy| copy.is_rounded_only());
        counted.fold((Rounding::default(), Rounding::default()), |(entry, exit), copy| {
            (entry.plus(copy.entry), exit.plus(copy.exit))
        })
    }

    /// What was not copied, or not in full, by reason: orders, and what exact proportion has beyond what was traded.
    pub fn denied(&self) -> BTreeMap<DeniedReason, (usize, Rounding)> {
        let mut by_reason: BTreeMap<DeniedReason, (usize, Rounding)> = BTreeMap::new();
        for (copy, reason) in self.copies.iter().filter_map(|copy| Some((copy, copy.reason?))) {
            let (orders, lost) = by_reason.entry(reason).or_default();
            *orders += 1;
            *lost = lost.plus(copy.entry).plus(copy.exit);
        }
        by_reason
    }
}

pub(super) fn of(day: LeaderDay, means: Means, leading: Leading, followers: Vec<Following>) -> Preview {
    let symbol = |key: InstrumentKey| symbol(&day.instruments, key);
    let mut orders: Vec<_> = leading.orders().collect();
    orders.sort_by_key(|order| (order.ts_first_seen, order.broker_order_id.clone()));
    let warnings = warnings(&day, &orders, &followers);
    let outcomes = followers.iter().map(|follower| of_follower(follower, &orders, &leading, &symbol));
    Preview {
        day: day.day,
        source: day.source.clone(),
        leader: LeaderOutcome {
            capital: means.leader,
            states: leading.states,
            traded: traded(&leading.holdings, &leading.tape, &symbol),
        },
        followers: outcomes.collect(),
        orders: orders.iter().map(|order| ordered(order, &day.instruments)).collect(),
        warnings,
    }
}

fn symbol(table: &InstrumentTable, key: InstrumentKey) -> String {
    table.get(key).map_or_else(|| key.to_string(), |instrument| instrument.symbol.to_string())
}

fn ordered(order: &LeaderOrder, table: &InstrumentTable) -> Ordered {
    let instrument = table.get(order.terms.instrument);
    Ordered {
        id: order.broker_order_id.clone(),
        at: order.ts_first_seen,
        symbol: symbol(table, order.terms.instrument),
        side: order.terms.side,
        lot: instrument.map_or(1, |instrument| instrument.lot_size.get()),
        quantity: order.terms.quantity,
        filled: order.cumulative,
        average: order.average_price,
        status: order.status.to_string(),
    }
}

fn of_follower(
    follower: &Following,
    orders: &[&std::sync::Arc<LeaderOrder>],
    leading: &Leading,
    symbol: &dyn Fn(InstrumentKey) -> String,
) -> FollowerOutcome {
    let book = &follower.book;
    let mirrors = orders.iter().map(|order| (book.mirror(&order.broker_order_id), order));
    let copies = mirrors.clone().map(|(mirror, order)| {
        let tally = follower.tallies.get(&order.broker_order_id).cloned().unwrap_or_default();
        copied(mirror, &tally, follower.lot_of(order.terms.instrument))
    });
    let ratio = mirrors.clone().find_map(|(mirror, _)| mirror?.sizing).map(|sizing| sizing.ratio);
    FollowerOutcome {
        id: follower.start.policy.id.clone(),
        capital: follower.start.capital.follower,
        strategy: follower.start.policy.sizing.strategy,
        ratio,
        copies: copies.collect(),
        margin_peak: follower.margin_peak,
        margin_peak_at: follower.margin_peak_at,
        working: follower.working(),
        trading: follower.trading,
        traded: traded(&follower.holdings, &leading.tape, symbol),
        alerts: follower.alerts.clone(),
    }
}

fn copied(mirror: Option<&Mirror>, tally: &Tally, lot: u32) -> Copied {
    let lots = |units: u32| i128::from(units) * PER_LOT / i128::from(lot.max(1));
    let sizing = mirror.and_then(|mirror| mirror.sizing);
    let share = sizing.map_or(Share::ZERO, |sizing| sizing.share(Quantity::new(tally.leader_opened)));
    let average =
        i64::try_from(tally.value / i128::from(tally.traded.max(1))).ok().and_then(Price::from_units);
    Copied {
        outcome: mirror.map(|mirror| mirror.outcome),
        reason: mirror.and_then(|mirror| mirror.reason),
        note: mirror.and_then(|mirror| mirror.note),
        gap: mirror.and_then(|mirror| mirror.gap),
        target: match mirror.map(|mirror| &mirror.target) {
            Some(Target::Open(terms)) => terms.quantity,
            _ => Quantity::ZERO,
        },
        filled: tally.traded,
        average: average.filter(|price| !price.is_zero()),
        repaired: tally.repaired,
        entry: Rounding { exact: i128::from(share.billionths()), copied: lots(tally.opened) },
        exit: Rounding { exact: tally.exact_closed, copied: lots(tally.closed) },
        leader_opened: tally.leader_opened,
        leader_closed: tally.leader_closed,
    }
}

fn traded(holdings: &Holdings, tape: &Tape, symbol: &dyn Fn(InstrumentKey) -> String) -> Traded {
    let open = holdings.lines().filter(|(_, line)| line.units != 0).map(|(key, line)| Holding {
        symbol: symbol(key),
        units: line.units,
        last: tape.last(key),
        unrealised: line.unrealised(tape.last(key)),
    });
    Traded { realised: holdings.realised(), unrealised: holdings.unrealised(tape), open: open.collect() }
}

fn warnings(
    day: &LeaderDay,
    orders: &[&std::sync::Arc<LeaderOrder>],
    followers: &[Following],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let unknown = orders.iter().filter(|order| day.instruments.get(order.terms.instrument).is_none()).count();
    if unknown > 0 {
        warnings.push(format!(
            "{unknown} of {} leader orders are in instruments that the file does not have: it is not that day's, name one \
             that is with --instruments FILE",
            orders.len()
        ));
    }
    for follower in followers {
        let id = &follower.start.policy.id;
        if follower.is_cut_short() {
            warnings.push(format!(
                "{id}: more happened after the leader's last order than is followed to its end"
            ));
        }
        if follower.start.policy.refreshes_capital {
            warnings.push(format!(
                "{id}: sizing.intraday_refresh is on; here the ratio stays that of the day's start"
            ));
        }
    }
    warnings
}
