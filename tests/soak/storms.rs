//! What goes wrong, all the time: networks, answers, streams, accounts, tokens.

use std::fmt;
use std::time::Duration;

use tandem_sim::{AnswerFault, Down, Fault, Operation};

use crate::harness::{ASHA, BALA, Broker, Daemon, LEADER, Network, Weather};
use crate::leader::Chance;

const ACCOUNTS: [(&str, &str); 3] = [("leader", LEADER), ("asha", ASHA), ("bala", BALA)];
/// A storm that lasts ends after so many acts of the leader, at most.
const ACTS_MAX: u32 = 3;

/// Faults from a seed, and how many there were.
pub(crate) struct Storms {
    chance: Chance,
    /// After so many acts what lasts is over.
    lasts: u32,
    blown: [u32; 6],
}

impl fmt::Display for Storms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [answers, requests, streams, networks, accounts, tokens] = self.blown;
        write!(
            f,
            "faults so far: {answers} of answers, {requests} of single requests, {streams} of streams, {networks} of the \
             network, {accounts} accounts down, {tokens} tokens replaced"
        )
    }
}

impl Storms {
    pub(crate) fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed), lasts: 0, blown: [0; 6] }
    }

    fn of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.chance.below(u32::try_from(several.len()).unwrap()) as usize]
    }

    /// Does harm, or lets what lasts come to its end.
    pub(crate) fn blow(&mut self, broker: &Broker, network: &Network, daemon: &Daemon) {
        if self.lasts > 0 {
            self.lasts -= 1;
            if self.lasts == 0 {
                self.calm(broker, network);
            }
            return;
        }
        let (id, account) = self.of(&ACCOUNTS);
        let kind = match self.chance.below(100) {
            0..25 => {
                self.spoil(broker, account);
                0
            }
            25..40 => {
                let request =
                    self.of(&["POST /v2/orders", "PUT /v2/orders", "DELETE /v2/orders", "GET /v2/"]);
                network.rest.once(request, self.weather());
                1
            }
            40..55 => {
                let fault = self.of(&[0, 1, 2, 3]);
                broker.inject(
                    account,
                    match fault {
                        0 => Fault::StreamClose,
                        1 => Fault::StreamReset,
                        2 => Fault::StreamDuplicate { frames: 4 },
                        _ => Fault::StreamReorder { frames: 3 },
                    },
                );
                2
            }
            55..65 => {
                let weather = self.weather();
                let proxy = if self.chance.below(2) == 0 { &network.rest } else { &network.stream };
                proxy.is(weather);
                self.lasts = 1 + self.chance.below(ACTS_MAX);
                3
            }
            65..72 => {
                let down = self.of(&[Down::Refuse, Down::Errors]);
                broker.inject(account, Fault::AccountDown { down });
                self.lasts = 1 + self.chance.below(ACTS_MAX);
                4
            }
            72..76 => {
                // The old one is dead at once; the new one is in its file a moment later.
                let token = broker.rotate(account);
                daemon.write_secret(&format!("{id}.token"), &token);
                5
            }
            _ => return,
        };
        self.blown[kind] += 1;
    }

    fn weather(&mut self) -> Weather {
        self.of(&[
            Weather::ResetBefore,
            Weather::ResetAfter(0),
            Weather::ResetAfter(150),
            Weather::HalfClose,
            Weather::BlackHole,
            Weather::Drip(Duration::from_millis(2)),
        ])
    }

    fn spoil(&mut self, broker: &Broker, account: &str) {
        let operation = self.of(&[
            Operation::Place,
            Operation::Modify,
            Operation::Cancel,
            Operation::Positions,
            Operation::Funds,
            Operation::Read,
        ]);
        let answer = self.of(&[
            AnswerFault::LoseBefore,
            AnswerFault::LoseAfter,
            AnswerFault::Delay { ms: 300 },
            AnswerFault::ErrorBefore { status: 503 },
            AnswerFault::ErrorAfter { status: 504 },
            AnswerFault::OddRow,
            AnswerFault::Busy,
            AnswerFault::BusyFor { seconds: 3 },
        ]);
        broker.spoil(account, operation, 1 + self.chance.below(4), answer);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm(&mut self, broker: &Broker, network: &Network) {
        self.lasts = 0;
        network.rest.clear();
        network.stream.clear();
        for (_, account) in ACCOUNTS {
            broker.inject(account, Fault::Clear);
        }
    }
}
