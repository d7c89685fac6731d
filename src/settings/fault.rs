//! What is wrong with the settings: every fault at once, each with its place and remedy, never with the value found.
//!
//! A value in the wrong place may be a token; so no message repeats one.

use std::fmt;

use thiserror::Error;

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of a file.
    File {
        /// The file as the user named it.
        name: String,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// Nowhere: the fault is that it is missing, or lies between several settings.
    Whole,
}

/// The name of the lowest layer in messages.
pub(super) const BUILT_IN: &str = "built-in default.toml";

impl Origin {
    /// Whether this is a default, not something the user wrote.
    pub(super) fn is_built_in(&self) -> bool {
        matches!(self, Self::File { name, .. } if name == BUILT_IN)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Whole => f.write_str("settings"),
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands.
    pub origin: Origin,
    /// The setting, with its section: `broker.base_url`, `follower[1].id`. Empty when a whole file is meant.
    pub key: String,
    /// What is wrong, as the end of a sentence that begins with the key.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// All faults of the settings, in order of their place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "1 fault in the settings; nothing was started")?,
            count => writeln!(f, "{count} faults in the settings; nothing was started")?,
        }
        for fault in &self.0 {
            writeln!(f, "  {fault}")?;
        }
        Ok(())
    }
}
