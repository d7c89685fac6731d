//! Every captured, documented and damaged form of a frame, from `fixtures/frames`, one line for each item found.
//!
//! How it works: a fixture is decoded as the stream client does it, each report is written as one short line, and all
//! lines of all fixtures are compared with the text below.

use std::fmt::Write;
use std::path::Path;

use tandem_dhan::parse;
use tandem_dhan::wire::{FrameStyle, OrderUpdate, WireError, decode_frame};
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::{OrderForm, OrderReport};
use tandem_domain::price::Price;

fn decode(text: &str) -> Vec<Result<OrderReport, WireError>> {
    let items = decode_frame(text).items.into_iter();
    items.map(|item| item.and_then(|update| parse::order_update(&update))).collect()
}

fn line(item: &Result<OrderReport, WireError>) -> String {
    match item {
        Err(error) => format!("!! {error}"),
        Ok(report) => {
            let terms = &report.terms;
            format!(
                "{} {:?} {} {} {} {} {} q{} d{} p{} t{}{} | {} {}@{} | {:?} | tag {:?} | exch {:?} {} | {} | {:?}",
                report.broker_order_id,
                report.account.as_str(),
                terms.instrument,
                terms.side,
                terms.product,
                terms.order_type,
                terms.time_in_force,
                terms.quantity,
                terms.disclosed,
                terms.price,
                terms.trigger,
                if terms.after_market { " AMO" } else { "" },
                report.status,
                report.cumulative,
                report.average_price,
                report.leg,
                report.tag.as_ref().map(tandem_domain::ids::Tag::as_str),
                report.exchange_order_id.as_ref().map(tandem_domain::ids::ExchangeOrderId::as_str),
                report.ts_exchange.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                report.ts_event,
                report.reason.as_deref(),
            )
        }
    }
}

#[test]
fn every_form_of_a_frame_is_read_or_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frames");
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut found = String::new();
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        writeln!(found, "{}", path.file_stem().unwrap().to_string_lossy()).unwrap();
        for item in decode(&text) {
            writeln!(found, "  {}", line(&item)).unwrap();
        }
    }
    insta::assert_snapshot!(found);
}

#[test]
fn what_the_simulator_writes_reads_the_same_in_every_style() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frames/part_traded.json"),
    )
    .unwrap();
    let update: OrderUpdate = *decode_frame(&text).items.remove(0).unwrap();
    for style in [FrameStyle::Live, FrameStyle::LivePascal, FrameStyle::Documented, FrameStyle::Mixed] {
        let written = update.to_frame(style);
        assert_eq!(decode_frame(&written).items, vec![Ok(Box::new(update.clone()))], "{written}");
    }
    let live = update.to_frame(FrameStyle::Live);
    assert!(live.contains("\"orderNo\"") && !live.contains("triggerPrice"), "{live}");
    let documented = update.to_frame(FrameStyle::Documented);
    assert!(documented.contains("\"OrderNo\"") && documented.contains("\"TriggerPrice\":0"), "{documented}");
}

#[test]
fn a_leg_names_its_entry_and_every_frame_the_last_price() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frames/super_order_stop.json"),
    )
    .unwrap();
    let report = |named: &str, last: &str| {
        let text = text
            .replace(r#""orderNo": "221261123048117""#, r#""orderNo": "221261123048118""#)
            .replace(r#""algoOrdNo": 221261123048117"#, &format!(r#""algoOrdNo": {named}"#))
            .replace(r#""refLtp": 183.1"#, &format!(r#""refLtp": {last}"#));
        decode(&text).remove(0).unwrap()
    };
    for (named, parent) in [
        ("221261123048117", Some("221261123048117")),
        ("\"221261123048117\"", Some("221261123048117")),
        ("221261123048117.0", Some("221261123048117")),
        ("\"221261123048117.0\"", Some("221261123048117")),
        ("221261123048118", None),
        ("221261123048118.0", None),
        ("0", None),
        ("0.0", None),
        ("\"0\"", None),
        ("\"NA\"", None),
        ("\"\"", None),
        ("null", None),
    ] {
        let report = report(named, "183.1");
        assert_eq!(report.parent.as_ref().map(BrokerOrderId::as_str), parent, "{named}");
        assert_eq!(report.terms.form, OrderForm::Ordinary);
    }
    for (last, units) in [("183.1", Some(1_831_000)), ("0", None), ("null", None), ("-1", None)] {
        assert_eq!(report("0", last).last_price.map(Price::units), units, "{last}");
    }
}
