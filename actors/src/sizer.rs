//! Sizer: turns one leader order and one follower's policy into what that follower should do about it.
//!
//! Takes [`LeaderOrderChanged`], [`Together`], [`LeaderHeard`], [`FundsRead`], [`FollowerReady`]; gives [`Plan`] and
//! [`GoLive`]; owns the instruments of the day and the day's capital in memory; never talks to a broker's order API and
//! never waits on the hot path. Upholds P26: every leader order gets a word for every follower. On restart it asks for
//! everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix::ActorFutureExt;
use actix::{Actor, AsyncContext, Context, Handler, Message, WrapFuture};
use serde_json::json;
use tandem_domain::account::Funds;
use tandem_domain::decision::{Decision, decide};
use tandem_domain::gates::CopyPolicy;
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::instrument::{Instrument, InstrumentTable};
use tandem_domain::leader::LeaderOrder;
use tandem_domain::policy::CopyOn;
use tandem_domain::price::Money;
use tandem_domain::sizing::{CapitalBasis, DayCapital, SizingPolicy, Strategy};
use tandem_domain::time::TradingDay;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::follower_orders::FollowerOrderActor;
use crate::instruments::{InstrumentSource, Instruments};
use crate::messages::{
    Addresses, FollowerReady, FundsRead, GoLive, LeaderHeard, LeaderOrderChanged, Link, Plan, ReloadPolicies,
    Together,
};
use crate::store::{self, Reader, StoreHandle, Write};
use crate::vitals::{Health, Ping, Vitals};

/// How soon after a look into the master file the next one is worth it.
const INSTRUMENT_REFRESH_INTERVAL: Duration = Duration::from_mins(1);

/// How often the capital is taken anew where the ratio follows it. Shorter than what funds are read in at the least, so
/// that none of these reads is passed over for having come a little early.
const CAPITAL_REFRESH_INTERVAL: Duration = Duration::from_secs(29);

/// How long the first going live waits for followers that are not ready: one that never will be must not keep the
/// others from copying (P19). A later one is told everything again when it is.
const FOLLOWERS_PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for the leader's capital. Then what he opens is denied, by the followers who need that figure, and
/// what he closes is followed: closing needs no ratio, and late is better than never.
const LEADER_PATIENCE: Duration = Duration::from_secs(20);

/// For whom the first going live still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    WithAll,
    WithLeader,
    Ended,
}

/// One follower's policy.
#[derive(Debug, Clone)]
pub struct FollowerPolicy {
    /// The follower.
    pub id: FollowerId,
    /// Its account.
    pub account: DhanClientId,
    /// What it copies.
    pub copy: CopyPolicy,
    /// How much.
    pub sizing: SizingPolicy,
    /// Whether the ratio of new orders follows the capital through the day, instead of that of its start.
    pub refreshes_capital: bool,
}

/// What the Sizer is told once.
#[derive(Debug, Clone)]
pub struct SizerParams {
    /// The leader's account.
    pub leader: DhanClientId,
    /// Which figure of the leader's funds counts as capital.
    pub leader_capital: CapitalBasis,
    /// The sum of [`CapitalBasis::Fixed`].
    pub leader_fixed_capital: Option<Money>,
    /// The followers.
    pub followers: Vec<FollowerPolicy>,
    /// The instruments of the day, shared with whoever needs them.
    pub instruments: Instruments,
    /// Where they come from.
    pub source: InstrumentSource,
    /// Where the capital of a day is put on record.
    pub store: StoreHandle,
    /// Where it is read at the start.
    pub reader: Reader,
    /// The clock.
    pub clock: Clock,
    /// The generation that may plan; set at each start, so that an abandoned life falls silent.
    pub fence: Arc<AtomicU32>,
}

/// The actor.
#[derive(Debug)]
pub struct Sizer {
    params: SizerParams,
    vitals: Vitals,
    addresses: Option<Arc<Addresses>>,
    day: TradingDay,
    capital: BTreeMap<DhanClientId, Money>,
    /// Funds as they were lately, for those whose ratio follows them.
    recent: BTreeMap<DhanClientId, Recent>,
    /// Whether the capital on record was read.
    is_loaded: bool,
    /// Funds that were told before.
    early: Vec<FundsRead>,
    /// Accounts whose funds were read, or tried to be.
    heard_from: BTreeSet<DhanClientId>,
    ready: BTreeSet<FollowerId>,
    patience: Patience,
    /// Whether the leader's stream was told to go live; what it says before is said again after.
    is_live: bool,
    refresh: Refresh,
}

