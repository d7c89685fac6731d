//! The store against real files: what it promises, and how it ends when it cannot keep it.

mod accounts;
mod auditing;
mod backing_up;
mod carrying;
mod changes;
mod fixtures;
mod gaps;
mod incidents;
mod intents;
mod ledger;
mod legs;
mod migrating;
mod opening;
mod orders;
mod power_loss;
mod reading;
mod restoring;
mod settings_changes;
mod telling;
mod trading;
mod unproven;
mod writing;
