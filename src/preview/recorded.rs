//! A day from the database: opened for reading only, so that a running daemon is not disturbed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, bail};
use tandem_actors::store::{AccountOrder, Reader};
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::quantity::Quantity;

use super::Request;
use super::capital::Given;
use super::day::{LeaderDay, instruments};
use super::leading::LegFills;
use crate::settings::Settings;

pub(super) fn read(request: &Request, settings: &Settings) -> anyhow::Result<LeaderDay> {
    let path = &request.leader_day;
    let reader = Reader::open(path, 1, Duration::from_secs(5))
        .with_context(|| format!("open the database {}", path.display()))?;
    let leader = &settings.leader.client_id;
    let days = reader.leader_days().context("read the days of the database")?;
    let mine: Vec<_> = days.iter().filter(|(_, account)| account == leader).map(|(day, _)| *day).collect();
    let day = match (request.day, mine.as_slice()) {
        (Some(day), known) if known.contains(&day) => day,
        (None, [newest, ..]) => *newest,
        (_, []) if days.is_empty() => bail!("{}: no leader order was ever recorded in it", path.display()),
        (_, []) => bail!(
            "{}: it has no order of the leader {} of the settings, only of others",
            path.display(),
            leader.masked()
        ),
        (Some(day), known) => {
            let known: Vec<String> = known.iter().take(5).map(ToString::to_string).collect();
            bail!(
                "{}: no leader order of {day} is recorded; the newest days are {}",
                path.display(),
                known.join(", ")
            )
        }
    };
    let states = reader.leader_states(day, leader).context("read the leader's orders")?;
    let legs = reader.leader_legs(day, leader).context("read the legs of the leader's orders")?;
    let mut openings = BTreeMap::new();
    let configured = reader.configured_followers().context("read the followers")?;
    let present = settings.enabled_followers().map(|follower| follower.id.clone());
    for follower in configured.into_iter().chain(present) {
        let of = reader.openings(day, &follower).context("read what was held before the day")?;
        openings.insert(follower, of.into_iter().map(|(opening, _)| opening).collect());
    }
    let stored = reader.instruments().context("read the instruments")?;
    Ok(LeaderDay {
        instruments: instruments(request, settings, day, stored)?,
        day,
        source: path.display().to_string(),
        states,
        legs: by_entry(&legs),
        tells_prices: false,
        openings,
        funds: reader.start_of_day_funds(day).context("read the funds")?,
        day_capital: reader.day_capital(day).context("read the capital")?,
        told: Given::default(),
    })
}

/// The leg of each entry that filled.
fn by_entry(legs: &[AccountOrder]) -> HashMap<BrokerOrderId, LegFills> {
    let filled = legs.iter().filter(|leg| leg.report.cumulative > Quantity::ZERO);
    filled
        .filter_map(|leg| {
            let fills = LegFills { leg: leg.report.leg, average: leg.report.average_price };
            Some((leg.report.parent.clone()?, fills))
        })
        .collect()
}
