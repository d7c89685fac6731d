//! `tandem explain` on a database written by the real store: one leader order and three followers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tandem_actors::store::{
    AccountOrder, FillComparison, GapRow, IncidentRow, IntentChange, IntentKind, IntentRow, IntentState,
    IntentTiming, LeaderEvent, MappingRow, MirrorKey, OrderRole, RefusalRow, Write,
};
use tandem_domain::gap::{Gap, GapKind, GapResult};
use tandem_domain::gates::DeniedReason;
use tandem_domain::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId, TradeId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{OrderPart, Outcome};
use tandem_domain::order::{BrokerStatus, ExitLegs, Leg, OrderForm, OrderReport, OrderTerms, TradeReport};
use tandem_domain::pacing::Purpose;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity};
use tandem_domain::sizing::{Minimum, Ratio, Rounding, Share, Sizing, Strategy};
use tandem_domain::time::Timestamp;

use crate::made::{FOLLOWER, LEADER, at, day, report, store_with};
use crate::program::{Said, tandem};

const ORDER: &str = "221261201000001";
const LEG: &str = "221261201000003";
const COPY: &str = "221261201000002";
const COPY_LEG: &str = "221261201000004";
const EXTERNAL: &str = "221261201000009";

/// Ten o'clock and so many milliseconds.
fn ms(millis: u64) -> Timestamp {
    at(0).plus(Duration::from_millis(millis))
}

fn id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

fn legs(stop_paise: u32) -> OrderForm {
    OrderForm::Super(ExitLegs {
        target: Some(Price::from_paise(20_000)),
        stop: Some(Price::from_paise(stop_paise)),
        trailing: Price::from_paise(100),
    })
}

fn terms(units: u32, price_paise: u32, stop_paise: u32) -> OrderTerms {
    OrderTerms {
        quantity: Quantity::new(units),
        price: Price::from_paise(price_paise),
        form: legs(stop_paise),
        ..report(LEADER, ORDER).terms
    }
}

fn leader_state(status: BrokerStatus, terms: OrderTerms, filled: u32, event: u64) -> LeaderOrder {
    LeaderOrder {
        account: DhanClientId::new(LEADER).unwrap(),
        trading_day: day(),
        broker_order_id: id(ORDER),
        tag: None,
        leg: Leg::Entry,
        terms,
        status,
        cumulative: Quantity::new(filled),
        average_price: if filled == 0 { Price::ZERO } else { Price::from_paise(18_235) },
        reason: None,
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        known_fingerprint: tandem_domain::leader::KnownFingerprint::default(),
        ts_event: ms(event),
        ts_first_event: ms(1_000),
        ts_first_seen: ms(1_412),
    }
}

fn seen(order: &LeaderOrder, millis: u64) -> Write {
    Write::LeaderEvent(LeaderEvent { order: Arc::new(order.clone()), ts_init: ms(millis) })
}

fn key(follower: &str) -> MirrorKey {
    MirrorKey {
        trading_day: day(),
        leader_account: DhanClientId::new(LEADER).unwrap(),
        leader_order: id(ORDER),
        follower: FollowerId::new(follower).unwrap(),
    }
}

fn mapping(follower: &str, outcome: Outcome, reason: Option<DeniedReason>, millis: u64) -> Write {
    let copied = if outcome == Outcome::Skipped { 0 } else { 130 };
    Write::Mapping(Box::new(MappingRow {
        key: key(follower),
        outcome,
        reason,
        note: (outcome != Outcome::Skipped).then(|| "stop_loss_market_as_stop_loss".into()),
        sizing: Some(Sizing {
            strategy: Strategy::CapitalProportional,
            ratio: Ratio::new(1, 2).unwrap(),
            multiplier: Ratio::ONE,
            rounding: Rounding::Down,
            minimum: Minimum::Skip,
            keeps_remainder: false,
            unit_cost: None,
            held: 0,
            credit: Share::ZERO,
            leader_quantity: Quantity::new(260),
            lot_size: LotSize::new(65).unwrap(),
            leader_capital: Some(Money::from_rupees(1_000_000)),
            follower_capital: Some(Money::from_rupees(500_000)),
            quantity: Quantity::new(copied),
        }),
        target: Quantity::new(copied),
        closing: Quantity::ZERO,
        copied: Quantity::new(copied),
        filled: Quantity::ZERO,
        permit: None,
        updated_at: ms(millis),
    }))
}

fn child(follower: &str) -> ChildKey {
    let follower = FollowerId::new(follower).unwrap();
    ChildKey { trading_day: day(), leader_order: id(ORDER), follower, leg: 0, slice: 0, attempt: 1 }
}

