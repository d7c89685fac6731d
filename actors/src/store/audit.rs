//! The audit log as a chain of hashes: how a row is hashed and appended. `schema.sql` says what is hashed, and in which
//! order; the triggers there refuse whatever does not follow the last row.

mod verify;

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, Transaction, params};
use rusqlite_migration::HookResult;
use sha2::{Digest as _, Sha256};

use super::rows::AuditEntry;

pub(super) use verify::verify;
pub use verify::{AuditFault, AuditReport};

const READ_HEAD: &str = "SELECT last_id, hash FROM audit_head WHERE id = 1";

const INSERT: &str = "
INSERT INTO audit_log (id, recorded_at, actor, event, subject, details, previous_hash, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const READ_OLD_ROWS: &str =
    "SELECT id, recorded_at, actor, event, subject, details FROM audit_log_before ORDER BY id";

/// The SHA-256 of a row and, through its `previous_hash`, of all rows before it.
pub type AuditHash = [u8; 32];

/// A row of the chain: which, and what it and all before it hash to. Noted down elsewhere, it proves later that nothing up
/// to it was changed. Written `17:0f3a...`, the hash in 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The id of the row; zero before the first.
    pub id: i64,
    /// Its hash; zeros before the first.
    pub hash: AuditHash,
}

impl AuditHead {
    /// Before the first row.
    pub const EMPTY: Self = Self { id: 0, hash: [0; 32] };
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.id)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for AuditHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write the number of a row, a colon and the 64 hexadecimal digits of its hash";
        let (id, digits) = text.trim().split_once(':').ok_or(FORM)?;
        let id = id.parse().ok().filter(|id| *id > 0).ok_or(FORM)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(FORM);
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            let pair = digits.get(2 * place..2 * place + 2).ok_or(FORM)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| FORM)?;
        }
        Ok(Self { id, hash })
    }
}

/// What is hashed of a row. Texts as bytes: a row that somebody else wrote need not be UTF-8.
struct Hashed<'a> {
    previous: &'a [u8],
    id: i64,
    recorded_at: i64,
    actor: &'a [u8],
    event: &'a [u8],
    subject: Option<&'a [u8]>,
    details: &'a [u8],
}

impl Hashed<'_> {
    fn hash(&self) -> AuditHash {
        let mut hash = Sha256::new();
        hash.update(self.previous);
        hash.update(self.id.to_be_bytes());
        hash.update(self.recorded_at.to_be_bytes());
        for text in [Some(self.actor), Some(self.event), self.subject, Some(self.details)] {
            match text {
                Some(text) => {
                    hash.update([1]);
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text);
                }
                None => hash.update([0]),
            }
        }
        hash.finalize().into()
    }
}

/// Adds an entry at the end of the chain, inside the transaction that is open.
pub(super) fn append(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let head = head(connection)?;
    let row = Hashed {
        previous: &head.hash,
        id: head.id + 1,
        recorded_at: entry.recorded_at.micros(),
        actor: entry.actor.as_bytes(),
        event: entry.event.as_bytes(),
        subject: entry.subject.as_deref().map(str::as_bytes),
        details: entry.details.as_bytes(),
    };
    connection.prepare_cached(INSERT)?.execute(params![
        row.id,
        row.recorded_at,
        entry.actor,
        entry.event,
        entry.subject,
        entry.details,
        head.hash,
        row.hash(),
    ])?;
    Ok(())
}

fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    connection
        .prepare_cached(READ_HEAD)?
        .query_row([], |row| Ok(AuditHead { id: row.get("last_id")?, hash: row.get("hash")? }))
}

/// The part of migration 4 that SQL cannot do: hashes what was recorded before there was a chain, ids and order as they
/// were.
pub(super) fn chain_old_rows(transaction: &Transaction<'_>) -> HookResult {
    {
        let mut read = transaction.prepare(READ_OLD_ROWS)?;
        let mut insert = transaction.prepare(INSERT)?;
        let mut rows = read.query([])?;
        let mut previous = AuditHead::EMPTY.hash;
        while let Some(row) = rows.next()? {
            let (id, recorded_at): (i64, i64) = (row.get("id")?, row.get("recorded_at")?);
            let (actor, event): (String, String) = (row.get("actor")?, row.get("event")?);
            let (subject, details): (Option<String>, String) = (row.get("subject")?, row.get("details")?);
            let hash = Hashed {
                previous: &previous,
                id,
                recorded_at,
                actor: actor.as_bytes(),
                event: event.as_bytes(),
                subject: subject.as_deref().map(str::as_bytes),
                details: details.as_bytes(),
            }
            .hash();
            insert.execute(params![id, recorded_at, actor, event, subject, details, previous, hash])?;
            previous = hash;
        }
    }
    transaction.execute_batch("DROP TABLE audit_log_before")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let mut head = AuditHead { id: 17, hash: [0xab; 32] };
        head.hash[0] = 0x03;
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in [
            "17",
            "17:",
            "0:",
            "17:abcd",
            &format!("x:{}", "0".repeat(64)),
            &format!("1:{}", "+1".repeat(32)),
        ] {
            assert!(wrong.parse::<AuditHead>().is_err(), "{wrong}");
        }
    }

    /// Computed by hand from the description in `schema.sql`: whoever has other software must come to the same.
    #[test]
    fn the_bytes_that_are_hashed_are_those_documented() {
        let row = Hashed {
            previous: &[0; 32],
            id: 1,
            recorded_at: 2,
            actor: b"operator",
            event: b"halt",
            subject: None,
            details: b"{}",
        };
        let mut bytes = vec![0; 32];
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        bytes.extend(b"\x01\0\0\0\0\0\0\0\x08operator\x01\0\0\0\0\0\0\0\x04halt\0\x01\0\0\0\0\0\0\0\x02{}");
        assert_eq!(row.hash(), AuditHash::from(Sha256::digest(&bytes)));
        let apart = Hashed { actor: b"operatorh", event: b"alt", ..row };
        assert_ne!(apart.hash(), AuditHash::from(Sha256::digest(&bytes)), "lengths keep fields apart");
    }
}
