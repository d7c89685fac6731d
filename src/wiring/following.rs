//! What the actors go by that copy for one follower, from the settings: at the start, and again when they change.

use std::sync::Arc;
use std::time::Duration;

use tandem_actors::messages::Reload;
use tandem_actors::{FollowerPolicy, Polls};
use tandem_domain::calendar::Calendar;
use tandem_domain::error_policy::busy_pause;
use tandem_domain::follower::FollowerSettings as BookSettings;
use tandem_domain::mirror::Rules;

use crate::settings::{FollowerSettings, Settings};

/// Delay before a request that never left, or a change that came to nothing, is tried again; doubles.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// What the Sizer goes by.
pub(crate) fn policy(follower: &FollowerSettings) -> FollowerPolicy {
    FollowerPolicy {
        id: follower.id.clone(),
        account: follower.client_id.clone(),
        copy: follower.copy.policy(),
        sizing: follower.sizing.policy(),
        refreshes_capital: follower.sizing.intraday_refresh,
    }
}

/// What his book goes by.
pub(crate) fn book(
    settings: &Settings,
    follower: &FollowerSettings,
    calendar: &Arc<Calendar>,
) -> BookSettings {
    BookSettings {
        account: follower.client_id.clone(),
        copy: follower.copy.policy(),
        sizing: follower.sizing.policy(),
        entry: follower.entry_policy(),
        spread: follower.spread.policy(),
        risk: follower.risk_policy(),
        calendar: Arc::clone(calendar),
        rules: Rules {
            follower: follower.id.clone(),
            on: follower.copy.on,
            translation: follower.copy.translation(),
            changes: follower.changes(),
            parting: follower.parting.policy(),
            settle: settings.recovery.settle,
            retry: RETRY_DELAY,
        },
        pacing: follower.broker_limits.pacing(),
        lookup_first: settings.recovery.lookup_first,
        lookup_max: settings.recovery.lookup_max,
        busy_pause: busy_pause().first,
        slippage_alert_bps: settings.alerts.slippage_bps_max,
    }
}

/// How often his account is read.
pub(super) fn polls(settings: &Settings, follower: &FollowerSettings) -> Polls {
    let risk = &follower.risk;
    Polls {
        book: settings.recovery.poll,
        idle_book: settings.recovery.idle_poll,
        positions: risk.positions_poll,
        funds: risk.funds_poll,
        margin_wait: risk.margin_wait,
    }
}

/// All that his order actor can be told anew while it lives.
pub(super) fn reload(settings: &Settings, follower: &FollowerSettings, calendar: &Arc<Calendar>) -> Reload {
    Reload {
        settings: Box::new(book(settings, follower, calendar)),
        amo_time: follower.copy.amo_time,
        polls: polls(settings, follower),
    }
}
