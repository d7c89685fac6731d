//! What is found.

/// What was found of every promise, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The trading days there are rows of, ascending.
    pub days: Vec<String>,
    /// The newest moment in the history, microseconds since 1970 UTC; none of an empty one.
    pub read_until: Option<i64>,
    /// Whether the broker's book was looked at.
    pub with_book: bool,
    /// P1 to P29.
    pub verdicts: Vec<Verdict>,
}

/// What was found of one promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its number: 7 of P7.
    pub promise: u8,
    /// The promise in a few words.
    pub title: &'static str,
    /// Whether it was kept.
    pub judgement: Judgement,
    /// What of it these inputs do not show.
    pub unseen: Option<&'static str>,
}

/// Kept or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// So many rows, fills, pairs or moments were looked at, and none breaks it. None at all says nothing.
    Kept {
        /// How many.
        looked_at: usize,
    },
    /// It was broken.
    Broken {
        /// How many were looked at.
        looked_at: usize,
        /// Each way in which it was.
        findings: Vec<Finding>,
    },
    /// It cannot be judged from these inputs.
    NotJudged {
        /// Why.
        why: &'static str,
    },
}

/// One way in which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In words, for a person.
    pub text: String,
    /// The rows it stands on: table and key; `book` for the broker's.
    pub rows: Vec<String>,
}

impl Report {
    /// Whether nothing is broken.
    pub fn is_clean(&self) -> bool {
        self.findings().next().is_none()
    }

    /// Everything that is broken, with the promise's number.
    pub fn findings(&self) -> impl Iterator<Item = (u8, &Finding)> {
        self.verdicts.iter().flat_map(|verdict| {
            let found: &[Finding] = match &verdict.judgement {
                Judgement::Broken { findings, .. } => findings,
                Judgement::Kept { .. } | Judgement::NotJudged { .. } => &[],
            };
            found.iter().map(|finding| (verdict.promise, finding))
        })
    }
}
