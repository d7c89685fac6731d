//! What must come after kills, whatever was killed when: each follower's share, and calm. What must hold at any moment is
//! the checker's to say (`docs/verify.md`): it judges the database against the broker's books after each kill, and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tandem_domain::instrument::InstrumentKey;
use tandem_domain::order::Side;

use crate::harness::{ASHA, BALA, Broker, Daemon, LEADER, until};

/// Followers: name, account, units for two of the leader's.
const FOLLOWERS: [(&str, &str, u32); 2] = [("asha", ASHA, 1), ("bala", BALA, 2)];

/// Within this time of the leader's own leaving everybody is flat, or an incident says who is not.
const FLAT_WITHIN: Duration = Duration::from_secs(10);

/// How many placings stand in each state.
fn placings(daemon: &Daemon, account: &str) -> BTreeMap<String, u32> {
    let sql = format!(
        "SELECT state, COUNT(*) FROM intents WHERE kind = 'place' AND account = '{account}' GROUP BY state"
    );
    daemon.table(&sql, |row| Ok((row.get(0)?, row.get(1)?))).into_iter().collect()
}

/// Waits until no placing is in doubt: what the leader opens while one is may be left out for it.
#[cfg(feature = "faults")]
#[track_caller]
pub(crate) fn until_out_of_doubt(daemon: &Daemon) {
    until("no placing is in doubt", || {
        let are_known = FOLLOWERS.iter().all(|(_, account, _)| {
            let placings = placings(daemon, account);
            ["SENDING", "UNKNOWN"].into_iter().all(|state| !placings.contains_key(state))
        });
        are_known.then_some(())
    });
}

/// What Tandem says of each leader order at one follower.
fn outcomes(daemon: &Daemon, follower: &str) -> BTreeMap<String, String> {
    let sql = format!("SELECT leader_order_id, outcome FROM copy_mappings WHERE follower_id = '{follower}'");
    daemon.table(&sql, |row| Ok((row.get(0)?, row.get(1)?))).into_iter().collect()
}

/// Of each known order of an account: units filled as reported, whether it is over, units of its trades.
fn known(daemon: &Daemon, account: &str) -> BTreeMap<String, (u32, bool, u32)> {
    let sql = format!(
        "SELECT o.broker_order_id, o.cumulative, o.terminal,
            COALESCE((SELECT SUM(t.quantity) FROM trades AS t
                WHERE t.account = o.account AND t.broker_order_id = o.broker_order_id), 0)
         FROM orders AS o WHERE o.account = '{account}'"
    );
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)));
    daemon.table(&sql, row).into_iter().collect()
}

/// Leader orders of which a row says why the follower has another share of them.
fn explained(daemon: &Daemon, follower: &str) -> BTreeSet<String> {
    let sql = format!(
        "SELECT leader_order_id FROM copy_gaps WHERE follower_id = '{follower}'
         UNION SELECT leader_order_id FROM copy_mappings WHERE follower_id = '{follower}' AND reason IS NOT NULL"
    );
    daemon.table(&sql, |row| row.get(0)).into_iter().collect()
}

/// Units, signed, by which the copies of orders that still work at the leader are ahead of them: a copy that rests may fill
/// first.
fn ahead(daemon: &Daemon, follower: &str, option: InstrumentKey, of_two: u32) -> i64 {
    let sql = format!(
        "SELECT o.side, o.cumulative, m.filled_quantity FROM copy_mappings m
         JOIN orders o ON o.broker_order_id = m.leader_order_id AND o.account = m.leader_account
         WHERE m.follower_id = '{follower}' AND o.security_id = {} AND o.terminal = 0",
        option.security_id
    );
    let ahead = daemon.table(&sql, |row| {
        let (side, his, hers): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let units = hers - his * i64::from(of_two) / 2;
        Ok(if side == "BUY" { units } else { -units })
    });
    ahead.into_iter().sum()
}

