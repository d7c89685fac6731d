//! Actors from settings: opens what they stand on, starts the Supervisor, waits for the end.
//!
//! One path for a first start and for a restart (P20): lock, check, migrate, load, then arm.

mod backups;
mod day;
pub(crate) mod following;
mod operators;
mod reload;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use actix::Arbiter;
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tandem_actors::account::AccountParams;
use tandem_actors::clock::Clock;
use tandem_actors::in_flight::{FrameCounts, InFlight};
use tandem_actors::instruments::{InstrumentFile, InstrumentSource, Instruments};
use tandem_actors::lent_clock;
use tandem_actors::store::{
    AuditEntry, ConfigSnapshot, Job, OpenError, Store, StoreHandle, Write, WriterId, instrument_parts,
    sqlite_version,
};
use tandem_actors::supervisor::{Ending, House, Shutdown, Supervisor, SupervisorParams};
use tandem_actors::token_keeper::{Renewal, TokenCare};
use tandem_actors::{BreakerParams, FollowerParams, LeaderParams, SizerParams, WriterDeath};
use tandem_domain::calendar::Calendar;
use tandem_domain::instrument::InstrumentKind;
use tandem_domain::time::{Timestamp, TradingDay};
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use uuid::Uuid;

use self::backups::{DailyBackup, remedy};
use self::operators::Operators;
pub use self::reload::Reloads;
use crate::cli::ExitStatus;
use crate::settings::{self, ClockSource, Faults, FollowerSettings, Settings, load_calendar};
use crate::telemetry::Level;

/// How often the Supervisor asks each actor how it is.
const PING_INTERVAL: Duration = Duration::from_millis(500);

/// How long the end waits for what may hang: a thread in an endless handler, a writer whose disk does not answer.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long the end waits for a writer that works: a full queue on a slow disk.
const STORE_PATIENCE: Duration = Duration::from_mins(1);

/// Copies until a signal says stop. At SIGHUP the settings are read again, and log lines go by their level.
pub fn run(
    settings: Settings,
    read_again: impl Fn() -> Result<Settings, Faults> + 'static,
    level: Level,
) -> anyhow::Result<ExitStatus> {
    let copying = async move { copy(settings, signalled(), Reloads::at_hangup(read_again, level)).await };
    actix_rt::System::new().block_on(copying)
}

/// Copies until `stop` is done, or until it cannot go on.
pub async fn copy(
    settings: Settings,
    stop: impl Future<Output = ()>,
    reloads: Reloads,
) -> anyhow::Result<ExitStatus> {
    // Tells this run from all others, in the log and in the audit log.
    let run = Uuid::new_v4();
    info!(%run, version = env!("CARGO_PKG_VERSION"), sqlite = sqlite_version(), "tandem starts");
    let writer_death = WriterDeath::default();
    let store = match open_store(&settings, Arc::clone(&writer_death)) {
        Ok(store) => store,
        Err(refused @ OpenError::Locked { .. }) => {
            error!(error = %refused, "not started: this database is in use");
            return Ok(ExitStatus::AlreadyRunning);
        }
        Err(refused) if refused.is_damage() => {
            error!(error = %refused, "not started: the database is damaged; {}", remedy(&settings));
            return Ok(ExitStatus::Damaged);
        }
        Err(refused) => {
            // One line, with every cause.
            error!(
                error = format!("{:#}", anyhow::Error::new(refused)),
                "not started: the database cannot be used"
            );
            return Ok(ExitStatus::StorageFault);
        }
    };
    let ending = match Ground::lay(&settings, &store, run).await {
        Ok(ground) => {
            let backups = DailyBackup::new(&settings, store.handle.clone(), ground.clock.clone())
                .map(|daily| actix_rt::spawn(daily.run()));
            let death = Arc::clone(&writer_death);
            let ending = day_after_day(settings.clone(), &store, ground, death, stop, reloads).await;
            if let Some(backups) = backups {
                backups.abort();
            }
            ending
        }
        Err(error) => Err(error),
    };
    let death = writer_death.get().cloned().or_else(|| store.handle.damage());
    let ending = match (ending, &death) {
        // It began before there were actors that could have told.
        (Err(error), Some(death)) => {
            error!(%error, cause = %death.reason, "not started");
            Ok(Ending::StorageFault)
        }
        (ending, _) => ending,
    };
    // Until everything queued is durable. A writer that hangs must not keep the exit code from being told.
    let patience = if matches!(ending, Ok(Ending::StorageFault)) { END_PATIENCE } else { STORE_PATIENCE };
    within(patience, "the store's writer", move || store.stop()).await;
    Ok(match ending? {
        Ending::Stopped => ExitStatus::Ok,
        Ending::Escalated(actor) => {
            error!(%actor, "halted: an actor failed too often");
            ExitStatus::Halted
        }
        Ending::StorageFault if death.is_some_and(|death| death.is_damage) => {
            error!("halted: the database is damaged; {}", remedy(&settings));
            ExitStatus::Damaged
        }
        Ending::StorageFault => {
            error!("halted: nothing can be recorded any more, so nothing is sent");
            ExitStatus::StorageFault
        }
    })
}

