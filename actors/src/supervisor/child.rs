//! One actor as its supervisor knows it: which life of it, when it was last alive, and how often it died.

use std::time::Instant;

use actix::Recipient;
use tandem_domain::restart::{RestartLimits, RestartLog};

use super::state;
use crate::vitals::{ActorName, Depth, Health, Ping};

/// One actor, alive or down.
pub(super) struct Child {
    pub(super) name: ActorName,
    pub(super) depth: Depth,
    pub(super) generation: u32,
    /// None while it is down.
    pub(super) ping: Option<Recipient<Ping>>,
    /// When it last answered, or was asked, or was seen to get something done; later by all time in which nobody watched.
    pub(super) alive: Instant,
    /// Its progress figure at that time.
    pub(super) progress: u64,
    pub(super) asked: bool,
    pub(super) log: RestartLog,
    pub(super) health: Option<Health>,
    /// When it is built anew, while it is down and will be.
    pub(super) due: Option<Instant>,
}

impl Child {
    /// One that has not been started yet; its lives are numbered on from this one.
    pub(super) fn new(name: ActorName, generation: u32, restarts: RestartLimits) -> Self {
        Self {
            name,
            depth: Depth::default(),
            generation,
            ping: None,
            alive: Instant::now(),
            progress: 0,
            asked: false,
            log: RestartLog::new(restarts),
            health: None,
            due: None,
        }
    }

    /// It is no more: what it said while it lived is not how it is.
    pub(super) fn end(&mut self) {
        (self.ping, self.health) = (None, None);
    }

    pub(super) fn seen_alive(&mut self) {
        self.alive = Instant::now();
        self.progress = self.depth.progress();
    }

    /// How it is: its own words, or that it is down. None before its first word.
    pub(super) fn report(&self) -> Option<Health> {
        if self.ping.is_some() {
            return self.health.clone();
        }
        Some(Health {
            actor: self.name.to_string(),
            generation: self.generation,
            state: state::DOWN.to_owned(),
            mailbox_depth: 0,
            handled: self.depth.progress(),
            progress_age_ms: u64::try_from(self.alive.elapsed().as_millis()).unwrap_or(u64::MAX),
            last_error: None,
            details: serde_json::Map::new(),
        })
    }
}
