//! Of which trading day a row of the broker's is (P29). His books turn when they turn: in the night they may still be those
//! of the day before, and nothing of that is news of today.
//!
//! Only the broker's own times tell, never when a row was read:
//!
//! - An order is of the day on which the exchange has last told of it, and of the one on which it was entered if it never
//!   got there.
//! - An after-market order that waits for its session is of every day that it waits.
//! - A forever order is of every day that it rests, and of the one on which it ended or fired.
//! - A row without times is taken for today's: the documented form of a frame has none, and it is as old as its arrival.
//! - A row of a later day than ours is today's, too: then it is our clock that is behind.

use super::{BrokerStatus, ForeverReport, OrderReport, TradeReport};
use crate::time::{Timestamp, TradingDay};

impl OrderReport {
    /// Whether it tells of an order of this day, and not of an earlier one.
    pub fn is_of(&self, day: TradingDay) -> bool {
        if self.ts_exchange.is_none() && self.terms.after_market && !self.status.is_terminal() {
            return true;
        }
        let ended_as_it_waited = self.terms.after_market.then_some(self.ts_event);
        let entered = self.ts_created.unwrap_or(self.ts_event);
        is_since(day, self.ts_exchange.or(ended_as_it_waited).unwrap_or(entered))
    }
}

impl ForeverReport {
    /// Whether it tells of an order that rests, or has ended or fired on this day.
    pub fn is_of(&self, day: TradingDay) -> bool {
        let status = &self.order.status;
        let rests = !status.is_terminal() && *status != BrokerStatus::Triggered;
        rests || is_since(day, self.order.ts_event)
    }
}

impl TradeReport {
    /// Whether it tells of a fill of this day.
    pub fn is_of(&self, day: TradingDay) -> bool {
        is_since(day, self.ts_event)
    }
}

fn is_since(day: TradingDay, told: Timestamp) -> bool {
    told == Timestamp::EPOCH || told >= day.start()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BrokerOrderId, DhanClientId};
    use crate::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
    use crate::order::{EvidenceSource, Leg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
    use crate::price::Price;
    use crate::quantity::Quantity;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ist(text.parse().unwrap())
    }

    /// Entered, told of by the exchange, and changed last.
    fn row(
        after_market: bool,
        status: BrokerStatus,
        times: (Option<&str>, Option<&str>, Option<&str>),
    ) -> OrderReport {
        OrderReport {
            account: DhanClientId::new("1000000101").unwrap(),
            broker_order_id: BrokerOrderId::new("221261123048117").unwrap(),
            exchange_order_id: None,
            tag: None,
            terms: OrderTerms {
                instrument: InstrumentKey {
                    segment: ExchangeSegment::NseFno,
                    security_id: SecurityId(43_125),
                },
                side: Side::Buy,
                product: Product::Margin,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Day,
                quantity: Quantity::new(65),
                disclosed: Quantity::ZERO,
                price: Price::from_paise(10_000),
                trigger: Price::ZERO,
                after_market,
                form: OrderForm::Ordinary,
            },
            status,
            cumulative: Quantity::ZERO,
            average_price: Price::ZERO,
            reason: None,
            leg: Leg::Single,
            parent: None,
            last_price: None,
            ts_created: times.0.map(at),
            ts_exchange: times.1.map(at),
            ts_event: times.2.map_or(Timestamp::EPOCH, at),
            source: EvidenceSource::Book,
        }
    }

    #[test]
    fn p29_the_brokers_times_tell_of_which_day_a_row_is() {
        use BrokerStatus::{Cancelled, Expired, Pending, Rejected, Traded, Transit};
        let today: TradingDay = "2026-12-02".parse().unwrap();
        let (noon, night) = (Some("2026-12-01T12:00:00"), Some("2026-12-02T00:30:00"));
        let (now, evening) = (Some("2026-12-02T09:15:00"), Some("2026-12-01T20:00:00"));
        let cases = [
            ("of today", false, Pending, (now, now, now), true),
            ("on its way", false, Transit, (now, None, now), true),
            ("yesterday's", false, Traded, (noon, noon, noon), false),
            ("yesterday's, rejected by the broker", false, Rejected, (noon, None, noon), false),
            ("yesterday's, ended by the broker in the night", false, Expired, (noon, noon, night), false),
            ("yesterday's, still shown as if it worked", false, Pending, (noon, noon, noon), false),
            ("without times", false, Traded, (None, None, None), true),
            ("only changed yesterday", false, Traded, (None, None, noon), false),
            ("waits for the session", true, Pending, (evening, None, evening), true),
            ("waited, and is out", true, Pending, (evening, now, now), true),
            ("out, and no more called so", false, Pending, (evening, now, now), true),
            ("waited and was taken back yesterday", true, Cancelled, (evening, None, evening), false),
            ("waited and was taken back in the night", true, Cancelled, (evening, None, night), true),
            ("was out yesterday, and its end was not told", true, Pending, (evening, noon, noon), false),
            ("of a day that our clock has not reached", false, Pending, (now, now, now), true),
        ];
        for (what, after_market, status, times, is_todays) in cases {
            assert_eq!(row(after_market, status, times).is_of(today), is_todays, "{what}");
        }
        let yesterday: TradingDay = "2026-12-01".parse().unwrap();
        assert!(row(false, Pending, (now, now, now)).is_of(yesterday));
    }

    #[test]
    fn p29_a_forever_order_is_of_every_day_that_it_rests() {
        use BrokerStatus::{Cancelled, Confirm, Traded, Triggered};
        let today: TradingDay = "2026-12-02".parse().unwrap();
        let (before, now) = (Some("2026-11-20T12:00:00"), Some("2026-12-02T09:15:00"));
        let cases = [
            (Confirm, before, true),
            (Traded, before, false),
            (Triggered, before, false),
            (Cancelled, before, false),
            (Traded, now, true),
            (Cancelled, now, true),
        ];
        for (status, changed, is_todays) in cases {
            let order = row(false, status.clone(), (before, None, changed));
            assert_eq!(ForeverReport { order, is_oco: false }.is_of(today), is_todays, "{status}");
        }
    }
}
