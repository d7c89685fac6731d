//! What differs between the settings in force and others, and what of it may change without a restart.

use std::collections::{BTreeMap, BTreeSet};

use tandem_domain::instrument::InstrumentKind;

use super::Settings;
use super::schema::FOLLOWER;

/// One setting that has another value now. None where it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// With its section: `copy.enabled`, `follower[0].sizing.ratio`.
    pub key: String,
    /// Its value before.
    pub old: Option<String>,
    /// Its value from now on.
    pub new: Option<String>,
}

/// What may change while copying goes on; `config/default.toml` says the same at its top.
const CHANGEABLE: &[&str] = &[
    "copy.",
    "sizing.",
    "parting.",
    "risk.",
    "spread.",
    "alerts.",
    "broker.limits.",
    // A follower's table of the same.
    "broker_limits.",
    "log.level",
];

/// Built into the clients of the accounts.
const FIXED: &[&str] = &["broker.limits.reads_per_second", "broker_limits.reads_per_second"];

/// Whether forever orders are read at all hangs on it, and the leader's stream is told of that once.
const KINDS: &str = "copy.instrument_kinds";

impl Settings {
    /// What is different in `new`, in order of the keys; or, if any of it cannot change without a restart, the keys that
    /// cannot, all of them.
    pub fn changes_to(&self, new: &Self) -> Result<Vec<SettingChange>, Vec<String>> {
        let (before, after): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (self.effective().into_iter().collect(), new.effective().into_iter().collect());
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let changes: Vec<SettingChange> = keys
            .into_iter()
            .filter(|key| before.get(*key) != after.get(*key))
            .map(|key| SettingChange {
                key: key.clone(),
                old: before.get(key).cloned(),
                new: after.get(key).cloned(),
            })
            .collect();
        let both = self.followers.len().min(new.followers.len());
        let mut fixed: Vec<String> = Vec::new();
        for change in &changes {
            let name = match follower_of(&change.key) {
                // Somebody who comes or goes is named once, not with every key of his.
                Some((index, _)) if index >= both => format!("{FOLLOWER}[{index}]"),
                Some((_, key)) if may_change(key, change) => continue,
                None if may_change(&change.key, change) => continue,
                _ => change.key.clone(),
            };
            if !fixed.contains(&name) {
                fixed.push(name);
            }
        }
        if fixed.is_empty() { Ok(changes) } else { Err(fixed) }
    }
}

/// The number of the follower whose key it is, and the key below him.
fn follower_of(key: &str) -> Option<(usize, &str)> {
    let (index, rest) = key.strip_prefix(FOLLOWER)?.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest.trim_start_matches('.')))
}

fn may_change(key: &str, change: &SettingChange) -> bool {
    if key == KINDS {
        return has_equity(change.old.as_deref()) == has_equity(change.new.as_deref());
    }
    CHANGEABLE.iter().any(|start| key.starts_with(start)) && !FIXED.contains(&key)
}

fn has_equity(kinds: Option<&str>) -> bool {
    kinds.unwrap_or_default().split(',').any(|kind| kind == InstrumentKind::Equity.as_str())
}

#[cfg(test)]
mod tests {
    use crate::settings::{Purpose, Settings, Sources};

