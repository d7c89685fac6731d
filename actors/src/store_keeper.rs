//! Store: keeps the database. Its writer thread and readers are in [`crate::store`]; orders reach the writer through a
//! [`StoreHandle`], without a detour over this actor's mailbox.
//!
//! Takes pings; gives the figures of the writer; owns the open database, so that a shutdown can end it last. When the
//! writer ends by itself this actor dies, and with it the process: without a record nothing is sent (P22).

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use serde_json::json;

use crate::store::StoreHandle;
use crate::vitals::{Health, Ping, Vitals};

/// How often the keeper looks whether the writer lives.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// Why the writer ended; empty while it lives.
pub type WriterDeath = Arc<std::sync::OnceLock<Arc<str>>>;

/// The actor.
#[derive(Debug)]
pub struct Store {
    handle: StoreHandle,
    death: WriterDeath,
    vitals: Vitals,
}

impl Store {
    /// The keeper of an open database.
    pub const fn new(handle: StoreHandle, death: WriterDeath, vitals: Vitals) -> Self {
        Self { handle, death, vitals }
    }
}

impl Actor for Store {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(WATCH_INTERVAL, |keeper, ctx| {
            if let Some(cause) = keeper.death.get() {
                keeper.vitals.dying_of(cause);
                ctx.stop();
            }
        });
    }
}

impl Handler<Ping> for Store {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let stats = self.handle.stats();
        let mut details = serde_json::Map::new();
        details.insert("queued".to_owned(), json!(stats.queued));
        details.insert("jobs".to_owned(), json!(stats.jobs));
        details.insert("commits".to_owned(), json!(stats.commits));
        details.insert("last_commit_us".to_owned(), json!(stats.last_commit_us));
        details.insert("wal_bytes".to_owned(), json!(stats.wal_bytes));
        self.vitals.progressed();
        self.vitals.health("writing", details)
    }
}
