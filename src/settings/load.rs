//! From files and environment to [`Settings`]: each layer checked whole, then merged by `config`, then validated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fault::{BUILT_IN, Fault, Faults, Origin};
use super::layer::Layer;
use super::schema::{FOLLOWER, FOLLOWER_TABLES};
use super::{
    BackupSettings, ControlSettings, LogSettings, Settings, StoreSettings, TokenRenewal, environment, file,
    validate,
};

/// Every key with its default; the lowest layer, and the documentation.
pub(super) const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// What the settings are loaded for: it decides what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Copying: needs a leader, an enabled follower and an order stream.
    Copy,
    /// Checking: needs a leader and an enabled follower.
    Check,
}

/// The layers, lowest first: built-in defaults, files, `TANDEM__` variables, named variables.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<(String, String)>,
    variables: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

/// The parts of the settings needed to read a database.
#[derive(Debug)]
pub struct StoreOnly {
    /// Where the database is.
    pub store: StoreSettings,
    /// Where its backups are.
    pub backup: BackupSettings,
    /// Where its daemon listens, if that is set.
    pub socket: Option<PathBuf>,
    /// Where log lines go.
    pub log: LogSettings,
}

impl Sources {
    /// The built-in defaults alone: no file, no environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. One that cannot be read is a fault, reported with all others.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => self.files.push((name, text)),
            Err(error) => self.faults.push(Fault {
                origin: Origin::File { name, line: 1 },
                key: String::new(),
                problem: format!("cannot be read: {error}"),
                remedy: "name a readable settings file; config/live.example.toml is a start".to_owned(),
            }),
        }
        self
    }

    /// Adds the text of a file that is built in or made up; `name` stands for it in messages.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Adds environment variables: settings, and the client ids that accounts refer to by name.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Adds the environment of this process. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn process_environment(self) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
        self.environment(variables)
    }

    /// Checks, merges and validates. All faults of all layers come at once.
    pub fn load(self, purpose: Purpose) -> Result<Settings, Faults> {
        let variables = self.variables.clone();
        let mut merged = self.merge();
        if merged.faults.iter().any(|fault| fault.key.is_empty()) {
            // A whole file is missing: whatever else could be said would be about what it would have held.
            return Err(sorted(merged.faults));
        }
        complete_accounts(&mut merged, &variables);
        match Settings::deserialize(&merged.tree) {
            Ok(settings) => {
                let mut between = Vec::new();
                validate::check(&settings, purpose, &merged.origins, &mut between);
                // A rule that reads a setting already at fault would complain of a value nobody wrote.
                let at_fault: Vec<String> = merged.faults.iter().map(|fault| topic(&fault.key)).collect();
                between.retain(|fault| !at_fault.contains(&topic(&fault.key)));
                merged.faults.extend(between);
                if merged.faults.is_empty() { Ok(settings) } else { Err(sorted(merged.faults)) }
            }
            Err(error) => {
                if merged.faults.is_empty() {
                    // The schema let something through that the structs refuse: a defect, but never silent.
                    merged.faults.push(whole(&error.to_string()));
                }
                Err(sorted(merged.faults))
            }
        }
    }

    /// The database and log settings alone: asks for no accounts and no secrets.
    pub fn load_store(self) -> Result<StoreOnly, Faults> {
        let merged = self.merge();
        if !merged.faults.is_empty() {
            return Err(sorted(merged.faults));
        }
        let read = || -> Result<StoreOnly, serde_json::Error> {
            let tree = &merged.tree;
            // A section that sets nothing is none.
            let control = Option::<ControlSettings>::deserialize(&tree["control"])?;
            Ok(StoreOnly {
                store: StoreSettings::deserialize(&tree["store"])?,
                backup: BackupSettings::deserialize(&tree["backup"])?,
                socket: control.and_then(|control| control.socket),
                log: LogSettings::deserialize(&tree["log"])?,
            })
        };
        read().map_err(|error| Faults(vec![whole(&error.to_string())]))
    }

    fn merge(self) -> Merged {
        let mut faults = self.faults;
        let mut layers = vec![file::read(BUILT_IN, DEFAULT_TOML, &mut faults)];
        layers.extend(self.files.iter().map(|(name, text)| file::read(name, text, &mut faults)));
        layers.push(environment::read(&self.variables, &mut faults));
        layers.push(environment::read_named(&self.variables, &mut faults));

        let mut origins = BTreeMap::new();
        let mut builder = config::Config::builder();
        for layer in layers {
            keep_follower_origins_of_the_last(&layer, &mut origins);
            origins.extend(layer.origins.clone());
            builder = builder.add_source(layer);
        }
        let tree = builder.build().and_then(config::Config::try_deserialize::<Value>);
        let tree = tree.unwrap_or_else(|error| {
            faults.push(whole(&error.to_string()));
            Value::Null
        });
        Merged { tree, origins, faults }
    }
}

/// A later list of followers replaces an earlier one whole, so its places do too.
fn keep_follower_origins_of_the_last(layer: &Layer, origins: &mut BTreeMap<String, Origin>) {
    if layer.followers.is_some() {
        origins.retain(|key, _| !key.starts_with("follower["));
    }
}

struct Merged {
    tree: Value,
    origins: BTreeMap<String, Origin>,
    faults: Vec<Fault>,
}

