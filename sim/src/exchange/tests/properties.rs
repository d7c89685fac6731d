//! Whatever is done, in whatever order: quantities are conserved, limits kept, money never created.
//!
//! A day of random actions runs twice, on two exchanges with equal settings; they must agree on every event.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Place { leader: bool, buy: bool, lots: u32, kind: u8, offset: i32, ioc: bool, app: bool },
    Modify { at: usize, lots: u32, offset: i32 },
    Cancel { at: usize },
    Wait { millis: u32 },
    Pin { offset: i32 },
    Release,
    Cap { units: u32 },
    Super { leader: bool, buy: bool, lots: u32, offset: i32, target: i32, stop: i32, jump: i32 },
    Move { at: usize, leg: u8, offset: i32, jump: i32 },
    Drop { at: usize, leg: u8 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let place = (any::<bool>(), any::<bool>(), 1u32..30, 0u8..4, -60i32..60, any::<bool>(), any::<bool>())
        .prop_map(|(leader, buy, lots, kind, offset, ioc, app)| Act::Place {
            leader,
            buy,
            lots,
            kind,
            offset,
            ioc,
            app,
        });
    let act = prop_oneof![
        6 => place,
        2 => (0usize..40, 1u32..12, -60i32..60)
            .prop_map(|(at, lots, offset)| Act::Modify { at, lots, offset }),
        1 => (0usize..40).prop_map(|at| Act::Cancel { at }),
        4 => (1u32..30_000).prop_map(|millis| Act::Wait { millis }),
        1 => (-40i32..40).prop_map(|offset| Act::Pin { offset }),
        1 => Just(Act::Release),
        1 => (0u32..300).prop_map(|units| Act::Cap { units }),
    ];
    let composite = prop_oneof![
        4 => (any::<bool>(), any::<bool>(), 1u32..10, -20i32..20, 0i32..40, 0i32..40, 0i32..6).prop_map(
            |(leader, buy, lots, offset, target, stop, jump)| Act::Super {
                leader,
                buy,
                lots,
                offset,
                target,
                stop,
                jump,
            }
        ),
        2 => (0usize..40, 0u8..3, -30i32..30, 0i32..6)
            .prop_map(|(at, leg, offset, jump)| Act::Move { at, leg, offset, jump }),
        1 => (0usize..40, 0u8..3).prop_map(|(at, leg)| Act::Drop { at, leg }),
    ];
    prop::collection::vec(prop_oneof![2 => act, 1 => composite], 1..60)
}

/// A price so many ticks from the last one.
fn near(exchange: &Exchange, instrument: InstrumentKey, ticks: i32) -> Price {
    let last = exchange.last_price(instrument).unwrap().units();
    Price::from_units((last + i64::from(ticks) * 500).max(500)).unwrap()
}

fn perform(exchange: &mut Exchange, ids: &mut Vec<(DhanClientId, String)>, act: &Act) {
    let instrument = call(exchange);
    match *act {
        Act::Place { leader: by_leader, buy, lots, kind, offset, ioc, app } => {
            let account = if by_leader { leader() } else { follower() };
            let side = if buy { Side::Buy } else { Side::Sell };
            let price = near(exchange, instrument, offset);
            let beyond = if buy { offset + 4 } else { offset - 4 };
            let limit_price = near(exchange, instrument, beyond);
            let mut request = limit(instrument, side, lots * LOT, &price.to_string());
            let terms = &mut request.terms;
            match kind {
                0 => (terms.order_type, terms.price) = (OrderType::Market, Price::ZERO),
                1 => {
                    (terms.order_type, terms.trigger, terms.price) =
                        (OrderType::StopLoss, price, limit_price);
                }
                _ => {}
            }
            if ioc {
                terms.time_in_force = TimeInForce::Ioc;
            }
            let source = if app { Source::App } else { Source::Api };
            if let Ok(answer) = exchange.place(&account, source, &request) {
                ids.push((account, answer.order_id.to_string()));
            }
        }
        Act::Modify { at, lots, offset } => {
            if let Some((account, id)) = ids.get(at) {
                let change = ModifyRequest {
                    quantity: Some(units(lots * LOT)),
                    price: Some(near(exchange, instrument, offset)),
                    ..ModifyRequest::default()
                };
                let _ = exchange.modify(account, Source::Api, id, &change);
            }
        }
        Act::Cancel { at } => {
            if let Some((account, id)) = ids.get(at) {
                let _ = exchange.cancel(account, Source::Api, id);
            }
        }
        Act::Wait { millis } => {
            let until = exchange.now().plus(Duration::from_millis(millis.into()));
            while exchange.advance_to(until) < until {}
        }
        Act::Pin { offset } => {
            let price = near(exchange, instrument, offset);
            exchange.set_last_price(instrument, price);
        }
        Act::Release => {
            exchange.release_price(instrument);
        }
        Act::Cap { units: cap } => {
            exchange.set_depth(instrument, Some(Depth::Capped(units(cap))));
        }
        Act::Super { .. } | Act::Move { .. } | Act::Drop { .. } => perform_composite(exchange, ids, act),
    }
}

