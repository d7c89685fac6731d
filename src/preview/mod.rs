//! A recorded day of the leader's, run through the present settings without a broker: `tandem preview`.
//!
//! The decisions are those of production: [`decide`](tandem_domain::decision::decide) and
//! [`FollowerBook`](tandem_domain::follower::FollowerBook), with every gate. What is made up is the broker: it takes every
//! request at once, and fills an order when and at what price the recording lets it. [`ASSUMPTIONS`] says how.

mod capital;
mod day;
mod following;
mod holdings;
mod leading;
mod outcome;
mod paper;
mod recorded;
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use tandem_domain::calendar::Calendar;
use tandem_domain::ids::IdError;
use tandem_domain::leader::LeaderOrder;
use tandem_domain::time::TradingDay;

pub use self::capital::{Given, GivenError};
pub use self::day::LeaderDay;
pub use self::outcome::{
    Copied, FollowerOutcome, Holding, LeaderOutcome, Ordered, Preview, Rounding, Traded,
};

use self::capital::Means;
use self::following::{Following, Start};
use self::leading::Leading;
use crate::settings::{FollowerSettings, Settings};
use crate::wiring::following as wired;

/// What the numbers of a preview rest on.
pub const ASSUMPTIONS: [&str; 8] = [
    "every request is taken at once and in full: no refusals, no lost answers, no delays",
    "a copy fills when the leader's order does, at his price, and as far in whole lots; no slippage, no costs",
    "what he does not explain (a copy late or left behind, a chase, a repair) fills at the last price the recording has of \
     the instrument, where its limit allows; resting, at its limit once a later price reaches it",
    "exit legs fire when the leader's do, in proportion; forever orders of shares rest and never fire",
    "margin is the local estimate (premium of longs, risk.short_margin_pct of the strike of shorts) of positions and working \
     entries; free money is the start's, plus what was realised, less that",
    "open positions count at the last price known; what was held before the day counts from its first price of the day",
    "ratios are those of the day's start; the follower's own orders, halts and conversions of that day are not repeated",
    "the clock is the recorded day's, and so are session and holidays; the followers begin active",
];

/// What is run.
#[derive(Debug)]
pub struct Request {
    /// A database, or a table of order states.
    pub leader_day: PathBuf,
    /// Which day of a database; the newest otherwise.
    pub day: Option<TradingDay>,
    /// The instruments of that day, where neither the database nor the settings have them.
    pub instruments: Option<PathBuf>,
    /// Capital told with the command.
    pub given: Given,
}

/// Reads the day and runs it through the settings.
pub fn run(request: &Request, settings: &Settings, calendar: Arc<Calendar>) -> anyhow::Result<Preview> {
    let day = day::read(request, settings)?;
    let year = chrono::Datelike::year(&day.day.date());
    let knows_holidays = calendar.covers(year);
    let means = Means::find(&request.given, &day, settings)?;
    let mut followers = Vec::new();
    for (number, follower) in settings.enabled_followers().enumerate() {
        followers.push(Following::new(start(settings, follower, &means, &day, &calendar), number));
    }
    let mut leading = Leading::new(day.legs.clone());
    for (instrument, units) in day.leader_openings() {
        leading.holdings.carry(instrument, following::carried_in(instrument), units);
    }
    play(&day, &mut leading, &mut followers)?;
    let mut preview = outcome::of(day, means, leading, followers);
    if !knows_holidays {
        preview.warnings.push(format!(
            "the calendar knows no holiday of {year}: give session.calendar_file a file that does"
        ));
    }
    Ok(preview)
}

fn start(
    settings: &Settings,
    follower: &FollowerSettings,
    means: &Means,
    day: &LeaderDay,
    calendar: &Arc<Calendar>,
) -> Start {
    let (capital, available) = means.of(&follower.id);
    Start {
        policy: wired::policy(follower),
        settings: wired::book(settings, follower, calendar),
        capital,
        available,
        openings: day.openings_of(&follower.id),
    }
}

fn play(day: &LeaderDay, leading: &mut Leading, followers: &mut [Following]) -> Result<(), IdError> {
    for state in &day.states {
        let known = leading.tape.last(state.order.terms.instrument);
        // A price of its own moment counts as known from then on; one of a later moment only stands in for none.
        let order = match (day.tells_prices, known) {
            (true, _) => {
                if let Some(price) = state.order.last_price {
                    leading.print(state.order.terms.instrument, price);
                }
                Arc::clone(&state.order)
            }
            (false, None) => Arc::clone(&state.order),
            (false, Some(_)) => {
                Arc::new(LeaderOrder { last_price: known, ..LeaderOrder::clone(&state.order) })
            }
        };
        let instrument = day.instruments.get(order.terms.instrument).map(Arc::new);
        let news = leading.take(&order);
        for follower in &mut *followers {
            follower.take(&news, instrument.as_ref(), state.known_at, leading)?;
        }
    }
    // What still waits for something has until the end of the day.
    let end = day.day.start().plus(std::time::Duration::from_hours(24));
    followers.iter_mut().try_for_each(|follower| follower.wake_until(end, leading))
}