/// Gives each account what it left out: the defaults of its tables, and its client id from the environment.
fn complete_accounts(merged: &mut Merged, variables: &BTreeMap<String, String>) {
    let Merged { tree, origins, faults } = merged;
    let broker_address = tree.pointer("/broker/local_address").cloned().unwrap_or_default();
    let defaults: Map<String, Value> = FOLLOWER_TABLES
        .iter()
        .filter_map(|(table, section)| {
            let pointer = format!("/{}", section.replace('.', "/"));
            Some(((*table).to_owned(), tree.pointer(&pointer)?.clone()))
        })
        .collect();

    if let Some(leader) = tree.get_mut("leader").and_then(Value::as_object_mut) {
        let mut account = Account { keys: leader, path: "leader".to_owned(), origins, faults };
        account.fill("local_address", &broker_address);
        account.read_client_id(variables);
        account.refuse_two_tokens();
    }
    if let Some(sections) = tree.as_object_mut() {
        sections.entry(FOLLOWER).or_insert_with(|| json!([]));
    }
    for (index, follower) in
        tree.get_mut(FOLLOWER).and_then(Value::as_array_mut).into_iter().flatten().enumerate()
    {
        let Some(keys) = follower.as_object_mut() else { continue };
        let mut account = Account { keys, path: format!("{FOLLOWER}[{index}]"), origins, faults };
        account.require_id();
        account.fill("enabled", &json!(true));
        account.fill("local_address", &broker_address);
        account.fill("client_id_env", &json!("FOLLOWER_CLIENT_ID"));
        account.fill("access_token_env", &json!("FOLLOWER_ACCESS_TOKEN"));
        account.fill("token_renewal", &json!(TokenRenewal::Off));
        for (table, value) in &defaults {
            account.fill(table, value);
        }
        account.read_client_id(variables);
        account.refuse_two_tokens();
    }
}

/// One account's keys while they are completed.
struct Account<'a> {
    keys: &'a mut Map<String, Value>,
    path: String,
    origins: &'a BTreeMap<String, Origin>,
    faults: &'a mut Vec<Fault>,
}

impl Account<'_> {
    /// Sets a key that is not there; of a table, the keys that are not there.
    fn fill(&mut self, key: &str, default: &Value) {
        match (self.keys.get_mut(key), default) {
            (Some(Value::Object(given)), Value::Object(defaults)) => {
                for (key, value) in defaults {
                    given.entry(key).or_insert_with(|| value.clone());
                }
            }
            (Some(given), default) if given.is_null() => *given = default.clone(),
            (Some(_), _) => {}
            (None, default) => {
                self.keys.insert(key.to_owned(), default.clone());
            }
        }
    }

    fn require_id(&mut self) {
        if self.keys.contains_key("id") {
            return;
        }
        if self.place("id").is_none() {
            self.fault("id", "is missing", "give the follower a short name that will never change");
        }
        // Something unique in its place, so that the rules between settings can be checked all the same.
        self.keys.insert("id".to_owned(), json!(self.path));
    }

    /// A client id is asked of the environment only for accounts that take part.
    fn read_client_id(&mut self, variables: &BTreeMap<String, String>) {
        let variable = self.keys.get("client_id_env").and_then(Value::as_str).unwrap_or_default().to_owned();
        let enabled = self.keys.get("enabled").is_none_or(|enabled| enabled == &json!(true));
        let found = variables.get(&variable).map(|text| text.trim()).filter(|text| !text.is_empty());
        let key = format!("{}.client_id_env", self.path);
        if found.is_none() && enabled && !self.faults.iter().any(|fault| fault.key == key) {
            let problem = format!("names {variable}, which is not set in the environment");
            self.fault("client_id_env", &problem, "set it to the account's Dhan client id");
        }
        // Who takes no part, or is at fault, gets something unique in its place.
        self.keys.insert("client_id".to_owned(), json!(found.unwrap_or(&self.path)));
    }

    fn refuse_two_tokens(&mut self) {
        let given = |key: &str| self.place(key).is_some_and(|origin| !origin.is_built_in());
        if given("access_token_env") && given("access_token_file") {
            self.fault("access_token_file", "stands beside access_token_env", "keep one of the two");
        }
    }

    fn place(&self, key: &str) -> Option<&Origin> {
        self.origins.get(&format!("{}.{key}", self.path))
    }

    fn fault(&mut self, key: &str, problem: &str, remedy: &str) {
        let origin = self.place(key).or_else(|| self.origins.get(&self.path)).cloned();
        self.faults.push(Fault {
            origin: origin.unwrap_or(Origin::Whole),
            key: format!("{}.{key}", self.path),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        });
    }
}

/// The section a key belongs to, a follower's own table counting as the section it takes its keys from.
fn topic(key: &str) -> String {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let table = rest.split_once('.').map_or("", |(table, _)| table);
    match FOLLOWER_TABLES.iter().find(|(name, _)| *name == table) {
        Some((_, section)) if first.starts_with(FOLLOWER) => topic(section),
        _ if first.starts_with(FOLLOWER) => FOLLOWER.to_owned(),
        _ => first.to_owned(),
    }
}

fn whole(problem: &str) -> Fault {
    Fault {
        origin: Origin::Whole,
        key: String::new(),
        problem: problem.to_owned(),
        remedy: "correct it".to_owned(),
    }
}

fn sorted(mut faults: Vec<Fault>) -> Faults {
    faults.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
    faults.dedup();
    Faults(faults)
}
