//! A broker with an exchange behind it, in plain integers: the account of the leader, and that of the follower. It knows
//! nothing of the code under test, which may not say here what an order is or does.

use std::fmt;

/// Everything trades in lots of so many units.
pub(super) const LOT: u32 = 65;
/// The market: what crosses it trades at once when the day is calm. In paise.
pub(super) const MARKET: u32 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Limit,
    Market,
    Stop,
    StopMarket,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Transit,
    Open,
    Filled,
    Cancelled,
    Rejected,
    Expired,
}

/// Who ended an order before it was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Owner,
    Hand,
    Broker,
}

/// What somebody asks for. Prices in paise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) instrument: u32,
    pub(super) buy: bool,
    pub(super) kind: Kind,
    pub(super) ioc: bool,
    pub(super) units: u32,
    pub(super) disclosed: u32,
    pub(super) price: u32,
    pub(super) trigger: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) number: usize,
    pub(super) tag: String,
    pub(super) asked: Asked,
    pub(super) filled: u32,
    pub(super) state: State,
    pub(super) ended_by: By,
    /// Its trigger was touched.
    pub(super) fired: bool,
    /// Its trigger was touched some time.
    pub(super) was_fired: bool,
    /// A person changed or cancelled it.
    pub(super) hand: bool,
    /// The most it ever asked for.
    pub(super) units_max: u32,
    pub(super) units_changed: bool,
    /// What its owner was told it had become, which came to nothing.
    pub(super) promised: u32,
    pub(super) entered_at: i64,
    pub(super) changed_at: i64,
    /// Books and streams keep silent about it until then.
    pub(super) visible_at: i64,
}

/// Why a change or cancel is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    InTransit,
    Over,
    Unlawful,
}

#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) orders: Vec<Order>,
}

impl Asked {
    /// Whether it trades at once when the day is calm.
    pub(super) const fn is_marketable(&self) -> bool {
        match self.kind {
            Kind::Market => true,
            Kind::Limit if self.buy => self.price >= MARKET,
            Kind::Limit => self.price <= MARKET,
            Kind::Stop | Kind::StopMarket => false,
        }
    }
}

/// For the reader of a trace.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { instrument, buy, kind, ioc, units, disclosed, price, trigger } = self.asked;
        let side = if buy { "buy" } else { "sell" };
        write!(f, "{} {side} {units} of {instrument}, {kind:?} {price}/{trigger}", self.number)?;
        write!(f, "{}{}", if ioc { " IOC" } else { "" }, if self.fired { " fired" } else { "" })?;
        if disclosed > 0 {
            write!(f, " showing {disclosed}")?;
        }
        write!(f, ": {:?}, {} filled", self.state, self.filled)
    }
}

impl Order {
    pub(super) const fn is_live(&self) -> bool {
        matches!(self.state, State::Transit | State::Open)
    }

    /// As the books show it: a market order as the limit it was made, a fired stop as the limit it became.
    pub(super) fn shown(&self) -> Asked {
        let protected = |from: u32| Asked {
            kind: Kind::Limit,
            price: if self.asked.buy { from + 300 } else { from - 300 },
            trigger: 0,
            ..self.asked
        };
        match self.asked.kind {
            Kind::Market if !matches!(self.state, State::Transit) => protected(MARKET),
            Kind::Stop if self.fired => Asked { kind: Kind::Limit, trigger: 0, ..self.asked },
            Kind::StopMarket if self.fired => protected(self.asked.trigger),
            _ => self.asked,
        }
    }

    /// Filled units as they move the account's net.
    pub(super) const fn moved(&self) -> i64 {
        if self.asked.buy { self.filled as i64 } else { -(self.filled as i64) }
    }

    /// Units that may yet fill.
    pub(super) const fn may_fill(&self) -> u32 {
        if self.is_live() { self.asked.units - self.filled } else { 0 }
    }

    /// Units it may come to at the worst.
    pub(super) const fn worst(&self) -> u32 {
        if self.is_live() { self.asked.units } else { self.filled }
    }
}

impl Exchange {
    pub(super) fn place(&mut self, asked: Asked, tag: String, now: i64, visible_at: i64) -> usize {
        let number = self.orders.len();
        self.orders.push(Order {
            number,
            tag,
            asked,
            filled: 0,
            state: State::Transit,
            ended_by: By::Owner,
            fired: false,
            was_fired: false,
            hand: false,
            units_max: asked.units,
            units_changed: false,
            promised: 0,
            entered_at: now,
            changed_at: now,
            visible_at,
        });
        number
    }

    pub(super) fn change(&mut self, number: usize, asked: Asked, now: i64) -> Result<(), No> {
        let order = self.open(number)?;
        if asked.units <= order.filled {
            return Err(No::Unlawful);
        }
        order.units_changed |= order.asked.units != asked.units;
        order.asked = asked;
        order.units_max = order.units_max.max(asked.units);
        // What waits for its trigger again has not fired.
        order.fired &= !matches!(asked.kind, Kind::Stop | Kind::StopMarket);
        order.changed_at = now;
        Ok(())
    }

    pub(super) fn cancel(&mut self, number: usize, by: By, now: i64) -> Result<(), No> {
        let order = self.open(number)?;
        order.hand |= by == By::Hand;
        order.end(State::Cancelled, by, now);
        Ok(())
    }

    fn open(&mut self, number: usize) -> Result<&mut Order, No> {
        let order = &mut self.orders[number];
        match order.state {
            State::Open => Ok(order),
            State::Transit => Err(No::InTransit),
            _ => Err(No::Over),
        }
    }

    pub(super) fn accept(&mut self, number: usize, now: i64) {
        let order = &mut self.orders[number];
        order.state = State::Open;
        order.changed_at = now;
    }

    pub(super) fn fill(&mut self, number: usize, units: u32, now: i64) {
        let order = &mut self.orders[number];
        order.filled = (order.filled + units).min(order.asked.units);
        order.changed_at = now;
        if order.filled == order.asked.units {
            order.state = State::Filled;
        }
    }

    pub(super) fn fire(&mut self, number: usize, now: i64) {
        let order = &mut self.orders[number];
        (order.fired, order.was_fired) = (true, true);
        order.changed_at = now;
    }

    pub(super) fn end(&mut self, number: usize, state: State, by: By, now: i64) {
        self.orders[number].end(state, by, now);
    }

    /// Numbers of the orders that are so.
    pub(super) fn those(&self, are: impl Fn(&Order) -> bool) -> Vec<usize> {
        self.orders.iter().filter(|order| are(order)).map(|order| order.number).collect()
    }
}

impl Order {
    fn end(&mut self, state: State, by: By, now: i64) {
        self.state = state;
        self.ended_by = by;
        self.changed_at = now;
    }

    /// Whether units of it can trade now.
    pub(super) const fn trades(&self) -> bool {
        let waits = matches!(self.asked.kind, Kind::Stop | Kind::StopMarket) && !self.fired;
        matches!(self.state, State::Open) && !waits
    }
}
