//! One settings file: parsed with spans, every leaf checked against the schema, all faults collected with their lines.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike, Value};

use super::fault::{Fault, Origin};
use super::layer::Layer;
use super::schema::{self, Checked, FOLLOWER, Kind, Place};

/// Reads the text of the file `name`. What fits goes into the layer, what does not into `faults`.
pub(super) fn read(name: &str, text: &str, faults: &mut Vec<Fault>) -> Layer {
    let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
    let mut reader = Reader { name, text, line_ends, layer: Layer::default(), faults };
    match Document::parse(text) {
        Ok(document) => reader.root(document.as_table()),
        // Only the message: the error's own display repeats the line, which may hold a secret.
        Err(error) => {
            let problem = format!("is not TOML: {}", error.message().replace('\n', " "));
            let origin = reader.origin(error.span());
            let remedy = "correct the line; the rest of the file was not read".to_owned();
            reader.faults.push(Fault { origin, key: String::new(), problem, remedy });
        }
    }
    reader.layer
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    /// Where its lines end: each setting's line is looked up.
    line_ends: Vec<usize>,
    layer: Layer,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn root(&mut self, root: &dyn TableLike) {
        for (key, item) in root.iter() {
            let span = key_span(root, key, item);
            if key == FOLLOWER {
                self.followers(item, span);
            } else {
                self.item(key, item, span);
            }
        }
    }

    fn item(&mut self, path: &str, item: &Item, span: Option<Range<usize>>) {
        match schema::at(path) {
            Place::Leaf(kind) => {
                self.layer.origins.insert(path.to_owned(), self.origin(span.clone()));
                if let Some(checked) = self.leaf(path, kind, item, span) {
                    self.layer.values.insert(path.to_owned(), Some(checked));
                }
            }
            Place::Section => match item.as_table_like() {
                Some(table) => {
                    for (key, inner) in table.iter() {
                        let span = key_span(table, key, inner);
                        self.item(&format!("{path}.{key}"), inner, span);
                    }
                }
                None => self.not_a_section(path, span),
            },
            Place::Unknown(siblings) => self.unknown(path, &siblings, span),
            Place::Renamed(now) => self.renamed(path, now, span),
        }
    }

    fn followers(&mut self, item: &Item, span: Option<Range<usize>>) {
        let Some(tables) = item.as_array_of_tables() else {
            self.fault(FOLLOWER, span, "is not an array of tables", "write [[follower]] above each one");
            return;
        };
        let mut followers = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let prefix = format!("{FOLLOWER}[{index}]");
            self.layer.origins.insert(prefix.clone(), self.origin(table.span()));
            let mut keys = BTreeMap::new();
            self.follower_table(&prefix, "", table, &mut keys);
            followers.push(keys);
        }
        self.layer.followers = Some(followers);
    }

    fn follower_table(
        &mut self,
        prefix: &str,
        section: &str,
        table: &dyn TableLike,
        keys: &mut BTreeMap<String, Checked>,
    ) {
        for (key, item) in table.iter() {
            let path = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            let full = format!("{prefix}.{path}");
            let span = key_span(table, key, item);
            match schema::at_follower(&path) {
                Place::Leaf(kind) => {
                    self.layer.origins.insert(full.clone(), self.origin(span.clone()));
                    if let Some(checked) = self.leaf(&full, kind, item, span) {
                        keys.insert(path, checked);
                    }
                }
                Place::Section => match item.as_table_like() {
                    Some(inner) => self.follower_table(prefix, &path, inner, keys),
                    None => self.not_a_section(&full, span),
                },
                Place::Unknown(siblings) => self.unknown(&full, &siblings, span),
                Place::Renamed(now) => self.renamed(&full, now, span),
            }
        }
    }

    fn leaf(&mut self, path: &str, kind: Kind, item: &Item, span: Option<Range<usize>>) -> Option<Checked> {
        let checked = self.fit(kind, item);
        if checked.is_none() {
            let problem = format!("does not fit (found {})", describe(item));
            self.fault(path, span, &problem, &format!("write {}", kind.wanted()));
        }
        checked
    }

    fn fit(&self, kind: Kind, item: &Item) -> Option<Checked> {
        if let Kind::ChoiceMap(_) = kind {
            let pairs = item
                .as_table_like()?
                .iter()
                .map(|(from, to)| Some(format!("{from}={}", to.as_str()?)))
                .collect::<Option<Vec<_>>>()?;
            return kind.read(&pairs.join(","));
        }
        match (kind, item.as_value()?) {
            (Kind::Flag, Value::Boolean(flag)) => Some(Checked::Flag(*flag.value())),
            (Kind::Whole(..), Value::Integer(number)) => kind.read(&number.value().to_string()),
            // The source text, not the float: 0.1 is exactly one tenth.
            (Kind::Ratio, value @ (Value::Float(_) | Value::Integer(_))) => {
                kind.read(self.text.get(value.span()?)?)
            }
            (Kind::Choices(_) | Kind::Names | Kind::CapitalNames, Value::Array(list)) => {
                let words =
                    list.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
                if words.iter().any(|word| word.contains(',')) {
                    return None;
                }
                if words.is_empty() { Some(Checked::List(words)) } else { kind.read(&words.join(",")) }
            }
            (Kind::Flag | Kind::Whole(..) | Kind::Choices(_) | Kind::Names | Kind::CapitalNames, _) => None,
            (_, Value::String(text)) => kind.read(text.value()),
            _ => None,
        }
    }

    fn not_a_section(&mut self, path: &str, span: Option<Range<usize>>) {
        let last = path.rsplit('.').next().unwrap_or(path);
        self.fault(path, span, "is a section, not a value", &format!("write its keys below [{last}]"));
    }

    fn unknown(&mut self, path: &str, siblings: &[&str], span: Option<Range<usize>>) {
        let remedy = format!("remove it, or write one of {}", siblings.join(", "));
        self.fault(path, span, "is not a setting", &remedy);
    }

    fn renamed(&mut self, path: &str, now: &str, span: Option<Range<usize>>) {
        self.fault(path, span, "is no setting any more", &format!("write {now}"));
    }

    fn fault(&mut self, key: &str, span: Option<Range<usize>>, problem: &str, remedy: &str) {
        let origin = self.origin(span);
        let (problem, remedy) = (problem.to_owned(), remedy.to_owned());
        self.faults.push(Fault { origin, key: key.to_owned(), problem, remedy });
    }

    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        let line = span.map_or(1, |span| 1 + self.line_ends.partition_point(|end| *end < span.start));
        Origin::File { name: self.name.to_owned(), line }
    }
}

fn key_span(table: &dyn TableLike, key: &str, item: &Item) -> Option<Range<usize>> {
    table.get_key_value(key).and_then(|(key, _)| key.span()).or_else(|| item.span())
}

fn describe(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Table(_) | Item::ArrayOfTables(_) => "a table",
        Item::Value(value) => match value {
            Value::String(_) => "a text",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "a list",
            Value::InlineTable(_) => "a table",
        },
    }
}
