//! Funds, positions, holdings, margin, profile, static IP.

use chrono::NaiveDateTime;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{ExchangeSegment, SecurityId};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::SignedQuantity;
use tandem_domain::time::Timestamp;

use super::fields::{account, average, instrument, money, word};
use crate::codes;
use crate::wire::{FundLimit, HoldingRow, IpStatus, MarginAnswer, PositionRow, Profile, WireError};

/// A token check (`GET /profile`, `dhanhq-v2.md` section 1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileReport {
    /// The account the token belongs to.
    pub account: DhanClientId,
    /// Until when the token lives, to the minute; none when the answer has another form.
    pub token_valid_until: Option<Timestamp>,
    /// Whether market data is paid for.
    pub data_plan_active: bool,
}

/// What the broker thinks of the address we come from (`GET /ip/getIP`, section 1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpReport {
    /// Whitelisted; empty when not set.
    pub primary: String,
    /// Whitelisted; empty when not set.
    pub secondary: String,
    /// The address the broker saw; empty when it did not say.
    pub detected: String,
    /// Free text.
    pub match_status: String,
    /// Whether orders would be taken from here; none when the broker did not say.
    pub orders_allowed: Option<bool>,
}

/// What an order would need (section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarginReport {
    /// In all.
    pub total: Money,
    /// What the account has.
    pub available: Money,
    /// How much is missing; zero when there is enough.
    pub missing: Money,
}

/// One holding (section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingReport {
    /// The equity's number; holdings name no segment.
    pub security_id: SecurityId,
    /// For people.
    pub symbol: String,
    /// Units.
    pub total: SignedQuantity,
    /// Units that can be sold.
    pub available: SignedQuantity,
    /// Average cost.
    pub average_cost: Price,
}

/// Reads funds.
pub fn funds(limit: &FundLimit) -> Result<Funds, WireError> {
    Ok(Funds {
        available: money("availabelBalance", limit.available_balance)?,
        utilised: money("utilizedAmount", limit.utilized_amount)?,
        start_of_day: money("sodLimit", limit.sod_limit)?,
        collateral: money("collateralAmount", limit.collateral_amount)?,
        withdrawable: money("withdrawableBalance", limit.withdrawable_balance)?,
    })
}

/// Reads a position; rows carry no time, so the caller says when it asked.
pub fn position(row: &PositionRow, asked: Timestamp) -> Result<PositionReport, WireError> {
    Ok(PositionReport {
        instrument: instrument(
            row.exchange_segment.trim().parse::<ExchangeSegment>().ok(),
            &row.exchange_segment,
            &row.security_id,
        )?,
        product: word("productType", &row.product_type, codes::product)?,
        net: SignedQuantity(row.net_qty),
        carried: SignedQuantity(row.carry_forward_buy_qty.saturating_sub(row.carry_forward_sell_qty)),
        buy_average: average("buyAvg", row.buy_avg)?,
        sell_average: average("sellAvg", row.sell_avg)?,
        realised: money("realizedProfit", row.realized_profit)?,
        unrealised: money("unrealizedProfit", row.unrealized_profit)?,
        ts_event: asked,
    })
}

/// Reads a holding.
pub fn holding(row: &HoldingRow) -> Result<HoldingReport, WireError> {
    Ok(HoldingReport {
        security_id: row
            .security_id
            .parse()
            .map_err(|_| WireError::new("securityId", row.security_id.as_str()))?,
        symbol: row.trading_symbol.clone(),
        total: SignedQuantity(row.total_qty),
        available: SignedQuantity(row.available_qty),
        average_cost: average("avgCostPrice", row.avg_cost_price)?,
    })
}

/// Reads a margin answer.
pub fn margin(answer: &MarginAnswer) -> Result<MarginReport, WireError> {
    Ok(MarginReport {
        total: money("totalMargin", answer.total_margin)?,
        available: money("availableBalance", answer.available_balance)?,
        missing: money("insufficientBalance", answer.insufficient_balance)?,
    })
}

/// Reads a profile.
pub fn profile(profile: &Profile) -> Result<ProfileReport, WireError> {
    let valid_until = NaiveDateTime::parse_from_str(profile.token_validity.trim(), "%d/%m/%Y %H:%M");
    Ok(ProfileReport {
        account: account("dhanClientId", &profile.dhan_client_id)?,
        token_valid_until: valid_until.ok().map(Timestamp::from_ist),
        data_plan_active: profile.data_plan.trim().eq_ignore_ascii_case("Active"),
    })
}

/// Reads the static-IP status; everything in it is optional.
pub fn ip_report(status: &IpStatus) -> IpReport {
    IpReport {
        primary: status.primary_ip.clone(),
        secondary: status.secondary_ip.clone(),
        detected: status.detected_ip.clone(),
        match_status: status.ip_match_status.clone(),
        orders_allowed: status.orders_allowed,
    }
}
