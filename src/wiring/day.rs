//! The edge of the day (P29): when it is over, and what the next one stands on.

use std::time::Duration;

use tandem_actors::alerts::AlertText;
use tandem_actors::clock::Clock;
use tandem_actors::instruments::Instruments;
use tandem_actors::store::{Store, StoreHandle, Write};
use tandem_domain::time::{Timestamp, TradingDay};
use tracing::info;

use super::carrying::carry_over;
use super::ground::{Ground, calendar, load_instruments, record_quietly};
use crate::settings::Settings;

/// How often it is looked whether the day is over.
const LOOK: Duration = Duration::from_millis(250);
/// How long the next try waits when the new day's instruments cannot be had. Nothing trades for hours after midnight.
const RETRY: Duration = Duration::from_secs(30);

/// The kind of the alert of a day that cannot begin.
const NOT_BEGUN: &str = "day_not_begun";

/// The kind of the alert of a clock that was set to something else than time has come to.
const CLOCK_SET: &str = "clock_set";

/// Done when the clock has come to a later trading day. A day only grows (P28).
pub(super) async fn over(clock: &Clock, store: &StoreHandle) {
    let day = clock.now().trading_day();
    let mut overruling = Overruling::default();
    while clock.now().trading_day() <= day {
        if let Some(told) = overruling.look(clock.is_overruled(), clock.now()) {
            record_quietly(store, vec![told]);
        }
        actix_rt::time::sleep(LOOK).await;
    }
}

/// Whether the machine's clock was overruled at the last look, and a person told.
#[derive(Default)]
struct Overruling {
    is_told: bool,
}

impl Overruling {
    /// What is to be put on record of this look.
    fn look(&mut self, is_overruled: bool, now: Timestamp) -> Option<Write> {
        let was_told = std::mem::replace(&mut self.is_told, is_overruled);
        match (was_told, is_overruled) {
            (false, true) => Some(Write::IncidentOpen(clock_is_overruled().row(None, now))),
            (true, false) => Some(clock_is_overruled().end(None, now)),
            _ => None,
        }
    }
}

fn clock_is_overruled() -> AlertText {
    let text = "the machine's clock was set, and differs by more than two minutes from the time by which copying goes on, that of \
                the steady clock. No wait ends and no day begins because of it; within the day, time nears the machine's clock \
                slowly. If the machine's clock is right, start Tandem again to take it at once; if not, set it right"
        .to_owned();
    AlertText { kind: CLOCK_SET, subject: CLOCK_SET.to_owned(), text }
}

impl Ground {
    /// What of it belongs to a day is laid anew: instrument ids are reused, and another year needs other holidays. Done
    /// when that has succeeded.
    pub(super) async fn turn_day(&mut self, settings: &Settings, store: &Store, before: TradingDay) {
        let day = self.clock.now().trading_day();
        info!(%before, %day, "the day is over: everything begins anew, from what is on record");
        self.instruments = Instruments::default();
        loop {
            match self.lay_anew(settings, store, day).await {
                Ok(()) => return self.has_begun(store),
                Err(error) => self.has_not_begun(store, &error),
            }
            actix_rt::time::sleep(RETRY).await;
        }
    }

    async fn lay_anew(&mut self, settings: &Settings, store: &Store, day: TradingDay) -> anyhow::Result<()> {
        load_instruments(&self.instruments, &self.source, store, day, &self.clock).await?;
        self.calendar = calendar(settings, day)?;
        carry_over(store, &self.calendar, day).await?;
        tandem_actors::fault_point!(DayTurned);
        Ok(())
    }

    /// Every actor begins a new life: what the ones before told of it, and is still so, they will tell again.
    pub(super) fn has_begun(&self, store: &Store) {
        record_quietly(&store.handle, vec![Write::IncidentsOfBefore { closed_at: self.clock.now() }]);
    }

    fn has_not_begun(&self, store: &Store, error: &anyhow::Error) {
        let text = format!(
            "the new day cannot begin yet: nothing is copied until its instruments and holidays can be read; tried again \
             every {} s: {error:#}",
            RETRY.as_secs()
        );
        let alert = AlertText { kind: NOT_BEGUN, subject: NOT_BEGUN.to_owned(), text };
        record_quietly(&store.handle, vec![Write::IncidentOpen(alert.row(None, self.clock.now()))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the record has after the looks: opened (true) or ended (false), and of which incident.
    fn told(looks: &[bool]) -> Vec<(bool, String)> {
        let (mut overruling, now) = (Overruling::default(), Timestamp::from_micros(1_796_000_000_000_000));
        let writes = looks.iter().filter_map(|is_overruled| overruling.look(*is_overruled, now));
        let named = |write| match write {
            Write::IncidentOpen(row) => (&*row.kind == CLOCK_SET, row.id.to_string()),
            Write::IncidentClose { id, .. } => (false, id.to_string()),
            other => panic!("{other:?}"),
        };
        writes.map(named).collect()
    }

    #[test]
    fn p28_a_clock_that_was_set_is_told_of_once_and_until_both_agree() {
        assert_eq!(told(&[false, false]), [], "it goes right");
        let (opened, ended) = match &*told(&[false, true, true, true, false, false]) {
            [opened, ended] => (opened.clone(), ended.clone()),
            others => panic!("{others:?}"),
        };
        assert!(opened.0 && !ended.0);
        assert_eq!(opened.1, ended.1, "it is the same that ends");
        assert!(opened.1.ends_with("/clock_set/-/clock_set"), "{}", opened.1);
        // Set once more, it is told once more.
        let kinds: Vec<bool> = told(&[true, false, true]).into_iter().map(|(is_open, _)| is_open).collect();
        assert_eq!(kinds, [true, false, true]);
    }
}
