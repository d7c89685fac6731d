//! A broker, a daemon, and eyes on both.

mod account;
mod app;
mod broker;
mod daemon;
mod proxy;
mod records;
mod setup;
mod stories;
mod verbs;
mod wait;

pub(crate) use app::{Exits, forever, one_cancels_other, stop_market, with_exits};
pub(crate) use broker::{
    ASHA, BALA, Broker, CHAN, LEADER, PIN, TOTP_SECRET, account, buy, limit, rupees, sell, stop_loss,
    to_price, to_units,
};
pub(crate) use daemon::Daemon;
pub(crate) use proxy::{Network, Weather};
pub(crate) use records::{Intent, Records};
pub(crate) use setup::{Follower, Setup, Stage};
pub(crate) use stories::OrderRow;
pub(crate) use wait::until;
