//! Days of chaos, then calm: the world of the core's own model (`domain/src/model`), over real rows, with a process that
//! dies between any two effects and lives on by what is on record. What must hold, when, and how to run one day again is in
//! `docs/simulation.md`.

// The model is the core's own, source and all: to it this is the core.
#[cfg(test)]
use tandem_domain::{
    account, calendar, decision, follower, gap, gates, ids, instrument, leader, mirror, order, pacing,
    policy, price, quantity, sizing, time, trading,
};

#[cfg(test)]
mod model;
