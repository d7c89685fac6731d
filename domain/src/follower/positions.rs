//! What the accounts' positions say: whether our rows are right, who closed or converted what. What was held before: see
//! `openings`.

use std::collections::BTreeMap;

use super::openings::Whose;
use super::reconciliation::drift::{self, Verdict};
use super::{Alert, Conversion, Converted, Effect, FollowerBook, Record};
use crate::account::PositionReport;
use crate::gates::entry::Figure;
use crate::instrument::{Instrument, InstrumentKey};
use crate::order::{OrderReport, Product};
use crate::policy::Conversions;
use crate::price::Money;
use crate::time::Timestamp;

/// The broker squares intraday positions off from about now on (`dhanhq-v2.md` section 2.10).
const SQUARE_OFF_FROM: (u32, u32) = (15, 10);

/// Units by product, in one instrument.
type ByProduct = BTreeMap<Product, i64>;

/// Differences that were seen, and do not count yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Suspicions {
    drift: drift::Seen,
    conversions: BTreeMap<InstrumentKey, (Product, Product, i64)>,
}

impl FollowerBook {
    /// Takes back in which instruments our rows and the account differ, and by how many units: what is frozen stays so until
    /// a read of the positions shows that they agree (P11).
    pub fn restore_drifts(&mut self, drifts: impl IntoIterator<Item = (InstrumentKey, i64)>) {
        for (instrument, units) in drifts.into_iter().filter(|(_, units)| *units != 0) {
            self.lines.entry(instrument).or_default().drift = Some(units);
        }
    }

    /// Takes back what was converted today: neither is it converted a second time, nor looked for where it was before.
    pub fn restore_conversions(&mut self, conversions: impl IntoIterator<Item = Converted>) {
        for converted in conversions {
            let line = self.lines.entry(converted.leader.instrument).or_default();
            line.converted.push(converted);
            if let Some(copy) = converted.copy {
                line.move_product(copy.from, -copy.units);
                line.move_product(copy.to, copy.units);
            }
        }
    }

    /// Takes over what copies of earlier days hold still, and what is known of these instruments today.
    pub fn restore_carried(
        &mut self,
        carried: impl IntoIterator<Item = (InstrumentKey, i64)>,
        instruments: impl IntoIterator<Item = Instrument>,
    ) {
        self.carried = carried.into_iter().collect();
        self.restore_instruments(instruments);
    }

    pub(super) fn on_leader_positions(
        &mut self,
        positions: &[PositionReport],
        started_at: Timestamp,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.open_by(Whose::Leader, positions, started_at, effects);
        if !std::mem::replace(&mut self.knows_leader, true) {
            self.dirty.extend(self.lines.keys().copied());
        }
        self.look_for_conversions(positions, started_at, now, effects);
    }

    pub(super) fn on_positions(
        &mut self,
        positions: &[PositionReport],
        started_at: Timestamp,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.has_read_positions();
        self.open_by(Whose::Follower, positions, started_at, effects);
        self.prove_by_positions(positions, started_at, effects);
        // Until the books have turned they tell what the day before has brought.
        let todays = positions.iter().filter(|of| self.have_turned(of.instrument, started_at));
        let profit = todays.fold(Money::ZERO, |sum, of| sum.plus(of.realised).plus(of.unrealised));
        self.profit = Some(Figure { value: profit, at: started_at });
        self.watch_loss(profit, now, effects);
        let nets = by_instrument(positions, |position| position.net.0);
        let mut drifted = drift::Seen::default();
        let instruments: Vec<InstrumentKey> = self.lines.keys().copied().collect();
        for instrument in instruments {
            let shown = nets.get(&instrument);
            let net: i64 = shown.map_or(0, |by_product| by_product.values().sum());
            if self.is_unsettled(instrument, started_at) {
                continue;
            }
            let Some(line) = self.lines.get_mut(&instrument) else { continue };
            let explained = line.own() + line.held();
            let when = (started_at, self.settings.rules.settle);
            let difference =
                match drift::of(instrument, explained, net, when, &self.suspicions.drift, &mut drifted) {
                    Verdict::Suspected => continue,
                    Verdict::Agree => None,
                    Verdict::Proven(units) => Some(units),
                };
            // Only of a read that adds up: another may be older than a fill, however long that lasts, and an exit would leave
            // in the wrong product. What adds up no better gives way to what is shown.
            let mut by_product = shown.cloned().unwrap_or_default();
            by_product.retain(|_, units| *units != 0);
            let is_told_better = difference.is_none() || line.untold() != 0;
            if is_told_better && line.by_product != by_product {
                line.by_product = by_product;
                self.dirty.insert(instrument);
            }
            if difference == line.drift {
                continue;
            }
            line.drift = difference;
            if difference.is_none() {
                // What an exit did not find may be there after all.
                line.count_anew();
            }
            self.dirty.insert(instrument);
            let records = vec![Record::Drift(instrument, difference.unwrap_or(0))];
            effects.push(Effect::Commit { records, then: None });
            match difference {
                None => effects.push(Effect::Over(Alert::Drift(instrument, 0))),
                Some(units) => {
                    effects.push(Effect::Alert(Alert::Drift(instrument, units)));
                    self.on_drift(now, effects);
                }
            }
        }
        self.suspicions.drift = drifted;
    }

    /// Whether something in an instrument is under way, or was when the positions were asked for.
    fn is_unsettled(&self, instrument: InstrumentKey, asked: Timestamp) -> bool {
        let Some(line) = self.lines.get(&instrument) else { return false };
        line.changed >= asked
            || self
                .mirrors
                .live(instrument)
                .any(|mirror| mirror.children.iter().any(|child| child.state.is_unanswered()))
    }

