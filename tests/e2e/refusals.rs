//! E: the broker says no.

use std::time::Duration;

use tandem_domain::order::Product;
use tandem_sim::{Fault, LoginRefusal, TokenFace};

use crate::harness::{ASHA, BALA, Broker, Daemon, Follower, Setup, Stage, buy, sell};

#[test]
fn e3_rejected_after_it_was_taken() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the copy was rejected after the broker had taken it; 130 units short: reported");
    let option = broker.option();
    let text = "EXCH:16387:Security is not allowed to trade in this market.";
    broker.inject(ASHA, Fault::RejectNext { count: 1, text: text.to_owned() });
    let order = broker.lead(buy(option, 260));

    let intent = daemon.until_status(&order, "asha", "REJECTED");
    assert_eq!(intent.order_reason.as_deref(), Some(text));
    assert_eq!(intent.state, "ACKED", "the broker had taken it");
    let mapping = daemon.mapping(&order, "asha").unwrap();
    assert_eq!((mapping.outcome.as_str(), mapping.copied, mapping.filled), ("sent", 0, 0));
    // Not tried again.
    broker.quiet();
    assert_eq!(broker.placements(ASHA).len(), 1);
    assert_eq!(broker.position(ASHA, option, Product::Margin), 0);
    daemon.end();
}

/// Two followers; of Asha's account only a placing finds out that her token is refused: it is not looked at in between.
fn only_placings_ask() -> Setup {
    Setup::new()
        .token_files()
        .set("recovery.idle_poll_ms = 600000")
        .set("risk.positions_poll_ms = 300000")
        .set("risk.funds_poll_ms = 300000")
        .followers([Follower::ASHA, Follower::BALA])
}

/// Her stream is down, and from now on her token is refused.
fn refuses_her_token(broker: &Broker, daemon: &mut Daemon) {
    daemon.expects("the broker refuses this follower's access token");
    daemon.expects("order refused");
    daemon.expects("order stream is lost");
    daemon.until_log_count("listening to the account's own order stream", 2);
    broker.inject(ASHA, Fault::StreamRefuseLogin { how: Some(LoginRefusal::Http429) });
    broker.inject(ASHA, Fault::StreamClose);
    // After that answer nobody knocks again for a minute.
    daemon.until_log_count("order stream is lost", 2);
    broker.inject(ASHA, Fault::TokenRefused { refused: true });
}

/// Refuses Asha's token at the moment of an order.
fn token_refused(face: TokenFace, code: &str) {
    let Stage { broker, mut daemon } = only_placings_ask().sim(|sim| sim.variants.token_face = face).stage();
    let option = broker.option();
    refuses_her_token(&broker, &mut daemon);
    let order = broker.lead(buy(option, 390));

    let intent = daemon.until_intent(&order, "asha", "NOT_SENT");
    assert_eq!(intent.refusal_code.as_deref(), Some(code));
    daemon.until_filled(&order, "bala", 65);
    daemon.until_incident("account_halted", "asha");

    // Nothing more goes out for her, not even a read; the other goes on.
    broker.quiet();
    broker.sim.clear_records();
    let next = broker.lead(buy(option, 390));
    daemon.until_refused(&next, "asha", "skipped", "account_halted");
    daemon.until_filled(&next, "bala", 65);
    broker.quiet();
    assert!(broker.placements(ASHA).is_empty());
    assert!(broker.sim.requests().iter().all(|request| request.account.is_some()));
    assert!(broker.orders(ASHA).is_empty());
    assert_eq!(broker.position(BALA, option, Product::Margin), 130);
    daemon.end();
}

#[test]
fn e4_token_refused_with_401() {
    token_refused(TokenFace::Dh901, "DH-901");
}

#[test]
fn e4_token_refused_with_400() {
    token_refused(TokenFace::Dh906, "DH-906");
}

/// P15: what was refused for its token was never an order. What closes leaves with the next token as if it had not been asked
/// for, and has all its tries left; what opens is too old by then.
#[test]
fn e4_what_is_refused_for_its_token_leaves_with_the_next() {
    let Stage { broker, mut daemon } = only_placings_ask().set("copy.entry_age_ms_max = 10000").stage();
    // If it was asked for.
    daemon.tolerates("the leader's order filled further than the copy");
    let option = broker.option();
    let held = broker.lead(buy(option, 390));
    daemon.until_filled(&held, "asha", 195);
    daemon.until_filled(&held, "bala", 65);
    refuses_her_token(&broker, &mut daemon);
    let [exit, entry] = [sell(option, 390), buy(option, 520)].map(|terms| {
        let order = broker.lead(terms);
        daemon.until_leader(&order, "is known", |_| true);
        order
    });
    daemon.until_intent(&exit, "asha", "NOT_SENT");
    daemon.until_incident("account_halted", "asha");
    daemon.until_filled(&exit, "bala", 65);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 195);

    broker.pass(Duration::from_secs(11));
    broker.inject(ASHA, Fault::TokenRefused { refused: false });
    broker.inject(ASHA, Fault::StreamRefuseLogin { how: None });
    let same = daemon.secret("asha.token");
    daemon.write_secret("asha.token", &same);
    daemon.until_filled(&exit, "asha", 195);
    broker.quiet();
    assert_eq!(broker.net(ASHA, option), 0);
    let [sent] = &daemon.intents(&exit, "asha")[..] else { panic!("once") };
    assert_eq!(sent.state, "ACKED");
    // Whether it was asked for before the account halted, or not any more, is chance.
    let outcome = daemon.mapping(&entry, "asha").unwrap().outcome;
    assert!(outcome == "voided" || outcome == "skipped", "{outcome}");
    assert_eq!(broker.orders(ASHA).len(), 2);
    daemon.end();
}

#[test]
fn e13_margin_rejections_leave_the_breaker_closed() {
    let Stage { broker, mut daemon } = Setup::new().stage();
    daemon.expects("the copy was rejected after the broker had taken it; 65 units short: reported");
    daemon.expects("5 orders of this account within 10 minutes lacked margin");
    let option = broker.option();
    let text = "RMS:<id>:You have insufficient funds. Please add Rs.10 to trade.".to_owned();
    broker.inject(ASHA, Fault::RejectNext { count: 5, text });
    let rejected = broker.lead_all(std::iter::repeat_n(buy(option, 130), 5));
    for order in &rejected {
        daemon.until_status(order, "asha", "REJECTED");
    }
    let sixth = broker.lead(buy(option, 130));

    daemon.until_filled(&sixth, "asha", 65);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 6);
    assert_eq!(daemon.log_count("circuit breaker"), 0);
    daemon.until_incident("margin_lacking", "asha");
    daemon.end();
}
