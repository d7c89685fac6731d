//! Tolerant decoding of the broker's objects: key by key, any casing, one bad value costs one record.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::fault::{FAULTS_MAX, WireError};
use super::scalar::Scalar;

/// An object of the wire that is read field by field.
pub trait Record: Default {
    /// Takes one key and value; whether the key is one of this record's. Others are passed over.
    fn set(&mut self, key: &str, value: Scalar<'_>) -> Result<bool, WireError>;

    /// Takes the value of a key from the object being read. For records that hold others; all else is [`Record::set`].
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<Result<bool, WireError>, A::Error> {
        Ok(self.set(key, map.next_value()?))
    }

    /// The broker's order id in this record, as far as it has been read; none for records that carry none.
    fn order_id(&self) -> Option<&str> {
        None
    }
}

/// Declares a record: the struct, its serialisation under the live spelling, its tolerant decoding.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident $(keyed by $id:ident)? {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $key:literal $(| $alias:literal)*),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default, ::serde::Serialize)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(rename = $key)] pub $field: $type,)+
        }

        impl $crate::wire::record::Record for $name {
            fn set(
                &mut self,
                key: &str,
                value: $crate::wire::scalar::Scalar<'_>,
            ) -> Result<bool, $crate::wire::WireError> {
                $(if key.eq_ignore_ascii_case($key) $(|| key.eq_ignore_ascii_case($alias))* {
                    self.$field = $crate::wire::scalar::FromScalar::from_scalar(value)
                        .map_err(|found| $crate::wire::WireError::new($key, found))?;
                    return Ok(true);
                })+
                Ok(false)
            }

            $(fn order_id(&self) -> Option<&str> {
                Some(&self.$id)
            })?
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::wire::record::strict(deserializer)
            }
        }
    };
}
pub(crate) use record;

/// Reads a record and fails on its first fault: for serde's own interface.
pub(crate) fn strict<'de, T: Record, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Tolerant::<T>::deserialize(deserializer)?.0.map_err(de::Error::custom)
}

/// What a body of rows held. Complete only when `unreadable` is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<T> {
    /// Rows in the order they came.
    pub rows: Vec<T>,
    /// Rows of which some field could not be read; the first [`FAULTS_MAX`] of them.
    pub unreadable: Vec<WireError>,
}

/// Reads an array of rows, or one bare row (`dhanhq-v2.md` section 2.1: by-id and by-tag answers come in both shapes).
/// The error means that the body is no complete JSON of that kind.
pub fn decode_rows<T: Record>(body: &[u8]) -> Result<Rows<T>, WireError> {
    let mut read = serde_json::Deserializer::from_slice(body);
    let rows = read.deserialize_any(RowsVisitor(PhantomData)).map_err(|error| body_error(&error))?;
    read.end().map_err(|error| body_error(&error))?;
    Ok(rows)
}

/// Reads one bare object, for answers that are one record.
pub fn decode_row<T: Record>(body: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice::<Tolerant<T>>(body).map_err(|error| body_error(&error))?.0
}

fn body_error(error: &serde_json::Error) -> WireError {
    WireError::new("body", error.to_string())
}

/// A record, or the first fault found in it; never a serde error unless the JSON itself is broken.
pub(super) struct Tolerant<T>(pub(super) Result<T, WireError>);

impl<'de, T: Record> Deserialize<'de> for Tolerant<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecordVisitor(PhantomData))
    }
}

struct RecordVisitor<T>(PhantomData<T>);

impl<T> RecordVisitor<T> {
    fn no_object(found: impl Into<String>) -> Tolerant<T> {
        Tolerant(Err(WireError::new("row", found)))
    }
}

impl<'de, T: Record> Visitor<'de> for RecordVisitor<T> {
    type Value = Tolerant<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut record = T::default();
        let mut fault = None;
        let mut keys_known = 0;
        while let Some(Key(key)) = map.next_key()? {
            match record.take(&key, &mut map)? {
                Ok(known) => keys_known += usize::from(known),
                Err(error) => {
                    fault.get_or_insert(error);
                }
            }
        }
        Ok(Tolerant(match fault {
            Some(error) => Err(error.about(record.order_id().unwrap_or_default())),
            // Missing numbers are zero, so another kind of object would read as a record of zeros.
            None if keys_known == 0 => Err(WireError::new("row", "an object without a known key")),
            None => Ok(record),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::no_object("an array"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Self::no_object("null"))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Self::no_object(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Self::no_object(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Self::no_object(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Self::no_object(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Self::no_object(value))
    }
}

struct RowsVisitor<T>(PhantomData<T>);

impl<'de, T: Record> Visitor<'de> for RowsVisitor<T> {
    type Value = Rows<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects, or one object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut read = Rows { rows: Vec::new(), unreadable: Vec::new() };
        while let Some(Tolerant(row)) = seq.next_element()? {
            match row {
                Ok(row) => read.rows.push(row),
                Err(error) if read.unreadable.len() < FAULTS_MAX => read.unreadable.push(error),
                Err(_) => {}
            }
        }
        Ok(read)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Tolerant(row) = RecordVisitor(PhantomData).visit_map(map)?;
        Ok(match row {
            Ok(row) => Rows { rows: vec![row], unreadable: Vec::new() },
            Err(error) => Rows { rows: Vec::new(), unreadable: vec![error] },
        })
    }
}

/// Records inside a record, or the first fault found in them; null is none. Never a serde error unless the JSON itself
/// is broken.
pub(super) struct TolerantList<T>(pub(super) Result<Vec<T>, WireError>);

impl<'de, T: Record> Deserialize<'de> for TolerantList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<T> ListVisitor<T> {
    fn no_list(found: impl Into<String>) -> TolerantList<T> {
        TolerantList(Err(WireError::new("list", found)))
    }
}

impl<'de, T: Record> Visitor<'de> for ListVisitor<T> {
    type Value = TolerantList<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Ok(Vec::new());
        // To its end even after a fault: what stands behind it is still to be read.
        while let Some(Tolerant(row)) = seq.next_element()? {
            list = match (list, row) {
                (Ok(mut rows), Ok(row)) => {
                    rows.push(row);
                    Ok(rows)
                }
                (Ok(_), Err(fault)) | (Err(fault), _) => Err(fault),
            };
        }
        Ok(TolerantList(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::no_list("an object"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(TolerantList(Ok(Vec::new())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Self::no_list(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Self::no_list(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Self::no_list(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Self::no_list(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Self::no_list(value))
    }
}

/// A key, borrowed from the text where it has no escapes.
pub(super) struct Key<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Key(Cow::Owned(value.to_owned())))
    }
}
