//! A: what is not copied, and the reason that is recorded for it; how much of what is.

use std::fs;

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{OrderTerms, Product};
use tandem_domain::price::Money;

use crate::harness::{ASHA, BALA, Broker, Follower, Setup, Stage, account, buy, limit};

#[test]
fn a11_equity_while_only_options_are_copied() {
    let Stage { broker, daemon } = Setup::new().stage();
    let share = broker.share(2885, "1450.00");
    let order = broker.lead(OrderTerms { product: Product::Intraday, ..buy(share, 100) });

    daemon.until_refused(&order, "asha", "skipped", "not_option");
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

/// The instrument file without one instrument.
fn without(csv: &str, instrument: InstrumentKey) -> String {
    let header = csv.lines().next().unwrap();
    let column = header.split(',').position(|name| name == "SECURITY_ID").unwrap();
    let id = instrument.security_id.to_string();
    let kept: Vec<&str> = csv.lines().filter(|line| line.split(',').nth(column) != Some(&id)).collect();
    assert_eq!(kept.len() + 1, csv.lines().count());
    kept.join("\n") + "\n"
}

/// The instrument, the whole file, and the file without it.
fn files() -> (InstrumentKey, String, String) {
    // Any simulator of these settings lists the same instruments.
    let broker = Broker::start(Broker::settings());
    let option = broker.option();
    let csv = broker.sim.with_exchange(|exchange| exchange.detailed_csv());
    let lacking = without(&csv, option);
    (option, csv, lacking)
}

#[test]
fn a12_unknown_instrument() {
    let (option, _, lacking) = files();
    let Stage { broker, daemon } = Setup::new().instruments(lacking).stage();
    assert_eq!(broker.option(), option);
    let order = broker.lead(buy(option, 260));

    daemon.until_refused(&order, "asha", "skipped", "unknown_instrument");
    // Looked up once more before it was given up.
    daemon.until_log_count("instrument master read", 2);
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    daemon.end();
}

#[test]
fn a12_instrument_found_when_the_file_is_read_again() {
    let (option, whole, lacking) = files();
    let Stage { broker, daemon } = Setup::new().instruments(lacking).stage();
    assert_eq!(broker.option(), option);
    fs::write(daemon.folder().join("instruments.csv"), whole).unwrap();
    let order = broker.lead(buy(option, 260));

    daemon.until_filled(&order, "asha", 130);
    daemon.until_log_count("instrument master read", 2);
    broker.quiet();
    assert_eq!(broker.only_order(ASHA).terms.instrument, option);
    daemon.end();
}

#[test]
fn a13_below_one_lot_is_skipped() {
    // Bala has a fifth of the leader's capital: 0.4 lots of his 2.
    let Stage { broker, daemon } = Setup::new().followers([Follower::BALA]).stage();
    let order = broker.lead(buy(broker.option(), 130));

    daemon.until_refused(&order, "bala", "skipped", "below_one_lot");
    broker.quiet();
    assert!(broker.placements(BALA).is_empty());
    daemon.end();
}

#[test]
fn a13_below_one_lot_takes_one_lot() {
    let Stage { broker, daemon } =
        Setup::new().followers([Follower::BALA]).set(r#"sizing.minimum = "one_lot""#).stage();
    let option = broker.option();
    let order = broker.lead(buy(option, 130));

    daemon.until_filled(&order, "bala", 65);
    broker.quiet();
    assert_eq!(broker.position(BALA, option, Product::Margin), 65);
    daemon.end();
}

#[test]
fn a23_followers_with_policies_of_their_own() {
    let bala = Follower::BALA.with(
        "sizing.strategy = \"fixed_ratio\"\nsizing.ratio = 0.25\nsizing.minimum = \"one_lot\"\n\
         copy.instrument_kinds = [\"OPTIDX\", \"EQUITY\"]",
    );
    let Stage { broker, mut daemon } = Setup::new().followers([Follower::ASHA, bala]).stage();
    daemon.expects("the copy was rejected after the broker had taken it; 130 units short");
    let (option, share) = (broker.option(), broker.share(2885, "1450.00"));

    let four_lots = broker.lead(buy(option, 260));
    assert_eq!(
        daemon.until_filled(&four_lots, "asha", 130).strategy.as_deref(),
        Some("capital_proportional")
    );
    assert_eq!(daemon.until_filled(&four_lots, "bala", 65).strategy.as_deref(), Some("fixed_ratio"));

    let one_lot = broker.lead(buy(option, 65));
    daemon.until_refused(&one_lot, "asha", "skipped", "below_one_lot");
    daemon.until_filled(&one_lot, "bala", 65);

    let shares = broker.lead(OrderTerms { product: Product::Intraday, ..buy(share, 40) });
    daemon.until_refused(&shares, "asha", "skipped", "not_option");
    daemon.until_filled(&shares, "bala", 10);

    // Asha can pay for nothing any more: her copy is rejected, Bala's is not.
    let poor = Money::from_rupees(1);
    assert!(broker.sim.with_exchange(|exchange| exchange.set_capital(&account(ASHA), poor)));
    let dear = broker.lead(limit("100.00", buy(option, 260)));
    daemon.until_filled(&dear, "bala", 65);
    let rejected = daemon.until_status(&dear, "asha", "REJECTED");
    assert!(rejected.order_reason.unwrap().contains("insufficient funds"));

    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert_eq!(broker.position(BALA, option, Product::Margin), 195);
    assert_eq!(broker.position(BALA, share, Product::Intraday), 10);
    assert_eq!((broker.placements(ASHA).len(), broker.placements(BALA).len()), (2, 4));
    daemon.end();
}
