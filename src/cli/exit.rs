//! How the program ends: the one list of exit codes.

use std::process::ExitCode;

/// What the exit code says. Documented for people in the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// 0: done, or told to stop.
    Ok = 0,
    /// 1: a check failed, or the run ended with an error.
    Failed = 1,
    /// 2: bad settings or a bad command line; nothing was started.
    BadSettings = 2,
    /// 3: another instance holds the database.
    AlreadyRunning = 3,
    /// 4: the supervisor gave up on an actor and halted copying.
    Halted = 4,
    /// 5: the database cannot be written; without a record nothing is sent (P22).
    StorageFault = 5,
    /// 6: what an operator asked is not recorded, or nobody knows: say it again, or look at the account.
    NotRecorded = 6,
    /// 7: no follower, or no incident, has that name; nothing was done.
    UnknownName = 7,
    /// 8: there is no database; nothing was done.
    NoDatabase = 8,
    /// 9: a row of the audit log was changed, is missing or stands in another's place.
    AuditBroken = 9,
    /// 10: the database, or the backup named, is damaged: restore a backup that is sound.
    Damaged = 10,
    /// 11: the history, or the broker's book, breaks a promise.
    PromiseBroken = 11,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