/// A request of a follower's, sent half a millisecond after it was decided.
fn request(follower: &str, kind: IntentKind, serial: u32, terms: OrderTerms, millis: u64) -> IntentRow {
    let child = child(follower);
    IntentRow {
        client_order_id: ClientOrderId::derive(&child),
        kind,
        serial,
        part: match kind {
            IntentKind::Place => None,
            IntentKind::Modify => Some(OrderPart::Stop),
            IntentKind::Cancel => Some(OrderPart::Entry),
        },
        child,
        leader_account: DhanClientId::new(LEADER).unwrap(),
        account: DhanClientId::new(FOLLOWER).unwrap(),
        event: None,
        purpose: Purpose::Entry,
        note: None,
        state: IntentState::Sending,
        terms,
        broker_order_id: (kind != IntentKind::Place).then(|| id(COPY)),
        refusal: None,
        timing: IntentTiming {
            leader_event: Some(ms(1_000)),
            received: Some(ms(millis)),
            decided: Some(ms(millis).plus(Duration::from_micros(120))),
            committed: Some(ms(millis).plus(Duration::from_micros(470))),
            sent: Some(ms(millis).plus(Duration::from_micros(640))),
            answered: None,
            added_latency_us: Some(638),
        },
        created_at: ms(millis),
    }
}

fn answer(row: &IntentRow, state: IntentState, millis: u64) -> Write {
    let refusal = (state == IntentState::Refused).then(|| RefusalRow {
        http: Some(400),
        code: Some("DH-906".into()),
        text: "Order cannot be modified in its present state".into(),
    });
    Write::IntentChange(Box::new(IntentChange {
        client_order_id: row.client_order_id.clone(),
        kind: row.kind,
        serial: row.serial,
        state,
        part: None,
        terms: None,
        purpose: None,
        broker_order_id: (state == IntentState::Acked).then(|| id(COPY)),
        refusal,
        request: None,
        response: None,
        timing: IntentTiming { answered: Some(ms(millis)), ..IntentTiming::default() },
        updated_at: ms(millis),
    }))
}

fn requested(row: &IntentRow) -> Write {
    Write::Intent(Box::new(row.clone()))
}

fn order(role: OrderRole, report: OrderReport, millis: u64) -> Write {
    let ours = role == OrderRole::Follower && report.parent.is_none();
    Write::AccountOrder(Box::new(AccountOrder {
        trading_day: day(),
        role,
        client_order_id: ours.then(|| ClientOrderId::derive(&child("asha"))),
        report,
        ts_init: ms(millis),
    }))
}

/// A state of asha's copy.
fn copy(status: BrokerStatus, stop_paise: u32, filled: u32, event: u64) -> OrderReport {
    OrderReport {
        terms: terms(130, 18_250, stop_paise),
        status,
        cumulative: Quantity::new(filled),
        average_price: if filled == 0 { Price::ZERO } else { Price::from_paise(18_240) },
        leg: Leg::Entry,
        ts_event: ms(event),
        ..report(FOLLOWER, COPY)
    }
}

fn leg(account: &str, of: &str, leg: &str, millis: u64) -> OrderReport {
    OrderReport { leg: Leg::StopLoss, parent: Some(id(of)), ts_event: ms(millis), ..report(account, leg) }
}

