//! Each field in turn: what is wrong with it is told by its name, or it was none of ours.

use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item, TableLike};

use crate::corpus::{DEFAULTS, Surface};
use crate::mutations::{self, Place, Step, fields_of, odd_values, put, take_out};
use crate::read;

/// The names by which a fault in the value of this key may be told: the key's own, or that of what it is read into.
fn names(key: &str) -> Vec<&str> {
    let read_into = match key.to_ascii_lowercase().as_str() {
        "exchange" | "segment" => "exchangeSegment",
        "productname" | "producttype" => "product",
        _ => key,
    };
    vec![key, read_into]
}

/// Whether all that is told names this key.
fn is_named(faults: &[String], key: &str) -> bool {
    let told = |fault: &String| {
        let fault = fault.to_ascii_lowercase();
        names(key).iter().any(|name| fault.contains(&format!("unreadable {}:", name.to_ascii_lowercase())))
            || names(key).iter().any(|name| fault.contains(&format!(".{}:", name.to_ascii_lowercase())))
    };
    faults.iter().all(told)
}

fn key_of(place: &Place) -> Option<&str> {
    place.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::At(_) => None,
    })
}

/// Puts everything odd in the place of each field, and takes each field out.
pub(crate) fn each_in_turn(surface: &Surface) {
    for sample in &surface.in_turn {
        let Ok(json) = serde_json::from_slice::<Value>(sample) else { continue };
        let whole = read(surface, sample, || "as it is".to_owned());
        for place in fields_of(&json) {
            // An envelope or a row that is replaced whole has many fields to be named by.
            let is_field = matches!(place.last(), Some(Step::Key(_)))
                && !mutations::get(&mut json.clone(), &place).is_object();
            for value in odd_values() {
                let (what, wheres) = (value.clone(), place.clone());
                let how = || format!("{what} at {wheres:?}");
                let is_no_value = value == json!({}) || value == json!([[1, 2], {"a": null}]);
                let mut odd = json.clone();
                put(&mut odd, &place, value);
                let outcome = read(surface, odd.to_string().as_bytes(), how);
                let Some(key) = key_of(&place).filter(|_| is_field && whole.faults.is_empty()) else {
                    continue;
                };
                if !surface.names_fields {
                    continue;
                }
                assert!(is_named(&outcome.faults, key), "{}, {}: {:?}", surface.name, how(), outcome.faults);
                if is_no_value && outcome.faults.is_empty() {
                    assert_eq!(
                        outcome.read,
                        whole.read,
                        "{}, {}: neither read nor told",
                        surface.name,
                        how()
                    );
                }
            }
            let mut without = json.clone();
            take_out(&mut without, &place);
            let _ = read(surface, without.to_string().as_bytes(), || format!("without {place:?}"));
        }
    }
}

/// Takes each column of an instrument file out: one that is needed is named.
pub(crate) fn each_column_in_turn(surface: &Surface) {
    for sample in &surface.in_turn {
        let whole = read(surface, sample, || "as it is".to_owned());
        let text = String::from_utf8(sample.clone()).unwrap();
        for column in text.lines().next().unwrap().split(',') {
            let renamed = text.replacen(column, "OTHER", 1);
            let outcome = read(surface, renamed.as_bytes(), || format!("without {column}"));
            let is_optional = outcome.faults == whole.faults;
            let is_named = !outcome.faults.is_empty()
                && outcome.faults.iter().all(|fault| fault.contains("has no column"));
            assert!(is_optional || is_named, "{column}: {:?}", outcome.faults);
        }
    }
}

/// Writes what no setting is in the place of each setting there is: it is told by its name.
pub(crate) fn each_setting_in_turn(surface: &Surface) {
    const NO_SETTING: &str = "[1979-05-27, {}, 1.5e300]";
    let document: DocumentMut = DEFAULTS.parse().unwrap();
    let mut keys = Vec::new();
    leaves("", document.as_table(), &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    let base = String::from_utf8(surface.samples[0].clone()).unwrap();
    for key in keys {
        // Dotted keys come before the first table. What is set twice is no TOML, so the base is set aside by its own key.
        let text = format!("{key} = {NO_SETTING}\n");
        let alone = read(surface, text.as_bytes(), || key.clone());
        assert!(
            alone.faults.iter().any(|fault| fault.starts_with(&format!("file.toml:1: {key} "))),
            "{key}: {:?}",
            alone.faults
        );
        let _ = read(surface, format!("{text}{base}").as_bytes(), || key.clone());
    }
}

fn leaves(prefix: &str, table: &dyn TableLike, keys: &mut Vec<String>) {
    for (key, item) in table.iter() {
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match item {
            Item::Table(inner) => leaves(&path, inner, keys),
            Item::Value(_) => keys.push(path),
            Item::None | Item::ArrayOfTables(_) => {}
        }
    }
}
