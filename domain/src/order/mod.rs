//! Orders: what they ask ([`OrderTerms`]), what the broker calls their state ([`BrokerStatus`]), what it reports of them
//! ([`OrderReport`], [`TradeReport`], added up in [`Fills`]), and the life of one child order of ours ([`lifecycle`]).

mod day;
mod fills;
pub mod lifecycle;
mod report;
mod status;
mod terms;

pub use fills::Fills;
pub use report::{EvidenceSource, ForeverReport, Leg, LegReport, OrderReport, SuperReport, TradeReport};
pub use status::BrokerStatus;
pub use terms::{ExitLegs, OcoLeg, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
