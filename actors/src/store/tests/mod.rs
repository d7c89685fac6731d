//! The store against real files: what it promises, and how it ends when it cannot keep it.

mod accounts;
mod fixtures;
mod intents;
mod opening;
mod orders;
mod reading;
mod writing;
