//! Funds, capital, positions, instruments, and the program's own records.

use std::sync::Arc;

use chrono::NaiveDate;
use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::instrument::{
    ExchangeSegment, InstrumentKey, InstrumentKind, InstrumentRow, InstrumentTable, OptionContract,
    OptionType, SecurityId,
};
use tandem_domain::order::Product;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity, SignedQuantity};
use tandem_domain::time::TradingDay;

use super::fixtures::{Bench, account, asha, at, day, instrument, is_illegal, note};
use crate::store::{
    ConfigSnapshot, DayCapital, FundsMark, FundsSnapshot, HealthRow, IncidentRow, InstrumentsWrite,
    PositionsSnapshot, Write, instrument_parts,
};

fn funds(seconds: i64, mark: FundsMark, available: i64) -> FundsSnapshot {
    let funds = Funds {
        available: Money::from_rupees(available),
        utilised: Money::ZERO,
        start_of_day: Money::from_rupees(500_000),
        collateral: Money::ZERO,
        withdrawable: Money::from_rupees(-1),
    };
    FundsSnapshot { account: account(), trading_day: day(), taken_at: at(seconds), mark, funds }
}

#[test]
fn the_first_start_of_a_day_stands() {
    let bench = Bench::new();
    let first = funds(0, FundsMark::StartOfDay, 500_000);
    let mut restart = funds(60, FundsMark::StartOfDay, 400_000);
    bench.commit(vec![Write::Funds(first.clone()), Write::Funds(restart.clone())]).unwrap();
    assert_eq!(bench.store.reader.start_of_day_funds(day()).unwrap(), [first]);
    restart.mark = FundsMark::Refresh;
    assert_eq!(bench.store.reader.latest_funds().unwrap(), [restart]);
    for capital in [500_000, 400_000] {
        let capital = Money::from_rupees(capital);
        let row = DayCapital { trading_day: day(), account: account(), capital, recorded_at: at(0) };
        bench.commit(vec![Write::DayCapital(row)]).unwrap();
    }
    let capital = bench.store.reader.day_capital(day()).unwrap();
    assert_eq!(capital.get(&account()), Some(&Money::from_rupees(500_000)));
    assert_eq!(bench.store.reader.newest_trading_day().unwrap(), Some(day()));
}

#[test]
fn a_later_read_of_positions_takes_the_place_of_the_earlier() {
    let bench = Bench::new();
    let position = PositionReport {
        instrument: instrument(),
        product: Product::Margin,
        net: SignedQuantity(-130),
        carried: SignedQuantity(-65),
        buy_average: Price::ZERO,
        sell_average: Price::from_paise(18_240),
        realised: Money::ZERO,
        unrealised: Money::from_rupees(-12),
        ts_event: at(1),
    };
    let held = PositionsSnapshot {
        account: account(),
        trading_day: day(),
        taken_at: at(1),
        positions: vec![position],
    };
    bench.commit(vec![Write::Positions(held.clone())]).unwrap();
    assert_eq!(bench.store.reader.latest_positions().unwrap(), std::slice::from_ref(&held));
    let flat = PositionsSnapshot { taken_at: at(2), positions: Vec::new(), ..held };
    bench.commit(vec![Write::Positions(flat.clone())]).unwrap();
    assert_eq!(bench.store.reader.latest_positions().unwrap(), [flat]);
    assert_eq!(bench.count("latest_positions"), 0);
}

fn table(instruments: u32) -> InstrumentTable {
    let mut builder = InstrumentTable::builder();
    for id in 1..=instruments {
        let symbol = format!("NIFTY-{id}");
        builder.push(InstrumentRow {
            key: InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(id) },
            kind: if id == 1 { InstrumentKind::Equity } else { InstrumentKind::IndexOption },
            symbol: &symbol,
            underlying: "NIFTY",
            lot_size: LotSize::new(65).unwrap(),
            tick: Price::from_paise(5),
            expiry: (id > 1).then(|| NaiveDate::from_ymd_opt(2026, 12, 15).unwrap()),
            option: (id > 1).then(|| OptionContract {
                option_type: OptionType::Put,
                strike: Price::from_paise(2_600_000),
            }),
            freeze_quantity: (id > 2).then(|| Quantity::new(1_800)),
            band: (id > 3).then(|| (Price::from_paise(5), Price::from_paise(30_000 + id))),
        });
    }
    builder.build()
}

#[test]
fn an_instrument_master_is_read_back_and_only_the_newest_is_kept() {
    let bench = Bench::new();
    assert!(bench.store.reader.instruments().unwrap().is_none());
    let (old, new) = (day(), TradingDay::from_ymd(2026, 12, 2).unwrap());
    for (day, count) in [(old, 10), (new, 4_500)] {
        let written = table(count);
        let parts: Vec<_> = instrument_parts(&written, day, "test".into(), at(0)).collect();
        assert_eq!(parts.len(), 2 + usize::try_from(count.div_ceil(2_000)).unwrap());
        for part in parts {
            bench.commit(vec![Write::Instruments(part)]).unwrap();
        }
        let (stored_day, stored) = bench.store.reader.instruments().unwrap().unwrap();
        assert_eq!(stored_day, day);
        assert!(stored.iter().eq(written.iter()));
    }
    assert_eq!((bench.count("instruments"), bench.count("instrument_days")), (4_500, 1));
}

