//! What befalls an account by hands that are neither the leader's nor Tandem's: its owner's, the broker's, time's.

use std::time::{Duration, Instant};

use chrono::NaiveDateTime;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{OrderTerms, Product, Side};
use tandem_domain::price::Money;
use tandem_domain::quantity::Quantity;
use tandem_domain::time::Timestamp;
use tandem_sim::exchange::{
    CarriedPosition, Conversion, Fill, OverlappingExits, PlaceRequest, SimOrder, SimPosition, Source,
};
use tandem_sim::{AnswerFault, Fault, Operation, Run};

use super::wait::look_again;
use super::{Broker, account, buy, limit, rupees, to_price};

/// Real time for a run of the clock: a night with tries that wait in real time, on a slow machine.
const RUN_PATIENCE: Duration = Duration::from_mins(3);

impl Broker {
    /// The account holds so many units from earlier days, product MARGIN; negative ones are short. Once for each
    /// instrument, before anything of it is traded.
    #[track_caller]
    pub(crate) fn carry(&self, client_id: &str, instrument: InstrumentKey, units: i64, price: &str) {
        let held = CarriedPosition { instrument, product: Product::Margin, units, price: rupees(price) };
        assert!(self.sim.with_exchange(|exchange| exchange.carry(&account(client_id), &held)));
    }

    /// The account's owner places in his own app: no tag.
    #[track_caller]
    pub(crate) fn own(&self, client_id: &str, terms: OrderTerms) -> BrokerOrderId {
        self.place(client_id, Source::App, [PlaceRequest::new(terms)]).remove(0)
    }

    /// A program of the account's owner places so many one-lot orders over the API that never fill; how many the broker
    /// took before its limits.
    pub(crate) fn storm(&self, client_id: &str, instrument: InstrumentKey, orders: usize) -> usize {
        self.sim.with_exchange(|exchange| {
            let lot = exchange.contract(instrument).unwrap().lot_size.get();
            let request = PlaceRequest::new(limit("0.05", buy(instrument, lot))).tagged("own-program");
            let place = |_: &usize| exchange.place(&account(client_id), Source::Api, &request).is_ok();
            (0..orders).filter(place).count()
        })
    }

    /// That program changes so many of its orders, and cancels as many others; how many requests the broker took.
    pub(crate) fn second_thoughts(&self, client_id: &str, orders: usize) -> usize {
        self.sim.with_exchange(|exchange| {
            let account = account(client_id);
            let working = exchange
                .all_orders(&account)
                .into_iter()
                .filter(|order| !order.is_terminal() && order.tag.as_deref() == Some("own-program"));
            let mut working: Vec<SimOrder> = working.cloned().collect();
            // The newest first: a change or two of each, of the 25 that the broker takes.
            working.reverse();
            let (change, cancel) = working.split_at(orders.min(working.len()));
            let mut dearer = |order: &SimOrder| {
                let price = if order.terms.price == rupees("0.05") { "0.10" } else { "0.05" };
                exchange.modify(&account, Source::Api, order.id.as_str(), &to_price(price)).is_ok()
            };
            let changed = change.iter().filter(|order| dearer(order)).count();
            let withdraw =
                |order: &&SimOrder| exchange.cancel(&account, Source::Api, order.id.as_str()).is_ok();
            changed + cancel.iter().take(orders).filter(withdraw).count()
        })
    }

    /// Somebody moves units of a position to another product in his app; negative units of a short one.
    #[track_caller]
    pub(crate) fn convert(
        &self,
        client_id: &str,
        instrument: InstrumentKey,
        (from, to): (Product, Product),
        units: i64,
    ) {
        let side = if units > 0 { Side::Buy } else { Side::Sell };
        let quantity = Quantity::new(u32::try_from(units.unsigned_abs()).unwrap());
        let conversion = Conversion { instrument, from, to, side, quantity };
        let id = account(client_id);
        self.sim.with_exchange(|exchange| exchange.convert_position(&id, Source::App, &conversion)).unwrap();
    }

    /// The broker squares off the INTRADAY orders and positions of an account, now.
    pub(crate) fn square_off(&self, client_id: &str) {
        assert!(self.sim.with_exchange(|exchange| exchange.square_off_now(Some(&account(client_id)))));
    }

