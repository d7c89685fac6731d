//! The follower's settings, what the leader trades, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_domain::calendar::Calendar;
use tandem_domain::follower::FollowerSettings;
use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::CopyPolicy;
use tandem_domain::gates::entry::{Caps, EntryPolicy};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, Instrument, InstrumentKey, InstrumentKind, SecurityId};
use tandem_domain::mirror::Rules;
use tandem_domain::order::{OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::pacing::{PacingLimits, Window};
use tandem_domain::policy::{
    AtModificationLimit, Bps, Changes, Conversions, CopyOn, EntryLeftBehind, MarketOrders, MissingCover,
    OnBreach, OnDrift, Parting, RiskPolicy, Spread, Translation,
};
use tandem_domain::price::Price;
use tandem_domain::quantity::{LotSize, Lots, Quantity};
use tandem_domain::sizing::{CapitalBasis, Minimum, Ratio, Rounding, SizingPolicy, Strategy};
use tandem_domain::time::{Timestamp, TradingDay};

use super::world::follower;
use crate::chance::Chance;

const SECOND: Duration = Duration::from_secs(1);
const LOT: u32 = 65;

/// Each history has a day of its own, so that one database serves them all.
pub(super) fn start(seed: u64) -> Timestamp {
    let first = TradingDay::from_ymd(2026, 12, 1).unwrap().start();
    let days = Duration::from_hours(24).saturating_mul(u32::try_from(seed % 10_000).unwrap());
    first.plus(days).plus(Duration::from_hours(10))
}

pub(crate) fn leader() -> DhanClientId {
    DhanClientId::new("1000000101").unwrap()
}

pub(crate) fn instruments() -> Vec<Arc<Instrument>> {
    [43_125, 43_126].map(|id| Arc::new(instrument(SecurityId(id)))).into()
}

fn instrument(security_id: SecurityId) -> Instrument {
    Instrument {
        key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id },
        kind: InstrumentKind::IndexOption,
        symbol: "NIFTY-Dec2026-26000-CE".into(),
        underlying: "NIFTY".into(),
        lot_size: LotSize::new(LOT).unwrap(),
        tick: Price::from_paise(5),
        expiry: None,
        option: None,
        freeze_quantity: Some(Quantity::new(6 * LOT)),
        band: None,
    }
}

pub(super) fn price(chance: &mut Chance) -> Price {
    Price::from_paise(10_000 + 5 * chance.below(10))
}

/// What the leader, or a hand, places.
pub(super) fn terms(instrument: InstrumentKey, chance: &mut Chance) -> OrderTerms {
    let order_type = match chance.below(10) {
        0..6 => OrderType::Limit,
        6..8 => OrderType::Market,
        _ => OrderType::StopLoss,
    };
    let price = if order_type == OrderType::Market { Price::ZERO } else { price(chance) };
    let side = if chance.percent(50) { Side::Buy } else { Side::Sell };
    OrderTerms {
        instrument,
        side,
        product: Product::Margin,
        order_type,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(LOT * (1 + chance.below(8))),
        disclosed: Quantity::ZERO,
        price,
        trigger: if order_type.is_stop() { price } else { Price::ZERO },
        after_market: false,
        form: OrderForm::Ordinary,
    }
}

pub(crate) fn settings(seed: u64, chance: &mut Chance) -> FollowerSettings {
    let translation = Translation {
        market_orders: chance.pick(&[MarketOrders::AsIs, MarketOrders::ProtectedLimit]).unwrap(),
        price_band: Bps::new(300),
        stop_band: Bps::new(300),
    };
    let on = if chance.percent(20) { CopyOn::Fill } else { CopyOn::Working };
    let (id, account) = follower(seed);
    let copy = CopyPolicy {
        kinds: [InstrumentKind::IndexOption].into(),
        product_map: BTreeMap::new(),
        entry_age_max: SECOND * 30,
        on,
        translation,
    };
    FollowerSettings {
        account,
        copy,
        sizing: sizing(chance),
        entry: EntryPolicy { caps: caps(chance), ..EntryPolicy::unbounded() },
        spread: Spread {
            cover_wait: SECOND * 5,
            on_missing_cover: MissingCover::Skip,
            exit_wait: SECOND * 3,
        },
        risk: RiskPolicy {
            on_daily_loss: OnBreach::Reduce,
            rejections_max: if chance.percent(30) { 3 } else { 0 },
            on_rejections: OnBreach::Reduce,
            on_drift: OnDrift::Freeze,
            positions_poll: SECOND * 5,
            funds_poll: SECOND * 10,
            margin_wait: SECOND,
            conversions: Conversions::Alert,
        },
        calendar: Arc::new(Calendar::always_open()),
        rules: rules(id, on, translation, chance),
        pacing: PacingLimits {
            windows: vec![Window { limit: 10, span: SECOND }, Window { limit: 250, span: SECOND * 60 }],
            exit_reserve_pct: 20,
            guard: Duration::ZERO,
        },
        lookup_first: Duration::from_millis(100),
        lookup_max: SECOND,
        busy_pause: SECOND,
        slippage_alert_bps: 0,
    }
}

fn sizing(chance: &mut Chance) -> SizingPolicy {
    let ratio = chance.pick(&[Ratio::ONE, Ratio { numerator: 1, denominator: 2 }]).unwrap();
    SizingPolicy {
        strategy: Strategy::FixedRatio,
        fixed_ratio: ratio,
        fixed_lots: Lots(0),
        risk_share: Bps::new(Bps::WHOLE),
        capital: CapitalBasis::Total,
        fixed_capital: None,
        multiplier: Ratio::ONE,
        ratio_max: Ratio { numerator: 10, denominator: 1 },
        rounding: Rounding::Down,
        minimum: Minimum::Skip,
        keeps_remainder: chance.percent(70),
    }
}

fn caps(chance: &mut Chance) -> Caps {
    let mut cap = |most: u32| chance.percent(25).then(|| 1 + chance.below(most));
    Caps {
        lots_per_order: cap(6).map(Lots),
        lots_per_instrument: cap(10).map(Lots),
        open_orders: cap(4),
        ..Caps::default()
    }
}

fn rules(
    follower: tandem_domain::ids::FollowerId,
    on: CopyOn,
    translation: Translation,
    chance: &mut Chance,
) -> Rules {
    Rules {
        follower,
        on,
        translation,
        changes: Changes {
            per_order_max: if chance.percent(25) { 2 } else { 25 },
            at_limit: chance.pick(&[AtModificationLimit::Replace, AtModificationLimit::Stop]).unwrap(),
        },
        parting: Parting {
            entry: chance
                .pick(&[EntryLeftBehind::Cancel, EntryLeftBehind::Keep, EntryLeftBehind::Chase])
                .unwrap(),
            entry_after: SECOND * 10,
            exit_after: SECOND * 2,
            chase_interval: SECOND * 2,
            gap: chance.pick(&[GapPolicy::ExitsOnly, GapPolicy::Report, GapPolicy::Full]).unwrap(),
        },
        settle: SECOND * 2,
        retry: Duration::from_millis(200),
    }
}
