//! A broker, a daemon, and eyes on both.

mod broker;
mod daemon;
mod records;
mod setup;
mod wait;

pub(crate) use broker::{
    ASHA, BALA, Broker, LEADER, account, buy, limit, rupees, sell, stop_loss, to_price, to_units,
};
pub(crate) use daemon::Daemon;
pub(crate) use records::Records;
pub(crate) use setup::{Follower, Setup, Stage};
pub(crate) use wait::until;