    fn load(text: &str) -> Settings {
        let accounts = ["LEADER", "FOLLOWER", "BALA"].into_iter().zip(1..);
        let variables =
            accounts.map(|(name, number)| (format!("{name}_CLIENT_ID"), format!("100000010{number}")));
        let sources = Sources::new().text("my.toml", text).environment(variables);
        sources.load(Purpose::Copy).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn asha(tables: &str) -> String {
        format!("[[follower]]\nid = \"asha\"\n{tables}")
    }

    /// Each change as `key: old -> new`.
    fn changes(before: &str, after: &str) -> Result<Vec<String>, Vec<String>> {
        let word = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let changes = load(before).changes_to(&load(after))?;
        let text = |change: super::SettingChange| {
            format!("{}: {} -> {}", change.key, word(change.old), word(change.new))
        };
        Ok(changes.into_iter().map(text).collect())
    }

    #[test]
    fn every_value_in_force_that_differs_is_a_change() {
        let before = asha("");
        assert_eq!(changes(&before, &before), Ok(Vec::new()));
        let after =
            format!("[copy]\nwindow_until = \"15:10\"\n{}", asha("[follower.sizing]\nmultiplier = 0.5\n"));
        let expected = [
            "copy.window_until: none -> 15:10",
            "follower[0].copy.window_until: none -> 15:10",
            "follower[0].sizing.multiplier: 1 -> 1/2",
        ];
        assert_eq!(changes(&before, &after).unwrap(), expected);
        assert_eq!(
            changes(&after, &before).unwrap(),
            expected.map(|text| {
                let (key, values) = text.split_once(": ").unwrap();
                let (old, new) = values.split_once(" -> ").unwrap();
                format!("{key}: {new} -> {old}")
            })
        );
    }

    #[test]
    fn what_needs_a_restart_is_named_and_nothing_else_counts() {
        let after = format!(
            "[broker]\nrequest_deadline_ms = 4000\nlimits = {{ reads_per_second = 4, orders_per_second = 9 }}\n\
             [copy]\nenabled = false\ninstrument_kinds = [\"OPTIDX\", \"EQUITY\"]\n\
             [store]\npath = \"other.db\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
             [control]\nsocket = \"s\"\n[supervisor]\nrestarts_max = 6\n{}\
             [[follower]]\nid = \"bala\"\nclient_id_env = \"BALA_CLIENT_ID\"\n",
            asha("local_address = \"203.0.113.8\"\n[follower.broker_limits]\nwindow_guard_ms = 60\n")
        );
        let expected = [
            "broker.limits.reads_per_second",
            "broker.request_deadline_ms",
            "control.socket",
            "copy.instrument_kinds",
            "follower[0].broker_limits.reads_per_second",
            "follower[0].copy.instrument_kinds",
            "follower[0].local_address",
            "follower[1]",
            "log.format",
            "store.path",
            "supervisor.restarts_max",
        ];
        assert_eq!(changes(&asha(""), &after).unwrap_err(), expected);
        let removed = changes(&after, &asha("")).unwrap_err();
        assert_eq!(removed, expected);
        let renamed = changes(&asha(""), "[[follower]]\nid = \"asha2\"\nenabled = true\n");
        assert_eq!(renamed.unwrap_err(), ["follower[0].id"]);
    }

    #[test]
    fn kinds_of_contract_change_as_long_as_equity_stays_in_or_out() {
        let with = |kinds: &str| format!("[copy]\ninstrument_kinds = [{kinds}]\n{}", asha(""));
        let (options, futures) = (with("\"OPTIDX\""), with("\"OPTIDX\", \"FUTIDX\""));
        assert_eq!(changes(&options, &futures).unwrap().len(), 2);
        assert!(changes(&with("\"EQUITY\""), &with("\"EQUITY\", \"FUTIDX\"")).is_ok());
    }

    #[test]
    fn what_default_toml_calls_changeable_is() {
        let after = "[copy]\non = \"fill\"\n[sizing]\nratio_max = 2\n[parting]\ngap = \"full\"\n\
             [risk]\nlots_per_order_max = 5\n[spread]\nexit_wait_ms = 1\n[alerts]\nslippage_bps_max = 1\n\
             [broker.limits]\norders_per_day = 6000\n[log]\nlevel = \"debug\"\n";
        let changed = changes(&asha(""), &format!("{after}{}", asha(""))).unwrap();
        // Each but the alerts and the log stands in the follower's tables, too.
        assert_eq!(changed.len(), 8 + 6, "{changed:#?}");
    }
}
