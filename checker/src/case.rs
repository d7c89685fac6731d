//! Rows and book laid beside each other: what every check begins with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::book::{Book, BookOrder};
use crate::history::{
    EventRow, History, IncidentRow, Instrument, IntentRow, MappingRow, MirrorKey, OrderRow,
};
use crate::when::UNDER_WAY;

/// What every id that Tandem gives an order begins with.
pub(crate) const OUR_TAG: &str = "tdm-";

/// Which leg of a mirror's children the copy itself is; the other makes gaps good.
pub(crate) const COPY: i64 = 0;

/// Incidents that speak of everything of a follower, not of one instrument or order.
const OF_THE_WHOLE_ACCOUNT: [&str; 6] =
    ["account_halted", "trading_stopped", "squared_off", "squaring_off", "follower_down", "token_unreadable"];

/// The inputs, with the ways between them.
pub(crate) struct Case<'a> {
    pub(crate) history: &'a History,
    pub(crate) book: Option<&'a Book>,
    /// Every order that was ever decided on, in the order of deciding.
    pub(crate) children: Vec<Child<'a>>,
    pub(crate) mappings: BTreeMap<&'a MirrorKey, &'a MappingRow>,
    /// Accounts that copies are placed in.
    pub(crate) followers: BTreeSet<&'a str>,
    /// What is younger than this may be still under way, where a promise speaks of how things end.
    under_way: i64,
    by_mirror: BTreeMap<&'a MirrorKey, Vec<usize>>,
    gaps: BTreeSet<&'a MirrorKey>,
    orders: ByOrder<'a, &'a OrderRow>,
    parts: ByOrder<'a, Vec<&'a OrderRow>>,
    events: ByOrder<'a, Vec<&'a EventRow>>,
    changes: HashMap<&'a str, Vec<&'a IntentRow>>,
}

/// By account, then by the broker's order id.
type ByOrder<'a, T> = HashMap<&'a str, HashMap<&'a str, T>>;

