//! What goes wrong with one account's orders and reads, by the rows of the error policy: who is halted, what a person is
//! told of at once, and what when it happens often.

use std::collections::BTreeMap;

use actix::Context;
use tandem_dhan::refusal::{RefusalClass, classify};
use tandem_domain::error_policy::{Alerting, FrequencyLog, Reaction, Trouble};
use tandem_domain::follower::Record;
use tandem_domain::gates::DeniedReason;
use tandem_domain::mirror::Outcome;
use tandem_domain::order::{BrokerStatus, OrderReport};

use super::FollowerOrderActor;
use crate::alerts::{AlertText, Standing};
use crate::order_stream::Listens;

/// What happened lately, for each trouble that a person is told of when it is frequent.
#[derive(Debug, Default)]
pub(super) struct Frequent(BTreeMap<Trouble, (FrequencyLog, Standing)>);

impl FollowerOrderActor {
    /// An order request failed, or a read: `about` is the order, or what was read.
    pub(super) fn on_trouble(&mut self, trouble: Trouble, about: &str, ctx: &mut Context<Self>) {
        if trouble.policy().reaction == Reaction::HaltAccount {
            self.on_credentials_refused(ctx);
        }
        if trouble == Trouble::AddressRefused {
            let alert = AlertText {
                kind: "static_ip_refused",
                subject: self.id().to_string(),
                text: "the broker refuses orders from this address: whitelist it, or set local_address"
                    .to_owned(),
            };
            self.raise(alert, ctx);
        }
        self.note(trouble, about);
    }

    /// What is recorded tells of what the broker rejected later, and of what was not even sent.
    pub(super) fn watch_denials(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Mapping { leader, state, .. }
                    if state.outcome == Outcome::Skipped
                        && state.reason == Some(DeniedReason::MarginShort) =>
                {
                    self.note(Trouble::MarginLacking, leader.broker_order_id.as_str());
                }
                Record::Order { client_order_id, report } if report.status == BrokerStatus::Rejected => {
                    self.note(rejected(report), client_order_id.as_str());
                }
                _ => {}
            }
        }
    }

    fn note(&mut self, trouble: Trouble, order: &str) {
        let Alerting::WhenFrequent(bound) = trouble.policy().alerting else { return };
        let now = self.params.clock.now();
        let (log, _) =
            self.frequent.0.entry(trouble).or_insert_with(|| (FrequencyLog::new(bound), Standing::default()));
        if !log.note(order, now) {
            return;
        }
        let Some((kind, text)) = words(trouble) else { return };
        let (times, minutes) = (bound.times, bound.within.as_secs() / 60);
        let text = format!("{times} orders of this account within {minutes} minutes {text}");
        let alert = AlertText { kind, subject: self.params.account.account.masked(), text };
        let mut frequent = std::mem::take(&mut self.frequent);
        if let Some((_, standing)) = frequent.0.get_mut(&trouble) {
            standing.raise(&self.voice(), alert, now);
        }
        self.frequent = frequent;
    }

    /// What a person was told of, and what has not happened since for long enough, is over.
    pub(super) fn end_frequent(&mut self) {
        let (subject, now) = (self.params.account.account.masked(), self.params.clock.now());
        let mut frequent = std::mem::take(&mut self.frequent);
        for (trouble, (log, standing)) in &mut frequent.0 {
            if log.take_over(now)
                && let Some((kind, _)) = words(*trouble)
            {
                standing.over(&self.voice(), kind, &subject, now);
            }
        }
        self.frequent = frequent;
    }
}

/// What an order was rejected for, by the broker's words.
fn rejected(report: &OrderReport) -> Trouble {
    let words = report.reason.as_deref().unwrap_or_default();
    // A rejection has neither HTTP status nor code of its own; words that nobody knows are a refusal as any.
    match classify(200, "", words) {
        RefusalClass::Margin => Trouble::MarginLacking,
        RefusalClass::MarketClosed => Trouble::RefusedForNow,
        _ => Trouble::ParametersRefused,
    }
}

const fn words(trouble: Trouble) -> Option<(&'static str, &'static str)> {
    Some(match trouble {
        Trouble::MarginLacking => (
            "margin_lacking",
            "lacked margin: they are not copied, or smaller; add money or lower the sizing",
        ),
        Trouble::ParametersRefused => {
            ("orders_refused", "were refused: `tandem explain` has the broker's words for each")
        }
        _ => return None,
    })
}
