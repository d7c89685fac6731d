//! The fault switchboard: what goes wrong next, for which account. Pure; the server and the streams ask it.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use tandem_domain::ids::DhanClientId;

use crate::exchange::OverlappingExits;
use crate::server::Reply;
use crate::stream::delivery::{Delivery, JoinStyle, Mute};

/// The kinds of REST calls that can fail separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /orders` and `POST /orders/slicing`; super and forever orders alike.
    Place,
    /// `PUT /orders/{orderId}`; super and forever orders alike.
    Modify,
    /// `DELETE /orders/{orderId}`; super and forever orders alike.
    Cancel,
    /// `POST /positions/convert`.
    Convert,
    /// `DELETE /positions` and `POST /killswitch`.
    Sweep,
    /// `GET /positions`.
    Positions,
    /// `GET /fundlimit`.
    Funds,
    /// `POST /margincalculator` and `/margincalculator/multi`.
    Margin,
    /// `GET /RenewToken` and `POST /app/generateAccessToken`.
    Token,
    /// Everything else that changes no order: books, quotes, profile, IP. As a fault: every read, the three above too.
    Read,
}

impl Operation {
    /// Whether such calls change neither orders nor positions.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Positions | Self::Funds | Self::Margin | Self::Read)
    }
}

/// What goes wrong with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFault {
    /// The connection ends; the request is not executed.
    LoseBefore,
    /// The request is executed; then the connection ends without an answer.
    LoseAfter,
    /// The request is executed; the answer comes so much real time later.
    Delay {
        /// Milliseconds of real time.
        ms: u64,
    },
    /// The answer is this HTTP status (5xx); the request is not executed.
    ErrorBefore {
        /// 500 to 599.
        status: u16,
    },
    /// The request is executed; the answer is this HTTP status (5xx) all the same.
    ErrorAfter {
        /// 500 to 599.
        status: u16,
    },
    /// A list has one row more, which nobody can read; any other answer stays as it is.
    OddRow,
    /// The first order of a list has a quantity that nobody can read; any other answer stays as it is.
    OddOrder,
    /// 429 DH-904; the request is not executed.
    Busy,
    /// The same, with a `Retry-After` header, which the broker was never seen to send (`dhanhq-v2.md` section 9.3).
    BusyFor {
        /// What the header asks for.
        seconds: u32,
    },
}

/// What an account that is down does with every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// It is up.
    #[default]
    No,
    /// Connections end without an answer, streams are reset and cannot log in.
    Refuse,
    /// Every call answers 500; streams live on.
    Errors,
}

/// How a stream login is refused (`dhanhq-v2.md` section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginRefusal {
    /// One binary frame, code 50 with reason 807, then close.
    #[default]
    Code50,
    /// A TCP reset about 10 ms after the login, no close frame.
    Reset,
    /// HTTP 429 on the upgrade. No account is known yet at that point: while any account refuses like this, all
    /// upgrades are refused.
    Http429,
}

/// One fault to inject into one account. As JSON: `{"fault": "next_answers", "operation": "place", ...}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The next answers of an operation go wrong, after those already asked for.
    NextAnswers {
        /// Which calls.
        operation: Operation,
        /// How many of them.
        count: u32,
        /// What goes wrong.
        answer: AnswerFault,
    },
    /// The account goes down or comes back.
    AccountDown {
        /// How.
        down: Down,
    },
    /// The account's token dies (every connection drops) or lives again.
    TokenRefused {
        /// Dead or alive.
        refused: bool,
    },
    /// Open streams get a close frame.
    StreamClose,
    /// Open streams end with a TCP reset.
    StreamReset,
    /// Open and later streams go silent, or speak again.
    StreamMute {
        /// How silent.
        mute: Mute,
    },
    /// Logins are refused from now on, or (without `how`) accepted again.
    StreamRefuseLogin {
        /// In which shape.
        how: Option<LoginRefusal>,
    },
    /// The next frames go out twice.
    StreamDuplicate {
        /// How many.
        frames: u32,
    },
    /// The next frames go out last first.
    StreamReorder {
        /// How many.
        frames: u32,
    },
    /// The next frames go out in one text.
    StreamJoin {
        /// How many.
        frames: u32,
        /// In which shape.
        style: JoinStyle,
    },
    /// This text goes out as it is.
    StreamText {
        /// The frame.
        text: String,
    },
    /// These bytes go out as one binary frame.
    StreamBinary {
        /// The frame.
        bytes: Vec<u8>,
    },
    /// New orders stay out of the books and the lookup by tag for so long.
    LateVisibility {
        /// Milliseconds of simulated time; 0 ends it.
        ms: u64,
    },
    /// The order book shows what it shows now, whatever happens. Single orders, lookups and trades are told as they are.
    StaleBook {
        /// Begins or ends it.
        on: bool,
    },
    /// The next placements are accepted and then rejected by the exchange.
    RejectNext {
        /// How many.
        count: u32,
        /// The reject text.
        text: String,
    },
    /// The next changes of orders of every kind are taken and come to nothing.
    VoidModifies {
        /// How many; 0 ends it.
        count: u32,
    },
    /// What becomes of exits beside others for the same units, in place of the account's setting.
    OverlappingExits {
        /// What.
        how: OverlappingExits,
    },
    /// The next order cancelled is reported cancelled and then fills, at its own price.
    LateFill {
        /// Units; never more than was left of the order. 0 ends it.
        units: u32,
        /// Milliseconds of simulated time between the cancel and the fill.
        #[serde(default)]
        after_ms: u64,
    },
    /// Ends every fault of the account.
    Clear,
}

