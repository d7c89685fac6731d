//! The instrument master, part by part.

use rusqlite::{Connection, params};
use tandem_domain::instrument::Instrument;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::TradingDay;

use super::ApplyError;
use crate::store::error::StoreError;
use crate::store::instruments::InstrumentsWrite;

const INSERT: &str = "
INSERT OR REPLACE INTO instruments (day, segment, security_id, kind, symbol, underlying, lot_size, tick, expiry,
    option_type, strike, freeze_quantity, band_low, band_high)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

pub(super) fn store(connection: &Connection, part: &InstrumentsWrite) -> Result<(), ApplyError> {
    match part {
        InstrumentsWrite::Begin { day } => {
            let day = day.to_string();
            connection.prepare_cached("DELETE FROM instrument_days WHERE day = ?1")?.execute([&day])?;
            connection.prepare_cached("DELETE FROM instruments WHERE day = ?1")?.execute([&day])?;
        }
        InstrumentsWrite::Rows { day, rows } => insert_rows(connection, *day, rows)?,
        InstrumentsWrite::End { day, instruments, source, loaded_at } => {
            let day = day.to_string();
            let stored: usize = connection
                .prepare_cached("SELECT COUNT(*) FROM instruments WHERE day = ?1")?
                .query_row([&day], |row| row.get(0))?;
            if stored != *instruments {
                let what = format!("instruments of {day}, {stored} of {instruments} stored,");
                return Err(ApplyError::Refused(StoreError::IllegalTransition { what, to: "complete" }));
            }
            connection
                .prepare_cached(
                    "INSERT INTO instrument_days (day, source, instruments, loaded_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![day, source, instruments, loaded_at.micros()])?;
            connection.prepare_cached("DELETE FROM instrument_days WHERE day <> ?1")?.execute([&day])?;
            connection.prepare_cached("DELETE FROM instruments WHERE day <> ?1")?.execute([&day])?;
        }
    }
    Ok(())
}

fn insert_rows(connection: &Connection, day: TradingDay, rows: &[Instrument]) -> Result<(), ApplyError> {
    let day = day.to_string();
    let mut insert = connection.prepare_cached(INSERT)?;
    for instrument in rows {
        insert.execute(params![
            day,
            instrument.key.segment.as_str(),
            instrument.key.security_id.0,
            instrument.kind.as_str(),
            instrument.symbol,
            instrument.underlying,
            instrument.lot_size.get(),
            instrument.tick.units(),
            instrument.expiry.map(|date| date.to_string()),
            instrument.option.map(|option| option.option_type.as_str()),
            instrument.option.map(|option| option.strike.units()),
            instrument.freeze_quantity.map(Quantity::get),
            instrument.band.map(|(low, _)| low.units()),
            instrument.band.map(|(_, high)| high.units()),
        ])?;
    }
    Ok(())
}
