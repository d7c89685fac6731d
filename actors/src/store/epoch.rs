//! Who writes (P21): should two writers ever pass the lock, the one that came later wins.

use rusqlite::Connection;

/// Makes this process the one that writes; the number that says so.
pub(super) fn take(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO writer_epoch (id, epoch, pid) VALUES (1, 1, ?1)
         ON CONFLICT (id) DO UPDATE SET epoch = epoch + 1, pid = excluded.pid RETURNING epoch",
        [std::process::id()],
        |row| row.get(0),
    )
}

/// Fails if another has taken the database over. Inside the transaction that it is to protect.
pub(super) fn check(connection: &Connection, ours: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM writer_epoch WHERE id = 1")?;
    let epoch: i64 = statement.query_row([], |row| row.get(0))?;
    if epoch == ours {
        return Ok(());
    }
    let lost = format!("another writer has taken the database over (epoch {epoch}, ours {ours})");
    Err(rusqlite::Error::ToSqlConversionFailure(lost.into()))
}
