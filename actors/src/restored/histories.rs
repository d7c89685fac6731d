//! Random days through the real writer into a real database, and what a new life makes of the rows: at any time a second
//! book is made from them as an actor's new life makes it. It must be what the first is, and then ask the same of the
//! broker whatever happens, to the end of the day. At other times the first dies with requests on their way, and the new
//! one goes on; in the end each fill is counted once.
//!
//! `TANDEM_HISTORY_SEED=7` runs one history and prints it; `TANDEM_HISTORIES` says how many.

pub(crate) mod broker;
mod picture;
pub(crate) mod policies;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::world::World;
use crate::store::{Store, StoreSettings};

const HISTORIES: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn what_a_new_life_makes_of_the_rows_is_what_the_old_one_was() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings::at(folder.path().join("tandem.db"));
    let store = Store::open(&settings, |_| ()).unwrap();
    let only = number("TANDEM_HISTORY_SEED");
    let histories = only.map_or(0..number("TANDEM_HISTORIES").unwrap_or(HISTORIES), |seed| seed..seed + 1);
    let (mut twins, mut deaths, mut failed) = (0, 0, Vec::new());
    for seed in histories {
        let mut world = World::new(seed, &store);
        let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
        (twins, deaths) = (twins + world.twins, deaths + world.deaths);
        if lived.is_err() {
            if only.is_some() {
                println!("{}", world.trace.join("\n"));
            }
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{} histories failed: {failed:?}", failed.len());
    assert!(only.is_some() || (twins > 100 && deaths > 100), "too tame: {twins} twins, {deaths} deaths");
}