/// An account's funds, and when they were taken over.
#[derive(Debug, Clone, Copy)]
struct Recent {
    funds: Funds,
    taken: Instant,
}

/// What counts as an account's capital.
#[derive(Debug, Clone, Copy)]
struct Basis {
    figure: CapitalBasis,
    /// The sum of [`CapitalBasis::Fixed`].
    sum: Option<Money>,
}

impl Basis {
    fn of(self, funds: &Funds) -> Option<Money> {
        match self.figure {
            CapitalBasis::Total => Some(funds.total()),
            CapitalBasis::Available => Some(funds.available),
            CapitalBasis::Fixed => self.sum,
        }
    }

    /// A sum from the settings is known before anything is read, and follows them when they change.
    fn fixed(self) -> Option<Money> {
        self.sum.filter(|_| self.figure == CapitalBasis::Fixed)
    }
}

/// Looking an unknown instrument up in the source.
#[derive(Debug, Default)]
struct Refresh {
    running: bool,
    last: Option<Instant>,
    waiting: Vec<LeaderOrderChanged>,
}

impl Sizer {
    /// A sizer that knows the capital on record.
    pub fn new(params: SizerParams, vitals: Vitals) -> Self {
        Self {
            capital: BTreeMap::new(),
            recent: BTreeMap::new(),
            day: params.clock.now().trading_day(),
            is_loaded: false,
            early: Vec::new(),
            params,
            vitals,
            addresses: None,
            heard_from: BTreeSet::new(),
            ready: BTreeSet::new(),
            patience: Patience::WithAll,
            is_live: false,
            refresh: Refresh::default(),
        }
    }

    /// Who is told what follows; none where another life of this actor tells.
    fn addresses(&self) -> Option<&Addresses> {
        let is_present = self.params.fence.load(Ordering::Acquire) == self.vitals.generation;
        self.addresses.as_deref().filter(|_| is_present)
    }

    fn plan(&self, change: &LeaderOrderChanged, instrument: Option<&Instrument>) {
        let Some(addresses) = self.addresses() else { return };
        let instrument = instrument.cloned().map(Arc::new);
        for (policy, to) in self.params.followers.iter().zip(&addresses.followers) {
            to.orders.tell(Plan {
                decision: self.decide(&change.order, instrument.as_ref(), policy),
                order: Arc::clone(&change.order),
                received: change.received,
                underway: Arc::clone(&change.underway),
            });
        }
    }

    fn decide(
        &self,
        order: &LeaderOrder,
        instrument: Option<&Arc<Instrument>>,
        policy: &FollowerPolicy,
    ) -> Decision {
        let capital = DayCapital {
            leader: self.capital_of(&self.params.leader, policy.refreshes_capital),
            follower: self.capital_of(&policy.account, policy.refreshes_capital),
        };
        decide(order, instrument, &policy.copy, capital, &policy.account)
    }

    /// What a proportion is taken of: as at the start of the day (A29), or lately. The book keeps the ratio that an order
    /// began with, and puts what it was made of on record.
    fn capital_of(&self, account: &DhanClientId, lately: bool) -> Option<Money> {
        let basis = self.basis_of(account);
        match self.recent.get(account) {
            Some(recent) if lately => basis.of(&recent.funds),
            _ => basis.fixed().or_else(|| self.capital.get(account).copied()),
        }
    }

    fn basis_of(&self, account: &DhanClientId) -> Basis {
        match self.params.followers.iter().find(|policy| policy.account == *account) {
            Some(policy) => Basis { figure: policy.sizing.capital, sum: policy.sizing.fixed_capital },
            None => Basis { figure: self.params.leader_capital, sum: self.params.leader_fixed_capital },
        }
    }

