//! Deliberately broken copies of the machine, to prove that the tests would notice: each flaw is one wrong belief, asked
//! for at the one place where it would be held. Outside of tests `flawed!` is `false` and leaves no trace.

/// A wrong belief.
#[cfg(any(test, feature = "flaws"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A lost answer is read as a refusal (against P3).
    TimeoutIsRejection,
    /// The broker's turning a fired stop into a limit is taken for the leader's change.
    FiredStopIsChange,
    /// An order whose first frame shows it over is passed over.
    TerminalFirstFrameIgnored,
    /// Fills are summed instead of taken by growth of the cumulative quantity (against P9).
    FillsSummed,
    /// Exits are sized from what the account shows, the owner's own units included (against P6).
    ExitsByAccountNet,
    /// What an order closes or opens is decided at first sight.
    AllocationFrozen,
    /// Entries that did not fill wait on although the leader has left.
    EntriesLeftAfterExit,
    /// A halt lets entries that wait go on.
    HaltKeepsEntries,
    /// What an exit closes is rounded down.
    ExitsRoundedDown,
    /// What is left of each entry that waits is rounded down by itself.
    EntriesRoundedAlone,
    /// What the leader bought and sold again while nobody heard of it is gone through all the same (against P13).
    RoundTripsReplayed,
    /// An order that one read does not show is absent, however young it is (against P4).
    AbsentTooEarly,
    /// A cancel that was on its way when the process died is taken for done (against P7).
    CancelLostInRestart,
    /// What an earlier day left without an answer is taken for today's (against P29).
    YesterdaySentAgain,
    /// What waits goes on leaving although the broker refuses the token (against P15).
    RefusedTokenUsed,
    /// Whose database another process has taken over goes on writing (against P21).
    SecondInstanceWrites,
}

#[cfg(any(test, feature = "flaws"))]
thread_local! {
    static FLAW: std::cell::Cell<Option<Flaw>> = const { std::cell::Cell::new(None) };
}

/// Runs something with a flaw.
#[cfg(any(test, feature = "flaws"))]
pub fn with_flaw<T>(flaw: Flaw, run: impl FnOnce() -> T) -> T {
    FLAW.set(Some(flaw));
    let result = run();
    FLAW.set(None);
    result
}

/// Whether what runs here holds this wrong belief.
#[cfg(any(test, feature = "flaws"))]
pub fn has(flaw: Flaw) -> bool {
    FLAW.get() == Some(flaw)
}

/// Whether what runs here holds any.
#[cfg(test)]
pub(crate) fn any() -> bool {
    FLAW.get().is_some()
}

/// Whether the machine is to hold this wrong belief: never outside of tests.
macro_rules! flawed {
    ($flaw:ident) => {{
        #[cfg(any(test, feature = "flaws"))]
        let is_flawed = $crate::flaw::has($crate::flaw::Flaw::$flaw);
        #[cfg(not(any(test, feature = "flaws")))]
        let is_flawed = false;
        is_flawed
    }};
}
pub(crate) use flawed;
