//! Every kind of incident there is, and how one of it ends: an incident that nothing closes is one that nobody reads.
//! `docs/runbook.md` says the same in words, kind by kind; a test compares the two.

/// How an incident ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, once it is so no more. Whoever begins a new life looks anew and tells it again if it still is, so a new
    /// start ends what the one before it left open.
    ByItself,
    /// By itself, once evidence is on record that it is so no more: a restart changes nothing.
    ByEvidence,
    /// By the operator's `tandem resume` of that follower.
    ByResume,
    /// It has happened, and nothing can undo it: by the operator, once he has looked (`tandem incidents close`).
    ByOperator,
}

impl Ending {
    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ByItself => "by itself, or at the next start if it is so no more",
            Self::ByEvidence => "by itself, once it is proven over",
            Self::ByResume => "by `tandem resume`",
            Self::ByOperator => "by `tandem incidents close`",
        }
    }
}

/// Each kind, in the order of the runbook.
pub const KINDS: &[(&str, Ending)] = &[
    ("leader_token_refused", Ending::ByItself),
    ("leader_unread", Ending::ByItself),
    ("leader_stream_silent", Ending::ByItself),
    ("leader_positions_unknown", Ending::ByItself),
    ("leader_order_unreadable", Ending::ByOperator),
    ("leader_leg_unlinked", Ending::ByOperator),
    ("leader_legs_unknown", Ending::ByOperator),
    ("no_equivalent", Ending::ByOperator),
    ("account_halted", Ending::ByItself),
    ("token_unreadable", Ending::ByItself),
    ("token_ending", Ending::ByItself),
    ("token_not_renewed", Ending::ByItself),
    ("token_not_written", Ending::ByItself),
    ("stream_lost", Ending::ByItself),
    ("margin_lacking", Ending::ByItself),
    ("orders_refused", Ending::ByItself),
    ("static_ip_refused", Ending::ByOperator),
    ("account_unread", Ending::ByItself),
    ("breaker_open", Ending::ByItself),
    ("breaker_down", Ending::ByItself),
    ("follower_down", Ending::ByItself),
    ("trading_stopped", Ending::ByResume),
    ("square_off_refused", Ending::ByItself),
    ("squaring_off", Ending::ByItself),
    ("squared_off", Ending::ByResume),
    ("ledger_drift", Ending::ByEvidence),
    ("unresolved_yesterday", Ending::ByEvidence),
    ("copy_gap", Ending::ByOperator),
    ("overshot", Ending::ByOperator),
    ("overfill", Ending::ByOperator),
    ("late_fill", Ending::ByOperator),
    ("carried_left", Ending::ByOperator),
    ("squared_off_by_broker", Ending::ByOperator),
    ("leader_converted", Ending::ByOperator),
    ("conversion_failed", Ending::ByOperator),
    ("outcome_unknown", Ending::ByEvidence),
    ("outcome_in_doubt", Ending::ByOperator),
    ("order_missing", Ending::ByItself),
    ("appeared_late", Ending::ByOperator),
    ("duplicate_order", Ending::ByOperator),
    ("unrecorded_order", Ending::ByOperator),
    ("exit_given_up", Ending::ByOperator),
    ("detached", Ending::ByOperator),
    ("changes_exhausted", Ending::ByOperator),
    ("change_refused", Ending::ByOperator),
    ("cover_missing", Ending::ByOperator),
    ("leg_unlinked", Ending::ByOperator),
    ("slippage", Ending::ByOperator),
    ("halted_by_supervisor", Ending::ByItself),
    ("thread_blocked", Ending::ByItself),
    ("backup_failed", Ending::ByItself),
    ("day_not_begun", Ending::ByItself),
    ("clock_set", Ending::ByItself),
];

/// How an incident of this kind ends; one of a kind that is not known is for the operator.
pub fn ending(kind: &str) -> Ending {
    KINDS.iter().find(|(known, _)| *known == kind).map_or(Ending::ByOperator, |(_, ending)| *ending)
}

/// The kinds that end so.
pub fn that_end(how: Ending) -> impl Iterator<Item = &'static str> {
    KINDS.iter().filter(move |(_, ending)| *ending == how).map(|(kind, _)| *kind)
}
