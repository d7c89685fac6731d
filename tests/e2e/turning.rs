//! F: the day ends and another begins while the daemon runs.

use crate::harness::{ASHA, Broker, Daemon, Setup, Stage, buy, limit, sell};
use tandem_domain::order::Product;

const NEXT_DAY: &str = "2026-12-02 09:20:00";
const TURNED: &str = "the day is over: everything begins anew";

fn until_next_day(broker: &Broker, daemon: &Daemon) {
    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_log(TURNED);
    daemon.until_live(2);
    broker.pass_until(NEXT_DAY);
    broker.quiet();
}

#[test]
fn f20_the_day_rolls_while_it_runs() {
    // Tokens of a day would end in the night. The first day uses up the orders of a day.
    let setup = Setup::new().sim(|sim| sim.token_hours = 48).set("risk.orders_per_day_max = 2");
    let Stage { broker, daemon } = setup.stage();
    let option = broker.option();
    let bought = broker.lead(buy(option, 650));
    daemon.until_filled(&bought, "asha", 325);
    let rests = broker.lead(limit("90.00", buy(option, 260)));
    daemon.until_outcome(&rests, "asha", "sent");
    broker.quiet();
    until_next_day(&broker, &daemon);

    // What was held over night is closed in proportion; nothing of yesterday's orders comes back.
    let exit = broker.lead(sell(option, 260));
    daemon.until_filled(&exit, "asha", 130);
    let entry = broker.lead(buy(option, 130));
    daemon.until_filled(&entry, "asha", 65);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 325 - 130 + 65);
    let opened: Vec<(String, i64, i64)> = daemon
        .table("SELECT trading_day, leader_units, copied_units FROM ledger_openings", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
    assert_eq!(opened, [("2026-12-02".to_owned(), 650, 325)], "the day begins from what was held over night");
    let masters: Vec<u32> = daemon.table("SELECT COUNT(DISTINCT day) FROM instruments", |row| row.get(0));
    assert_eq!(masters, [1], "the master of the new day stands for the old one's");
    daemon.end();
}