/// The faults of one account that the server's side acts out.
#[derive(Debug, Default)]
pub(crate) struct AccountFaults {
    answers: VecDeque<(Operation, AnswerFault)>,
    pub(crate) down: Down,
    pub(crate) token_refused: bool,
    pub(crate) refuse_login: Option<LoginRefusal>,
    pub(crate) delivery: Delivery,
    pub(crate) stale_book: Option<Reply>,
}

/// The most faults that may wait in one account's queue.
const ANSWERS_MAX: usize = 100_000;

impl AccountFaults {
    /// Adds to the queue of answers to spoil.
    pub(crate) fn spoil(&mut self, operation: Operation, count: u32, answer: AnswerFault) {
        let room = ANSWERS_MAX.saturating_sub(self.answers.len());
        self.answers.extend(std::iter::repeat_n((operation, answer), room.min(count as usize)));
    }

    /// What goes wrong with the answer to this call, if anything; each asked-for fault once.
    pub(crate) fn next_answer(&mut self, operation: Operation) -> Option<AnswerFault> {
        let any_read = operation.is_read().then_some(Operation::Read);
        let at = self.answers.iter().position(|(of, _)| *of == operation || Some(*of) == any_read)?;
        self.answers.remove(at).map(|(_, answer)| answer)
    }

    pub(crate) fn clear_answers(&mut self) {
        self.answers.clear();
    }
}

/// The faults of all accounts.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    accounts: HashMap<DhanClientId, AccountFaults>,
}

impl FaultBoard {
    /// The faults of an account; none unless asked for.
    pub(crate) fn of(&mut self, account: &DhanClientId) -> &mut AccountFaults {
        self.accounts.entry(account.clone()).or_default()
    }

    /// Whether upgrades are answered with 429 at the moment.
    pub(crate) fn upgrades_refused(&self) -> bool {
        self.accounts.values().any(|faults| faults.refuse_login == Some(LoginRefusal::Http429))
    }

    /// Each account with its faults.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&DhanClientId, &mut AccountFaults)> {
        self.accounts.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asked_for_fault_happens_once_and_to_its_operation() {
        let mut faults = AccountFaults::default();
        faults.spoil(Operation::Place, 2, AnswerFault::LoseAfter);
        faults.spoil(Operation::Read, 1, AnswerFault::Busy);
        faults.spoil(Operation::Place, 1, AnswerFault::Delay { ms: 5 });
        faults.spoil(Operation::Margin, 1, AnswerFault::LoseBefore);
        assert_eq!(faults.next_answer(Operation::Cancel), None);
        assert_eq!(faults.next_answer(Operation::Read), Some(AnswerFault::Busy));
        assert_eq!(faults.next_answer(Operation::Funds), None);
        faults.spoil(Operation::Read, 1, AnswerFault::Busy);
        let margins: Vec<_> = std::iter::from_fn(|| faults.next_answer(Operation::Margin)).collect();
        assert_eq!(
            margins,
            [AnswerFault::LoseBefore, AnswerFault::Busy],
            "every read, and none of the others"
        );
        let places: Vec<_> = std::iter::from_fn(|| faults.next_answer(Operation::Place)).collect();
        assert_eq!(places, [AnswerFault::LoseAfter, AnswerFault::LoseAfter, AnswerFault::Delay { ms: 5 }]);
    }

    #[test]
    fn faults_read_as_documented() {
        let cases = [
            (
                r#"{"fault":"next_answers","operation":"place","count":1,"answer":"lose_after"}"#,
                Fault::NextAnswers { operation: Operation::Place, count: 1, answer: AnswerFault::LoseAfter },
            ),
            (
                r#"{"fault":"next_answers","operation":"read","count":3,"answer":{"delay":{"ms":250}}}"#,
                Fault::NextAnswers {
                    operation: Operation::Read,
                    count: 3,
                    answer: AnswerFault::Delay { ms: 250 },
                },
            ),
            (
                r#"{"fault":"stream_refuse_login","how":"http429"}"#,
                Fault::StreamRefuseLogin { how: Some(LoginRefusal::Http429) },
            ),
            (r#"{"fault":"stream_refuse_login","how":null}"#, Fault::StreamRefuseLogin { how: None }),
            (
                r#"{"fault":"stream_join","frames":2,"style":"array"}"#,
                Fault::StreamJoin { frames: 2, style: JoinStyle::Array },
            ),
            (r#"{"fault":"stream_mute","mute":"everything"}"#, Fault::StreamMute { mute: Mute::Everything }),
            (r#"{"fault":"stream_close"}"#, Fault::StreamClose),
            (
                r#"{"fault":"overlapping_exits","how":"rejected_later"}"#,
                Fault::OverlappingExits { how: OverlappingExits::RejectedLater },
            ),
        ];
        for (text, expect) in cases {
            assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), expect, "{text}");
        }
    }
}
