//! A leader who trades all day, from a seed: buys, rests, changes, cancels, leaves in parts; never short.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::{OrderTerms, Side};
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{Exchange, ModifyRequest, PlaceRequest, SimOrder, Source};

use crate::harness::{Broker, LEADER, account, buy, limit, rupees, sell, stop_loss, to_price, until};

/// Units of a lot.
pub(crate) const LOT: u32 = 65;
/// More than this he does not hold of an instrument, or rest to buy.
const LOTS_MAX: u32 = 20;
/// Where prices are, unless they move for a moment.
const PRICE: &str = "100.00";

/// Chance, from a seed.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }
}

/// The leader.
pub(crate) struct Leader {
    pub(crate) chance: Chance,
    pub(crate) options: [InstrumentKey; 2],
}

/// What he has in an instrument.
struct Standing {
    net: u32,
    buys: Vec<SimOrder>,
    sells: Vec<SimOrder>,
}

impl Standing {
    fn of(exchange: &Exchange, option: InstrumentKey) -> Self {
        let net = exchange.position(&account(LEADER), option, tandem_domain::order::Product::Margin);
        let working = |side| {
            let all = exchange.all_orders(&account(LEADER)).into_iter();
            all.filter(move |order| !order.is_terminal() && order.terms.side == side)
                .filter(|order| order.terms.instrument == option)
                .cloned()
                .collect::<Vec<SimOrder>>()
        };
        Self { net: u32::try_from(net).unwrap(), buys: working(Side::Buy), sells: working(Side::Sell) }
    }

    /// Lots that he holds and no order is to sell.
    fn free_lots(&self) -> u32 {
        let resting: u32 = self.sells.iter().map(|order| order.remaining().get()).sum();
        self.net.saturating_sub(resting) / LOT
    }

    /// Lots that he may still buy.
    fn room_lots(&self) -> u32 {
        let resting: u32 = self.buys.iter().map(|order| order.remaining().get()).sum();
        LOTS_MAX.saturating_sub((self.net + resting) / LOT)
    }
}

fn place(exchange: &mut Exchange, terms: OrderTerms) {
    exchange.place(&account(LEADER), Source::App, &PlaceRequest::new(terms)).unwrap();
}

impl Leader {
    pub(crate) fn new(broker: &Broker, seed: u64) -> Self {
        let options =
            [OptionType::Call, OptionType::Put].map(|side| broker.option_at(1, 26_000, side, PRICE));
        Self { chance: Chance::new(seed), options }
    }

    /// An even number of lots, 2 to 6, as far as there are so many: half of it is whole lots, too.
    fn even_lots(&mut self, of: u32) -> Option<u32> {
        let lots = (2 * (1 + self.chance.below(3))).min(of / 2 * 2);
        (lots > 0).then_some(lots * LOT)
    }

    /// Does something.
    pub(crate) fn act(&mut self, broker: &Broker) {
        let option = self.options[self.chance.below(2) as usize];
        let what = self.chance.below(100);
        broker.sim.with_exchange(|exchange| match what {
            0..26 => self.buys(exchange, option),
            26..42 => self.rests(exchange, option),
            42..54 => self.changes(exchange, option),
            54..62 => self.cancels(exchange, option),
            62..78 => self.sells(exchange, option),
            78..88 => self.protects(exchange, option),
            88..95 => self.market_moves(exchange, option),
            _ => (0..3).for_each(|_| self.buys(exchange, option)),
        });
    }

    fn buys(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let room = Standing::of(exchange, option).room_lots();
        if let Some(units) = self.even_lots(room) {
            place(exchange, buy(option, units));
        }
    }

    fn rests(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let room = Standing::of(exchange, option).room_lots();
        if let Some(units) = self.even_lots(room) {
            place(exchange, limit("95.00", buy(option, units)));
        }
    }

    /// Another price, or two lots more.
    fn changes(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let standing = Standing::of(exchange, option);
        let (raises, by) = (self.chance.below(2) == 0 && standing.room_lots() >= 2, self.chance.below(8));
        let Some(order) = standing.buys.first() else { return };
        let change = if raises {
            let quantity = Some(Quantity::new(order.terms.quantity.get() + 2 * LOT));
            ModifyRequest { quantity, ..ModifyRequest::default() }
        } else {
            to_price(&format!("{}.50", 92 + by % 4))
        };
        // Not yet at the exchange, or changed too often: he shrugs.
        let _ = exchange.modify(&account(LEADER), Source::App, order.id.as_str(), &change);
    }

    fn cancels(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let standing = Standing::of(exchange, option);
        let working: Vec<&SimOrder> = standing.buys.iter().chain(&standing.sells).collect();
        if working.is_empty() {
            return;
        }
        let order = working[self.chance.below(u32::try_from(working.len()).unwrap()) as usize];
        let _ = exchange.cancel(&account(LEADER), Source::App, order.id.as_str());
    }

    fn sells(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let free = Standing::of(exchange, option).free_lots();
        if let Some(units) = self.even_lots(free) {
            place(exchange, sell(option, units));
        }
    }

    /// A target or a stop.
    fn protects(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let free = Standing::of(exchange, option).free_lots();
        let Some(units) = self.even_lots(free) else { return };
        let terms = sell(option, units);
        let is_target = self.chance.below(2) == 0;
        place(exchange, if is_target { limit("110.00", terms) } else { stop_loss("91.00", "90.00", terms) });
    }

    /// To where what rests fills, for everybody, and back.
    fn market_moves(&mut self, exchange: &mut Exchange, option: InstrumentKey) {
        let to = ["94.00", "92.00", "110.50", "90.50"][self.chance.below(4) as usize];
        assert!(
            exchange.set_last_price(option, rupees(to)) && exchange.set_last_price(option, rupees(PRICE))
        );
    }

    /// Cancels what works and sells what he holds.
    #[track_caller]
    pub(crate) fn close_out(&self, broker: &Broker) {
        cancel_all(broker);
        for option in self.options {
            // The exchange takes no order of more than 27 lots.
            let mut net = u32::try_from(broker.net(LEADER, option)).unwrap();
            while net > 0 {
                let units = net.min(LOTS_MAX * LOT);
                broker.lead(sell(option, units));
                net -= units;
            }
        }
        until("the leader is flat", || {
            let is_flat = self.options.iter().all(|option| broker.net(LEADER, *option) == 0);
            (is_flat && works(broker).is_empty()).then_some(())
        });
    }
}

/// The leader's orders that work.
fn works(broker: &Broker) -> Vec<SimOrder> {
    broker.orders(LEADER).into_iter().filter(|order| !order.is_terminal()).collect()
}

/// The leader cancels what works.
#[track_caller]
pub(crate) fn cancel_all(broker: &Broker) {
    let id = account(LEADER);
    until("the leader's orders are over", || {
        let working = works(broker);
        for order in &working {
            // Filled meanwhile, or not yet at the exchange: looked at again.
            let _ = broker.sim.with_exchange(|exchange| exchange.cancel(&id, Source::App, order.id.as_str()));
        }
        working.is_empty().then_some(())
    });
}
