//! `docs/risk.md` beside the program: every reason, every key it speaks of, and a block of settings that loads.

use std::collections::BTreeSet;

use tandem::settings::{Purpose, Sources};
use tandem_domain::gates::DeniedReason;

const PAGE: &str = include_str!("../../docs/risk.md");
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Sections of which every key is on the page.
const SECTIONS: [&str; 5] = ["risk", "spread", "sizing", "parting", "session"];

/// The keys that the documented defaults show in a section, those without a default among them.
fn keys_of(section: &str) -> BTreeSet<&'static str> {
    let header = format!("[{section}]");
    let lines = DEFAULTS.lines().skip_while(|line| *line != header).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
        .map(|(key, _)| key)
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .collect()
}

#[test]
fn every_reason_has_its_row() {
    for reason in DeniedReason::ALL {
        assert!(PAGE.contains(&format!("\n| `{reason}` | ")), "docs/risk.md has no row for {reason}");
    }
}

#[test]
fn every_key_is_told() {
    for section in SECTIONS {
        let keys = keys_of(section);
        assert!(!keys.is_empty(), "[{section}] has no keys");
        for key in keys {
            assert!(PAGE.contains(&format!("`{key}`")), "docs/risk.md does not tell of {section}.{key}");
        }
    }
}

#[test]
fn the_cautious_beginning_loads() {
    let block = PAGE.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let text = format!("{block}\n[[follower]]\nid = \"asha\"\n");
    let accounts = [("LEADER_CLIENT_ID", "1000000101"), ("FOLLOWER_CLIENT_ID", "1000000202")];
    let accounts = accounts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = Sources::new().text("docs/risk.md", &text).environment(accounts).load(Purpose::Copy);
    assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
}