/// Waits until the followers hold their share of what the leader holds (P11, P12), and never more, but where a gap says that
/// an exit was given up. Less than that only in an
/// instrument of which a row says why, or that the leader left in part while nobody heard, or while entries were not filled.
/// Whether all is closed when he closes, calm tells.
#[track_caller]
pub(crate) fn hold_their_share(broker: &Broker, daemon: &Daemon, options: &[InstrumentKey]) {
    for (name, account, of_two) in FOLLOWERS {
        for option in options {
            let mut last = None;
            until(&format!("{name} holds a share of {option}"), || {
                let held = broker.net(account, *option);
                let ahead = ahead(daemon, name, *option, of_two);
                let due = broker.net(LEADER, *option) * i64::from(of_two) / 2 + ahead;
                let reasons = explained(daemon, name);
                let orders = broker.orders(LEADER);
                let mut here = orders.iter().filter(|order| order.terms.instrument == *option);
                let has_left =
                    here.clone().any(|order| order.terms.side == Side::Sell && !order.filled.is_zero());
                let may_be_less = here.any(|order| reasons.contains(order.id.as_str()));
                let is_told = || given_up(broker, daemon, name, *option);
                if held != due && last != Some((held, due)) {
                    last = Some((held, due));
                    eprintln!("{name} holds {held} of {option}, and {due} are due, {ahead} of them ahead");
                }
                (held == due || (held < due && (has_left || may_be_less)) || is_told()).then_some(())
            });
        }
    }
}

/// What may stand in for a flat position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excuses {
    /// Nothing.
    None,
    /// An open incident: a gap that was reported, or whose repair was given up (P6, P11).
    Incidents,
}

/// Whether a row says of this instrument that a gap stays open.
fn given_up(broker: &Broker, daemon: &Daemon, follower: &str, option: InstrumentKey) -> bool {
    let sql = format!(
        "SELECT leader_order_id FROM copy_gaps
         WHERE follower_id = '{follower}' AND units <> 0 AND result IN ('reported', 'failed')"
    );
    let open: BTreeSet<String> = daemon.table(&sql, |row| row.get(0)).into_iter().collect();
    let leaders = broker.orders(LEADER);
    leaders.iter().any(|order| order.terms.instrument == option && open.contains(order.id.as_str()))
}

/// Why it is not calm yet; none once it is: nothing works, nothing is in doubt, nobody holds anything.
fn unrest(broker: &Broker, daemon: &Daemon, options: &[InstrumentKey], excuses: Excuses) -> Option<String> {
    for (name, account, _) in FOLLOWERS {
        if let Some(working) = broker.orders(account).iter().find(|order| !order.is_terminal()) {
            return Some(format!("{name}: {} works", working.id));
        }
        let has_incident =
            |option: &InstrumentKey| excuses == Excuses::Incidents && given_up(broker, daemon, name, *option);
        let holds = |option: &&InstrumentKey| broker.net(account, **option) != 0 && !has_incident(option);
        if let Some(option) = options.iter().find(holds) {
            return Some(format!("{name}: holds {} of {option}", broker.net(account, *option)));
        }
        let placings = placings(daemon, account);
        let doubtful = ["PLANNED", "SENDING", "UNKNOWN", "NOT_SENT"];
        if let Some(state) = doubtful.into_iter().find(|state| placings.contains_key(*state)) {
            return Some(format!("{name}: a placing is {state}"));
        }
        let (outcomes, known) = (outcomes(daemon, name), known(daemon, account));
        for order in broker.orders(LEADER) {
            let last = outcomes.get(order.id.as_str()).map(String::as_str);
            if !matches!(last, Some("sent" | "skipped" | "voided" | "detached")) {
                return Some(format!("{name}: the leader's {} is {last:?}", order.id));
            }
        }
        for order in broker.orders(account) {
            let told = (order.filled.get(), true, order.filled.get());
            if known.get(order.id.as_str()) != Some(&told) {
                return Some(format!("{name}: {} is known as {:?}", order.id, known.get(order.id.as_str())));
            }
        }
    }
    None
}

/// Waits until all is settled after the leader left; then the checker looks for what was doubled, lost or told wrongly.
#[track_caller]
pub(crate) fn settle_and_check(broker: &Broker, daemon: &Daemon, options: &[InstrumentKey]) {
    let begun = Instant::now();
    let mut last = None;
    until("calm", || {
        let excuses = if begun.elapsed() < FLAT_WITHIN { Excuses::None } else { Excuses::Incidents };
        let unrest = unrest(broker, daemon, options, excuses);
        if last != unrest {
            last.clone_from(&unrest);
            eprintln!("until calm: {}", last.as_deref().unwrap_or("nothing"));
        }
        unrest.is_none().then_some(())
    });
    for (name, account, _) in FOLLOWERS {
        for option in options.iter().filter(|option| broker.net(account, **option) != 0) {
            eprintln!("{name} keeps {} of {option}, by an open incident", broker.net(account, *option));
        }
    }
    daemon.assert_promises_kept();
}
