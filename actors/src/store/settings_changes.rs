//! Settings taken over at run time, as rows.

use std::collections::BTreeMap;

use serde_json::json;

use super::rows::{AuditEntry, ConfigSnapshot};
use super::write::Write;

/// The rows of new settings: all of them as a version of their own, and an entry of the audit log for each key that
/// differs, with its old and its new value; none is `null`. Nothing at all when nothing differs.
///
/// `before` are the entries in force so far, as those of `after`: flattened, secrets redacted. `actor` is who asked.
pub fn settings_changes(before: &[(String, String)], after: ConfigSnapshot, actor: &str) -> Vec<Write> {
    let mut changed: BTreeMap<&str, [Option<&str>; 2]> = BTreeMap::new();
    for (at, entries) in [before, &after.entries].into_iter().enumerate() {
        for (key, value) in entries {
            changed.entry(key).or_default()[at] = Some(value);
        }
    }
    changed.retain(|_, [old, new]| old != new);
    let entry = |(key, [old, new]): (&str, [Option<&str>; 2])| {
        Write::Audit(AuditEntry {
            recorded_at: after.loaded_at,
            actor: actor.into(),
            event: "setting".into(),
            subject: Some(key.into()),
            details: json!({ "old": old, "new": new, "version": &*after.version }).to_string(),
        })
    };
    let mut writes: Vec<_> = changed.into_iter().map(entry).collect();
    if !writes.is_empty() {
        writes.push(Write::Config(after));
    }
    writes
}
