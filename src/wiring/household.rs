//! The recipes of the actors, from the settings and what they stand on.

use std::sync::Arc;

use actix::Arbiter;
use anyhow::Context as _;
use tandem_actors::account::AccountParams;
use tandem_actors::store::Store;
use tandem_actors::supervisor::House;
use tandem_actors::token_keeper::{Renewal, TokenCare};
use tandem_actors::{BreakerParams, FollowerParams, LeaderParams, SizerParams, WriterDeath};
use tandem_domain::instrument::InstrumentKind;

use super::following;
use super::ground::Ground;
use crate::settings::{FollowerSettings, Settings};

/// All actors of one day, unborn.
pub(super) fn house(
    settings: &Settings,
    store: &Store,
    ground: &Ground,
    writer_death: WriterDeath,
    arbiter: &Arbiter,
) -> anyhow::Result<House> {
    let followers: Vec<&FollowerSettings> = settings.enabled_followers().collect();
    let sizer = SizerParams {
        leader: settings.leader.client_id.clone(),
        leader_capital: settings.leader.capital,
        leader_fixed_capital: settings.leader.fixed_capital(),
        followers: followers.iter().map(|follower| following::policy(follower)).collect(),
        instruments: ground.instruments.clone(),
        source: ground.source.clone(),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        clock: ground.clock.clone(),
        fence: Arc::default(),
    };
    let leader = LeaderParams {
        account: AccountParams {
            account: settings.leader.client_id.clone(),
            client: settings.broker.client(settings.leader.local_address),
            token: settings.leader.token(),
            care: token_care(settings, ground, settings.leader.renewal(&settings.broker)),
            reads_per_second: settings.broker.limits.reads_per_second,
            reconnect: settings.broker.reconnect(),
        },
        stream: settings
            .broker
            .stream(settings.leader.local_address)
            .context("[broker] stream_url is needed to copy")?,
        calendar: Arc::clone(&ground.calendar),
        book_poll: settings.leader.book_poll,
        forever_poll: followers
            .iter()
            .any(|follower| follower.copy.instrument_kinds.contains(&InstrumentKind::Equity))
            .then_some(settings.leader.forever_poll),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        clock: ground.clock.clone(),
        in_flight: ground.in_flight.clone(),
        frames: ground.frames.clone(),
        fence: Arc::default(),
    };
    Ok(House::new(
        arbiter.handle(),
        store.handle.clone(),
        writer_death,
        followers.iter().map(|follower| breaker_params(settings, follower, store, ground)).collect(),
        followers
            .iter()
            .map(|follower| follower_params(settings, follower, store, ground))
            .collect::<anyhow::Result<_>>()?,
        sizer,
        leader,
    )
    .publishing_to(ground.operators.directory.clone()))
}

fn token_care(settings: &Settings, ground: &Ground, renewal: Renewal) -> TokenCare {
    TokenCare::new(settings.tokens.limits(), renewal, Arc::clone(&ground.calendar))
}

fn breaker_params(
    settings: &Settings,
    follower: &FollowerSettings,
    store: &Store,
    ground: &Ground,
) -> BreakerParams {
    BreakerParams {
        follower: follower.id.clone(),
        limits: settings.breaker.limits(),
        clock: ground.clock.clone(),
        store: store.handle.clone(),
        fence: Arc::default(),
    }
}

fn follower_params(
    settings: &Settings,
    follower: &FollowerSettings,
    store: &Store,
    ground: &Ground,
) -> anyhow::Result<FollowerParams> {
    Ok(FollowerParams {
        account: AccountParams {
            account: follower.client_id.clone(),
            client: settings.broker.client(follower.local_address),
            token: follower.token(),
            care: token_care(settings, ground, follower.renewal(&settings.broker)),
            reads_per_second: follower.broker_limits.reads_per_second,
            reconnect: settings.broker.reconnect(),
        },
        settings: following::book(settings, follower, &ground.calendar),
        amo_time: follower.copy.amo_time,
        polls: following::polls(settings, follower),
        stream: settings
            .broker
            .stream(follower.local_address)
            .context("[broker] stream_url is needed to copy")?,
        frames: ground.frames.clone(),
        store: store.handle.clone(),
        reader: store.reader.clone(),
        instruments: ground.instruments.clone(),
        clock: ground.clock.clone(),
        in_flight: ground.in_flight.clone(),
        fence: Arc::default(),
        trading: ground.operators.fence(&follower.id)?,
    })
}
