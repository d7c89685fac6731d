//! Store: keeps the database. Its writer thread and readers are in [`crate::store`]; orders reach the writer through a
//! [`StoreHandle`], without a detour over this actor's mailbox.
//!
//! Takes pings; gives the figures of the writer; owns the open database, so that a shutdown can end it last. When the
//! writer ends by itself, or answers nothing any more, or a reader finds the file damaged, this actor dies, and with it
//! the process: without a record nothing is sent (P22).

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use serde_json::json;

use crate::store::{StoreDeath, StoreHandle, StoreStats};
use crate::vitals::{Health, Ping, Vitals};
use crate::watch::Watch;

/// How often the keeper looks whether the writer lives.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How long the writer may leave what waits unanswered. A commit takes milliseconds, a part of the instrument master well
/// under a second: longer than this and the disk does not answer.
const WRITER_DEADLINE: Duration = Duration::from_secs(10);

/// Why the store ended; empty while it lives.
pub type WriterDeath = Arc<std::sync::OnceLock<StoreDeath>>;

/// The actor.
#[derive(Debug)]
pub struct Store {
    watch: StoreWatch,
    vitals: Vitals,
}

/// Looks after the writer from outside: where no keeper lives, too.
#[derive(Debug)]
pub struct StoreWatch {
    handle: StoreHandle,
    death: WriterDeath,
    writer: WriterWatch,
}

/// Tells a writer that hangs from one that has nothing to do.
#[derive(Debug)]
struct WriterWatch {
    watch: Watch,
    jobs: u64,
    /// When it last got something done or had nothing to do; later by all time in which nobody watched.
    moved: Instant,
}

/// What a look at the writer showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Worked,
    Waits,
    Hangs,
}

impl WriterWatch {
    fn look(&mut self, stats: StoreStats, now: Instant) -> Seen {
        self.moved += self.watch.look(now, WATCH_INTERVAL);
        if stats.jobs != self.jobs {
            (self.jobs, self.moved) = (stats.jobs, now);
            return Seen::Worked;
        }
        if stats.queued == 0 {
            self.moved = now;
        }
        if now.duration_since(self.moved) > WRITER_DEADLINE { Seen::Hangs } else { Seen::Waits }
    }
}

impl StoreWatch {
    /// Of an open database, whose writer tells of its end there.
    pub fn new(handle: StoreHandle, death: WriterDeath) -> Self {
        let now = Instant::now();
        let writer = WriterWatch { watch: Watch::since(now), jobs: handle.stats().jobs, moved: now };
        Self { handle, death, writer }
    }

    /// Why nothing can be recorded any more, or what the writer does.
    fn look(&mut self) -> Result<Seen, Arc<str>> {
        if let Some(damage) = self.handle.damage() {
            // Whatever came first stays the cause.
            self.death.set(damage).ok();
        }
        if let Some(death) = self.death.get() {
            return Err(Arc::clone(&death.reason));
        }
        match self.writer.look(self.handle.stats(), Instant::now()) {
            Seen::Hangs => Err("the writer hangs".into()),
            seen => Ok(seen),
        }
    }

    /// Done when nothing can be recorded any more; says why.
    pub async fn ended(mut self) -> Arc<str> {
        loop {
            if let Err(cause) = self.look() {
                return cause;
            }
            actix_rt::time::sleep(WATCH_INTERVAL).await;
        }
    }
}

impl Store {
    /// The keeper of an open database.
    pub fn new(handle: StoreHandle, death: WriterDeath, vitals: Vitals) -> Self {
        Self { watch: StoreWatch::new(handle, death), vitals }
    }
}

impl Actor for Store {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(WATCH_INTERVAL, |keeper, ctx| {
            crate::fault_point!(StoreWatched, ctx);
            match keeper.watch.look() {
                Ok(Seen::Worked) => keeper.vitals.progressed(),
                Ok(_) => {}
                Err(cause) => {
                    keeper.vitals.dying_of(cause);
                    ctx.stop();
                }
            }
        });
    }
}

impl Handler<Ping> for Store {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let stats = self.watch.handle.stats();
        let mut details = serde_json::Map::new();
        details.insert("queued".to_owned(), json!(stats.queued));
        details.insert("jobs".to_owned(), json!(stats.jobs));
        details.insert("commits".to_owned(), json!(stats.commits));
        details.insert("last_commit_us".to_owned(), json!(stats.last_commit_us));
        details.insert("wal_bytes".to_owned(), json!(stats.wal_bytes));
        self.vitals.health("writing", details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A watched writer, and the time.
    struct Watched {
        watch: WriterWatch,
        now: Instant,
    }

    impl Watched {
        fn new() -> Self {
            let now = Instant::now();
            Self { watch: WriterWatch { watch: Watch::since(now), jobs: 0, moved: now }, now }
        }

        /// What is seen after so many seconds of looking at each interval.
        fn after(&mut self, seconds: u64, queued: usize, jobs: u64) -> Seen {
            let end = self.now + Duration::from_secs(seconds);
            loop {
                self.now += WATCH_INTERVAL;
                let seen = self.watch.look(stats(queued, jobs), self.now);
                if self.now >= end || seen == Seen::Hangs {
                    return seen;
                }
            }
        }
    }

    fn stats(queued: usize, jobs: u64) -> StoreStats {
        StoreStats { queued, jobs, commits: 0, last_commit_us: 0, wal_bytes: 0 }
    }

    #[test]
    fn only_a_writer_with_work_that_does_not_move_hangs() {
        let mut writer = Watched::new();
        assert_eq!(writer.after(60, 0, 0), Seen::Waits, "nothing to do");
        assert_eq!(writer.after(9, 3, 0), Seen::Waits);
        assert_eq!(writer.watch.look(stats(2, 1), writer.now), Seen::Worked);
        assert_eq!(writer.after(10, 2, 1), Seen::Waits);
        assert_eq!(writer.after(1, 2, 1), Seen::Hangs);
    }

    #[test]
    fn a_process_that_stood_still_blames_nobody() {
        let mut writer = Watched::new();
        assert_eq!(writer.after(9, 3, 0), Seen::Waits);
        writer.now += Duration::from_hours(1);
        assert_eq!(writer.after(1, 3, 0), Seen::Waits, "nine seconds of it were watched, and then one");
        assert_eq!(writer.after(1, 3, 0), Seen::Hangs);
    }
}
