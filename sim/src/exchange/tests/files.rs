//! The instrument files, read back by the client's own reader.

use tandem_domain::instrument::InstrumentKind;

use super::*;

#[test]
fn every_row_has_every_column() {
    let exchange = Exchange::new(settings());
    for (text, columns) in [(exchange.compact_csv(), 16), (exchange.detailed_csv(), 42)] {
        assert!(text.ends_with('\n'));
        assert_eq!(text.lines().count(), exchange.contracts().len() + 1);
        for line in text.lines() {
            assert_eq!(line.split(',').count(), columns, "{line}");
        }
    }
}

#[test]
fn the_clients_reader_finds_everything_in_both() {
    let exchange = Exchange::new(settings());
    for text in [exchange.compact_csv(), exchange.detailed_csv()] {
        let loaded = tandem_dhan::instruments::load_complete(text.as_bytes(), 300).unwrap();
        assert_eq!((loaded.malformed, loaded.passed_over), (0, 0));
        for contract in exchange.contracts() {
            let read = loaded.table.get(contract.key).unwrap();
            let name = &contract.display_name;
            assert_eq!((read.kind, read.lot_size), (contract.kind, contract.lot_size), "{name}");
            assert_eq!((read.expiry, read.option), (contract.expiry, contract.option), "{name}");
            assert_eq!(read.symbol, contract.trading_symbol, "{name}");
            if contract.kind != InstrumentKind::Index {
                assert_eq!(read.tick, contract.tick, "{name}");
            }
        }
    }
}

#[test]
fn rows_look_like_the_real_ones() {
    let exchange = Exchange::new(settings());
    let (compact, detailed) = (exchange.compact_csv(), exchange.detailed_csv());
    let id = call(&exchange).security_id;
    for row in [
        format!("NSE,D,{id},OPTIDX,0,NIFTY-Dec2026-26000-CE,65.0,NIFTY 08 DEC 26000 CALL,2026-12-08 14:30:00,26000.00000,CE,5.0000,W,OP,,"),
        "NSE,D,43001,FUTIDX,0,NIFTY-Dec2026-FUT,65.0,NIFTY DEC FUT,2026-12-29 14:30:00,-0.01000,XX,10.0000,M,FUT,,NIFTY".to_owned(),
        "NSE,I,13,INDEX,0,NIFTY,1.0,Nifty 50,0001-01-01,,XX,0.0500,,INDEX,X,NIFTY".to_owned(),
        "NSE,E,2885,EQUITY,0,RELIANCE,1.0,Reliance Industries,,,XX,10.0000,NA,ES,EQ,RELIANCE INDUSTRIES LTD".to_owned(),
    ] {
        assert!(compact.lines().any(|line| line == row), "{row}");
    }
    let (low, high) = exchange.price_band(call(&exchange)).unwrap();
    let limits = format!(",{high},{low},1800");
    let row = format!(
        "NSE,D,{id},NA,OPTIDX,26000,NIFTY,NIFTY-Dec2026-26000-CE,NIFTY 08 DEC 26000 CALL,OP,NA,65,2026-12-08,26000,CE,5,W,N,N,N,NA,A,"
    );
    assert!(detailed.lines().any(|line| line.starts_with(&row) && line.ends_with(&limits)), "{row}");
}

#[test]
fn expiries_move_off_holidays_and_months_are_marked() {
    let mut early = settings();
    early.start = "2026-11-20".parse::<tandem_domain::time::TradingDay>().unwrap().start();
    let exchange = Exchange::new(early);
    let expiries = exchange.expiries("NIFTY");
    assert_eq!(expiries[0].to_string(), "2026-11-23");
    let monthly = |at: usize| {
        let key = exchange.option("NIFTY", expiries[at], rupees("26000"), OptionType::Put).unwrap();
        exchange.contract(key).unwrap().monthly
    };
    assert!(monthly(0) && !monthly(1));
    assert_eq!(exchange.expiries("SENSEX")[0].to_string(), "2026-11-26");
    assert!(
        exchange
            .compact_csv()
            .contains("NIFTY-Nov2026-26000-PE,65.0,NIFTY 23 NOV 26000 PUT,2026-11-23 14:30:00")
    );
}

#[test]
fn ids_are_unique_within_their_segment() {
    let exchange = Exchange::new(settings());
    let mut keys: Vec<_> = exchange.contracts().iter().map(|contract| contract.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), exchange.contracts().len());
    assert!(keys.len() > 300, "{}", keys.len());
}