fn perform_composite(exchange: &mut Exchange, ids: &mut Vec<(DhanClientId, String)>, act: &Act) {
    let instrument = call(exchange);
    let leg = |number: u8| [Leg::Entry, Leg::StopLoss, Leg::Target][usize::from(number % 3)];
    let jump_of = |ticks: i32| Price::from_units(i64::from(ticks) * 500).unwrap();
    match *act {
        Act::Super { leader: by_leader, buy, lots, offset, target, stop, jump } => {
            let account = if by_leader { leader() } else { follower() };
            let (side, sign) = if buy { (Side::Buy, 1) } else { (Side::Sell, -1) };
            let price = near(exchange, instrument, offset).to_string();
            let exit = |away: i32| Some(near(exchange, instrument, offset + away)).filter(|_| away != 0);
            let legs =
                ExitLegs { target: exit(sign * target), stop: exit(-sign * stop), trailing: jump_of(jump) };
            let mut request = limit(instrument, side, lots * LOT, &price);
            request.terms.form = OrderForm::Super(legs);
            if let Ok(answer) = exchange.place_super(&account, Source::Api, &request) {
                ids.push((account, answer.order_id.to_string()));
            }
        }
        Act::Move { at, leg: number, offset, jump } => {
            let Some((account, id)) = ids.get(at) else { return };
            let (price, trailing) = (near(exchange, instrument, offset), jump_of(jump));
            let change = match leg(number) {
                Leg::Target => SuperChange::Target { price },
                Leg::StopLoss => SuperChange::Stop { price: Some(price), trailing },
                Leg::Entry | Leg::Single => SuperChange::Entry {
                    order: ModifyRequest { price: Some(price), ..ModifyRequest::default() },
                    target: None,
                    stop: None,
                    trailing,
                },
            };
            let _ = exchange.modify_super(account, Source::Api, id, &change);
        }
        Act::Drop { at, leg: number } => {
            if let Some((account, id)) = ids.get(at) {
                let _ = exchange.cancel_super(account, Source::Api, id, leg(number));
            }
        }
        _ => {}
    }
}

/// Exits never fill more than their entry did, and none works on without something to exit.
fn check_exits(exchange: &Exchange, account: &DhanClientId) {
    for entry in exchange.all_orders(account).into_iter().filter(|order| order.leg() == Leg::Entry) {
        let legs: Vec<_> = exchange
            .all_orders(account)
            .into_iter()
            .filter(|order| order.parent() == Some(&entry.id))
            .collect();
        let exited: u32 = legs.iter().map(|leg| leg.filled.get()).sum();
        assert!(exited <= entry.filled.get(), "{entry:?} {legs:?}");
        let open = entry.filled.get() - exited;
        for leg in legs.iter().filter(|leg| !leg.is_terminal()) {
            assert_eq!(leg.remaining().get(), open, "{entry:?} {legs:?}");
        }
    }
}

fn run(latency_ms: u64, acts: &[Act]) -> (Exchange, Vec<StreamEvent>) {
    let mut settings = settings();
    settings.exchange_latency = Duration::from_millis(latency_ms);
    settings.accounts.iter_mut().for_each(|account| account.capital = Money::from_rupees(3_000_000));
    let mut exchange = Exchange::new(settings);
    let mut ids = Vec::new();
    for act in acts {
        perform(&mut exchange, &mut ids, act);
        for account in [leader(), follower()] {
            let funds = exchange.funds(&account).unwrap();
            assert!(funds.utilised >= Money::ZERO, "{funds:?}");
            check_exits(&exchange, &account);
        }
    }
    let end = exchange.settings().start.plus(seconds(23_100));
    while exchange.advance_to(end) < end {}
    let events = exchange.drain_events();
    (exchange, events)
}

