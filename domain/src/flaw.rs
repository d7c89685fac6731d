//! Deliberately broken copies of the machine, to prove that the tests would notice: each flaw is one wrong belief, asked
//! for at the one place where it would be held. Outside of tests [`flawed!`] is `false` and leaves no trace.

/// A wrong belief.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
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
}

#[cfg(test)]
thread_local! {
    static FLAW: std::cell::Cell<Option<Flaw>> = const { std::cell::Cell::new(None) };
}

/// Runs something with a flaw.
#[cfg(test)]
pub(crate) fn with_flaw<T>(flaw: Flaw, run: impl FnOnce() -> T) -> T {
    FLAW.set(Some(flaw));
    let result = run();
    FLAW.set(None);
    result
}

#[cfg(test)]
pub(crate) fn has(flaw: Flaw) -> bool {
    FLAW.get() == Some(flaw)
}

/// Whether the machine is to hold this wrong belief: never outside of tests.
macro_rules! flawed {
    ($flaw:ident) => {{
        #[cfg(test)]
        let is_flawed = $crate::flaw::has($crate::flaw::Flaw::$flaw);
        #[cfg(not(test))]
        let is_flawed = false;
        is_flawed
    }};
}
pub(crate) use flawed;
