//! What the broker says of accounts, and the capital ratios are taken from.

use rusqlite::{Connection, params};

use crate::store::rows::{DayCapital, FundsSnapshot, PositionsSnapshot};

const UPSERT_POSITIONS_READ: &str = "
INSERT INTO position_snapshots (account, trading_day, taken_at) VALUES (?1, ?2, ?3)
ON CONFLICT (account, trading_day) DO UPDATE SET taken_at = excluded.taken_at";

const DELETE_POSITIONS: &str = "DELETE FROM positions WHERE account = ?1 AND trading_day = ?2";

const INSERT_POSITION: &str = "
INSERT INTO positions (account, trading_day, segment, security_id, product, net_quantity, buy_average, sell_average,
    realised, unrealised, ts_event, carried_quantity)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

// The first start of a day stands; a second one (a restart) is a refresh.
const UPSERT_FUNDS: &str = "
INSERT INTO funds (account, trading_day, taken_at, mark, available, utilised, start_of_day, collateral, withdrawable)
VALUES (?1, ?2, ?3,
    CASE WHEN ?4 = 'start_of_day' AND EXISTS (
        SELECT 1 FROM funds WHERE account = ?1 AND trading_day = ?2 AND mark = 'start_of_day'
    ) THEN 'refresh' ELSE ?4 END,
    ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (account, taken_at) DO UPDATE SET available = excluded.available, utilised = excluded.utilised,
    start_of_day = excluded.start_of_day, collateral = excluded.collateral, withdrawable = excluded.withdrawable";

const INSERT_DAY_CAPITAL: &str = "
INSERT INTO day_capital (trading_day, account, capital, recorded_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (trading_day, account) DO NOTHING";

pub(super) fn positions(connection: &Connection, snapshot: &PositionsSnapshot) -> rusqlite::Result<()> {
    let (account, day) = (snapshot.account.as_str(), snapshot.trading_day.to_string());
    connection.prepare_cached(UPSERT_POSITIONS_READ)?.execute(params![
        account,
        day,
        snapshot.taken_at.micros()
    ])?;
    connection.prepare_cached(DELETE_POSITIONS)?.execute(params![account, day])?;
    let mut insert = connection.prepare_cached(INSERT_POSITION)?;
    for position in &snapshot.positions {
        insert.execute(params![
            account,
            day,
            position.instrument.segment.as_str(),
            position.instrument.security_id.0,
            position.product.as_str(),
            position.net.0,
            position.buy_average.units(),
            position.sell_average.units(),
            position.realised.units(),
            position.unrealised.units(),
            position.ts_event.micros(),
            position.carried.0,
        ])?;
    }
    Ok(())
}

pub(super) fn funds(connection: &Connection, snapshot: &FundsSnapshot) -> rusqlite::Result<()> {
    let funds = &snapshot.funds;
    connection.prepare_cached(UPSERT_FUNDS)?.execute(params![
        snapshot.account.as_str(),
        snapshot.trading_day.to_string(),
        snapshot.taken_at.micros(),
        snapshot.mark.as_str(),
        funds.available.units(),
        funds.utilised.units(),
        funds.start_of_day.units(),
        funds.collateral.units(),
        funds.withdrawable.units(),
    ])?;
    Ok(())
}

pub(super) fn day_capital(connection: &Connection, capital: &DayCapital) -> rusqlite::Result<()> {
    connection.prepare_cached(INSERT_DAY_CAPITAL)?.execute(params![
        capital.trading_day.to_string(),
        capital.account.as_str(),
        capital.capital.units(),
        capital.recorded_at.micros(),
    ])?;
    Ok(())
}
