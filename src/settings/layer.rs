//! One layer of settings, already checked, on its way into the merge.

use std::collections::BTreeMap;

use config::{ConfigError, Map, Value, ValueKind};

use super::fault::Origin;
use super::schema::{Checked, FOLLOWER};

/// Values of one file or of the environment, with the place of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    /// By full key. None takes an optional value of a lower layer away.
    pub(super) values: BTreeMap<String, Option<Checked>>,
    /// Each follower's values, by key below `[[follower]]`; none when the layer speaks of no followers.
    pub(super) followers: Option<Vec<BTreeMap<String, Checked>>>,
    /// Where each key was given: `broker.base_url`, `follower[0].id`, and `follower[0]` for the table itself.
    pub(super) origins: BTreeMap<String, Origin>,
}

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let mut collected = Map::new();
        for (key, checked) in &self.values {
            collected.insert(key.clone(), checked.as_ref().map_or_else(|| value(ValueKind::Nil), to_config));
        }
        if let Some(followers) = &self.followers {
            let tables = followers.iter().map(table).collect();
            collected.insert(FOLLOWER.to_owned(), value(ValueKind::Array(tables)));
        }
        Ok(collected)
    }
}

fn value(kind: ValueKind) -> Value {
    Value::new(None, kind)
}

fn to_config(checked: &Checked) -> Value {
    value(match checked {
        Checked::Text(text) => ValueKind::String(text.clone()),
        Checked::Flag(flag) => ValueKind::Boolean(*flag),
        Checked::Whole(number) => ValueKind::U64(*number),
        Checked::List(list) => list.clone().into(),
        Checked::Map(map) => {
            ValueKind::Table(map.iter().map(|(from, to)| (from.clone(), to.clone().into())).collect())
        }
    })
}

fn table(keys: &BTreeMap<String, Checked>) -> Value {
    let mut root = Map::new();
    for (key, checked) in keys {
        match key.split_once('.') {
            None => {
                root.insert(key.clone(), to_config(checked));
            }
            Some((section, rest)) => {
                let entry =
                    root.entry(section.to_owned()).or_insert_with(|| value(ValueKind::Table(Map::new())));
                if let ValueKind::Table(inner) = &mut entry.kind {
                    inner.insert(rest.to_owned(), to_config(checked));
                }
            }
        }
    }
    value(ValueKind::Table(root))
}
