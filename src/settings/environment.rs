//! Settings from environment variables: `TANDEM__SECTION__KEY`, and the few with names of their own.

use std::collections::BTreeMap;

use super::fault::{Fault, Origin};
use super::layer::Layer;
use super::schema::{self, Checked, FOLLOWER, Place};

/// Begins every variable that names a setting by its section and key.
const PREFIX: &str = "TANDEM__";

/// Production REST root and stream (`dhanhq-v2.md` section 1.1).
const PRODUCTION: (&str, &str) = ("https://api.dhan.co/v2", "wss://api-order-update.dhan.co");
/// Sandbox REST root; it has no stream (section 11).
const SANDBOX: &str = "https://sandbox.dhan.co/v2";

/// Variables that stand for one setting each.
const NAMED: &[(&str, &str)] = &[
    ("SIZING_STRATEGY", "sizing.strategy"),
    ("COPY_RATIO", "sizing.ratio"),
    ("MAX_POSITION_SIZE_PCT", "risk.position_share_max_pct"),
];

/// Reads the variables that begin with `TANDEM__`.
pub(super) fn read(variables: &BTreeMap<String, String>, faults: &mut Vec<Fault>) -> Layer {
    let mut layer = Layer::default();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let path = rest.replace("__", ".").to_lowercase();
        if path == FOLLOWER || path.starts_with("follower.") {
            let problem = "cannot be set from the environment";
            faults.push(fault(name, FOLLOWER, problem, "write [[follower]] in the settings file"));
            continue;
        }
        match schema::at(&path) {
            Place::Leaf(_) => set(&mut layer, name, &path, text, faults),
            Place::Section => {
                let remedy = "name a key of it: TANDEM__SECTION__KEY";
                faults.push(fault(name, &path, "is a section, not a value", remedy));
            }
            Place::Renamed(now) => {
                faults.push(fault(name, &path, "is no setting any more", &format!("set {now}")));
            }
            Place::Unknown(siblings) => {
                let names = siblings.join(", ");
                let remedy = format!("unset it; the keys beside it are {names}");
                faults.push(fault(name, &path, "is not a setting", &remedy));
            }
        }
    }
    layer
}

/// Reads the variables with names of their own. An empty one counts as not set.
pub(super) fn read_named(variables: &BTreeMap<String, String>, faults: &mut Vec<Fault>) -> Layer {
    let mut layer = Layer::default();
    let given = |name: &str| variables.get(name).map(String::as_str).filter(|text| !text.trim().is_empty());
    for (name, path) in NAMED {
        if let Some(text) = given(name) {
            set(&mut layer, name, path, text, faults);
        }
    }
    let (base_url, stream_url) = match given("DHAN_ENV").map(str::trim) {
        None => return layer,
        Some("prod") => (PRODUCTION.0, Some(Checked::Text(PRODUCTION.1.to_owned()))),
        Some("sandbox") => (SANDBOX, None),
        Some(_) => {
            let problem = "is neither environment of the broker";
            faults.push(fault("DHAN_ENV", "broker.base_url", problem, "write prod or sandbox"));
            return layer;
        }
    };
    for (path, value) in
        [("broker.base_url", Some(Checked::Text(base_url.to_owned()))), ("broker.stream_url", stream_url)]
    {
        layer.values.insert(path.to_owned(), value);
        layer.origins.insert(path.to_owned(), Origin::Variable("DHAN_ENV".to_owned()));
    }
    layer
}

fn set(layer: &mut Layer, name: &str, path: &str, text: &str, faults: &mut Vec<Fault>) {
    let Place::Leaf(kind) = schema::at(path) else { return };
    layer.origins.insert(path.to_owned(), Origin::Variable(name.to_owned()));
    match kind.read(text) {
        Some(checked) => {
            layer.values.insert(path.to_owned(), Some(checked));
        }
        None => faults.push(fault(name, path, "does not fit", &format!("write {}", kind.wanted()))),
    }
}

fn fault(variable: &str, key: &str, problem: &str, remedy: &str) -> Fault {
    Fault {
        origin: Origin::Variable(variable.to_owned()),
        key: key.to_owned(),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}
