//! Walks the chain and names the first row at which it breaks. Reads only, one row at a time.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use thiserror::Error;

use super::{AuditHash, AuditHead, Hashed};

const READ_ROWS: &str = "
SELECT id, recorded_at, actor, event, subject, details, previous_hash, hash FROM audit_log ORDER BY id";

/// Where the chain breaks first. What comes after that row proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuditFault {
    /// What the row says is not what was hashed when it was written, or its hash is not the one the next row carries.
    #[error("row {id} was changed after it was written")]
    Changed {
        /// Which row.
        id: i64,
    },
    /// A row stands in the place of another.
    #[error("row {id} is out of its place: it was written after row {follows}")]
    OutOfPlace {
        /// The place.
        id: i64,
        /// The row whose hash it carries.
        follows: i64,
    },
    /// Rows are not there.
    #[error("{} missing", rows(*first, *last))]
    Missing {
        /// The first that is not there.
        first: i64,
        /// The last of them.
        last: i64,
    },
    /// The one row that says where the log ends is not there, or says less than there is.
    #[error("the record of where the log ends (audit_head) was changed or removed; the last row is {id}")]
    Head {
        /// The last row there is.
        id: i64,
    },
    /// The rows fit together, but not with what was noted down earlier: they were written anew.
    #[error("row {id} is not the one whose hash was noted: it, or rows before it, were written anew")]
    Rewritten {
        /// The row that was noted.
        id: i64,
    },
}

fn rows(first: i64, last: i64) -> String {
    if first == last { format!("row {first} is") } else { format!("rows {first} to {last} are") }
}

/// What a walk showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Rows that are as they were written.
    pub sound: u64,
    /// The last of them.
    pub head: AuditHead,
    /// What is wrong with the first that is not.
    pub fault: Option<AuditFault>,
}

/// Walks the whole log, as it is at one moment. `noted` is a head of this log from an earlier walk.
pub(in crate::store) fn verify(
    connection: &Connection,
    noted: Option<&AuditHead>,
) -> rusqlite::Result<AuditReport> {
    // A writer may append meanwhile: rows and head must be of one moment.
    let moment = connection.unchecked_transaction()?;
    let mut statement = moment.prepare(READ_ROWS)?;
    let mut rows = statement.query([])?;
    let (mut sound, mut head) = (0, AuditHead::EMPTY);
    while let Some(row) = rows.next()? {
        let found = Found::read(row)?;
        let fault = match found.fault_after(&moment, head)? {
            None if noted.is_some_and(|noted| noted.id == found.id && noted.hash[..] != found.hash[..]) => {
                Some(AuditFault::Rewritten { id: found.id })
            }
            fault => fault,
        };
        if fault.is_some() {
            return Ok(AuditReport { sound, head, fault });
        }
        sound += 1;
        head = AuditHead { id: found.id, hash: found.computed };
    }
    let fault = fault_at_end(&moment, head, noted)?;
    Ok(AuditReport { sound, head, fault })
}

/// A row as it is.
struct Found {
    id: i64,
    previous: Vec<u8>,
    hash: Vec<u8>,
    /// What its contents hash to.
    computed: AuditHash,
}

impl Found {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let bytes = |column| row.get_ref(column).map(bytes_of);
        let (id, previous) = (row.get("id")?, bytes("previous_hash")?);
        let hashed = Hashed {
            previous,
            id,
            recorded_at: row.get("recorded_at")?,
            actor: bytes("actor")?,
            event: bytes("event")?,
            subject: match row.get_ref("subject")? {
                ValueRef::Null => None,
                text => Some(bytes_of(text)),
            },
            details: bytes("details")?,
        };
        let computed = hashed.hash();
        Ok(Self { id, previous: previous.to_vec(), hash: bytes("hash")?.to_vec(), computed })
    }

    fn fault_after(
        &self,
        connection: &Connection,
        before: AuditHead,
    ) -> rusqlite::Result<Option<AuditFault>> {
        let follows = self.previous[..] == before.hash[..];
        let is_whole = self.hash[..] == self.computed[..];
        if follows && is_whole {
            return Ok(None);
        }
        if follows {
            return Ok(Some(AuditFault::Changed { id: self.id }));
        }
        if self.id > before.id + 1 {
            return Ok(Some(AuditFault::Missing { first: before.id + 1, last: self.id - 1 }));
        }
        let by_hash = "SELECT id FROM audit_log WHERE hash = ?1";
        let follows: Option<i64> =
            connection.query_row(by_hash, [&self.previous], |row| row.get(0)).optional()?;
        Ok(Some(match follows {
            Some(follows) => AuditFault::OutOfPlace { id: self.id, follows },
            // This row is as it was written, so it is the one before that has a new hash.
            None if is_whole && before.id > 0 => AuditFault::Changed { id: before.id },
            None => AuditFault::Changed { id: self.id },
        }))
    }
}

fn fault_at_end(
    connection: &Connection,
    last: AuditHead,
    noted: Option<&AuditHead>,
) -> rusqlite::Result<Option<AuditFault>> {
    let sql = "SELECT last_id, hash FROM audit_head WHERE id = 1";
    let recorded: Option<(i64, Vec<u8>)> =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let cut_at =
        [recorded.as_ref().map(|(id, _)| *id), noted.map(|noted| noted.id)].into_iter().flatten().max();
    Ok(match (recorded, cut_at) {
        (_, Some(known)) if known > last.id => Some(AuditFault::Missing { first: last.id + 1, last: known }),
        (Some((id, hash)), _) if id == last.id => {
            (hash[..] != last.hash[..]).then_some(AuditFault::Changed { id })
        }
        _ => Some(AuditFault::Head { id: last.id }),
    })
}

fn bytes_of(value: ValueRef<'_>) -> &[u8] {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes,
        // Not in a STRICT table without NULLs; hashed as nothing, it fits no hash.
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => &[],
    }
}
