//! Settings changed under a running daemon: what may change takes effect and is on record; a fault, or a key that needs a
//! restart, changes nothing and says why.

use serde_json::{Value, json};

use crate::harness::{ASHA, Daemon, Setup, Stage, buy, until};

/// A row of `audit_log` about the settings.
#[derive(Debug, PartialEq)]
struct Audit {
    event: String,
    subject: Option<String>,
    details: Value,
}

fn audits(daemon: &Daemon) -> Vec<Audit> {
    let sql = "SELECT event, subject, details FROM audit_log WHERE event LIKE 'setting%' ORDER BY id";
    daemon.table(sql, |row| {
        let details: String = row.get(2)?;
        Ok(Audit {
            event: row.get(0)?,
            subject: row.get(1)?,
            details: serde_json::from_str(&details).unwrap(),
        })
    })
}

/// Versions of the settings, in order of time, each with the value of this key.
fn versions(daemon: &Daemon, key: &str) -> Vec<(String, String)> {
    let sql = format!("SELECT version, value FROM config WHERE key = '{key}' ORDER BY loaded_at");
    daemon.table(&sql, |row| Ok((row.get(0)?, row.get(1)?)))
}

fn changed(audit: &Audit) -> (&str, &Value, &Value) {
    assert_eq!(audit.event, "setting_changed");
    (audit.subject.as_deref().unwrap(), &audit.details["old"], &audit.details["new"])
}

#[test]
fn a_changed_ratio_sizes_the_next_order_and_is_on_record() {
    let Stage { broker, daemon } =
        Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5").stage();
    let option = broker.option();
    let first = broker.lead(buy(option, 260));
    daemon.until_filled(&first, "asha", 130);

    daemon.edit_settings(|text| text.replace("sizing.ratio = 0.5", "sizing.ratio = 0.25"));
    daemon.hang_up();
    daemon.until_log("the owner changed his settings");
    daemon.until_log("\"key\":\"sizing.ratio\"");

    let second = broker.lead(buy(option, 260));
    daemon.until_filled(&second, "asha", 65);
    assert_eq!(daemon.mapping(&first, "asha").unwrap().filled, 130);
    let rows = audits(&daemon);
    let expected = [
        ("follower[0].sizing.ratio", &json!("1/2"), &json!("1/4")),
        ("sizing.ratio", &json!("1/2"), &json!("1/4")),
    ];
    assert_eq!(rows.iter().map(changed).collect::<Vec<_>>(), expected);
    let versions = versions(&daemon, "follower[0].sizing.ratio");
    let values: Vec<&str> = versions.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["1/2", "1/4"]);
    assert!(rows.iter().all(|row| row.details["settings"] == json!(versions[1].0)), "{rows:?}");
    daemon.end();
}

#[test]
fn after_a_restart_the_settings_of_before_are_nowhere() {
    let Stage { broker, mut daemon } =
        Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5").stage();
    daemon.edit_settings(|text| text.replace("sizing.ratio = 0.5", "sizing.ratio = 0.25"));
    daemon.hang_up();
    daemon.until_log("the owner changed his settings");

    daemon.terminate();
    assert_eq!(daemon.until_exit(), Some(0));
    daemon.start();
    daemon.until_live(2);
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 65);
    daemon.end();
}

#[test]
fn a_fault_changes_nothing_and_says_why() {
    let Stage { broker, mut daemon } =
        Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5").stage();
    daemon.expects("settings read again have faults: nothing is changed");
    daemon.edit_settings(|text| {
        text.replace("sizing.ratio = 0.5", "sizing.ratio = 0.25\nrisk.at_cap = \"cut\"\ncopy.colour = 1")
    });
    daemon.hang_up();
    daemon.until_log("settings read again have faults");

    let rows = until("the refusal is on record", || Some(audits(&daemon)).filter(|rows| !rows.is_empty()));
    let faults: Vec<&str> =
        rows[0].details["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap()).collect();
    assert_eq!((rows.len(), rows[0].event.as_str(), faults.len()), (1, "settings_refused", 2));
    assert!(faults.iter().all(|fault| fault.starts_with("tandem.toml:")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("risk.at_cap does not fit")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("copy.colour is not a setting")), "{faults:?}");
    assert_eq!(versions(&daemon, "sizing.ratio").len(), 1);

    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    daemon.end();
}

#[test]
fn what_needs_a_restart_is_refused_by_name_and_nothing_changes() {
    let Stage { broker, mut daemon } =
        Setup::new().set("sizing.strategy = \"fixed_ratio\"").set("sizing.ratio = 0.5").stage();
    daemon.expects("only a restart can change them: nothing is changed");
    daemon.edit_settings(|text| {
        let text = text.replace("sizing.ratio = 0.5", "sizing.ratio = 0.25");
        let text = text.replace("store.path = \"tandem.db\"", "store.path = \"other.db\"");
        text.replace("id = \"asha\"", "id = \"asha\"\naccess_token_file = \"asha.token\"")
            .replace("access_token_env = \"ASHA_ACCESS_TOKEN\"\n", "")
    });
    daemon.hang_up();
    daemon.until_log("only a restart can change them");

    let rows = until("the refusal is on record", || Some(audits(&daemon)).filter(|rows| !rows.is_empty()));
    assert_eq!((rows.len(), rows[0].event.as_str()), (1, "settings_refused"));
    let expected = ["follower[0].access_token_env", "follower[0].access_token_file", "store.path"];
    assert_eq!(rows[0].details["needs_restart"], json!(expected));
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 130);
    assert_eq!(broker.orders(ASHA).len(), 1);

    // Put right, the rest takes effect.
    daemon.edit_settings(|text| {
        text.replace("other.db", "tandem.db")
            .replace("access_token_file = \"asha.token\"", "access_token_env = \"ASHA_ACCESS_TOKEN\"")
    });
    daemon.hang_up();
    daemon.until_log("the owner changed his settings");
    let order = broker.lead(buy(broker.option(), 260));
    daemon.until_filled(&order, "asha", 65);
    daemon.end();
}

#[test]
fn the_level_of_the_log_changes_and_what_does_not_differ_is_no_change() {
    let Stage { broker: _broker, daemon } = Setup::new().set("log.level = \"info\"").stage();
    daemon.hang_up();
    daemon.until_log("settings read again: nothing differs");
    daemon.edit_settings(|text| text.replace("log.level = \"info\"", "log.level = \"warn\""));
    daemon.hang_up();
    let rows = until("the change is on record", || Some(audits(&daemon)).filter(|rows| !rows.is_empty()));
    assert_eq!(rows.iter().map(changed).collect::<Vec<_>>(), [("log.level", &json!("info"), &json!("warn"))]);
    daemon.end();
}
