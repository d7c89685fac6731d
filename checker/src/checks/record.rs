//! P22 and P25: the record is whole, and holds no secret.

use sha2::{Digest as _, Sha256};

use super::Look;
use crate::case::Case;
use crate::history::AuditRow;

/// P22: the file is sound, every reference leads somewhere, and the audit log is as it was written.
pub(super) fn is_whole(case: &Case<'_>, look: &mut Look) {
    look.saw();
    for damage in &case.history.damage {
        look.broken(format!("the database is damaged: {damage}"), Vec::new());
    }
    let mut last = (0, vec![0; 32]);
    for entry in &case.history.audit {
        let (before, hash) = &last;
        let row = || vec![format!("audit_log {}", entry.id)];
        look.demand(entry.id == before + 1, row, || {
            format!("entries {} to {} of the audit log are missing", before + 1, entry.id - 1)
        });
        look.demand(entry.previous_hash == *hash && entry.hash == hash_of(entry), row, || {
            format!("entry {} of the audit log, or the one before it, is not as it was written", entry.id)
        });
        last = (entry.id, entry.hash.clone());
    }
    look.demand(
        last == case.history.audit_head,
        || vec![format!("audit_log {}", last.0)],
        || format!("the audit log ends with entry {}, and should with {}", last.0, case.history.audit_head.0),
    );
}

/// What an entry hashes to, by the words of `schema.sql`.
fn hash_of(entry: &AuditRow) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(&entry.previous_hash);
    hash.update(entry.id.to_be_bytes());
    hash.update(entry.at.to_be_bytes());
    for text in [Some(&entry.actor), Some(&entry.event), entry.subject.as_ref(), Some(&entry.details)] {
        hash.update([u8::from(text.is_some())]);
        if let Some(text) = text {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    hash.finalize().to_vec()
}

/// P25: no stored text has the form of an access token.
pub(super) fn holds_no_secret(case: &Case<'_>, look: &mut Look) {
    for _ in 0..case.history.texts {
        look.saw();
    }
    for row in &case.history.secrets {
        look.broken("a stored text holds an access token".to_owned(), vec![row.clone()]);
    }
}
