//! A store in a temporary folder, and rows to put in it. Everything is about one leader order of 260 units and
//! follower `asha`, unless a test says otherwise.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rusqlite::Connection;
use tandem_domain::ids::{BrokerOrderId, ChildKey, ClientOrderId, DhanClientId, FollowerId, Tag};
use tandem_domain::instrument::{ExchangeSegment, InstrumentKey, SecurityId};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::mirror::{ChildNote, OrderPart, Outcome};
use tandem_domain::order::{
    BrokerStatus, EvidenceSource, Leg, OrderReport, OrderTerms, OrderType, Product, Side, TimeInForce,
};
use tandem_domain::pacing::Purpose;
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::{LotSize, Quantity};
use tandem_domain::sizing::{Minimum, Ratio, Rounding, Share, Sizing, Strategy};
use tandem_domain::time::{Timestamp, TradingDay};
use tempfile::TempDir;

use crate::store::{
    AccountOrder, AuditEntry, Committed, IntentChange, IntentKind, IntentRow, IntentState, IntentTiming, Job,
    LeaderEvent, MappingRow, MirrorKey, OrderRole, Store, StoreError, StoreSettings, Write, WriterId,
};

/// Longer than anything here takes; a test that waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) settings: StoreSettings,
    pub(super) deaths: Receiver<Arc<str>>,
    pub(super) folder: TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(adjust: impl FnOnce(&mut StoreSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = StoreSettings::at(folder.path().join("tandem.db"));
        adjust(&mut settings);
        let (store, deaths) = open(&settings);
        Self { store, settings, deaths, folder }
    }

    /// Commits writes as one job and waits for the answer.
    pub(super) fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.submit(writes).recv_timeout(PATIENCE).unwrap().result
    }

    pub(super) fn submit(&self, writes: Vec<Write>) -> Receiver<Committed> {
        self.submit_as("test", 1, writes)
    }

    pub(super) fn submit_as(&self, actor: &str, generation: u32, writes: Vec<Write>) -> Receiver<Committed> {
        self.submit_job(actor, generation, writes, false)
    }

    pub(super) fn submit_in_order(
        &self,
        actor: &str,
        generation: u32,
        writes: Vec<Write>,
    ) -> Receiver<Committed> {
        self.submit_job(actor, generation, writes, true)
    }

    fn submit_job(
        &self,
        actor: &str,
        generation: u32,
        writes: Vec<Write>,
        in_order: bool,
    ) -> Receiver<Committed> {
        let (reply, answer) = channel();
        let job = Job {
            writer: WriterId { actor: actor.into(), generation },
            writes,
            in_order,
            reply: Box::new(move |committed| reply.send(committed).unwrap()),
        };
        self.store.handle.submit(job).unwrap();
        answer
    }

    /// A connection behind the store's back.
    pub(super) fn raw(&self) -> Connection {
        Connection::open(&self.settings.path).unwrap()
    }

    pub(super) fn count(&self, table: &str) -> u32 {
        self.raw().query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    pub(super) fn state(&self, child: &ChildKey) -> String {
        let sql = "SELECT state FROM intents WHERE client_order_id = ?1 AND kind = 'place'";
        self.raw().query_row(sql, [ClientOrderId::derive(child).as_str()], |row| row.get(0)).unwrap()
    }
}

pub(super) fn open(settings: &StoreSettings) -> (Store, Receiver<Arc<str>>) {
    let (deaths, death) = channel();
    // The test may have ended before the store.
    let store = Store::open(settings, move |death| drop(deaths.send(death.reason))).unwrap();
    (store, death)
}

pub(super) fn is_constraint(result: Result<(), StoreError>, about: &str) {
    match result {
        Err(StoreError::Constraint { text, .. }) if text.contains(about) => {}
        other => panic!("{other:?} is no constraint about {about}"),
    }
}

pub(super) fn is_illegal(result: Result<(), StoreError>) {
    assert!(matches!(result, Err(StoreError::IllegalTransition { .. })), "{result:?}");
}