    /// The same of every account, in one moment.
    pub(crate) fn square_off_all(&self) {
        assert!(self.sim.with_exchange(|exchange| exchange.square_off_now(None)));
    }

    /// So many rupees are paid in; negative ones are paid out, as far as they are free.
    #[track_caller]
    pub(crate) fn pay_in(&self, client_id: &str, rupees: i64) {
        let money = Money::from_rupees(rupees);
        assert!(self.sim.with_exchange(|exchange| exchange.pay_in(&account(client_id), money)));
    }

    /// What the account's positions have brought today and would bring now: the two sums of `GET /positions`.
    pub(crate) fn profit(&self, client_id: &str) -> (Money, Money) {
        self.sim.with_exchange(|exchange| {
            let rows = exchange.positions(&account(client_id));
            rows.iter().fold((Money::ZERO, Money::ZERO), |(realised, open), row| {
                let last = exchange.last_price(row.instrument).unwrap();
                (realised.plus(row.realised), open.plus(row.unrealised(last)))
            })
        })
    }

    /// What the account holds of an instrument in all products.
    pub(crate) fn net(&self, client_id: &str, instrument: InstrumentKey) -> i64 {
        let rows = self.sim.with_exchange(|exchange| exchange.positions(&account(client_id)));
        rows.iter().filter(|row| row.instrument == instrument).map(SimPosition::net).sum()
    }

    /// Orders of the instrument must lie between these prices from now on; the instrument files show it.
    #[track_caller]
    pub(crate) fn band(&self, instrument: InstrumentKey, low: &str, high: &str) {
        let band = Some((rupees(low), rupees(high)));
        assert!(self.sim.with_exchange(|exchange| exchange.set_band(instrument, band)));
    }

    /// The exchange goes back to the wide band of the day.
    pub(crate) fn widen_band(&self, instrument: InstrumentKey) {
        assert!(self.sim.with_exchange(|exchange| exchange.set_band(instrument, None)));
    }

    /// A spike: these orders fill in one moment, stops that wait included, before anybody can cancel one.
    #[track_caller]
    pub(crate) fn fill_together(&self, fills: &[(&BrokerOrderId, u32, &str)]) {
        let fill = |(id, units, price): &(&BrokerOrderId, u32, &str)| Fill {
            order_id: (*id).clone(),
            quantity: Quantity::new(*units),
            price: rupees(price),
        };
        let fills: Vec<Fill> = fills.iter().map(fill).collect();
        assert!(self.sim.with_exchange(|exchange| exchange.fill_together(&fills)));
    }

    /// What the account's broker does from now on with an exit beside others for the same units.
    pub(crate) fn overlapping_exits(&self, client_id: &str, how: OverlappingExits) {
        self.inject(client_id, Fault::OverlappingExits { how });
    }

    /// The next orders of the account are taken and then rejected for want of margin.
    pub(crate) fn reject_for_margin(&self, client_id: &str, orders: u32) {
        let text = "RMS:<id>:You have insufficient funds. Please add Rs.23.70 to trade.".to_owned();
        self.inject(client_id, Fault::RejectNext { count: orders, text });
    }

    /// The next calls of one kind are answered 429 DH-904, whatever the limits say.
    pub(crate) fn busy(&self, client_id: &str, operation: Operation, calls: u32) {
        self.spoil(client_id, operation, calls, AnswerFault::Busy);
    }

    /// Lets time pass until this moment in India, `2026-12-01 15:39:00`, in jumps as soon as every daemon is idle.
    #[track_caller]
    pub(crate) fn pass_until(&self, moment: &str) {
        let until = NaiveDateTime::parse_from_str(moment, "%Y-%m-%d %H:%M:%S").unwrap();
        self.await_run(self.sim.clock().run_until(Timestamp::from_ist(until)), moment);
    }

    /// Waits until the clock has got there.
    #[track_caller]
    pub(super) fn await_run(&self, mut run: Run, until: &str) {
        let deadline = Instant::now() + RUN_PATIENCE;
        while run.reached().unwrap().is_none() {
            assert!(Instant::now() < deadline, "never came: {until}, for {:?}", self.sim.clock().holds());
            look_again();
        }
    }
}
