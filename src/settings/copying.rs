//! `[copy]`, `[sizing]` and `[parting]`: what is copied, how much of it, and what happens when leader and follower part.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use tandem_dhan::codes::AmoTime;
use tandem_domain::gap::GapPolicy;
use tandem_domain::gates::CopyPolicy;
use tandem_domain::gates::entry::Filters;
use tandem_domain::instrument::{ExchangeSegment, InstrumentKind};
use tandem_domain::order::{Product, Side};
use tandem_domain::policy::{
    AtModificationLimit, Bps, Conversions, CopyOn, EntryLeftBehind, MarketOrders, Parting, Translation,
};
use tandem_domain::quantity::Lots;
use tandem_domain::sizing::{CapitalBasis, Minimum, Ratio, Rounding, SizingPolicy, Strategy};

use super::value::{amo_time, bps, millis, money, optional_ratio, optional_time, ratio};

/// `[copy]`: which leader orders are copied, when, and in what terms.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopySettings {
    /// Whether anything is opened. Where not, what was opened is still led to its end.
    pub enabled: bool,
    /// At what moment.
    pub on: CopyOn,
    /// Kinds of contract copied; all others are skipped with their reason.
    pub instrument_kinds: Vec<InstrumentKind>,
    /// Product the follower uses for each of the leader's; the same where not listed.
    pub product_map: BTreeMap<Product, Product>,
    /// When an after-market copy goes to the exchange.
    #[serde(with = "amo_time")]
    pub amo_time: AmoTime,
    /// Age, by the broker's time, beyond which an entry not yet sent is skipped.
    #[serde(rename = "entry_age_ms_max", with = "millis")]
    pub entry_age_max: Duration,
    /// In which type a market order is copied.
    pub market_orders: MarketOrders,
    /// How far beyond the price known a limit of ours may stand.
    #[serde(rename = "price_band_bps")]
    pub price_band: Bps,
    /// How far beyond the trigger the limit of a copied stop-loss-market order stands.
    #[serde(rename = "stop_band_bps")]
    pub stop_band: Bps,
    /// What becomes of an order that was changed as often as the broker allows.
    pub at_modification_limit: AtModificationLimit,
    /// From when in the day entries are opened, by the clock in India.
    #[serde(default, with = "optional_time")]
    pub window_from: Option<NaiveTime>,
    /// Until when.
    #[serde(default, with = "optional_time")]
    pub window_until: Option<NaiveTime>,
    /// Segments copied; all when empty, as with the lists below.
    pub segments: Vec<ExchangeSegment>,
    /// Underlyings copied, in capitals.
    pub underlyings: Vec<String>,
    /// Underlyings never copied.
    pub underlyings_denied: Vec<String>,
    /// Instruments copied, by trading symbol.
    pub instruments: Vec<String>,
    /// Instruments never copied.
    pub instruments_denied: Vec<String>,
    /// Products of the leader's that are copied.
    pub products: Vec<Product>,
    /// Sides that are opened.
    pub sides: Vec<Side>,
    /// How far the market may have moved from the leader's price, against the follower.
    pub price_drift_bps_max: Option<u32>,
    /// What happens when the leader converts a position.
    pub conversions: Conversions,
}

impl CopySettings {
    /// What the gates want to know.
    pub fn policy(&self) -> CopyPolicy {
        CopyPolicy {
            kinds: self.instrument_kinds.iter().copied().collect(),
            product_map: self.product_map.clone(),
            entry_age_max: self.entry_age_max,
            on: self.on,
            translation: self.translation(),
        }
    }

    /// How a copy is placed in terms the broker takes.
    pub const fn translation(&self) -> Translation {
        Translation {
            market_orders: self.market_orders,
            price_band: self.price_band,
            stop_band: self.stop_band,
        }
    }

    /// The part of the day in which entries are opened; none for all of it.
    pub fn window(&self) -> Option<(NaiveTime, NaiveTime)> {
        let last = NaiveTime::MIN - chrono::TimeDelta::microseconds(1);
        match (self.window_from, self.window_until) {
            (None, None) => None,
            (from, until) => Some((from.unwrap_or(NaiveTime::MIN), until.unwrap_or(last))),
        }
    }

    /// Which instruments, products and sides are opened.
    pub fn filters(&self) -> Filters {
        let names = |list: &[String]| list.iter().cloned().collect();
        Filters {
            segments: self.segments.iter().copied().collect(),
            underlyings: names(&self.underlyings),
            underlyings_denied: names(&self.underlyings_denied),
            instruments: names(&self.instruments),
            instruments_denied: names(&self.instruments_denied),
            products: self.products.iter().copied().collect(),
            sides: self.sides.iter().copied().collect(),
        }
    }
}

/// `[sizing]`: how much a follower copies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizingSettings {
    /// Where the ratio comes from.
    pub strategy: Strategy,
    /// The ratio of `fixed_ratio`; always set when that strategy is.
    #[serde(default, with = "optional_ratio")]
    pub ratio: Option<Ratio>,
    /// The lots of `fixed_lots`; always set when that strategy is.
    pub lots: Option<u32>,
    /// The share of the capital that a position costs at most, of `risk_based`.
    pub risk_pct: u32,
    /// Multiplies the ratio of either strategy.
    #[serde(with = "ratio")]
    pub multiplier: Ratio,
    /// The largest ratio used, whatever was computed.
    #[serde(with = "ratio")]
    pub ratio_max: Ratio,
    /// How a share is made whole lots.
    pub rounding: Rounding,
    /// What happens below one lot.
    pub minimum: Minimum,
    /// Whether what rounding left counts for the next order.
    pub remainder: bool,
    /// What counts as capital.
    pub capital: CapitalBasis,
    /// That sum, where it is a fixed one; always set then.
    pub capital_rupees: Option<u64>,
    /// Whether the ratio follows the capital through the day.
    pub intraday_refresh: bool,
}

impl SizingSettings {
    /// What the sizing wants to know.
    pub fn policy(&self) -> SizingPolicy {
        SizingPolicy {
            strategy: self.strategy,
            // Each read by its own strategy only, which is refused at the start without it.
            fixed_ratio: self.ratio.unwrap_or(Ratio::ONE),
            fixed_lots: Lots(self.lots.unwrap_or(1)),
            risk_share: bps(self.risk_pct),
            capital: self.capital,
            fixed_capital: self.capital_rupees.map(money),
            multiplier: self.multiplier,
            ratio_max: self.ratio_max,
            rounding: self.rounding,
            minimum: self.minimum,
            keeps_remainder: self.remainder,
        }
    }
}

/// `[parting]`: what happens when leader and follower part.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartingSettings {
    /// What becomes of an entry that still waits when the leader's has filled.
    pub entry: EntryLeftBehind,
    /// From the leader's fill until that is done.
    #[serde(rename = "entry_after_ms", with = "millis")]
    pub entry_after: Duration,
    /// From the leader's fill until an exit that still waits is chased.
    #[serde(rename = "exit_after_ms", with = "millis")]
    pub exit_after: Duration,
    /// Between two moves of a chased price.
    #[serde(rename = "chase_interval_ms", with = "millis")]
    pub chase_interval: Duration,
    /// Which gaps are made good by orders of our own.
    pub gap: GapPolicy,
}

impl PartingSettings {
    /// What the mirrors want to know.
    pub const fn policy(&self) -> Parting {
        Parting {
            entry: self.entry,
            entry_after: self.entry_after,
            exit_after: self.exit_after,
            chase_interval: self.chase_interval,
            gap: self.gap,
        }
    }
}
