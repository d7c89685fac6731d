//! `[risk]` and `[spread]`: what a follower may lose, what follows when he does, and how the legs of a spread wait for
//! each other; with all of one follower's settings as the gates and the core want them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tandem_domain::gates::entry::{AtCap, Caps, EntryPolicy, MarginCheck};
use tandem_domain::policy::{Bps, Changes, MissingCover, OnBreach, OnDrift, RiskPolicy, Spread};
use tandem_domain::quantity::Lots;

use super::sections::FollowerSettings;
use super::value::{bps, millis, money};

/// A cap of all of the capital is none.
const SHARE_OFF_PCT: u32 = 100;

/// `[risk]`: what may be opened at most, and what follows when the account does badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskSettings {
    /// Whether an entry above a cap is cut to what fits, or skipped.
    pub at_cap: AtCap,
    /// Lots of one order.
    pub lots_per_order_max: u32,
    /// Lots held and under way in one instrument.
    pub lots_per_instrument_max: u32,
    /// Premium or margin of one order, in rupees.
    pub order_value_max_rupees: Option<u64>,
    /// Premium or margin held and under way in one instrument, in percent of the capital; 100 is off.
    pub position_share_max_pct: u32,
    /// Orders that work at the same time.
    pub open_orders_max: u32,
    /// Orders placed in a day.
    pub orders_per_day_max: u32,
    /// Loss of the day at which entries stop, in rupees.
    pub daily_loss_max_rupees: Option<u64>,
    /// What follows then.
    pub on_daily_loss: OnBreach,
    /// How the money that an entry needs is known.
    pub margin: MarginCheck,
    /// How long an entry waits for the broker's calculator.
    #[serde(rename = "margin_wait_ms", with = "millis")]
    pub margin_wait: Duration,
    /// Margin of what is sold by the local estimate, in percent of strike times units.
    pub short_margin_pct: u32,
    /// Age beyond which the figures of loss and money count as unknown.
    #[serde(rename = "figures_age_ms_max", with = "millis")]
    pub figures_age_max: Duration,
    /// How often positions are read.
    #[serde(rename = "positions_poll_ms", with = "millis")]
    pub positions_poll: Duration,
    /// How often the account's money is read.
    #[serde(rename = "funds_poll_ms", with = "millis")]
    pub funds_poll: Duration,
    /// Rejections in a row that are too many.
    pub rejections_max: u32,
    /// What follows then.
    pub on_rejections: OnBreach,
    /// What follows when the rows and the broker's account differ.
    pub on_drift: OnDrift,
}

impl RiskSettings {
    fn caps(&self) -> Caps {
        let share = (self.position_share_max_pct < SHARE_OFF_PCT).then_some(self.position_share_max_pct);
        Caps {
            lots_per_order: Some(Lots(self.lots_per_order_max)),
            lots_per_instrument: Some(Lots(self.lots_per_instrument_max)),
            order_value: self.order_value_max_rupees.map(money),
            position_share: share.map(bps),
            open_orders: Some(self.open_orders_max),
            orders_per_day: Some(self.orders_per_day_max),
        }
    }
}

/// `[spread]`: how the legs of a spread wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpreadSettings {
    /// How long a sell to open that the leader has covered waits for the follower's cover to fill.
    #[serde(rename = "cover_wait_ms", with = "millis")]
    pub cover_wait: Duration,
    /// What becomes of it then.
    pub on_missing_cover: MissingCover,
    /// How long the sale of a cover waits until the short it covers is bought back.
    #[serde(rename = "exit_wait_ms", with = "millis")]
    pub exit_wait: Duration,
}

impl SpreadSettings {
    /// What the core wants to know.
    pub const fn policy(&self) -> Spread {
        Spread {
            cover_wait: self.cover_wait,
            on_missing_cover: self.on_missing_cover,
            exit_wait: self.exit_wait,
        }
    }
}

impl FollowerSettings {
    /// What he may open.
    pub fn entry_policy(&self) -> EntryPolicy {
        EntryPolicy {
            is_copying: self.copy.enabled,
            window: self.copy.window(),
            filters: self.copy.filters(),
            age_max: self.copy.entry_age_max,
            drift_max: self.copy.price_drift_bps_max.map(Bps::new),
            caps: self.risk.caps(),
            at_cap: self.risk.at_cap,
            daily_loss_max: self.risk.daily_loss_max_rupees.map(money),
            figures_age_max: self.risk.figures_age_max,
            margin: self.risk.margin,
            short_margin: bps(self.risk.short_margin_pct),
        }
    }

    /// What his account is watched for.
    pub const fn risk_policy(&self) -> RiskPolicy {
        RiskPolicy {
            on_daily_loss: self.risk.on_daily_loss,
            rejections_max: self.risk.rejections_max,
            on_rejections: self.risk.on_rejections,
            on_drift: self.risk.on_drift,
            positions_poll: self.risk.positions_poll,
            funds_poll: self.risk.funds_poll,
            margin_wait: self.risk.margin_wait,
            conversions: self.copy.conversions,
        }
    }

    /// How often one of his orders may be changed, and what then.
    pub const fn changes(&self) -> Changes {
        Changes {
            per_order_max: self.broker_limits.modifications_per_order,
            at_limit: self.copy.at_modification_limit,
        }
    }
}
