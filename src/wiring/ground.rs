//! What the actors stand on: clock, instruments, calendar, the operators' door; and what is put on record of a start.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tandem_actors::alerts;
use tandem_actors::clock::Clock;
use tandem_actors::in_flight::{FrameCounts, InFlight};
use tandem_actors::instruments::{InstrumentFile, InstrumentSource, Instruments};
use tandem_actors::lent_clock;
use tandem_actors::store::{
    AuditEntry, ConfigSnapshot, Job, Store, StoreHandle, Write, WriterId, instrument_parts,
};
use tandem_domain::calendar::Calendar;
use tandem_domain::time::{Timestamp, TradingDay};
use tokio::sync::oneshot;
use tracing::{info, warn};
use uuid::Uuid;

use super::carrying::carry_over;
use super::operators::Operators;
use crate::settings::{self, ClockSource, Settings, load_calendar};

/// What the actors stand on, beside the store.
pub(super) struct Ground {
    pub(super) clock: Clock,
    pub(super) in_flight: InFlight,
    pub(super) frames: FrameCounts,
    pub(super) instruments: Instruments,
    pub(super) source: InstrumentSource,
    pub(super) calendar: Arc<Calendar>,
    pub(super) operators: Operators,
    /// The highest number of an actor's life so far.
    pub(super) generations: Arc<AtomicU32>,
}

impl Ground {
    pub(super) async fn lay(settings: &Settings, store: &Store, run: Uuid) -> anyhow::Result<Self> {
        let (in_flight, frames) = (InFlight::default(), FrameCounts::default());
        let clock = match (settings.clock.source, &settings.clock.lent_url) {
            (ClockSource::Lent, Some(url)) => {
                lent_clock::borrow(url, in_flight.clone(), frames.clone()).await?
            }
            _ => Clock::system(),
        };
        let day = clock.now().trading_day();
        record_start(settings, &store.handle, &clock, run);
        // Before anything that may take long: what starts can be halted.
        let operators = Operators::hear(settings, store, &clock, &in_flight).await?;
        let instruments = Instruments::default();
        let source = instrument_source(settings);
        load_instruments(&instruments, &source, store, day, &clock).await?;
        let calendar = calendar(settings, day)?;
        carry_over(store, &calendar, day).await?;
        tandem_actors::fault_point!(GroundLaid);
        let generations = Arc::default();
        let ground = Self { clock, in_flight, frames, instruments, source, calendar, operators, generations };
        ground.has_begun(store);
        Ok(ground)
    }
}

/// When exchanges trade. A year without dates is traded on every weekday, which a person should know.
pub(super) fn calendar(settings: &Settings, day: TradingDay) -> anyhow::Result<Arc<Calendar>> {
    let calendar = load_calendar(settings.session.calendar_file.as_deref())?;
    let year = chrono::Datelike::year(&day.date());
    if !calendar.covers(year) {
        warn!(
            year,
            "the calendar knows no holiday of this year: give session.calendar_file a file that does"
        );
    }
    Ok(Arc::new(calendar))
}

/// Today's master from the database if it is there, from its source otherwise. Without one nothing can be sized.
pub(super) async fn load_instruments(
    instruments: &Instruments,
    source: &InstrumentSource,
    store: &Store,
    day: TradingDay,
    clock: &Clock,
) -> anyhow::Result<()> {
    let reader = store.reader.clone();
    let stored = actix_rt::task::spawn_blocking(move || reader.instruments()).await?;
    match stored.context("read the stored instruments")? {
        Some((stored_on, table)) if stored_on == day => {
            info!(instruments = table.len(), %day, "instruments taken from the database");
            instruments.replace(table);
            return Ok(());
        }
        _ => {}
    }
    let table = source.clone().load().await.context("load the instrument master")?;
    info!(instruments = table.len(), %day, source = %source.name(), "instruments loaded");
    instruments.replace(table);
    let (table, handle) = (instruments.snapshot(), store.handle.clone());
    let (name, loaded_at) = (Arc::from(source.name()), clock.now());
    // In the background, part after part: orders do not wait behind it.
    actix_rt::spawn(async move {
        for part in instrument_parts(&table, day, name, loaded_at) {
            if let Err(error) = commit(&handle, vec![Write::Instruments(part)]).await {
                return warn!(%error, "instruments were not stored; they are loaded again at the next start");
            }
        }
    });
    Ok(())
}

pub(super) async fn commit(handle: &StoreHandle, writes: Vec<Write>) -> anyhow::Result<()> {
    let (told, answer) = oneshot::channel();
    handle.submit(Job {
        writer: WriterId { actor: "wiring".into(), generation: 1 },
        writes,
        in_order: false,
        reply: Box::new(move |committed| {
            // Nobody waits any more when the process is going down.
            told.send(committed.result).ok();
        }),
    })?;
    Ok(answer.await??)
}

/// Which version ran with which settings, for whoever asks later.
fn record_start(settings: &Settings, handle: &StoreHandle, clock: &Clock, run: Uuid) {
    let now = clock.now();
    let snapshot = snapshot(settings, now);
    let started = AuditEntry {
        recorded_at: now,
        actor: "operator".into(),
        event: "started".into(),
        subject: None,
        details: serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "settings": snapshot.version, "run": run })
            .to_string(),
    };
    record_quietly(handle, vec![Write::Config(snapshot), Write::Audit(started)]);
}

/// Puts on record what nothing waits for; that it is not recorded is said in the log.
pub(super) fn record_quietly(handle: &StoreHandle, writes: Vec<Write>) {
    alerts::record(handle, WriterId { actor: "wiring".into(), generation: 1 }, writes);
}

/// The settings in force, under the hash of them all.
pub(super) fn snapshot(settings: &Settings, loaded_at: Timestamp) -> ConfigSnapshot {
    let entries = settings.effective();
    let mut hash = Sha256::new();
    for (key, value) in &entries {
        hash.update(format!("{key}={value}\n"));
    }
    let head = hash.finalize().first_chunk::<8>().copied().map_or(0, u64::from_be_bytes);
    ConfigSnapshot { version: format!("{head:016x}").into(), loaded_at, entries }
}

fn instrument_source(settings: &Settings) -> InstrumentSource {
    let folder = settings.store.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let spool = folder.unwrap_or(Path::new(".")).to_owned();
    InstrumentSource {
        from: match settings.broker.instruments() {
            settings::InstrumentSource::File(path) => InstrumentFile::Path(path),
            settings::InstrumentSource::Url(url) => InstrumentFile::Url(url),
        },
        rows_min: settings.instrument_rows_min(),
        fetch: settings.broker.fetch(),
        spool,
    }
}