fn open_store(settings: &Settings, death: WriterDeath) -> Result<Store, OpenError> {
    Store::open(&settings.store.open_settings(), move |end| {
        // Only the first cause counts.
        death.set(end).ok();
    })
}

/// What the actors stand on, beside the store.
struct Ground {
    clock: Clock,
    in_flight: InFlight,
    frames: FrameCounts,
    instruments: Instruments,
    source: InstrumentSource,
    calendar: Arc<Calendar>,
    operators: Operators,
    /// The highest number of an actor's life so far.
    generations: Arc<AtomicU32>,
}

impl Ground {
    async fn lay(settings: &Settings, store: &Store, run: Uuid) -> anyhow::Result<Self> {
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
        tandem_actors::fault_point!(GroundLaid);
        let generations = Arc::default();
        Ok(Self { clock, in_flight, frames, instruments, source, calendar, operators, generations })
    }
}

/// When exchanges trade. A year without dates is traded on every weekday, which a person should know.
fn calendar(settings: &Settings, day: TradingDay) -> anyhow::Result<Arc<Calendar>> {
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
async fn load_instruments(
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

async fn commit(handle: &StoreHandle, writes: Vec<Write>) -> anyhow::Result<()> {
    let (told, answer) = oneshot::channel();
    handle.submit(Job {
        writer: WriterId { actor: "wiring".into(), generation: 1 },
        writes,
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
    let job = Job {
        writer: WriterId { actor: "wiring".into(), generation: 1 },
        writes: vec![Write::Config(snapshot), Write::Audit(started)],
        reply: Box::new(|committed| {
            if let Err(error) = committed.result {
                warn!(%error, "the settings in force were not recorded");
            }
        }),
    };
    if let Err(error) = handle.submit(job) {
        warn!(%error, "the settings in force were not recorded");
    }
}

/// The settings in force, under the hash of them all.
fn snapshot(settings: &Settings, loaded_at: Timestamp) -> ConfigSnapshot {
    let entries = settings.effective();
    let mut hash = Sha256::new();
    for (key, value) in &entries {
        hash.update(format!("{key}={value}\n"));
    }
    let head = hash.finalize().first_chunk::<8>().copied().map_or(0, u64::from_be_bytes);
    ConfigSnapshot { version: format!("{head:016x}").into(), loaded_at, entries }
}

/// One day's actors after another. Each day begins like a start (P20, P29): yesterday's actors end, today's are built from
/// today's rows and today's instruments.
async fn day_after_day(
    mut settings: Settings,
    store: &Store,
    mut ground: Ground,
    writer_death: WriterDeath,
    stop: impl Future<Output = ()>,
    mut reloads: Reloads,
) -> anyhow::Result<Ending> {
    let mut stop = std::pin::pin!(stop);
    loop {
        let day = ground.clock.now().trading_day();
        let ending = supervise(&mut settings, store, &ground, &writer_death, &mut stop, &mut reloads).await?;
        if let Some(ending) = ending {
            return Ok(ending);
        }
        tokio::select! {
            () = ground.turn_day(&settings, store, day) => {}
            () = &mut stop => return Ok(Ending::Stopped),
        }
    }
}

/// One day's actors, until the day is over or all is. None when it is the day.
async fn supervise(
    settings: &mut Settings,
    store: &Store,
    ground: &Ground,
    writer_death: &WriterDeath,
    stop: &mut std::pin::Pin<&mut impl Future<Output = ()>>,
    reloads: &mut Reloads,
) -> anyhow::Result<Option<Ending>> {
    // Sockets and decisions on one arbiter; the Supervisor stays on this one, where nothing can keep it from seeing.
    let arbiter = Arbiter::new();
    let house = house(settings, store, ground, Arc::clone(writer_death), &arbiter)?;
    let params = SupervisorParams {
        restarts: settings.supervisor.restart_limits(),
        health_interval: settings.supervisor.health_interval,
        ping_interval: PING_INTERVAL,
        hang_deadline: settings.supervisor.hang_deadline,
        shutdown_deadline: settings.supervisor.shutdown_deadline,
        store: store.handle.clone(),
        clock: ground.clock.clone(),
        in_flight: ground.in_flight.clone(),
        generations: Arc::clone(&ground.generations),
    };
    let (told, mut ended) = oneshot::channel();
    let supervisor = Supervisor::start(params, house, move |ending| {
        // The one who waits may have been cancelled; then nobody asks how it ended.
        told.send(ending).ok();
    });
    let mut is_day_over = false;
    let day_over = day::over(&ground.clock);
    let mut day_over = std::pin::pin!(day_over);
    let ending = loop {
        tokio::select! {
            ending = &mut ended => break ending,
            () = stop.as_mut() => {
                supervisor.do_send(Shutdown);
                break ended.await;
            }
            () = &mut day_over => {
                is_day_over = true;
                supervisor.do_send(Shutdown);
                break ended.await;
            }
            read = reloads.next() => {
                let taken = reloads.take(settings, read, store, ground).await;
                if let Some(new) = taken {
                    supervisor.do_send(new);
                }
            }
        }
    };
    arbiter.stop();
    let joined = within(END_PATIENCE, "the arbiter of the actors", move || arbiter.join()).await;
    if joined.is_some_and(|joined| joined.is_err()) {
        warn!("the arbiter of the actors ended in a panic");
    }
    let ending = ending.context("the supervisor ended without a word")?;
    Ok(if is_day_over && ending == Ending::Stopped { None } else { Some(ending) })
}

/// Waits for something that blocks, but not for ever: the process ends with its exit code all the same, and what still
/// blocks ends with it.
async fn within<T: Send + 'static>(
    patience: Duration,
    what: &'static str,
    blocking: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (told, done) = oneshot::channel();
    // Not a thread of the runtime: that would be waited for when the runtime ends.
    std::thread::spawn(move || told.send(blocking()).is_ok());
    match actix_rt::time::timeout(patience, done).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(_)) => {
            warn!("{what} ended in a panic");
            None
        }
        Err(_) => {
            warn!(
                patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
                "{what} does not end: not waited for any longer"
            );
            None
        }
    }
}

fn house(
    settings: &Settings,
    store: &Store,
    ground: &Ground,
    writer_death: WriterDeath,
    arbiter: &Arbiter,
) -> anyhow::Result<House> {
    let followers: Vec<&FollowerSettings> = settings.enabled_followers().collect();
    let sizer = SizerParams {
        leader: settings.leader.client_id.clone(),
        leader_capital: settings.leader.capital,
        leader_fixed_capital: settings.leader.fixed_capital(),
        followers: followers.iter().map(|follower| following::policy(follower)).collect(),
        instruments: ground.instruments.clone(),
        source: ground.source.clone(),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        clock: ground.clock.clone(),
        fence: Arc::default(),
    };
    let leader = LeaderParams {
        account: AccountParams {
            account: settings.leader.client_id.clone(),
            client: settings.broker.client(settings.leader.local_address),
            token: settings.leader.token(),
            care: token_care(settings, ground, settings.leader.renewal(&settings.broker)),
            reads_per_second: settings.broker.limits.reads_per_second,
            reconnect: settings.broker.reconnect(),
        },
        stream: settings
            .broker
            .stream(settings.leader.local_address)
            .context("[broker] stream_url is needed to copy")?,
        book_poll: settings.leader.book_poll,
        forever_poll: followers
            .iter()
            .any(|follower| follower.copy.instrument_kinds.contains(&InstrumentKind::Equity))
            .then_some(settings.leader.forever_poll),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        clock: ground.clock.clone(),
        in_flight: ground.in_flight.clone(),
        frames: ground.frames.clone(),
        fence: Arc::default(),
    };
    Ok(House::new(
        arbiter.handle(),
        store.handle.clone(),
        writer_death,
        followers.iter().map(|follower| breaker_params(settings, follower, ground)).collect(),
        followers
            .iter()
            .map(|follower| follower_params(settings, follower, store, ground))
            .collect::<anyhow::Result<_>>()?,
        sizer,
        leader,
    )
    .publishing_to(ground.operators.directory.clone()))
}

fn token_care(settings: &Settings, ground: &Ground, renewal: Renewal) -> TokenCare {
    TokenCare::new(settings.tokens.limits(), renewal, Arc::clone(&ground.calendar))
}

fn breaker_params(settings: &Settings, follower: &FollowerSettings, ground: &Ground) -> BreakerParams {
    BreakerParams {
        follower: follower.id.clone(),
        limits: settings.breaker.limits(),
        clock: ground.clock.clone(),
    }
}

fn follower_params(
    settings: &Settings,
    follower: &FollowerSettings,
    store: &Store,
    ground: &Ground,
) -> anyhow::Result<FollowerParams> {
    Ok(FollowerParams {
        account: AccountParams {
            account: follower.client_id.clone(),
            client: settings.broker.client(follower.local_address),
            token: follower.token(),
            care: token_care(settings, ground, follower.renewal(&settings.broker)),
            reads_per_second: follower.broker_limits.reads_per_second,
            reconnect: settings.broker.reconnect(),
        },
        settings: following::book(settings, follower, &ground.calendar),
        amo_time: follower.copy.amo_time,
        polls: following::polls(settings, follower),
        stream: settings
            .broker
            .stream(follower.local_address)
            .context("[broker] stream_url is needed to copy")?,
        frames: ground.frames.clone(),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        instruments: ground.instruments.clone(),
        clock: ground.clock.clone(),
        in_flight: ground.in_flight.clone(),
        fence: Arc::default(),
        trading: ground.operators.fence(&follower.id)?,
    })
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

/// Done at the first SIGINT or SIGTERM.
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            warn!(%error, "SIGTERM cannot be listened for; SIGINT still stops");
            return interrupted().await;
        }
    };
    tokio::select! {
        () = interrupted() => {}
        _ = terminate.recv() => info!("SIGTERM: shutting down"),
    }
}

async fn interrupted() {
    match tokio::signal::ctrl_c().await {
        Ok(()) => info!("SIGINT: shutting down"),
        Err(error) => {
            error!(%error, "SIGINT cannot be listened for: shutting down rather than run unstoppable");
        }
    }
}
