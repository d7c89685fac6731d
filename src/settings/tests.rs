//! Settings from texts: what they come to, and every fault at once.

use super::load::DEFAULT_TOML;
use super::schema::LEAVES;
use super::*;

const ONE_FOLLOWER: &str = "[[follower]]\nid = \"asha\"\n";

fn accounts() -> Vec<(String, String)> {
    [("LEADER_CLIENT_ID", "1000000101"), ("FOLLOWER_CLIENT_ID", "1000000202")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .to_vec()
}

fn sources(text: &str, variables: &[(&str, &str)]) -> Sources {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Sources::new().text("my.toml", text).environment(accounts()).environment(variables)
}

fn load(text: &str, variables: &[(&str, &str)]) -> Settings {
    sources(text, variables).load(Purpose::Copy).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_follower_is_all_that_the_defaults_lack() {
    let settings = load(ONE_FOLLOWER, &[]);
    assert_eq!(settings.broker.base_url, "https://api.dhan.co/v2");
    assert_eq!(settings.broker.connect_timeout, std::time::Duration::from_millis(500));
    let asha = &settings.followers[0];
    assert_eq!((asha.id.as_str(), asha.client_id.as_str(), asha.enabled), ("asha", "1000000202", true));
    assert_eq!(asha.access_token_env, "FOLLOWER_ACCESS_TOKEN");
    assert_eq!(asha.broker_limits, settings.broker.limits);
    assert_eq!(asha.copy.instrument_kinds.len(), 4);
}

#[test]
fn the_default_file_shows_every_key_there_is() {
    let mut section = String::new();
    let mut shown = std::collections::BTreeSet::new();
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" =") {
            shown.insert(format!("{section}.{key}"));
        }
    }
    for leaf in LEAVES {
        assert!(shown.contains(leaf.key), "{} is not in default.toml", leaf.key);
    }
}
