//! What is done to a text: bytes at random, structure at random, and each JSON field in turn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

/// Chance, from a seed.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below this one; 0 below 0.
    fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { usize::try_from(self.0.next_u64() % bound as u64).unwrap_or(0) }
    }

    pub(crate) fn of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }

    fn byte(&mut self) -> u8 {
        self.0.next_u32().to_le_bytes()[0]
    }
}

/// Texts that parsers stumble over: structure, extreme numbers, odd words, what is no UTF-8.
const TOKENS: [&[u8]; 30] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\n",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-0",
    b"1e309",
    b"-1e-309",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"4294967296",
    b"NaN",
    b"0001-01-01",
    b"99999-99-99 99:99:99",
    b"\"\"",
    b"{}",
    b"[]",
    b"'",
    b"=",
    b"\xff",
    b"\xf0\x9f\x92\xa5",
    b"\xef\xbb\xbf",
    b"\0",
];

/// What can stand in itself, again and again.
const OPENINGS: [&[u8]; 5] = [b"[", b"{\"a\":", b"{\"Data\":", b"[{\"legDetails\":", b"a = ["];

/// The longest that a text is made by repetition, nesting or stuffing.
const STUFFED_BYTES_MAX: usize = 5_000;

/// One to four kinds of damage, one after the other.
pub(crate) fn damaged(chance: &mut Chance, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut text = chance.of(samples).clone();
    if chance.below(4) == 0
        && let Ok(mut json) = serde_json::from_slice::<Value>(&text)
    {
        let fields = fields_of(&json);
        let value = chance.of(&odd_values()).clone();
        let field = fields.get(chance.below(fields.len()));
        match field {
            None => json = value,
            Some(field) if chance.below(3) == 0 => drop(take_out(&mut json, field)),
            Some(field) => put(&mut json, field, value),
        }
        text = json.to_string().into_bytes();
    }
    for _ in 0..chance.below(5) {
        damage(chance, &mut text, samples);
    }
    text
}

fn damage(chance: &mut Chance, text: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let from = chance.below(text.len() + 1);
    let to = (from + 1 + chance.below(40)).min(text.len());
    let far = from + chance.below(text.len() + 1 - from);
    match chance.below(12) {
        0 if from < text.len() => text[from] ^= 1 << chance.below(8),
        1 if from < text.len() => text[from] = chance.byte(),
        2 => drop(text.drain(from.min(to)..to)),
        3 => drop(text.drain(from..far)),
        4 => text.extend_from_within(from.min(to)..to),
        5 => {
            let part = text[from..far].to_vec();
            insert(text, from, &part);
        }
        6 => text.truncate(from),
        7 => {
            // The head of this and the tail of another.
            let other = chance.of(samples);
            let at = chance.below(other.len() + 1);
            text.truncate(from);
            text.extend_from_slice(&other[at..]);
        }
        8 => {
            let part = text[from.min(to)..to].to_vec();
            let times = 1 + chance.below(STUFFED_BYTES_MAX / part.len().max(1));
            insert(text, from, &part.repeat(times));
        }
        9 => {
            let open = *chance.of(&OPENINGS);
            insert(text, from, &open.repeat(1 + chance.below(STUFFED_BYTES_MAX / open.len())));
        }
        10 => insert(text, from, &vec![chance.byte(); chance.below(STUFFED_BYTES_MAX)]),
        _ => {
            let token = *chance.of(&TOKENS);
            insert(text, from, token);
        }
    }
}

fn insert(text: &mut Vec<u8>, at: usize, what: &[u8]) {
    drop(text.splice(at..at, what.iter().copied()));
}

/// Where a field of a JSON text is: keys and places, outermost first.
pub(crate) type Place = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    At(usize),
}

/// Every value that has a key, and every element.
pub(crate) fn fields_of(json: &Value) -> Vec<Place> {
    let inner: Vec<(Step, &Value)> = match json {
        Value::Object(map) => map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(at, value)| (Step::At(at), value)).collect(),
        _ => Vec::new(),
    };
    let below = |(step, value): (Step, &Value)| {
        let mut places = vec![vec![step.clone()]];
        places.extend(fields_of(value).into_iter().map(|rest| [vec![step.clone()], rest].concat()));
        places
    };
    inner.into_iter().flat_map(below).collect()
}

pub(crate) fn get<'a>(json: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(json, |json, step| match step {
        Step::Key(key) => &mut json[key.as_str()],
        Step::At(at) => &mut json[*at],
    })
}

pub(crate) fn put(json: &mut Value, place: &[Step], value: Value) {
    *get(json, place) = value;
}

pub(crate) fn take_out(json: &mut Value, place: &[Step]) -> Option<Value> {
    let (last, rest) = place.split_last()?;
    match (get(json, rest), last) {
        (Value::Object(map), Step::Key(key)) => map.remove(key),
        (Value::Array(list), Step::At(at)) => Some(list.remove(*at)),
        _ => None,
    }
}

/// One of every type, and the ends of their ranges.
pub(crate) fn odd_values() -> Vec<Value> {
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(0.1),
        json!(1e308),
        json!(-1e-308),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("x".repeat(5_000)),
        json!("-1"),
        json!("1e400"),
        json!("٣"),
        json!("NaN"),
        json!("0001-01-01 00:00:00"),
        json!("99999-12-31 25:61:61"),
        json!([]),
        json!({}),
        json!([[1, 2], {"a": null}]),
        json!({"orderNo": "1", "orderId": "1"}),
        nested,
    ]
}
