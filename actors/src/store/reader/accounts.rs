//! Funds, capital, positions, fills and instruments.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row};
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::ids::{DhanClientId, TradeId};
use tandem_domain::instrument::{InstrumentKey, InstrumentRow, InstrumentTable, OptionContract, SecurityId};
use tandem_domain::order::TradeReport;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity, SignedQuantity};
use tandem_domain::time::TradingDay;

use super::Reader;
use super::columns::{
    account, broker_order_id, convert, day, instrument, money, price, quantity, time, word,
};
use crate::store::error::ReaderError;
use crate::store::rows::{FundsSnapshot, PositionsSnapshot};

const FUNDS_COLUMNS: &str =
    "account, trading_day, taken_at, mark, available, utilised, start_of_day, collateral, withdrawable";

impl Reader {
    /// The capital of each account that the day's ratios are taken from.
    pub fn day_capital(&self, day: TradingDay) -> Result<HashMap<DhanClientId, Money>, ReaderError> {
        let sql = "SELECT account, capital FROM day_capital WHERE trading_day = ?1";
        let rows =
            self.rows(sql, [day.to_string()], |row| Ok((account(row, "account")?, money(row, "capital")?)))?;
        Ok(rows.into_iter().collect())
    }

    /// The funds each account began a day with.
    pub fn start_of_day_funds(&self, day: TradingDay) -> Result<Vec<FundsSnapshot>, ReaderError> {
        let sql = format!(
            "SELECT {FUNDS_COLUMNS} FROM funds WHERE trading_day = ?1 AND mark = 'start_of_day' ORDER BY account"
        );
        self.rows(&sql, [day.to_string()], funds)
    }

    /// Each account's funds as last read.
    pub fn latest_funds(&self) -> Result<Vec<FundsSnapshot>, ReaderError> {
        self.rows(&format!("SELECT {FUNDS_COLUMNS} FROM latest_funds ORDER BY account"), [], funds)
    }

    /// Each account's positions as last read; flat accounts with none.
    pub fn latest_positions(&self) -> Result<Vec<PositionsSnapshot>, ReaderError> {
        let sql = "SELECT account, MAX(trading_day) AS trading_day, taken_at FROM position_snapshots
             GROUP BY account ORDER BY account";
        let mut snapshots = self.rows(sql, [], |row| {
            Ok(PositionsSnapshot {
                account: account(row, "account")?,
                trading_day: day(row, "trading_day")?,
                taken_at: time(row, "taken_at")?,
                positions: Vec::new(),
            })
        })?;
        let sql = "SELECT account, trading_day, segment, security_id, product, net_quantity, buy_average, sell_average,
                realised, unrealised, ts_event, carried_quantity FROM latest_positions";
        let positions = self
            .rows(sql, [], |row| Ok((account(row, "account")?, day(row, "trading_day")?, position(row)?)))?;
        for (account, day, position) in positions {
            let of = snapshots.iter_mut().find(|found| found.account == account && found.trading_day == day);
            // A read committed between the two queries shows with the next call.
            if let Some(snapshot) = of {
                snapshot.positions.push(position);
            }
        }
        Ok(snapshots)
    }

    /// The fills of an account on a day, oldest first.
    pub fn trades(&self, day: TradingDay, of: &DhanClientId) -> Result<Vec<TradeReport>, ReaderError> {
        let sql = "SELECT account, broker_order_id, trade_id, segment, security_id, side, product, quantity, price, ts_event
             FROM trades WHERE account = ?1 AND trading_day = ?2 ORDER BY ts_event, trade_id";
        self.rows(sql, [of.to_string(), day.to_string()], trade)
    }