    /// The leader's units have moved from one product to another although he traded nothing.
    fn look_for_conversions(
        &mut self,
        positions: &[PositionReport],
        started_at: Timestamp,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let nets = by_instrument(positions, |position| position.net.0);
        let carried = by_instrument(positions, |position| position.carried.0);
        let mut seen = BTreeMap::new();
        for (instrument, shown) in &nets {
            let Some(line) = self.lines.get(instrument) else { continue };
            if !self.have_turned(*instrument, started_at) {
                continue;
            }
            let mut expected: ByProduct = carried.get(instrument).cloned().unwrap_or_default();
            let mirrors = line.orders.iter().filter_map(|id| self.mirrors.get(id));
            for mirror in mirrors.filter(|mirror| !mirror.is_in(&self.settings.account)) {
                let leader = &mirror.leader;
                let net =
                    leader.terms.side.signed(leader.cumulative).0 - leader.terms.side.signed(leader.exited).0;
                *expected.entry(leader.terms.product).or_default() += net;
                if leader.ts_event >= started_at {
                    expected.clear();
                    break;
                }
            }
            for Converted { leader, .. } in &line.converted {
                *expected.entry(leader.from).or_default() -= leader.units;
                *expected.entry(leader.to).or_default() += leader.units;
            }
            let Some((from, to, units)) = moved(&expected, shown) else { continue };
            seen.insert(*instrument, (from, to, units));
            if self.suspicions.conversions.get(instrument) != Some(&(from, to, units)) {
                continue;
            }
            self.on_leader_converted(Conversion { instrument: *instrument, from, to, units }, now, effects);
        }
        self.suspicions.conversions = seen;
    }

    fn on_leader_converted(&mut self, conversion: Conversion, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(line) = self.lines.get(&conversion.instrument) else { return };
        let (held, leader) = (line.closable(), line.leader);
        let map = |product: Product| self.settings.copy.product_map.get(&product).copied().unwrap_or(product);
        let (from, to) = (map(conversion.from), map(conversion.to));
        // All of his, all of ours; of a part there is no telling which lots he means.
        let is_whole = conversion.units.abs() >= leader.abs() && leader != 0;
        let is_copied =
            self.settings.risk.conversions == Conversions::Copy && is_whole && held != 0 && from != to;
        let copy =
            is_copied.then_some(Conversion { instrument: conversion.instrument, from, to, units: held });
        let converted = Converted { leader: conversion, copy, at: now };
        if let Some(line) = self.lines.get_mut(&conversion.instrument) {
            line.converted.push(converted);
        }
        let records = vec![Record::Converted(converted)];
        effects.push(Effect::Commit { records, then: None });
        effects.push(Effect::Alert(Alert::LeaderConverted(conversion)));
        if let Some(copy) = copy {
            // The broker counts it as it counts orders (`dhanhq-v2.md` section 9.1).
            self.pacer.record(now);
            effects.push(Effect::Convert(copy));
            effects.push(Effect::ReadPositions);
        }
    }

    /// What is held stays where it was: the record must not say otherwise tomorrow.
    pub(super) fn on_not_converted(&mut self, conversion: Conversion, effects: &mut Vec<Effect>) {
        let Some(line) = self.lines.get_mut(&conversion.instrument) else { return };
        let of_it = line.converted.iter_mut().rfind(|converted| converted.copy == Some(conversion));
        if let Some(converted) = of_it {
            converted.copy = None;
            let records = vec![Record::Converted(*converted)];
            effects.push(Effect::Commit { records, then: None });
        }
    }

    /// What another has traded in the account: the owner's units move, and copied ones may be closed by it.
    pub(super) fn on_external_fill(
        &mut self,
        report: &OrderReport,
        units: i64,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let instrument = report.terms.instrument;
        let line = self.lines.entry(instrument).or_default();
        let before = line.closable();
        line.external += units;
        line.move_product(report.terms.product, units);
        line.changed = now;
        let closed = before - line.closable();
        self.dirty.insert(instrument);
        let time = now.ist().time();
        let is_late = chrono::NaiveTime::from_hms_opt(SQUARE_OFF_FROM.0, SQUARE_OFF_FROM.1, 0)
            .is_some_and(|from| time >= from);
        if closed != 0 && report.terms.product == Product::Intraday && is_late && report.tag.is_none() {
            effects.push(Effect::Alert(Alert::SquaredOffByBroker(instrument, closed)));
        }
    }
}

fn by_instrument(
    positions: &[PositionReport],
    units: impl Fn(&PositionReport) -> i64,
) -> BTreeMap<InstrumentKey, ByProduct> {
    let mut all: BTreeMap<InstrumentKey, ByProduct> = BTreeMap::new();
    for position in positions {
        *all.entry(position.instrument).or_default().entry(position.product).or_default() += units(position);
    }
    all
}

/// Units that went from one product to another: the sums agree, two products do not.
fn moved(expected: &ByProduct, shown: &ByProduct) -> Option<(Product, Product, i64)> {
    if expected.values().sum::<i64>() != shown.values().sum::<i64>() {
        return None;
    }
    let change = |product: &Product| shown.get(product).unwrap_or(&0) - expected.get(product).unwrap_or(&0);
    let mut changed: Vec<(Product, i64)> = Product::ALL
        .iter()
        .map(|product| (*product, change(product)))
        .filter(|(_, units)| *units != 0)
        .collect();
    let (one, other) = (changed.pop()?, changed.pop()?);
    if !changed.is_empty() {
        return None;
    }
    let total: i64 = shown.values().sum();
    // What went to a product has the sign of what is held.
    let (from, to) = if one.1.signum() == total.signum() { (other, one) } else { (one, other) };
    Some((from.0, to.0, to.1))
}
