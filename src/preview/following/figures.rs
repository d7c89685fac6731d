//! What the account's books say of it: money, positions, and what they hold of the money.

use std::collections::BTreeMap;

use tandem_domain::account::{Funds, PositionReport};
use tandem_domain::follower::Event;
use tandem_domain::gates::unit_cost;
use tandem_domain::ids::IdError;
use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::{Product, Side};
use tandem_domain::pacing::Purpose;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::SignedQuantity;
use tandem_domain::time::Timestamp;

use super::{Following, MOMENT, carried_in};
use crate::preview::holdings::Tape;
use crate::preview::leading::Leading;
use crate::preview::paper::limit_or_last;

impl Following {
    /// The account's money and positions, as of now.
    pub(super) fn tell_figures(&mut self, leading: &Leading) -> Result<(), IdError> {
        let used = self.margin_used(&leading.tape);
        let available = self.start.available.plus(self.holdings.realised()).minus(used);
        let funds = Funds {
            available,
            utilised: used,
            start_of_day: self.start.available,
            collateral: Money::ZERO,
            withdrawable: Money::ZERO,
        };
        self.now = self.now.plus(MOMENT);
        let started_at = self.now;
        self.tell(Event::Funds { started_at, funds })?;
        let positions = self.positions(&leading.tape, started_at);
        self.tell(Event::Positions { started_at, positions })
    }

    fn positions(&self, tape: &Tape, at: Timestamp) -> Vec<PositionReport> {
        let mut rows: BTreeMap<(InstrumentKey, Product), PositionReport> = BTreeMap::new();
        let empty = |instrument: InstrumentKey, product: Product| PositionReport {
            instrument,
            product,
            net: SignedQuantity(0),
            carried: SignedQuantity(0),
            buy_average: Price::ZERO,
            sell_average: Price::ZERO,
            realised: Money::ZERO,
            unrealised: Money::ZERO,
            ts_event: at,
        };
        for (key, line) in self.holdings.lines() {
            let mut profit = line.realised().plus(line.unrealised(tape.last(key)));
            for (product, units) in &line.by_product {
                let row = rows.entry((key, *product)).or_insert_with(|| empty(key, *product));
                row.net.0 += units;
                row.realised = std::mem::replace(&mut profit, Money::ZERO);
            }
        }
        for opening in &self.start.openings {
            let of = (opening.instrument, carried_in(opening.instrument));
            let row = rows.entry(of).or_insert_with(|| empty(of.0, of.1));
            row.net.0 += opening.own;
            row.carried.0 += opening.copied + opening.own;
        }
        rows.into_values().collect()
    }

    /// Money that positions and working entries hold, by the estimate that the margin gate uses.
    fn margin_used(&self, tape: &Tape) -> Money {
        let margin = self.start.settings.entry.short_margin;
        let cost = |key: InstrumentKey, side: Side, price: Option<Price>, units: u64| {
            let each = unit_cost(side, price, self.instruments.get(&key)?, margin)?;
            Some(times(each, units))
        };
        let held = self.holdings.lines().filter_map(|(key, line)| {
            let side = if line.units > 0 { Side::Buy } else { Side::Sell };
            let price = if line.units > 0 { line.average().or(tape.last(key)) } else { tape.last(key) };
            cost(key, side, price, line.units.unsigned_abs())
        });
        let working = self.paper.orders().iter().filter(|order| order.purpose == Purpose::Entry);
        let working = working.filter_map(|order| {
            let terms = &order.terms;
            cost(terms.instrument, terms.side, limit_or_last(terms, tape), u64::from(order.open()))
        });
        held.chain(working).fold(Money::ZERO, Money::plus)
    }

    pub(super) fn weigh(&mut self, leading: &Leading) {
        for (key, _) in self.holdings.lines().map(|(key, line)| (key, line.units)).collect::<Vec<_>>() {
            if let Some(last) = leading.tape.last(key) {
                self.holdings.mark(key, last);
            }
        }
        let used = self.margin_used(&leading.tape);
        if used > self.margin_peak {
            (self.margin_peak, self.margin_peak_at) = (used, Some(self.now));
        }
    }
}

fn times(each: Money, units: u64) -> Money {
    Money::from_units(each.units().saturating_mul(i64::try_from(units).unwrap_or(i64::MAX)))
}