#[test]
fn a_master_stored_in_part_does_not_count() {
    let bench = Bench::new();
    let written = table(10);
    for part in instrument_parts(&written, day(), "test".into(), at(0)) {
        bench.commit(vec![Write::Instruments(part)]).unwrap();
    }
    bench.commit(vec![Write::Instruments(InstrumentsWrite::Begin { day: day() })]).unwrap();
    assert!(bench.store.reader.instruments().unwrap().is_none());
    let end = InstrumentsWrite::End { day: day(), instruments: 10, source: "test".into(), loaded_at: at(1) };
    is_illegal(bench.commit(vec![Write::Instruments(end)]));
}

#[test]
fn the_audit_log_is_append_only() {
    let bench = Bench::new();
    bench.commit(vec![note(3), note(4)]).unwrap();
    let raw = bench.raw();
    raw.pragma_update(None, "recursive_triggers", true).unwrap();
    for sql in [
        "UPDATE audit_log SET actor = 'nobody'",
        "DELETE FROM audit_log",
        "REPLACE INTO audit_log SELECT 1, 0, 'nobody', 'x', NULL, '0', zeroblob(32), zeroblob(32)",
        // After the last, but not hashed on to it.
        "INSERT INTO audit_log SELECT 9, 0, 'nobody', 'x', NULL, '0', zeroblob(32), zeroblob(32)",
        // Hashed on to the last, but before it.
        "INSERT INTO audit_log SELECT 1, 0, 'nobody', 'x', NULL, '0', hash, zeroblob(32) FROM audit_head",
        "UPDATE audit_head SET last_id = 1, hash = (SELECT hash FROM audit_log WHERE id = 1)",
        "UPDATE audit_head SET last_id = 0, hash = zeroblob(32)",
        "DELETE FROM audit_head",
        "REPLACE INTO audit_head VALUES (1, 0, zeroblob(32))",
    ] {
        let error = raw.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only") || error.contains("follows the audit log"), "{sql}: {error}");
    }
    let details: Vec<_> =
        bench.store.reader.audit_log(5).unwrap().into_iter().map(|entry| entry.details).collect();
    assert_eq!(details, ["\"xxxx\"", "\"xxx\""]);
}

#[test]
fn an_incident_is_told_once_until_it_is_closed() {
    let bench = Bench::new();
    let mut incident = IncidentRow {
        id: "drift/asha/NSE_FNO:43125".into(),
        opened_at: at(1),
        kind: "ledger_drift".into(),
        follower: Some(asha()),
        instrument: Some(instrument()),
        text: "65 units more than recorded".to_owned(),
    };
    let open = |incident: &IncidentRow| bench.commit(vec![Write::IncidentOpen(incident.clone())]).unwrap();
    open(&incident);
    let first = incident.clone();
    incident.opened_at = at(9);
    open(&incident);
    assert_eq!(bench.store.reader.open_incidents().unwrap(), [first]);
    let close = Write::IncidentClose { id: incident.id.clone(), closed_at: at(10) };
    bench.commit(vec![close.clone(), close]).unwrap();
    assert!(bench.store.reader.open_incidents().unwrap().is_empty());
    incident.opened_at = at(11);
    open(&incident);
    assert_eq!(bench.store.reader.open_incidents().unwrap(), [incident]);
}

#[test]
fn health_is_the_last_word_and_settings_are_kept_by_version() {
    let bench = Bench::new();
    let mut health = HealthRow {
        actor: "store".into(),
        generation: 1,
        reported_at: at(1),
        snapshot: r#"{"queued":0}"#.to_owned(),
    };
    bench.commit(vec![Write::Health(health.clone())]).unwrap();
    (health.generation, health.reported_at) = (2, at(2));
    bench.commit(vec![Write::Health(health.clone())]).unwrap();
    assert_eq!(bench.store.reader.health().unwrap(), [health]);

    let config = |version: &str, seconds| {
        let entries = vec![("store.path".to_owned(), "tandem.db".to_owned())];
        let snapshot = ConfigSnapshot { version: version.into(), loaded_at: at(seconds), entries };
        bench.commit(vec![Write::Config(snapshot)]).unwrap();
    };
    config("a", 1);
    config("b", 2);
    assert_eq!(bench.store.reader.config_version().unwrap(), Some(Arc::from("b")));
    config("a", 3);
    assert_eq!(bench.store.reader.config_version().unwrap(), Some(Arc::from("a")));
    assert_eq!(bench.count("config"), 2);
}
