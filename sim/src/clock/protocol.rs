//! What travels on the lent-clock socket (`docs/simulator.md`, "The lent clock"): one JSON object in each text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the simulator says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClockMessage {
    /// It is `now_us` (microseconds since 1970 UTC) at the moment of sending, and time passes at `rate` from here.
    /// Sent on connecting, on every change of rate and after every jump.
    Time {
        /// The simulated moment.
        now_us: i64,
        /// Simulated seconds in a real one.
        rate: f64,
    },
    /// May time jump? Answered with [`DaemonMessage::Idle`] carrying the same number, as soon as nothing is in flight.
    Propose {
        /// The question's number; a later question makes an earlier one void.
        id: u64,
    },
}

/// What a daemon that lives on the lent clock says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DaemonMessage {
    /// Nothing is in flight in the daemon.
    Idle {
        /// The question answered.
        id: u64,
        /// For each account whose order stream is open: the text frames received since its login.
        #[serde(default)]
        frames: BTreeMap<String, u64>,
    },
    /// The daemon's clock shows this moment now.
    TimeOk {
        /// The moment applied, as it was sent.
        now_us: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_documented() {
        let time = ClockMessage::Time { now_us: 1_796_000_000_000_000, rate: 1.0 };
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            r#"{"type":"time","now_us":1796000000000000,"rate":1.0}"#
        );
        assert_eq!(
            serde_json::to_string(&ClockMessage::Propose { id: 7 }).unwrap(),
            r#"{"type":"propose","id":7}"#
        );
        let idle: DaemonMessage =
            serde_json::from_str(r#"{"type":"idle","id":7,"frames":{"1000000101":3}}"#).unwrap();
        assert_eq!(
            idle,
            DaemonMessage::Idle { id: 7, frames: BTreeMap::from([("1000000101".to_owned(), 3)]) }
        );
        let ok: DaemonMessage = serde_json::from_str(r#"{"type":"time_ok","now_us":5}"#).unwrap();
        assert_eq!(ok, DaemonMessage::TimeOk { now_us: 5 });
    }
}
