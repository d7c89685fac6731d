//! P11, P26: every incident has an end: by itself, by a resume, or by an operator who has looked.

use serde_json::Value;
use tandem_sim::Fault;

use crate::harness::{ASHA, Setup, Stage, buy, limit, until};

#[test]
fn incidents_of_what_happened_end_with_the_operators_word() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("slippage");
    let option = broker.option();
    broker.offer(option, &[("100.00", 260), ("105.00", 130)]);
    let order = broker.lead(limit("105.00", buy(option, 260)));
    daemon.until_filled(&order, "asha", 130);
    daemon.until_incident("slippage", "asha");
    broker.quiet();

    let listed = daemon.run_command(&["incidents", "--database", "tandem.db", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(listed[0]["ends"], "by `tandem incidents close`");
    let close = ["incidents", "close", id, "--note", "thin book", "--database", "tandem.db"];
    assert_eq!(daemon.run_command(&close), format!("{id}: closed\n"));
    assert!(daemon.incidents().is_empty());
    let by: Vec<(String, String)> = daemon
        .table("SELECT actor, details FROM audit_log WHERE event = 'incident_closed'", |row| {
            Ok((row.get(0)?, row.get(1)?))
        });
    assert_eq!(by, [("operator".to_owned(), r#"{"note":"thin book"}"#.to_owned())]);
    let unknown = daemon.command(&["incidents", "close", "nothing", "--database", "tandem.db"]);
    assert_eq!(unknown.status.code(), Some(7), "{unknown:?}");

    // A new life does not tell again what has happened.
    daemon.kill();
    daemon.start();
    daemon.until_live(2);
    broker.quiet();
    assert!(daemon.incidents().is_empty());
    daemon.end_at_rest(&broker);
}

#[test]
fn incidents_of_a_stop_end_with_the_resume_on_whatever_day_and_not_before() {
    let setup = Setup::new().sim(|sim| sim.token_hours = 48);
    let Stage { broker, mut daemon } = setup.stage();
    daemon.expects("an operator stopped this follower");
    daemon.run_command(&["halt", "--database", "tandem.db"]);
    daemon.until_incident("trading_stopped", "asha");
    let id = "2026-12-01/trading_stopped/asha/operator";
    let refused = daemon.command(&["incidents", "close", id, "--database", "tandem.db"]);
    assert_eq!(refused.status.code(), Some(6), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`tandem resume` ends it"), "{refused:?}");

    broker.pass_until("2026-12-02 00:00:01");
    daemon.until_live(2);
    broker.pass_until("2026-12-02 09:20:00");
    daemon.until_incident("trading_stopped", "asha");
    daemon.run_command(&["resume", "--database", "tandem.db"]);
    until("it is over", || daemon.incidents().is_empty().then_some(()));
    let order = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&order, "asha", 65);
    daemon.end();
}

#[test]
fn incidents_that_a_new_start_does_not_find_again_are_over() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the broker refuses this follower's access token");
    daemon.tolerates("a read of the account failed");
    daemon.tolerates("order stream");
    broker.inject(ASHA, Fault::TokenRefused { refused: true });
    daemon.until_incident("account_halted", "asha");
    daemon.kill();
    // As if the owner had put another into her variable.
    broker.inject(ASHA, Fault::TokenRefused { refused: false });
    daemon.start();
    daemon.until_live(2);
    until("it is over", || daemon.incidents().is_empty().then_some(()));
    let order = broker.lead(buy(broker.option(), 130));
    daemon.until_filled(&order, "asha", 65);
    daemon.end();
}