    /// The first figures of a trading day are its capital; they are put on record, and what is on record stands.
    fn take_capital(&mut self, account: &DhanClientId, funds: &Funds) {
        let today = self.params.clock.now().trading_day();
        if self.day != today {
            self.day = today;
            self.capital.clear();
        }
        if self.capital.contains_key(account) {
            return;
        }
        let basis = self.basis_of(account);
        let Some(figure) = basis.of(funds) else { return };
        self.capital.insert(account.clone(), figure);
        info!(account = account.masked(), capital = %figure, basis = %basis.figure, day = %today, "capital of the day taken");
        let row = store::DayCapital {
            trading_day: today,
            account: account.clone(),
            capital: figure,
            recorded_at: self.params.clock.now(),
        };
        crate::records::submit_quietly(&self.params.store, &self.vitals, vec![Write::DayCapital(row)]);
    }

    fn take_recent(&mut self, account: &DhanClientId, funds: Funds) {
        let is_due =
            self.recent.get(account).is_none_or(|last| last.taken.elapsed() >= CAPITAL_REFRESH_INTERVAL);
        if is_due && self.params.followers.iter().any(|policy| policy.refreshes_capital) {
            self.recent.insert(account.clone(), Recent { funds, taken: Instant::now() });
        }
    }

    fn on_loaded(&mut self, capital: BTreeMap<DhanClientId, Money>) {
        self.vitals.progressed();
        self.is_loaded = true;
        self.capital = capital;
        for read in std::mem::take(&mut self.early) {
            self.on_funds(read);
        }
        self.go_live_when_ready();
    }

    fn give_up(&mut self, error: &dyn std::error::Error, ctx: &mut Context<Self>) {
        self.vitals.dying_of(format!("read the capital of the day: {error}"));
        actix::ActorContext::stop(ctx);
    }

    fn on_funds(&mut self, read: FundsRead) {
        if let Some(funds) = &read.funds {
            self.take_capital(&read.account, funds);
            self.take_recent(&read.account, *funds);
        }
        self.heard_from.insert(read.account);
        if !self.is_live {
            self.go_live_when_ready();
        }
    }

    fn go_live_when_ready(&mut self) {
        let are_followers_ready = self
            .params
            .followers
            .iter()
            .all(|policy| self.ready.contains(&policy.id) && self.heard_from.contains(&policy.account));
        let is_everybody_ready = are_followers_ready || self.patience != Patience::WithAll;
        let is_leader_given_up =
            self.patience == Patience::Ended && self.heard_from.contains(&self.params.leader);
        let is_leader_ready = self.is_leader_known() || is_leader_given_up;
        if self.is_loaded
            && is_everybody_ready
            && is_leader_ready
            && let Some(addresses) = self.addresses()
        {
            addresses.leader.tell(GoLive);
            self.is_live = true;
        }
    }

    fn lose_patience(&mut self, patience: Patience) {
        self.patience = patience;
        if !self.is_live {
            self.go_live_when_ready();
        }
    }

    /// Without the leader's capital no proportion can be taken, and a word once given stands: so that figure is waited
    /// for. A follower's own capital concerns only him.
    fn is_leader_known(&self) -> bool {
        let mut followers = self.params.followers.iter();
        if followers.any(|policy| policy.sizing.strategy == Strategy::CapitalProportional) {
            self.capital_of(&self.params.leader, false).is_some()
        } else {
            self.heard_from.contains(&self.params.leader)
        }
    }

    /// Whether any follower acts on this state already.
    fn is_due(&self, order: &LeaderOrder) -> bool {
        order.is_accepted() || self.params.followers.iter().any(|policy| policy.copy.on == CopyOn::Transit)
    }

    /// Looks an unknown instrument up in the source, once for all that wait for it.
    fn look_up(&mut self, change: LeaderOrderChanged, ctx: &mut Context<Self>) {
        let recently = self.refresh.last.is_some_and(|last| last.elapsed() < INSTRUMENT_REFRESH_INTERVAL);
        if recently && !self.refresh.running {
            return self.plan(&change, None);
        }
        info!(instrument = %change.order.terms.instrument, "instrument not in the master file of the day: reading it again");
        self.refresh.waiting.push(change);
        if self.refresh.running {
            return;
        }
        self.refresh.running = true;
        let loading = self.params.source.clone().load();
        ctx.spawn(loading.into_actor(self).map(|loaded, sizer, _| sizer.on_refreshed(loaded)));
    }

