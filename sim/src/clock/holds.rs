//! What keeps the clock from a jump at this moment, in words: for whoever waits for one that does not come.

use crate::broker::Broker;

impl Broker {
    /// Everything that holds the clock; empty when it may jump.
    pub(crate) fn holds(&mut self) -> Vec<String> {
        let mut holds = self.streams.holds();
        if self.requests_open > 0 {
            holds.push(format!("{} requests are not answered", self.requests_open));
        }
        for (account, faults) in self.faults.iter_mut() {
            if faults.delivery.is_keeping() {
                holds.push(format!("frames of {account} wait for company"));
            }
        }
        let (counted, busy) = self.daemons.latest();
        if busy > 0 {
            holds.push(format!("{busy} daemons have not said that nothing is under way"));
        }
        for (account, texts) in counted.into_iter().flatten() {
            if !self.streams.has_sent(account, *texts) {
                holds.push(format!(
                    "a daemon has taken in {texts} frames of {account}, and other counts were sent"
                ));
            }
        }
        holds
    }
}
