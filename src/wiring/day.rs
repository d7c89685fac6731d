//! The edge of the day (P29): when it is over, and what the next one stands on.

use std::time::Duration;

use tandem_actors::alerts::AlertText;
use tandem_actors::clock::Clock;
use tandem_actors::instruments::Instruments;
use tandem_actors::store::{Store, StoreHandle, Write};
use tandem_domain::time::TradingDay;
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

/// The kind of the alert of a clock that was set to another day.
const CLOCK_SET: &str = "clock_set";

/// Done when the clock has come to a later trading day. A day only grows (P28).
pub(super) async fn over(clock: &Clock, store: &StoreHandle) {
    let day = clock.now().trading_day();
    let mut was_overruled = false;
    while clock.now().trading_day() <= day {
        let is_overruled = clock.is_overruled();
        if is_overruled != was_overruled {
            let (alert, now) = (clock_is_overruled(), clock.now());
            let told =
                if is_overruled { Write::IncidentOpen(alert.row(None, now)) } else { alert.end(None, now) };
            record_quietly(store, vec![told]);
        }
        was_overruled = is_overruled;
        actix_rt::time::sleep(LOOK).await;
    }
}

fn clock_is_overruled() -> AlertText {
    let text = "the machine's clock was set to another day than time has come to: it is not followed, and copying goes on by the \
                steady clock. If it is right now, start Tandem again; if not, set it right"
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