/// Asha copies a super order whose stop moves twice, bina has less than a lot, and chitra's owner took over.
fn a_story() -> Vec<Write> {
    let placed = leader_state(BrokerStatus::Pending, terms(260, 18_250, 17_000), 0, 1_000);
    let moved = leader_state(BrokerStatus::Pending, terms(260, 18_250, 17_100), 0, 3_000);
    let filled = leader_state(BrokerStatus::Traded, terms(260, 18_250, 17_100), 260, 6_000);
    let place = request("asha", IntentKind::Place, 0, terms(130, 18_250, 17_000), 1_412);
    let modify = request("asha", IntentKind::Modify, 1, terms(130, 18_250, 17_100), 3_200);
    let again = request("asha", IntentKind::Modify, 2, terms(130, 18_250, 17_100), 3_400);
    let chitra = request("chitra", IntentKind::Place, 0, terms(130, 18_250, 17_000), 1_412);
    vec![
        seen(&placed, 1_412),
        mapping("asha", Outcome::Sent, None, 1_412),
        mapping("bina", Outcome::Skipped, Some(DeniedReason::BelowOneLot), 1_413),
        mapping("chitra", Outcome::Sent, None, 1_413),
        requested(&place),
        requested(&chitra),
        answer(&place, IntentState::Acked, 1_454),
        answer(&chitra, IntentState::Unknown, 6_413),
        order(OrderRole::Follower, copy(BrokerStatus::Pending, 17_000, 0, 1_000), 1_500),
        order(OrderRole::Leader, leg(LEADER, ORDER, LEG, 1_000), 1_600),
        order(OrderRole::Follower, leg(FOLLOWER, COPY, COPY_LEG, 1_000), 1_700),
        seen(&moved, 3_200),
        requested(&modify),
        answer(&modify, IntentState::Refused, 3_260),
        requested(&again),
        answer(&again, IntentState::Acked, 3_440),
        order(OrderRole::Follower, copy(BrokerStatus::Pending, 17_100, 0, 3_000), 3_500),
        seen(&filled, 6_050),
        order(OrderRole::Follower, copy(BrokerStatus::Traded, 17_100, 130, 7_000), 7_080),
        Write::Trade {
            report: Box::new(TradeReport {
                account: DhanClientId::new(FOLLOWER).unwrap(),
                broker_order_id: id(COPY),
                trade_id: TradeId::new("T1").unwrap(),
                instrument: report(LEADER, ORDER).terms.instrument,
                side: report(LEADER, ORDER).terms.side,
                product: report(LEADER, ORDER).terms.product,
                quantity: Quantity::new(130),
                price: Price::from_paise(18_240),
                ts_event: ms(7_000),
            }),
            trading_day: day(),
            ts_init: ms(9_000),
        },
        Write::FillComparison(Box::new(FillComparison {
            key: key("asha"),
            filled: Quantity::new(130),
            leader_average: Price::from_paise(18_235),
            follower_average: Price::from_paise(18_240),
            slippage: Money::from_units(65_000),
            slippage_ticks: Some(1),
            slippage_bps_x100: Some(274),
            delay_us: Some(1_000_000),
            updated_at: ms(7_080),
        })),
        Write::Gap(Box::new(GapRow {
            key: key("chitra"),
            gap: Gap { kind: GapKind::LeftBehind, units: -130, result: GapResult::Reported },
            text: "the leader's 260 units filled, the copy's 130 did not".into(),
            at: ms(16_050),
        })),
        mapping("chitra", Outcome::Detached, None, 20_000),
        Write::IncidentOpen(IncidentRow {
            id: format!("2026-12-01/order_unknown/chitra/{}", chitra.client_order_id).into(),
            opened_at: ms(6_500),
            kind: "order_unknown".into(),
            follower: Some(FollowerId::new("chitra").unwrap()),
            instrument: None,
            text: "the broker did not say what became of the order; look into its book".to_owned(),
        }),
        Write::IncidentOpen(IncidentRow {
            id: "2026-12-01/order_unknown/chitra/tdm-another".into(),
            opened_at: ms(6_600),
            kind: "another_order".into(),
            follower: Some(FollowerId::new("chitra").unwrap()),
            instrument: None,
            text: "not of this story".to_owned(),
        }),
        order(OrderRole::External, report(FOLLOWER, EXTERNAL), 8_000),
    ]
}

fn explained(arguments: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("my.db");
    store_with(&database, a_story()).stop();
    explain(folder.path(), arguments)
}

fn explain(folder: &Path, arguments: &[&str]) -> Said {
    tandem(folder, &[&["explain", "--database", "my.db"], arguments].concat(), &[])
}

#[test]
fn a_story_is_told_in_time_order_within_a_terminal() {
    let said = explained(&[ORDER]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.out.lines().all(|line| line.chars().count() <= 110), "{}", said.out);
    assert!(!said.out.contains(LEADER) && !said.out.contains(FOLLOWER), "{}", said.out);
    let flat = said.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = flat.as_str();
    for words in [
        "Leader order 221261201000001 of 2026-12-01, account ..0101",
        "NSE_FNO:43125, MARGIN: BUY 260, LIMIT 182.50, DAY, super order (target 200.00, stop 171.00, trailing by 1.00)",
        "Now TRADED, 260 of 260 filled at 182.35",
        "asha sent 130 of 130 units filled; at 182.40 against 182.35; slippage 6.50 rupees, 1 tick(s), 2.74 bps; 1.00 s after",
        "bina skipped below one lot",
        "chitra detached",
        "10:00:01.412 leader PENDING, nothing filled; BUY 260, LIMIT 182.50",
        "broker's time 10:00:01, known 412 ms later",
        "10:00:01.412 +0.00 ms asha to copy 130 units",
        "260 units x 500000.00 / 1000000.00 (capital), in lots of 65 = 130",
        "translated: stop loss market as stop loss",
        "asha place BUY 130, LIMIT 182.50, DAY, super order (target 200.00, stop 170.00, trailing by 1.00); an entry, as tdm",
        "from the frame: decided +0.12 ms, durable +0.47 ms, written +0.64 ms",
        "bina skipped: below one lot",
        "taken by the broker as 221261201000002, 41 ms after sending",
        "221261201000002: PENDING, nothing filled; BUY 130",
        "leader stop leg 221261201000003: PENDING",
        "asha stop leg 221261201000004: PENDING",
        "leader PENDING, nothing filled; stop 170.00 -> 171.00",
        "change the stop of",
        "stop 170.00 -> 171.00 (request 1)",
        "change: refused by the broker (HTTP 400, DH-906): Order cannot be modified in its present state, 59 ms after sending",
        "stop 170.00 -> 171.00 (request 2)",
        "change: taken by the broker, 39 ms after sending",
        "leader TRADED, 260 of 260 filled at 182.35",
        "chitra no answer that proves anything: outcome unknown",
        "chitra incident order_unknown (open): the broker did not say",
        "221261201000002: TRADED, 130 of 130 filled at 182.40",
        "fill of 130 at 182.40, trade T1",
        "+7.05 s chitra parted, left behind: 130 units too few; reported",
        "the leader's 260 units filled, the copy's 130 did not",
        "chitra detached: changed or cancelled by a human's hand",
    ] {
        let Some(found) = rest.find(words) else { panic!("no {words:?}, in this place, in\n{}", said.out) };
        rest = &rest[found..];
    }
    assert!(!flat.contains("not of this story"), "{}", said.out);
}

