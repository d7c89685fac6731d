//! The quote calls' own limit: one a second for each account (`dhanhq-v2.md` section 9.1). Pure.

use std::collections::HashMap;
use std::time::Duration;

use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;

/// When each account last got a quote.
#[derive(Debug, Default)]
pub(crate) struct QuotePace {
    latest: HashMap<DhanClientId, Timestamp>,
}

impl QuotePace {
    const PERIOD: Duration = Duration::from_secs(1);

    /// Whether the account may have a quote at this simulated moment; a refusal does not count.
    pub(crate) fn allows(&mut self, account: &DhanClientId, now: Timestamp) -> bool {
        let free = self.latest.get(account).is_none_or(|latest| now.since(*latest) >= Self::PERIOD);
        if free {
            self.latest.insert(account.clone(), now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_quote_a_second() {
        let account = DhanClientId::new("1").unwrap();
        let mut pace = QuotePace::default();
        let at = Timestamp::from_micros;
        let allowed =
            [0, 999_999, 1_000_000, 1_500_000, 2_000_000].map(|micros| pace.allows(&account, at(micros)));
        assert_eq!(allowed, [true, false, true, false, true]);
    }
}
