//! The stage's own tests: what a test says happens does happen, before any daemon is asked.

use tandem_domain::order::Product;
use tandem_domain::price::Money;
use tandem_sim::Operation;
use tandem_sim::exchange::OverlappingExits;

use super::{ASHA, BALA, Broker, LEADER, Setup, account, buy, limit, rupees, sell, stop_loss};

const LOT: u32 = 65;

#[test]
fn owners_hold_trade_and_convert() {
    let broker = Broker::start(Broker::settings());
    let call = broker.option();
    broker.carry(ASHA, call, 650, "90.00");
    let own = broker.own(ASHA, sell(call, LOT));
    assert_eq!(broker.order(&own).tag, None);
    assert_eq!(broker.net(ASHA, call), 585);
    broker.price(call, "95.00");
    assert_eq!(broker.profit(ASHA), (Money::from_rupees(650), Money::from_rupees(585 * 5)));
    broker.convert(ASHA, call, (Product::Margin, Product::Intraday), 65);
    assert_eq!(broker.position(ASHA, call, Product::Intraday), 65);
    broker.pay_in(ASHA, -100_000);
    broker.pay_in(ASHA, 1);
    let funds = broker.sim.with_exchange(|exchange| exchange.funds(&account(ASHA))).unwrap();
    assert_eq!(funds.start_of_day, Money::from_rupees(500_000));
    assert_eq!(broker.storm(BALA, call, 12), 10, "ten in a second");
}

#[test]
fn brokers_square_off_refuse_and_reject() {
    let broker = Broker::start(Broker::settings());
    let call = broker.option();
    for client_id in [LEADER, ASHA, BALA] {
        let mut order = buy(call, LOT);
        order.product = Product::Intraday;
        broker.own(client_id, order);
    }
    broker.square_off(ASHA);
    assert_eq!((broker.net(ASHA, call), broker.net(BALA, call)), (0, 65));
    broker.square_off_all();
    assert_eq!((broker.net(LEADER, call), broker.net(BALA, call)), (0, 0));

    broker.reject_for_margin(ASHA, 1);
    let rejected = broker.own(ASHA, buy(call, LOT));
    assert!(broker.order(&rejected).reason.contains("insufficient funds"));
    broker.overlapping_exits(ASHA, OverlappingExits::RejectedLater);
    broker.own(ASHA, buy(call, LOT));
    let target = broker.own(ASHA, limit("120.00", sell(call, LOT)));
    let stop = broker.own(ASHA, stop_loss("90.00", "88.00", sell(call, LOT)));
    assert!(!broker.order(&target).is_terminal() && broker.order(&stop).is_terminal());
    broker.busy(ASHA, Operation::Margin, 1);
}

#[test]
fn spikes_bands_and_hours_are_as_told() {
    let setup = Setup::new().starts("2026-12-01 15:30:00");
    let broker = Broker::start(setup.sim);
    let call = broker.option();
    broker.own(ASHA, buy(call, LOT));
    let target = broker.own(ASHA, limit("120.00", sell(call, LOT)));
    let stop = broker.own(ASHA, stop_loss("90.00", "88.00", sell(call, LOT)));
    broker.fill_together(&[(&target, LOT, "120.00"), (&stop, LOT, "89.00")]);
    assert_eq!(broker.net(ASHA, call), -65);
    broker.band(call, "80.00", "110.00");
    let outside = broker.own(ASHA, limit("79.95", buy(call, LOT)));
    assert!(broker.order(&outside).reason.contains("80.00 To 110.00"));
    broker.widen_band(call);
    let inside = broker.own(ASHA, limit("79.95", buy(call, LOT)));
    assert_eq!(broker.order(&inside).terms.price, rupees("79.95"));
    broker.pass_until("2026-12-01 15:45:00");
    assert!(!broker.sim.with_exchange(|exchange| exchange.is_open()));
}

#[test]
fn what_is_given_is_there_before_the_daemon() {
    let stage = Setup::new()
        .given(|broker| {
            let call = broker.option();
            broker.carry(LEADER, call, 650, "90.00");
        })
        .stage();
    let call = stage.broker.option();
    assert_eq!(stage.broker.net(LEADER, call), 650);
    stage.daemon.end();
}