pub(super) fn day() -> TradingDay {
    TradingDay::from_ymd(2026, 12, 1).unwrap()
}

/// So many seconds after the open.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(day().start().micros() + (9 * 3600 + 15 * 60 + seconds) * 1_000_000)
}

pub(super) fn leader() -> DhanClientId {
    DhanClientId::new("1000000101").unwrap()
}

pub(super) fn account() -> DhanClientId {
    DhanClientId::new("1000000202").unwrap()
}

pub(super) fn asha() -> FollowerId {
    FollowerId::new("asha").unwrap()
}

pub(super) fn order_id(text: &str) -> BrokerOrderId {
    BrokerOrderId::new(text).unwrap()
}

pub(super) fn instrument() -> InstrumentKey {
    InstrumentKey { segment: ExchangeSegment::NseFno, security_id: SecurityId(43_125) }
}

pub(super) fn terms(quantity: u32) -> OrderTerms {
    OrderTerms {
        instrument: instrument(),
        side: Side::Buy,
        product: Product::Margin,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(quantity),
        disclosed: Quantity::ZERO,
        price: Price::from_paise(18_235),
        trigger: Price::ZERO,
        after_market: false,
        form: tandem_domain::order::OrderForm::Ordinary,
    }
}

pub(super) fn leader_order() -> LeaderOrder {
    LeaderOrder {
        account: leader(),
        trading_day: day(),
        broker_order_id: order_id("L1"),
        tag: None,
        leg: Leg::Single,
        terms: terms(260),
        status: BrokerStatus::Pending,
        cumulative: Quantity::ZERO,
        average_price: Price::ZERO,
        reason: None,
        exited: Quantity::ZERO,
        last_price: None,
        forever_parent: None,
        known_fingerprint: tandem_domain::leader::KnownFingerprint::default(),
        ts_event: at(1),
        ts_first_event: at(1),
        ts_first_seen: at(1),
    }
}

pub(super) fn leader_event(order: &LeaderOrder) -> Write {
    Write::LeaderEvent(LeaderEvent { order: Arc::new(order.clone()), ts_init: at(1) })
}

pub(super) fn mirror_key() -> MirrorKey {
    MirrorKey { trading_day: day(), leader_account: leader(), leader_order: order_id("L1"), follower: asha() }
}

pub(super) fn mapping(outcome: Outcome, target: u32) -> MappingRow {
    MappingRow {
        key: mirror_key(),
        outcome,
        reason: None,
        note: None,
        sizing: Some(Sizing {
            strategy: Strategy::CapitalProportional,
            ratio: Ratio::new(1, 2).unwrap(),
            multiplier: Ratio::ONE,
            rounding: Rounding::Down,
            minimum: Minimum::Skip,
            keeps_remainder: true,
            unit_cost: Some(Money::from_rupees(182)),
            held: 65,
            credit: Share::ZERO,
            leader_quantity: Quantity::new(260),
            lot_size: LotSize::new(65).unwrap(),
            leader_capital: Some(Money::from_rupees(1_000_000)),
            follower_capital: Some(Money::from_rupees(500_000)),
            quantity: Quantity::new(130),
        }),
        target: Quantity::new(target),
        closing: Quantity::ZERO,
        copied: Quantity::ZERO,
        filled: Quantity::ZERO,
        permit: None,
        updated_at: at(2),
    }
}

pub(super) fn mapped(outcome: Outcome, target: u32) -> Write {
    Write::Mapping(Box::new(mapping(outcome, target)))
}

pub(super) fn child(slice: u16, attempt: u16) -> ChildKey {
    ChildKey { trading_day: day(), leader_order: order_id("L1"), follower: asha(), leg: 0, slice, attempt }
}

