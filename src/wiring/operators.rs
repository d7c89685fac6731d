//! What operators need of a run: the socket they speak to, and the door before each follower's wire.

use std::collections::BTreeMap;

use anyhow::Context as _;
use tandem_actors::clock::Clock;
use tandem_actors::in_flight::InFlight;
use tandem_actors::messages::Directory;
use tandem_actors::store::Store;
use tandem_actors::trading_fence::TradingFence;
use tandem_domain::ids::FollowerId;
use tandem_domain::trading::{HaltCause, Trading, TradingState};
use tracing::info;

use crate::control::desk::{ACTOR_DEADLINE, Desk, DeskParams};
use crate::control::rows;
use crate::control::service::ControlService;
use crate::control::socket::beside;
use crate::settings::Settings;

/// Listens to operators until it is dropped.
pub(super) struct Operators {
    /// Where operators find the followers' actors.
    pub(super) directory: Directory,
    fences: BTreeMap<FollowerId, TradingFence>,
    _service: ControlService,
}

impl Operators {
    /// Begins to listen, with every door as it is on record: a restart re-arms nobody (P17).
    pub(super) async fn hear(
        settings: &Settings,
        store: &Store,
        clock: &Clock,
        in_flight: &InFlight,
    ) -> anyhow::Result<Self> {
        let directory = Directory::default();
        let fences = trading_fences(settings, store).await?;
        let desk = Desk::new(DeskParams {
            followers: fences.clone().into_iter().collect(),
            directory: directory.clone(),
            store: store.handle.clone(),
            reader: store.reader.clone(),
            clock: clock.clone(),
            in_flight: in_flight.clone(),
            actor_deadline: ACTOR_DEADLINE,
        });
        let socket = settings.control.socket.clone().unwrap_or_else(|| beside(&settings.store.path));
        let service = ControlService::start(socket, desk).context("listen to operators")?;
        Ok(Self { directory, fences, _service: service })
    }

    /// The door before this follower's wire.
    pub(super) fn fence(&self, follower: &FollowerId) -> anyhow::Result<TradingFence> {
        let fence = self.fences.get(follower).cloned();
        fence.with_context(|| format!("follower {follower} has no door before its wire"))
    }
}

async fn trading_fences(
    settings: &Settings,
    store: &Store,
) -> anyhow::Result<BTreeMap<FollowerId, TradingFence>> {
    let reader = store.reader.clone();
    let recorded = actix_rt::task::spawn_blocking(move || rows::followers(&reader)).await?;
    let recorded = recorded.context("read the trading states")?;
    let mut fences = BTreeMap::new();
    for follower in settings.enabled_followers() {
        let trading = recorded.get(&follower.id).copied().unwrap_or(Trading::ACTIVE);
        if trading.state != TradingState::Active {
            info!(follower = %follower.id, state = trading.state.as_str(), since = %trading.since,
                cause = trading.cause.map(HaltCause::as_str), squaring_off = trading.is_squaring_off,
                "this follower copies no entries until an operator resumes it");
        }
        fences.insert(follower.id.clone(), TradingFence::new(trading.state));
    }
    Ok(fences)
}
