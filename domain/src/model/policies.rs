//! What an owner may choose, drawn at random, and the same in the words of the code under test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::exchange::LOT;
use super::fraction::Fraction;
use super::speak::{self, FOLLOWERS, Follower};
use crate::calendar::Calendar;
use crate::follower::FollowerSettings;
use crate::gap::GapPolicy;
use crate::gates::CopyPolicy;
use crate::gates::entry::{AtCap, Caps, EntryPolicy, MarginCheck};
use crate::ids::{DhanClientId, FollowerId};
use crate::instrument::{Instrument, InstrumentKind, OptionContract, OptionType};
use crate::mirror::Rules;
use crate::pacing::{PacingLimits, Window};
use crate::policy::{
    AtModificationLimit, Bps, Changes, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover,
    OnBreach, OnDrift, Parting, RiskPolicy, Spread, Translation,
};
use crate::price::{Money, Price};
use crate::quantity::{LotSize, Lots, Quantity};
use crate::sizing::{CapitalBasis, DayCapital, Minimum, Ratio, Rounding, SizingPolicy, Strategy};
use crate::time::TradingDay;

/// The owner's choices of this day, and how the world is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policies {
    pub(super) follower: Follower,
    pub(super) on: CopyOn,
    pub(super) market_orders: MarketOrders,
    pub(super) strategy: Strategy,
    /// Follower's units for one of the leader's, where the strategy has such a number: above and below the line.
    pub(super) ratio: (u32, u32),
    pub(super) rounding: Rounding,
    pub(super) minimum: Minimum,
    pub(super) remainder: bool,
    pub(super) caps: [Option<u32>; 4],
    pub(super) at_cap: AtCap,
    pub(super) margin: MarginCheck,
    /// Rupees.
    pub(super) money: i64,
    pub(super) missing_cover: MissingCover,
    pub(super) freeze_lots: Option<u32>,
    pub(super) changes_max: u16,
    pub(super) at_limit: AtModificationLimit,
    pub(super) entry: EntryLeftBehind,
    pub(super) gap: GapPolicy,
    pub(super) instruments: u32,
    pub(super) leader_orders: usize,
    /// Whether people use the follower's account, too: touch copies; trade for themselves.
    pub(super) hands: bool,
    pub(super) owner: bool,
    /// Whether the account is halted, squared off and resumed.
    pub(super) operator: bool,
    /// Whether requests and frames get lost, and brokers reject.
    pub(super) faulty: bool,
    /// Whether the follower's orders fill, in the end, where the leader's have.
    pub(super) same_market: bool,
    /// Whether the follower's broker refuses a second exit for the same units.
    pub(super) no_overlap: bool,
    /// Whether positions are read.
    pub(super) reads_positions: bool,
}

/// Places in [`Policies::caps`].
pub(super) const ORDER: usize = 0;
pub(super) const INSTRUMENT: usize = 1;
pub(super) const OPEN: usize = 2;
pub(super) const DAY: usize = 3;

