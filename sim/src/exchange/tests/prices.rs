//! The tape, and how fast a day passes.

use tandem_domain::instrument::InstrumentKind;

use super::*;

fn all(exchange: &Exchange) -> Vec<InstrumentKey> {
    exchange.contracts().iter().map(|contract| contract.key).collect()
}

#[test]
fn the_tape_of_a_seed_is_the_same_to_the_byte_whoever_trades() {
    let mut busy = Exchange::new(settings());
    let call = call(&busy);
    busy.set_last_price(call, rupees("1"));
    place(&mut busy, &leader(), &market(call, Side::Buy, LOT));
    let later = busy.now().plus(seconds(900));
    busy.advance_to(later);
    let idle = Exchange::new(settings());
    let start = settings().start;
    let tape = idle.tape(&all(&idle), start, 300);
    assert_eq!(tape, busy.tape(&all(&busy), start, 300));
    assert_eq!(tape.lines().count(), 1 + 300 * idle.contracts().len());
    let other = Exchange::new(ExchangeSettings { seed: 2, ..settings() });
    assert_ne!(tape, other.tape(&all(&other), start, 300));
}

#[test]
fn the_first_lines_of_the_tape_never_change() {
    let exchange = Exchange::new(settings());
    let tape = exchange.tape(&[call(&exchange), share()], settings().start, 2);
    assert_eq!(tape, GOLDEN);
}

// Frozen: expectations of demos and tests are written against the tape of a seed.
const GOLDEN: &str = "\
time,segment,security_id,bid,bid_quantity,ask,ask_quantity,last
2026-12-01 09:15:00,NSE_FNO,43065,187.85,130,188.05,130,187.95
2026-12-01 09:15:00,NSE_EQ,2885,1448.50,75,1449.50,25,1449.00
2026-12-01 09:15:01,NSE_FNO,43065,187.90,195,188.05,260,188.00
2026-12-01 09:15:01,NSE_EQ,2885,1448.60,75,1449.50,50,1449.10
";

#[test]
fn prices_are_sane_all_day() {
    let mut exchange = Exchange::new(settings());
    for minute in 0..385 {
        let at = settings().start.plus(seconds(minute * 60));
        exchange.advance_to(at);
        for contract in exchange.contracts() {
            let quote = exchange.quote(contract.key).unwrap();
            let name = &contract.display_name;
            assert!(quote.last.is_on_tick(contract.tick) && !quote.last.is_zero(), "{name} {at} {quote:?}");
            assert!(
                quote.lower_circuit <= quote.last && quote.last <= quote.upper_circuit,
                "{name} {quote:?}"
            );
            if contract.kind == InstrumentKind::Index {
                assert!(quote.asks.is_empty() && quote.bids.is_empty());
                continue;
            }
            assert!(quote.asks.len() == 5 && quote.asks[0].price > quote.last, "{name} {quote:?}");
            assert!(quote.bids.first().is_none_or(|bid| bid.price < quote.last), "{name} {quote:?}");
            assert!(quote.low <= quote.open && quote.open <= quote.high, "{name} {quote:?}");
        }
    }
}

#[test]
fn a_dearer_strike_makes_a_cheaper_call() {
    let exchange = Exchange::new(settings());
    let price = |text, side| exchange.last_price(strike(&exchange, text, side)).unwrap();
    let calls = ["25500", "25800", "26000", "26200", "26500"].map(|text| price(text, OptionType::Call));
    let puts = ["25500", "25800", "26000", "26200", "26500"].map(|text| price(text, OptionType::Put));
    assert!(calls.is_sorted_by(|a, b| a > b), "{calls:?}");
    assert!(puts.is_sorted_by(|a, b| a < b), "{puts:?}");
}

/// A day with orders resting in 300 instruments must pass in seconds in a release build; here it only must pass.
#[test]
fn a_day_with_orders_everywhere_ends_with_all_of_them_at_an_end() {
    let mut rich = settings();
    rich.accounts[0].capital = Money::from_rupees(1_000_000_000);
    let mut exchange = Exchange::new(rich);
    let options: Vec<_> = exchange.contracts().iter().filter(|c| c.option.is_some()).cloned().collect();
    for contract in options.iter().take(300) {
        let mut request = limit(contract.key, Side::Buy, contract.lot_size.get(), "0.05");
        request.terms.price = contract.tick;
        place(&mut exchange, &leader(), &request);
    }
    exchange.drain_events();
    let end = settings().start.plus(seconds(23_100));
    while exchange.advance_to(end) < end {}
    let orders = exchange.book(&leader());
    assert_eq!(orders.len(), 300);
    assert!(orders.iter().all(|order| order.is_terminal()));
    let expired = orders.iter().filter(|order| order.status == BrokerStatus::Expired).count();
    assert!(expired > 0 && expired <= 300, "{expired}");
}