fn check_orders(exchange: &Exchange, account: &DhanClientId) {
    let mut net: i64 = 0;
    for order in exchange.all_orders(account) {
        let trades: Vec<_> =
            exchange.all_trades(account).into_iter().filter(|trade| trade.order_id == order.id).collect();
        let filled: u32 = trades.iter().map(|trade| trade.quantity.get()).sum();
        assert_eq!(filled, order.filled.get(), "fills of {order:?}");
        assert!(order.filled <= order.terms.quantity);
        assert!(order.is_terminal(), "{order:?}");
        let done = matches!(order.status, BrokerStatus::Traded | BrokerStatus::Closed);
        assert_eq!(done, order.remaining().is_zero());
        net += order.terms.side.signed(order.filled).0;
    }
    let instrument = call(exchange);
    assert_eq!(exchange.position(account, instrument, Product::Margin), net);
    // Every unit came from or went to somewhere: cash flows and the open value add up to the profit.
    for row in exchange.positions(account) {
        let open = if row.net() >= 0 { row.open_value } else { Money::ZERO.minus(row.open_value) };
        assert_eq!(row.day_sell_value.minus(row.day_buy_value).plus(open), row.realised);
    }
    if net == 0 {
        assert_eq!(exchange.funds(account).unwrap().utilised, Money::ZERO);
    }
}

/// No fill is worse than the limit its order had when it filled; filled quantities only grow.
fn check_events(events: &[StreamEvent]) {
    let mut filled_before: HashMap<String, u32> = HashMap::new();
    for (event, next) in events.iter().zip(events.iter().skip(1)) {
        assert_eq!(event.sequence + 1, next.sequence);
        assert!(event.at <= next.at);
    }
    for event in events {
        let order = &event.order;
        let before = filled_before.insert(order.id.to_string(), order.filled.get()).unwrap_or(0);
        assert!(order.filled.get() >= before, "{event:?}");
        if order.filled.get() > before && order.terms.order_type == OrderType::Limit {
            match order.terms.side {
                Side::Buy => assert!(order.last_fill <= order.terms.price, "{event:?}"),
                Side::Sell => assert!(order.last_fill >= order.terms.price, "{event:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_books_add_up_and_the_same_acts_give_the_same_fills(acts in acts(), latency_ms in prop_oneof![Just(0u64), 1u64..3000]) {
        let (exchange, events) = run(latency_ms, &acts);
        check_orders(&exchange, &leader());
        check_orders(&exchange, &follower());
        check_events(&events);
        let mut trade_ids: Vec<_> =
            [leader(), follower()].iter().flat_map(|id| exchange.all_trades(id)).map(|trade| trade.id.clone()).collect();
        let count = trade_ids.len();
        trade_ids.sort_unstable();
        trade_ids.dedup();
        prop_assert_eq!(trade_ids.len(), count);

        let (_, again) = run(latency_ms, &acts);
        prop_assert_eq!(events, again);
    }

    /// Whoever offers the better price is served first, at one price whoever came first, each at his own price.
    #[test]
    fn price_then_time(offers in prop::collection::vec((0u32..6, 1u32..9), 1..14), lots in 1u32..27, reach in 0u32..6) {
        let (mut exchange, call) = quiet();
        exchange.set_capital(&follower(), Money::from_rupees(1_000_000_000));
        let price = |step: u32| Price::from_paise(10_000 + 5 * step);
        let mut queue: Vec<(u32, usize, u32, String)> = Vec::new();
        for (at, (step, offered)) in offers.into_iter().enumerate() {
            let request = limit(call, Side::Sell, offered * LOT, &price(step).to_string());
            let id = place(&mut exchange, &follower(), &request);
            queue.push((step, at, offered * LOT, id));
        }
        queue.sort();
        let mut left = lots * LOT;
        let mut expected = Vec::new();
        for (step, _, offered, id) in queue.into_iter().filter(|offer| offer.0 <= reach) {
            let taken = left.min(offered);
            if taken > 0 {
                expected.push((id, price(step), taken));
            }
            left -= taken;
        }
        place(&mut exchange, &leader(), &limit(call, Side::Buy, lots * LOT, &price(reach).to_string()));
        let sold: Vec<_> = exchange
            .all_trades(&follower())
            .iter()
            .map(|trade| (trade.order_id.to_string(), trade.price, trade.quantity.get()))
            .collect();
        prop_assert_eq!(sold, expected);
    }

    /// Depth is finite: in one tick nobody gets more than was there.
    #[test]
    fn depth_is_never_oversold(orders in prop::collection::vec((any::<bool>(), 1u32..27), 1..12), there in 0u32..2000) {
        let (mut exchange, call) = quiet();
        exchange.set_depth(call, Some(fixed(&[], &[("100", there)])));
        for account in [leader(), follower()] {
            exchange.set_capital(&account, Money::from_rupees(1_000_000_000));
        }
        let mut wanted = 0;
        for (by_leader, lots) in orders {
            let account = if by_leader { leader() } else { follower() };
            place(&mut exchange, &account, &limit(call, Side::Buy, lots * LOT, "100"));
            wanted += lots * LOT;
        }
        let got: u32 = [leader(), follower()]
            .iter()
            .flat_map(|account| exchange.all_trades(account))
            .map(|trade| trade.quantity.get())
            .sum();
        prop_assert_eq!(got, wanted.min(there));
    }
}
