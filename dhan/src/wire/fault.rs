//! One undecodable thing, named.

use std::fmt;

use tandem_domain::ids::BrokerOrderId;

/// As many faults of one text are told apart; one that has more is no text of the broker's, and is not to fill the memory.
pub const FAULTS_MAX: usize = 1_000;

/// A value the broker sent that we cannot read. Names the field and, where it could be read, the order, so that the
/// caller can ask for that order again instead of guessing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The wire key of the field, as documented; `frame`, `row` or `body` when the whole of it is unreadable.
    pub field: &'static str,
    /// What was found there, cut short.
    pub found: String,
    /// The order it was about, if that much could be read.
    pub order: Option<BrokerOrderId>,
}

impl WireError {
    const FOUND_BYTES_MAX: usize = 80;

    /// A fault of `field`; `found` is cut to a length fit for a log line.
    pub fn new(field: &'static str, found: impl Into<String>) -> Self {
        let mut found = found.into();
        if found.len() > Self::FOUND_BYTES_MAX {
            let mut end = Self::FOUND_BYTES_MAX;
            while !found.is_char_boundary(end) {
                end -= 1;
            }
            found.truncate(end);
        }
        Self { field, found, order: None }
    }

    /// The same fault, about this order; an empty id is no id.
    #[must_use]
    pub fn about(mut self, order_id: &str) -> Self {
        if self.order.is_none() {
            self.order = BrokerOrderId::new(order_id).ok();
        }
        self
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable {}: {:?}", self.field, self.found)?;
        match &self.order {
            Some(order) => write!(f, " (order {order})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for WireError {}