pub(super) fn intent(child: &ChildKey, state: IntentState, quantity: u32) -> IntentRow {
    IntentRow {
        client_order_id: ClientOrderId::derive(child),
        kind: IntentKind::Place,
        serial: 0,
        part: None,
        child: child.clone(),
        leader_account: leader(),
        account: account(),
        event: Some(leader_order().fingerprint()),
        purpose: Purpose::Entry,
        note: Some(ChildNote { purpose: Purpose::Entry, is_retired: false, has_fired: false }),
        state,
        terms: terms(quantity),
        broker_order_id: (state == IntentState::Acked).then(|| order_id("F1")),
        refusal: None,
        timing: IntentTiming { leader_event: Some(at(1)), received: Some(at(1)), ..IntentTiming::default() },
        created_at: at(2),
    }
}

pub(super) fn planned(child: &ChildKey, state: IntentState, quantity: u32) -> Write {
    Write::Intent(Box::new(intent(child, state, quantity)))
}

pub(super) fn change(child: &ChildKey, state: IntentState) -> IntentChange {
    IntentChange {
        client_order_id: ClientOrderId::derive(child),
        kind: IntentKind::Place,
        serial: 0,
        part: None,
        state,
        terms: None,
        purpose: None,
        broker_order_id: (state == IntentState::Acked).then(|| order_id("F1")),
        refusal: None,
        request: None,
        response: None,
        timing: IntentTiming::default(),
        updated_at: at(3),
    }
}

pub(super) fn changed(child: &ChildKey, state: IntentState) -> Write {
    Write::IntentChange(Box::new(change(child, state)))
}

/// A request to change or cancel a child order, of so many units.
pub(super) fn request(child: &ChildKey, kind: IntentKind, serial: u32, quantity: u32) -> IntentRow {
    IntentRow {
        kind,
        serial,
        part: Some(OrderPart::Whole),
        broker_order_id: Some(order_id("F1")),
        ..intent(child, IntentState::Sending, quantity)
    }
}

pub(super) fn requested(row: &IntentRow) -> Write {
    Write::Intent(Box::new(row.clone()))
}

/// What became of a request.
pub(super) fn answered(row: &IntentRow, state: IntentState) -> Write {
    let change = IntentChange {
        client_order_id: row.client_order_id.clone(),
        kind: row.kind,
        serial: row.serial,
        broker_order_id: row.broker_order_id.clone(),
        updated_at: at(6),
        ..change(&row.child, state)
    };
    Write::IntentChange(Box::new(change))
}

/// Leader order and mapping of 130 units: what every intent rests on.
pub(super) fn ground() -> Vec<Write> {
    vec![leader_event(&leader_order()), mapped(Outcome::Waiting, 130)]
}

pub(super) fn follower_order(
    child: &ChildKey,
    id: &str,
    status: BrokerStatus,
    cumulative: u32,
) -> AccountOrder {
    let client_order_id = ClientOrderId::derive(child);
    AccountOrder {
        trading_day: day(),
        role: OrderRole::Follower,
        report: OrderReport {
            account: account(),
            broker_order_id: order_id(id),
            exchange_order_id: None,
            tag: Some(Tag::from(&client_order_id)),
            terms: terms(130),
            status,
            cumulative: Quantity::new(cumulative),
            average_price: if cumulative == 0 { Price::ZERO } else { Price::from_paise(18_240) },
            reason: None,
            leg: Leg::Single,
            ts_event: at(4),
            ts_exchange: Some(at(4)),
            ts_created: None,
            parent: None,
            last_price: None,
            source: EvidenceSource::Stream,
        },
        client_order_id: Some(client_order_id),
        ts_init: at(4),
    }
}

pub(super) fn reported(order: &AccountOrder) -> Write {
    Write::AccountOrder(Box::new(order.clone()))
}

/// A row that no constraint refuses, of any size.
pub(super) fn note(bytes: usize) -> Write {
    Write::Audit(AuditEntry {
        recorded_at: at(0),
        actor: "test".into(),
        event: "note".into(),
        subject: None,
        details: format!("\"{}\"", "x".repeat(bytes)),
    })
}
