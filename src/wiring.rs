//! Actors from settings: opens what they stand on, starts the Supervisor, waits for the end.
//!
//! One path for a first start and for a restart (P20): lock, check, migrate, load, then arm.

mod backups;
mod carrying;
mod day;
pub(crate) mod following;
mod ground;
mod household;
mod operators;
mod reload;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use anyhow::Context as _;
use tandem_actors::store::{OpenError, Store, sqlite_version};
use tandem_actors::supervisor::{Ending, Shutdown, Supervisor, SupervisorParams};
use tandem_actors::{StoreWatch, WriterDeath};
use tokio::sync::oneshot;
use tracing::{error, info, warn};
use uuid::Uuid;

use self::backups::{DailyBackup, remedy};
use self::ground::Ground;
use self::household::house;
pub use self::reload::Reloads;
use crate::cli::ExitStatus;
use crate::settings::{Faults, Settings};
use crate::telemetry::Level;

/// How often the Supervisor asks each actor how it is.
const PING_INTERVAL: Duration = Duration::from_millis(500);

/// How long the end waits for what hangs, as far as is known: a thread in an endless handler, a writer whose disk does not
/// answer.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// How long the end waits for the thread of the actors, of which nothing is known: each has only its own end left to do.
const ACTORS_PATIENCE: Duration = Duration::from_secs(10);
/// How long the end waits for a writer that works: a full queue on a slow disk.
const STORE_PATIENCE: Duration = Duration::from_mins(1);

/// Copies until a signal says stop. At SIGHUP the settings are read again, and log lines go by their level.
pub fn run(
    settings: Settings,
    read_again: impl Fn() -> Result<Settings, Faults> + 'static,
    level: Level,
) -> anyhow::Result<ExitStatus> {
    let copying =
        async move { Box::pin(copy(settings, signalled(), Reloads::at_hangup(read_again, level))).await };
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
    let handle = store.handle.clone();
    let death = || writer_death.get().cloned().or_else(|| handle.damage());
    let ending = match (ending, death()) {
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
    Ok(match (ending?, death()) {
        (Ending::Escalated(actor), _) => {
            error!(%actor, "halted: an actor failed too often");
            ExitStatus::Halted
        }
        (Ending::Blocked, _) => {
            error!("halted: the thread of all actors is blocked");
            ExitStatus::Halted
        }
        (Ending::Stopped, None) => ExitStatus::Ok,
        (_, Some(death)) if death.is_damage => {
            error!("halted: the database is damaged; {}", remedy(&settings));
            ExitStatus::Damaged
        }
        // Also where the end was asked for, and its last rows are not on record.
        (Ending::Stopped | Ending::StorageFault, _) => {
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
        // No actor looks after the store meanwhile.
        let store_ends = StoreWatch::new(store.handle.clone(), Arc::clone(&writer_death)).ended();
        tokio::select! {
            () = ground.turn_day(&settings, store, day) => {}
            () = &mut stop => return Ok(Ending::Stopped),
            cause = store_ends => {
                error!(%cause, "the store ended while the day turned");
                return Ok(Ending::StorageFault);
            }
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
    let day_over = day::over(&ground.clock, &store.handle);
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
    let patience = if matches!(ending, Ok(Ending::Blocked)) { END_PATIENCE } else { ACTORS_PATIENCE };
    let joined = within(patience, "the arbiter of the actors", move || arbiter.join()).await;
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