impl Policies {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let capped = chance.percent(25);
        let mut cap =
            |most: u32, share: u32| (capped && chance.percent(share)).then(|| 1 + chance.below(most));
        let caps = [cap(6, 50), cap(8, 70), cap(4, 30), cap(8, 30)];
        let margin = [MarginCheck::Off, MarginCheck::Estimate, MarginCheck::Broker];
        Self {
            follower: FOLLOWERS[0],
            on: chance.pick(&[
                CopyOn::Working,
                CopyOn::Working,
                CopyOn::Working,
                CopyOn::Transit,
                CopyOn::Fill,
            ]),
            market_orders: chance.pick(&[MarketOrders::AsIs, MarketOrders::ProtectedLimit]),
            strategy: [
                Strategy::FixedRatio,
                Strategy::CapitalProportional,
                Strategy::FixedLots,
                Strategy::RiskBased,
            ][chance.weighted(&[5, 3, 1, 1])],
            ratio: chance.pick(&[(1, 2), (1, 2), (1, 1), (1, 1), (3, 2), (1, 3), (2, 5), (2, 1)]),
            rounding: chance.pick(&[Rounding::Down, Rounding::Down, Rounding::Nearest, Rounding::Up]),
            minimum: chance.pick(&[Minimum::Skip, Minimum::Skip, Minimum::OneLot]),
            remainder: chance.percent(75),
            caps,
            at_cap: chance.pick(&[AtCap::Scale, AtCap::Skip]),
            margin: margin[chance.weighted(&[8, 1, 1])],
            money: 100_000 * i64::from(1 + chance.below(80)),
            missing_cover: chance.pick(&[MissingCover::Skip, MissingCover::Send]),
            freeze_lots: chance.pick(&[None, Some(1), Some(2), Some(27)]),
            changes_max: chance.pick(&[2, 25]),
            at_limit: chance.pick(&[AtModificationLimit::Replace, AtModificationLimit::Stop]),
            entry: chance.pick(&[EntryLeftBehind::Cancel, EntryLeftBehind::Keep, EntryLeftBehind::Chase]),
            gap: chance.pick(&[
                GapPolicy::ExitsOnly,
                GapPolicy::ExitsOnly,
                GapPolicy::Report,
                GapPolicy::Full,
            ]),
            instruments: chance.pick(&[1, 1, 2, 3]),
            leader_orders: chance.pick(&[3, 4, 5, 7]),
            hands: chance.percent(12),
            owner: chance.percent(35),
            operator: chance.percent(20),
            faulty: chance.percent(55),
            same_market: chance.percent(75),
            no_overlap: chance.percent(15),
            reads_positions: chance.percent(50),
        }
    }

    /// The follower's proportion, where the strategy has one.
    pub(super) fn proportion(&self) -> Option<Fraction> {
        let is_linear = matches!(self.strategy, Strategy::FixedRatio | Strategy::CapitalProportional);
        is_linear.then(|| Fraction::new(self.ratio.0.into(), self.ratio.1.into()))
    }

    pub(super) fn capital(&self) -> DayCapital {
        let rupees = |part: u32| Some(Money::from_rupees(1_000_000 * i64::from(part)));
        DayCapital { leader: rupees(self.ratio.1), follower: rupees(self.ratio.0) }
    }

    pub(super) fn settings(&self) -> FollowerSettings {
        let translation = Translation {
            market_orders: self.market_orders,
            price_band: Bps::new(300),
            stop_band: Bps::new(300),
        };
        let lots = |place: usize| self.caps[place].map(Lots);
        FollowerSettings {
            account: DhanClientId::new(self.follower.account).unwrap(),
            copy: CopyPolicy {
                kinds: [InstrumentKind::IndexOption].into(),
                product_map: BTreeMap::new(),
                entry_age_max: Duration::from_hours(5),
                on: self.on,
                translation,
            },
            sizing: self.sizing(),
            entry: EntryPolicy {
                age_max: Duration::from_hours(5),
                caps: Caps {
                    lots_per_order: lots(ORDER),
                    lots_per_instrument: lots(INSTRUMENT),
                    open_orders: self.caps[OPEN],
                    orders_per_day: self.caps[DAY],
                    ..Caps::default()
                },
                at_cap: self.at_cap,
                margin: self.margin,
                figures_age_max: Duration::from_hours(5),
                ..EntryPolicy::unbounded()
            },
            spread: Spread {
                cover_wait: Duration::from_secs(3),
                on_missing_cover: self.missing_cover,
                exit_wait: Duration::from_secs(2),
            },
            risk: RiskPolicy {
                on_daily_loss: OnBreach::Reduce,
                rejections_max: 0,
                on_rejections: OnBreach::Off,
                on_drift: OnDrift::Freeze,
                positions_poll: Duration::from_secs(5),
                funds_poll: Duration::from_secs(10),
                margin_wait: Duration::from_millis(300),
                conversions: Conversions::Alert,
            },
            calendar: Arc::new(Calendar::always_open()),
            rules: self.rules(translation),
            pacing: PacingLimits {
                windows: vec![Window { limit: 6, span: Duration::from_secs(1) }],
                exit_reserve_pct: 33,
                guard: Duration::ZERO,
            },
            lookup_first: Duration::from_millis(100),
            lookup_max: Duration::from_millis(500),
            busy_pause: Duration::from_secs(1),
            slippage_alert_bps: 0,
        }
    }

    fn sizing(&self) -> SizingPolicy {
        let (numerator, denominator) = (u64::from(self.ratio.0), u64::from(self.ratio.1));
        SizingPolicy {
            strategy: self.strategy,
            fixed_ratio: Ratio { numerator, denominator },
            fixed_lots: Lots(self.ratio.0),
            risk_share: Bps::new(1_000 * self.ratio.0),
            capital: CapitalBasis::Total,
            fixed_capital: None,
            multiplier: Ratio::ONE,
            ratio_max: Ratio { numerator: 10, denominator: 1 },
            rounding: self.rounding,
            minimum: self.minimum,
            keeps_remainder: self.remainder,
        }
    }

    fn rules(&self, translation: Translation) -> Rules {
        Rules {
            follower: FollowerId::new(self.follower.name).unwrap(),
            on: self.on,
            translation,
            changes: Changes { per_order_max: self.changes_max, at_limit: self.at_limit },
            parting: Parting {
                entry: self.entry,
                entry_after: Duration::from_secs(10),
                exit_after: Duration::from_secs(2),
                chase_interval: Duration::from_secs(2),
                gap: self.gap,
            },
            settle: Duration::from_secs(2),
            retry: Duration::from_millis(200),
        }
    }
}

/// Calls of one underlying and one expiry, so that one may cover another.
pub(super) fn instrument(number: u32, freeze_lots: Option<u32>) -> Instrument {
    Instrument {
        key: speak::key(number),
        kind: InstrumentKind::IndexOption,
        symbol: format!("NIFTY-Dec2026-{}-CE", 26_000 + 50 * number).into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(LOT).unwrap(),
        tick: Price::from_paise(5),
        expiry: TradingDay::from_ymd(2026, 12, 29).map(TradingDay::date),
        option: Some(OptionContract {
            option_type: OptionType::Call,
            strike: Price::from_paise((26_000 + 50 * number) * 100),
        }),
        // Not a whole number of lots, as in life.
        freeze_quantity: freeze_lots.map(|lots| Quantity::new(lots * LOT + 20)),
        band: None,
    }
}