    fn on_refreshed(&mut self, loaded: Result<InstrumentTable, crate::instruments::LoadError>) {
        self.vitals.progressed();
        self.refresh.running = false;
        self.refresh.last = Some(Instant::now());
        match loaded {
            Ok(table) => {
                info!(instruments = table.len(), "instruments loaded");
                self.params.instruments.replace(table);
            }
            Err(error) => {
                warn!(%error, "instruments could not be read again");
                self.vitals.failed(error);
            }
        }
        for change in std::mem::take(&mut self.refresh.waiting) {
            let instrument = self.params.instruments.get(change.order.terms.instrument);
            self.plan(&change, instrument.as_ref());
        }
    }

    /// Tells every follower's order actor what the leader's stream says, while plans are told, too.
    fn pass_on<M>(&mut self, said: &M)
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        FollowerOrderActor: Handler<M>,
    {
        self.vitals.received();
        let Some(addresses) = self.addresses().filter(|_| self.is_live) else { return };
        for to in &addresses.followers {
            to.orders.tell(said.clone());
        }
    }
}

impl Actor for Sizer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        crate::fault_point!(SizerStarted, ctx);
        let (reader, day) = (self.params.reader.clone(), self.day);
        let reading = actix_rt::task::spawn_blocking(move || reader.day_capital(day));
        ctx.spawn(reading.into_actor(self).map(|read, sizer, ctx| match read {
            Ok(Ok(capital)) => sizer.on_loaded(capital.into_iter().collect()),
            Ok(Err(error)) => sizer.give_up(&error, ctx),
            Err(error) => sizer.give_up(&error, ctx),
        }));
        ctx.run_later(FOLLOWERS_PATIENCE, |sizer, _| sizer.lose_patience(Patience::WithLeader));
        ctx.run_later(LEADER_PATIENCE, |sizer, _| sizer.lose_patience(Patience::Ended));
    }
}

impl Handler<Link> for Sizer {
    type Result = ();

    fn handle(&mut self, Link(addresses): Link, _: &mut Self::Context) {
        self.vitals.received();
        self.addresses = Some(addresses);
        self.go_live_when_ready();
    }
}

impl Handler<LeaderOrderChanged> for Sizer {
    type Result = ();

    fn handle(&mut self, change: LeaderOrderChanged, ctx: &mut Self::Context) {
        self.vitals.received();
        crate::fault_point!(SizerTold, ctx);
        if !self.is_live {
            return;
        }
        match self.params.instruments.get(change.order.terms.instrument) {
            Some(instrument) => self.plan(&change, Some(&instrument)),
            None if self.is_due(&change.order) => self.look_up(change, ctx),
            None => self.plan(&change, None),
        }
    }
}

impl Handler<Together> for Sizer {
    type Result = ();

    fn handle(&mut self, together: Together, _: &mut Self::Context) {
        self.pass_on(&together);
    }
}

impl Handler<LeaderHeard> for Sizer {
    type Result = ();

    fn handle(&mut self, heard: LeaderHeard, _: &mut Self::Context) {
        self.pass_on(&heard);
    }
}

impl Handler<FundsRead> for Sizer {
    type Result = ();

    fn handle(&mut self, read: FundsRead, _: &mut Self::Context) {
        self.vitals.received();
        if self.is_loaded {
            self.on_funds(read);
        } else {
            self.early.push(read);
        }
    }
}

impl Handler<FollowerReady> for Sizer {
    type Result = ();

    fn handle(&mut self, FollowerReady { follower }: FollowerReady, _: &mut Self::Context) {
        self.vitals.received();
        self.ready.insert(follower);
        self.go_live_when_ready();
    }
}

impl Handler<ReloadPolicies> for Sizer {
    type Result = ();

    fn handle(&mut self, ReloadPolicies(policies): ReloadPolicies, _: &mut Self::Context) {
        self.vitals.received();
        self.params.followers = policies;
    }
}

impl Handler<Ping> for Sizer {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        let mut details = serde_json::Map::new();
        details.insert("instruments".to_owned(), json!(self.params.instruments.len()));
        details.insert("waiting_for_instruments".to_owned(), json!(self.refresh.waiting.len()));
        for (account, capital) in &self.capital {
            details.insert(format!("capital/{}", account.masked()), json!(capital.to_string()));
        }
        self.vitals.health(if self.is_live { "live" } else { "gathering" }, details)
    }
}
