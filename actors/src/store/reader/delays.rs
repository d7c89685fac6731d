//! What a day's copies cost, for `tandem status` and the reports: time on each stretch of the way, slippage, gaps.

use rusqlite::Row;
use tandem_domain::ids::FollowerId;
use tandem_domain::price::Money;
use tandem_domain::time::{Timestamp, TradingDay};

use super::Reader;
use super::columns::{follower, mirror_key, money, time};
use super::mirrors::gap;
use crate::store::error::ReaderError;
use crate::store::rows::{GapRow, MirrorKey};

/// How long the news of one placement took on each stretch, in microseconds. A stretch is none where one of its ends is
/// not known. Clocks differ: a stretch that begins or ends at the broker may come out negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayRow {
    /// The follower.
    pub follower: FollowerId,
    /// The leader's event at the broker, to the second, until its frame was received.
    pub event_to_frame_us: Option<i64>,
    /// Until the effect was decided.
    pub frame_to_decision_us: Option<i64>,
    /// Until the request was written, the commit included.
    pub decision_to_sent_us: Option<i64>,
    /// Until the broker's answer was read.
    pub sent_to_answer_us: Option<i64>,
    /// Until the first fill was known.
    pub answer_to_fill_us: Option<i64>,
}

/// The slippage of a follower's fills against the leader's; positive where the follower did worse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlippageSum {
    /// The follower.
    pub follower: FollowerId,
    /// Copies compared.
    pub copies: u64,
    /// Units filled in them.
    pub units: u64,
    /// Price differences times units.
    pub money: Money,
    /// Ticks times units, over those copies whose tick is known.
    pub ticks_times_units: i64,
    /// The units of those.
    pub units_with_tick: u64,
    /// What the leader would have paid or got for the same units.
    pub notional: Money,
}

impl SlippageSum {
    /// Ticks for each unit, in hundredths; none where no tick is known.
    pub fn ticks_x100(&self) -> Option<i64> {
        per(i128::from(self.ticks_times_units) * 100, i128::from(self.units_with_tick))
    }

    /// Hundredths of a basis point of what the leader paid or got.
    pub fn bps_x100(&self) -> Option<i64> {
        per(i128::from(self.money.units()) * 1_000_000, i128::from(self.notional.units()))
    }
}

fn per(upper: i128, lower: i128) -> Option<i64> {
    if lower == 0 { None } else { i64::try_from(upper / lower).ok() }
}

impl Reader {
    /// The stretches of every placement of a day that left, by follower.
    pub fn delays(&self, day: TradingDay) -> Result<Vec<DelayRow>, ReaderError> {
        let sql = "SELECT i.follower_id, i.ts_received - i.ts_leader_event AS event_to_frame,
                i.ts_decided - i.ts_received AS frame_to_decision, i.ts_sent - i.ts_decided AS decision_to_sent,
                i.ts_answered - i.ts_sent AS sent_to_answer, (
                    SELECT MIN(e.ts_init) FROM orders AS o CROSS JOIN order_events AS e ON e.account = o.account
                        AND e.trading_day = o.trading_day AND e.broker_order_id = o.broker_order_id
                    WHERE o.client_order_id = i.client_order_id AND e.cumulative > 0
                ) - i.ts_answered AS answer_to_fill
             FROM intents AS i WHERE i.trading_day = ?1 AND i.kind = 'place' AND i.leg = 0 AND i.ts_sent IS NOT NULL
             ORDER BY i.follower_id, i.ts_sent";
        self.rows(sql, [day.to_string()], |row| {
            Ok(DelayRow {
                follower: follower(row, "follower_id")?,
                event_to_frame_us: row.get("event_to_frame")?,
                frame_to_decision_us: row.get("frame_to_decision")?,
                decision_to_sent_us: row.get("decision_to_sent")?,
                sent_to_answer_us: row.get("sent_to_answer")?,
                answer_to_fill_us: row.get("answer_to_fill")?,
            })
        })
    }

    /// The slippage of a day's fills, by follower.
    pub fn slippage(&self, day: TradingDay) -> Result<Vec<SlippageSum>, ReaderError> {
        let sql = "SELECT follower_id, COUNT(*) AS copies, SUM(filled_quantity) AS units, SUM(slippage_money) AS money,
                COALESCE(SUM(slippage_ticks * filled_quantity), 0) AS ticks_times_units,
                COALESCE(SUM(CASE WHEN slippage_ticks IS NOT NULL THEN filled_quantity END), 0) AS units_with_tick,
                SUM(leader_average * filled_quantity) AS notional
             FROM copy_mappings WHERE trading_day = ?1 AND slippage_money IS NOT NULL
             GROUP BY follower_id ORDER BY follower_id";
        self.rows(sql, [day.to_string()], |row| {
            Ok(SlippageSum {
                follower: follower(row, "follower_id")?,
                copies: row.get("copies")?,
                units: row.get("units")?,
                money: money(row, "money")?,
                ticks_times_units: row.get("ticks_times_units")?,
                units_with_tick: row.get("units_with_tick")?,
                notional: money(row, "notional")?,
            })
        })
    }

    /// The gaps of a day that are not closed: neither made good nor given up by policy. With the time of opening, oldest
    /// first.
    pub fn open_gaps(&self, day: TradingDay) -> Result<Vec<(GapRow, Timestamp)>, ReaderError> {
        let sql = "SELECT * FROM copy_gaps WHERE trading_day = ?1 AND result NOT IN ('repaired', 'cancelled')
             ORDER BY opened_at, follower_id, leader_order_id, kind";
        self.rows(sql, [day.to_string()], |row| Ok((gap(row)?, time(row, "opened_at")?)))
    }

    /// The copies of a day that a human's hand has taken over, with the time at which that was seen last.
    pub fn detached(&self, day: TradingDay) -> Result<Vec<(MirrorKey, Timestamp)>, ReaderError> {
        let sql =
            "SELECT trading_day, leader_account, leader_order_id, follower_id, updated_at FROM copy_mappings
             WHERE trading_day = ?1 AND outcome = 'detached' ORDER BY updated_at, follower_id";
        self.rows(sql, [day.to_string()], |row: &Row<'_>| Ok((mirror_key(row)?, time(row, "updated_at")?)))
    }
}