    /// The newest instrument master that was stored completely, with its day.
    pub fn instruments(&self) -> Result<Option<(TradingDay, InstrumentTable)>, ReaderError> {
        self.look(|connection| {
        let snapshot = connection.unchecked_transaction()?;
        let newest = snapshot
            .query_row("SELECT day FROM instrument_days ORDER BY day DESC LIMIT 1", [], |row| day(row, "day"))
            .optional()?;
        let Some(newest) = newest else { return Ok(None) };
        // By position and not by name: there are 200,000 of them.
        let mut statement = snapshot.prepare(
            "SELECT segment, security_id, kind, symbol, underlying, lot_size, tick, expiry, option_type, strike,
                freeze_quantity, band_low, band_high FROM instruments WHERE day = ?1",
        )?;
        let mut rows = statement.query([newest.to_string()])?;
        let mut table = InstrumentTable::builder();
        while let Some(row) = rows.next()? {
            table.push(instrument_row(row)?);
        }
        Ok(Some((newest, table.build())))
        })
    }
}

fn funds(row: &Row<'_>) -> rusqlite::Result<FundsSnapshot> {
    Ok(FundsSnapshot {
        account: account(row, "account")?,
        trading_day: day(row, "trading_day")?,
        taken_at: time(row, "taken_at")?,
        mark: word(row, "mark")?,
        funds: Funds {
            available: money(row, "available")?,
            utilised: money(row, "utilised")?,
            start_of_day: money(row, "start_of_day")?,
            collateral: money(row, "collateral")?,
            withdrawable: money(row, "withdrawable")?,
        },
    })
}

fn position(row: &Row<'_>) -> rusqlite::Result<PositionReport> {
    Ok(PositionReport {
        instrument: instrument(row)?,
        product: word(row, "product")?,
        net: SignedQuantity(row.get("net_quantity")?),
        carried: SignedQuantity(row.get("carried_quantity")?),
        buy_average: price(row, "buy_average")?,
        sell_average: price(row, "sell_average")?,
        realised: money(row, "realised")?,
        unrealised: money(row, "unrealised")?,
        ts_event: time(row, "ts_event")?,
    })
}

pub(super) fn trade(row: &Row<'_>) -> rusqlite::Result<TradeReport> {
    Ok(TradeReport {
        account: account(row, "account")?,
        broker_order_id: broker_order_id(row, "broker_order_id")?,
        trade_id: convert(row, "trade_id", |text: String| TradeId::new(text))?,
        instrument: instrument(row)?,
        side: word(row, "side")?,
        product: word(row, "product")?,
        quantity: quantity(row, "quantity")?,
        price: price(row, "price")?,
        ts_event: time(row, "ts_event")?,
    })
}

fn instrument_row<'a>(row: &'a Row<'_>) -> rusqlite::Result<InstrumentRow<'a>> {
    fn text<'a>(row: &'a Row<'_>, index: usize) -> rusqlite::Result<&'a str> {
        Ok(row.get_ref(index)?.as_str()?)
    }
    fn parsed<T: std::str::FromStr>(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<T>>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let found = row.get_ref(index)?.as_str_or_null()?.map(str::parse).transpose();
        found.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
        })
    }
    let missing =
        |index| rusqlite::Error::InvalidColumnType(index, "code".to_owned(), rusqlite::types::Type::Null);
    let price_at = |index| row.get(index).map(|units| Price::from_units(units).unwrap_or(Price::ZERO));
    let price_or_none = |index| row.get(index).map(|units: Option<i64>| units.and_then(Price::from_units));
    let option = match parsed(row, 8)? {
        Some(option_type) => Some(OptionContract { option_type, strike: price_at(9)? }),
        None => None,
    };
    Ok(InstrumentRow {
        key: InstrumentKey {
            segment: parsed(row, 0)?.ok_or_else(|| missing(0))?,
            security_id: SecurityId(row.get(1)?),
        },
        kind: parsed(row, 2)?.ok_or_else(|| missing(2))?,
        symbol: text(row, 3)?,
        underlying: text(row, 4)?,
        lot_size: LotSize::new(row.get(5)?).unwrap_or(LotSize::ONE),
        tick: price_at(6)?,
        expiry: parsed(row, 7)?,
        option,
        freeze_quantity: row.get::<_, Option<u32>>(10)?.map(Quantity::new),
        band: price_or_none(11)?.zip(price_or_none(12)?),
    })
}