/// An order that was decided on: the intent to place it, what the history knows of it, what the broker says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Child<'a> {
    pub(crate) intent: &'a IntentRow,
    pub(crate) order: Option<&'a OrderRow>,
    pub(crate) book: Option<&'a BookOrder>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(history: &'a History, book: Option<&'a Book>) -> Self {
        let mut case = Self {
            history,
            book,
            children: Vec::new(),
            mappings: history.mappings.iter().map(|mapping| (&mapping.key, mapping)).collect(),
            followers: followers(history),
            under_way: under_way(history),
            by_mirror: BTreeMap::new(),
            gaps: history.gaps.iter().map(|gap| &gap.mirror).collect(),
            orders: HashMap::new(),
            parts: HashMap::new(),
            events: HashMap::new(),
            changes: HashMap::new(),
        };
        let mut by_client_id = HashMap::new();
        for order in &history.orders {
            case.orders.entry(&order.account).or_default().insert(&order.id, order);
            if let Some(parent) = &order.parent {
                case.parts.entry(&order.account).or_default().entry(parent).or_default().push(order);
            }
            if let Some(id) = &order.client_order_id {
                by_client_id.insert(&**id, order);
            }
        }
        for event in &history.events {
            case.events.entry(&event.account).or_default().entry(&event.id).or_default().push(event);
        }
        for intent in history.intents.iter().filter(|intent| !intent.is_place()) {
            case.changes.entry(&*intent.client_order_id).or_default().push(intent);
        }
        let tagged: HashMap<&str, &BookOrder> = book
            .into_iter()
            .flat_map(|book| book.orders.values())
            .filter(|order| !order.is_leg)
            .filter_map(|order| Some((order.tag.as_deref()?, order)))
            .collect();
        // By its number where that is known: of two orders under one mark it tells which is the one.
        let in_book = |intent: &IntentRow| {
            let known = intent.broker_order_id.as_ref().and_then(|id| {
                book?.orders.get(&(intent.account.clone(), id.clone())).filter(|order| !order.is_leg)
            });
            known.or_else(|| tagged.get(&*intent.client_order_id).copied())
        };
        case.children = history
            .intents
            .iter()
            .filter(|intent| intent.is_place())
            .map(|intent| Child {
                intent,
                order: by_client_id.get(&*intent.client_order_id).copied().or_else(|| {
                    let id = intent.broker_order_id.as_deref()?;
                    case.order(&intent.account, id).filter(|order| order.client_order_id.is_none())
                }),
                book: in_book(intent),
            })
            .collect();
        for (place, child) in case.children.iter().enumerate() {
            case.by_mirror.entry(&child.intent.mirror).or_default().push(place);
        }
        case
    }

    /// The orders of one mirror, in the order of deciding.
    pub(crate) fn children_of(&self, mirror: &MirrorKey) -> impl Iterator<Item = &Child<'a>> {
        let places = self.by_mirror.get(mirror).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.children[*place])
    }

    /// Whether so much time has passed since a moment, and since the last start, that nothing of it is under way.
    pub(crate) fn is_settled(&self, since: i64) -> bool {
        self.is_settled_for(0, since)
    }

    /// The same, and so much more time.
    pub(crate) fn is_settled_for(&self, span: i64, since: i64) -> bool {
        let since = self.history.started.map_or(since, |started| started.max(since));
        self.history.moment.is_some_and(|now| now - since > self.under_way + span)
    }

    pub(crate) fn order(&self, account: &str, id: &str) -> Option<&'a OrderRow> {
        self.orders.get(account)?.get(id).copied()
    }

    /// Exit legs of an order, and what a forever order left when it fired.
    pub(crate) fn parts<'s>(&'s self, order: &OrderRow) -> &'s [&'a OrderRow] {
        self.parts.get(&*order.account).and_then(|of| of.get(&*order.id)).map_or(&[], Vec::as_slice)
    }

    /// What the broker said of an order, as it came.
    pub(crate) fn events<'s>(&'s self, order: &OrderRow) -> &'s [&'a EventRow] {
        self.events.get(&*order.account).and_then(|of| of.get(&*order.id)).map_or(&[], Vec::as_slice)
    }

    /// Changes and cancels of a child.
    pub(crate) fn changes<'s>(&'s self, child: &Child<'_>) -> &'s [&'a IntentRow] {
        self.changes.get(&*child.intent.client_order_id).map_or(&[], Vec::as_slice)
    }

    /// From when on the rows say that a child can fill no more. None while it may.
    pub(crate) fn ended(&self, child: &Child<'_>) -> Option<i64> {
        match child.intent.state.as_str() {
            "REFUSED" | "VOIDED" | "ABSENT" => Some(child.intent.updated),
            "ACKED" => {
                let order = child.order.filter(|order| order.terminal)?;
                let said =
                    self.events(order).iter().filter(|event| event.is_end()).map(|event| event.ts_init);
                Some(said.min().unwrap_or(order.updated))
            }
            _ => None,
        }
    }

    /// The units a child has filled or may yet fill, by the rows. What is not known counts in full.
    pub(crate) fn exposure(&self, child: &Child<'_>) -> i64 {
        let filled = child.order.map_or(0, |order| order.cumulative);
        if self.ended(child).is_some() {
            return filled;
        }
        let shown = child.order.map_or(child.intent.quantity, |order| order.quantity);
        let asked = self.changes(child).iter().filter(|change| {
            change.kind == "modify"
                && (change.is_in_doubt()
                    || change.state == "ACKED"
                        && child.order.is_none_or(|order| change.updated > order.updated))
        });
        asked.map(|change| change.quantity).chain([shown, filled]).max().unwrap_or_default()
    }

    /// Whether a gap is on record for a mirror: the follower was told that it parted from its leader.
    pub(crate) fn has_gap(&self, mirror: &MirrorKey) -> bool {
        self.gaps.contains(mirror)
    }

    /// Whether an incident of a follower, closed since or not, speaks of one of these names or of the whole account.
    pub(crate) fn was_raised(&self, follower: &str, names: &[&str]) -> bool {
        self.incidents(follower, names).next().is_some()
    }

    /// The same, of one that is still open.
    pub(crate) fn is_open(&self, follower: &str, names: &[&str]) -> bool {
        self.incidents(follower, names).any(|incident| incident.closed.is_none())
    }

    /// Whether an operator has looked at what a day left in doubt in an instrument.
    pub(crate) fn was_settled(&self, follower: &str, instrument: &str) -> bool {
        self.incidents(follower, &[instrument])
            .any(|incident| incident.kind == "unresolved_yesterday" && incident.closed.is_some())
    }

    fn incidents<'b>(
        &'b self,
        follower: &'b str,
        names: &'b [&'b str],
    ) -> impl Iterator<Item = &'a IncidentRow> + 'b {
        self.history.incidents.iter().filter(move |incident| {
            incident.follower.as_deref().is_none_or(|of| of == follower)
                && (OF_THE_WHOLE_ACCOUNT.contains(&&*incident.kind)
                    || names.iter().any(|name| speaks_of(incident, name)))
        })
    }

    /// The accounts that a follower's copies are placed in.
    pub(crate) fn accounts_of(&self, follower: &str) -> BTreeSet<&'a str> {
        let intents = self.history.intents.iter().filter(|intent| intent.follower() == follower);
        intents.map(|intent| &*intent.account).collect()
    }

    /// The followers whose copies are placed in an account.
    pub(crate) fn followers_in(&self, account: &str) -> BTreeSet<&'a str> {
        let intents = self.history.intents.iter().filter(|intent| intent.account == account);
        intents.map(IntentRow::follower).collect()
    }
}

impl<'a> Child<'a> {
    /// Rows to show of it.
    pub(crate) fn rows(&self) -> Vec<String> {
        let of_broker = self.book.map(BookOrder::row);
        [Some(self.intent.row()), self.order.map(OrderRow::row), of_broker].into_iter().flatten().collect()
    }

    pub(crate) fn is_copy(&self) -> bool {
        self.intent.leg == COPY
    }

    pub(crate) fn instrument(&self) -> &'a Instrument {
        &self.intent.instrument
    }
}

/// Whether an incident names something: an order, an instrument, one of our ids.
fn speaks_of(incident: &IncidentRow, name: &str) -> bool {
    incident.id.split('/').any(|part| part == name)
        || incident.instrument.as_ref().is_some_and(|instrument| instrument.to_string() == name)
}

/// A minute; more where the settings say that Tandem looks less often.
fn under_way(history: &History) -> i64 {
    let looks =
        ["leader.book_poll_ms", "recovery.poll_ms", "recovery.idle_poll_ms", "recovery.lookup_ms_max"];
    let rarest = looks.iter().flat_map(|key| history.numbers(key)).max().unwrap_or_default();
    UNDER_WAY.max(rarest.saturating_mul(2_000))
}

fn followers(history: &History) -> BTreeSet<&str> {
    let leaders: BTreeSet<&str> = {
        let of_orders = history.orders.iter().filter(|order| order.role == "leader");
        let of_mappings = history.mappings.iter().map(MappingRow::leader_account);
        of_orders.map(|order| &*order.account).chain(of_mappings).collect()
    };
    let placed = history.intents.iter().map(|intent| &*intent.account);
    let read = history.snapshots.keys().map(|(account, _)| &**account);
    let with_money = history.accounts.iter().map(String::as_str);
    let others = read.chain(with_money).filter(|account| !leaders.contains(account));
    placed.chain(others).collect()
}