#[test]
fn programs_get_the_same_steps() {
    let said = explained(&[ORDER, "--format", "json"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["leader_order"]["terms"]["form"]["super"]["stop"], 1_710_000);
    let outcomes: Vec<_> = json["followers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|follower| (follower["follower"].as_str().unwrap(), follower["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(outcomes, [("asha", "sent"), ("bina", "skipped"), ("chitra", "detached")]);
    let steps = json["steps"].as_array().unwrap();
    let times: Vec<_> = steps.iter().map(|step| step["at_us"].as_i64().unwrap()).collect();
    assert!(times.is_sorted());
    let requests: Vec<_> = steps
        .iter()
        .filter(|step| step["kind"] == "request" && step["who"] == "asha")
        .map(|step| {
            let facts = &step["facts"];
            (
                facts["request"].as_str().unwrap(),
                facts["serial"].as_u64().unwrap(),
                facts["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(requests, [("place", 0, "ACKED"), ("modify", 1, "REFUSED"), ("modify", 2, "ACKED")]);
    assert!(!said.out.contains(LEADER) && !said.out.contains(FOLLOWER), "{}", said.out);
}

#[test]
fn legs_and_copies_lead_to_the_story_they_belong_to() {
    for (asked, sentence) in [
        (LEG, "221261201000003 is its stop leg."),
        (COPY, "221261201000002 is the copy of it at follower asha."),
        (COPY_LEG, "221261201000004 is the stop leg of 221261201000002, the copy of it at follower asha."),
    ] {
        let said = explained(&[asked]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with(&format!("Leader order {ORDER}")), "{}", said.out);
        assert!(said.out.contains(sentence), "{}", said.out);
    }
}

#[test]
fn an_unknown_id_is_said_with_those_that_are_near() {
    let said = explained(&["221261201000007"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("no order \"221261201000007\" is known"), "{said:?}");
    assert!(said.err.contains("nearest leader orders of 2026-12-01: 221261201000001\n"), "{said:?}");
    let said = explained(&[ORDER, "--day", "2026-11-30"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no leader order of 2026-11-30 is known"), "{said:?}");
    let said = explained(&[ORDER, "--day", "yesterday"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn somebody_elses_order_has_no_story() {
    let said = explained(&[EXTERNAL]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("placed by somebody else in account ..0202"), "{said:?}");
}

#[test]
fn an_id_of_two_days_means_the_newer_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut story = a_story();
    let mut older = leader_state(BrokerStatus::Cancelled, terms(65, 18_250, 17_000), 0, 1_000);
    older.trading_day = tandem_domain::time::TradingDay::from_ymd(2026, 11, 30).unwrap();
    story.push(seen(&older, 1_000));
    store_with(&folder.path().join("my.db"), story).stop();
    let newest = explain(folder.path(), &[ORDER]);
    assert!(newest.out.contains("of 2026-12-01"), "{newest:?}");
    let told = explain(folder.path(), &[ORDER, "--day", "2026-11-30"]);
    assert!(
        told.out.contains("of 2026-11-30") && told.out.contains("nothing was decided about it"),
        "{told:?}"
    );
}

#[test]
fn an_empty_database_has_no_hint() {
    let folder = tempfile::tempdir().unwrap();
    store_with(&folder.path().join("my.db"), Vec::new()).stop();
    let said = explain(folder.path(), &[ORDER]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no leader order was ever recorded"), "{said:?}");
    let said = tandem(folder.path(), &["explain", ORDER, "--database", "absent.db"], &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no database absent.db"), "{said:?}");
}
