//! Settings taken over at run time.

use std::sync::Arc;

use super::fixtures::{Bench, at};
use crate::store::{ConfigSnapshot, settings_changes};

fn entries(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn each_key_that_differs_has_an_entry_and_the_version_changes_with_them() {
    let bench = Bench::new();
    let before = entries(&[("copy.enabled", "true"), ("risk.at_cap", "scale"), ("sizing.lots", "2")]);
    let after =
        entries(&[("copy.enabled", "false"), ("risk.at_cap", "scale"), ("risk.open_orders_max", "9")]);
    let after = ConfigSnapshot { version: "b".into(), loaded_at: at(5), entries: after };
    bench.commit(settings_changes(&before, after.clone(), "operator")).unwrap();
    let log = bench.store.reader.audit_log(9).unwrap();
    let told: Vec<_> =
        log.iter().rev().map(|entry| (entry.subject.as_deref().unwrap(), entry.details.as_str())).collect();
    assert_eq!(
        told,
        [
            ("copy.enabled", r#"{"new":"false","old":"true","version":"b"}"#),
            ("risk.open_orders_max", r#"{"new":"9","old":null,"version":"b"}"#),
            ("sizing.lots", r#"{"new":null,"old":"2","version":"b"}"#),
        ]
    );
    assert!(log.iter().all(|entry| &*entry.event == "setting" && &*entry.actor == "operator"));
    assert_eq!(bench.store.reader.config_version().unwrap(), Some(Arc::from("b")));
    assert_eq!(bench.count("config"), 3);
    assert!(settings_changes(&after.entries, after.clone(), "operator").is_empty());
}
