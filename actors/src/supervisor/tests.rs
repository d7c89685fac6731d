//! The supervisor over stand-in actors: it must see every way an actor can end, and bear each only so often.

use std::cell::RefCell;
use std::rc::Rc;

use actix::{ActorContext, Addr, WrapFuture};
use tandem_domain::ids::FollowerId;

use super::telling::{BLOCKED, FOLLOWER_DOWN, HALTED};
use super::watching::MAILBOX_MAX;
use super::*;
use crate::store::{Job, Store, StoreSettings, WriterId};
use crate::vitals::Mailbox;

/// An actor that does as it is told.
struct Puppet {
    vitals: Vitals,
}

impl Actor for Puppet {
    type Context = Context<Self>;
}

impl Handler<Ping> for Puppet {
    type Result = Health;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Health {
        self.vitals.health("working", serde_json::Map::new())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
enum Do {
    /// It is not counted as handled, either.
    Nothing,
    Stop,
    PanicInHandler,
    PanicInFuture,
    Hang,
}

impl Handler<Do> for Puppet {
    type Result = ();

    fn handle(&mut self, what: Do, ctx: &mut Self::Context) {
        match what {
            Do::Nothing => {}
            Do::Stop => ctx.stop(),
            Do::PanicInHandler => panic!("as told"),
            Do::PanicInFuture => {
                ctx.spawn(async { panic!("as told, later") }.into_actor(self));
            }
            Do::Hang => ctx.wait(std::future::pending::<()>().into_actor(self)),
        }
    }
}

/// Every start of every actor, in order, with its address.
type Births = Rc<RefCell<Vec<(ActorName, u32, Addr<Puppet>)>>>;

struct Puppets {
    births: Births,
    links: Rc<RefCell<u32>>,
    losses: Rc<RefCell<Vec<ActorName>>>,
    fences: Rc<RefCell<Vec<(ActorName, u32)>>>,
    /// Told to each new life of one actor.
    at_birth: Option<(ActorName, Do)>,
    /// The figures of each life, in order of start.
    depths: Rc<RefCell<Vec<Depth>>>,
}

impl Household for Puppets {
    fn actors(&self) -> Vec<ActorName> {
        vec![ActorName::Store, asha(), ActorName::Sizer, ActorName::LeaderStream]
    }

    fn start(&mut self, birth: Birth) -> Option<Recipient<Ping>> {
        let address = Puppet { vitals: birth.vitals() }.start();
        match &self.at_birth {
            Some((name, what)) if *name == birth.actor => address.do_send(*what),
            _ => {}
        }
        self.depths.borrow_mut().push(birth.depth);
        self.births.borrow_mut().push((birth.actor, birth.generation, address.clone()));
        Some(address.recipient())
    }

    fn fence(&self, actor: &ActorName, generation: u32) {
        self.fences.borrow_mut().push((actor.clone(), generation));
    }

    fn tell_of_loss(&self, actor: &ActorName) {
        self.losses.borrow_mut().push(actor.clone());
    }

    fn retire(&self, actor: &ActorName) {
        let births = self.births.borrow();
        births.iter().rev().find(|(name, ..)| name == actor).unwrap().2.do_send(Do::Stop);
    }

    fn link(&self) {
        *self.links.borrow_mut() += 1;
    }

    fn drain(&self) {}
}

fn asha() -> ActorName {
    ActorName::Follower(FollowerId::new("asha").unwrap())
}

struct Stage {
    births: Births,
    depths: Rc<RefCell<Vec<Depth>>>,
    links: Rc<RefCell<u32>>,
    losses: Rc<RefCell<Vec<ActorName>>>,
    fences: Rc<RefCell<Vec<(ActorName, u32)>>>,
    ending: Rc<RefCell<Option<Ending>>>,
    supervisor: Addr<Supervisor<Puppets>>,
    store: StoreHandle,
    reader: crate::store::Reader,
    in_flight: InFlight,
    _folder: tempfile::TempDir,
}

/// How many actors there are.
const ALL: usize = 4;

fn stage(at_birth: Option<(ActorName, Do)>) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreSettings::at(folder.path().join("t.db")), |_| {}).unwrap();
    let in_flight = InFlight::default();
    let params = SupervisorParams {
        restarts: RestartLimits {
            restarts_max: 3,
            window: Duration::from_mins(1),
            restarts_per_day_max: 10,
            backoff_first: Duration::from_millis(1),
            backoff_max: Duration::from_millis(5),
        },
        health_interval: Duration::from_millis(20),
        ping_interval: Duration::from_millis(5),
        hang_deadline: Duration::from_millis(50),
        shutdown_deadline: Duration::from_millis(100),
        store: store.handle.clone(),
        clock: Clock::system(),
        in_flight: in_flight.clone(),
        generations: Arc::default(),
    };
    let (births, links) = (Births::default(), Rc::new(RefCell::new(0)));
    let (depths, losses, fences) = (Rc::default(), Rc::default(), Rc::default());
    let ending = Rc::new(RefCell::new(None));
    let house = Puppets {
        births: Rc::clone(&births),
        links: Rc::clone(&links),
        losses: Rc::clone(&losses),
        fences: Rc::clone(&fences),
        at_birth,
        depths: Rc::clone(&depths),
    };
    let told = Rc::clone(&ending);
    let supervisor = Supervisor::start(params, house, move |end| *told.borrow_mut() = Some(end));
    let (store, reader) = (store.handle, store.reader);
    Stage {
        births,
        depths,
        links,
        losses,
        fences,
        ending,
        supervisor,
        store,
        reader,
        in_flight,
        _folder: folder,
    }
}

impl Stage {
    /// The store takes nothing from this life of an actor.
    async fn refuses_what_is_written_by(&self, actor: &str, generation: u32) {
        let (told, answer) = tokio::sync::oneshot::channel();
        let job = Job {
            writer: WriterId { actor: actor.into(), generation },
            writes: Vec::new(),
            in_order: false,
            reply: Box::new(move |committed| {
                told.send(committed).unwrap();
            }),
        };
        self.store.submit(job).unwrap();
        let refused = answer.await.unwrap().result;
        let next = generation + 1;
        assert!(
            matches!(refused, Err(crate::store::StoreError::Fenced { current, .. }) if current == next),
            "{refused:?}"
        );
    }

    fn lives(&self, of: &ActorName) -> Vec<u32> {
        self.births
            .borrow()
            .iter()
            .filter(|(name, ..)| name == of)
            .map(|(_, generation, _)| *generation)
            .collect()
    }

    /// Who was started again, in order.
    fn newborn(&self) -> Vec<String> {
        self.births.borrow().iter().skip(ALL).map(|(name, ..)| name.to_string()).collect()
    }

    fn newest(&self, of: &ActorName) -> Addr<Puppet> {
        self.births.borrow().iter().rev().find(|(name, ..)| name == of).unwrap().2.clone()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One that failed so is built anew, and the rest of the chain with it; nobody else is.
async fn restarted_after(what: Do) {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::Sizer).do_send(what);
    until("a second life", || stage.lives(&ActorName::Sizer) == [1, 2]).await;
    until("new addresses handed out", || *stage.links.borrow() == 2).await;
    assert_eq!(stage.newborn(), ["sizer", "leader_stream"]);
    assert_eq!(*stage.losses.borrow(), [ActorName::Sizer], "who goes by its word is told of its end");
    assert_eq!(*stage.ending.borrow(), None);
}

#[actix_rt::test]
async fn starts_in_order() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    let names: Vec<_> = stage.births.borrow().iter().map(|(name, ..)| name.to_string()).collect();
    assert_eq!(names, ["store", "follower/asha", "sizer", "leader_stream"]);
}

#[actix_rt::test]
async fn the_last_of_the_chain_and_a_follower_are_restarted_alone() {
    for alone in [ActorName::LeaderStream, asha()] {
        let stage = stage(None);
        until("all started", || stage.births.borrow().len() == ALL).await;
        stage.newest(&alone).do_send(Do::PanicInHandler);
        until("a second life", || stage.lives(&alone) == [1, 2]).await;
        until("new addresses handed out", || *stage.links.borrow() == 2).await;
        assert_eq!(stage.newborn(), [alone.to_string()]);
    }
}

/// More often than one actor may fail: what ends with another has not failed.
#[actix_rt::test]
async fn who_is_restarted_with_another_uses_up_nothing() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    for life in 2..=4 {
        stage.newest(&ActorName::Sizer).do_send(Do::Stop);
        until("another life of both", || stage.newborn().len() == 2 * (life - 1)).await;
    }
    for life in 5..=7 {
        stage.newest(&ActorName::LeaderStream).do_send(Do::Stop);
        until("another life", || stage.lives(&ActorName::LeaderStream).len() == life).await;
    }
    assert_eq!(*stage.ending.borrow(), None);
    stage.newest(&ActorName::Sizer).do_send(Do::Stop);
    until("the end", || stage.ending.borrow().is_some()).await;
    assert_eq!(*stage.ending.borrow(), Some(Ending::Escalated(ActorName::Sizer)));
}

/// The source waits for its own delay to be over; then all of the chain begins in order.
#[actix_rt::test]
async fn who_waits_for_a_restart_when_the_one_before_it_dies_begins_after_it() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::LeaderStream).do_send(Do::Stop);
    stage.newest(&ActorName::Sizer).do_send(Do::Stop);
    until("second lives", || stage.newborn().len() >= 2).await;
    until("linked", || *stage.links.borrow() >= 2).await;
    let newborn = stage.newborn();
    let (last, before) = (newborn.last().unwrap(), newborn.iter().filter(|name| *name == "sizer").count());
    assert_eq!((last.as_str(), before), ("leader_stream", 1), "{newborn:?}");
}

#[actix_rt::test]
async fn an_actor_that_stopped_is_restarted() {
    restarted_after(Do::Stop).await;
}

#[actix_rt::test]
async fn an_actor_that_panicked_in_a_handler_is_restarted() {
    restarted_after(Do::PanicInHandler).await;
}

#[actix_rt::test]
async fn an_actor_that_panicked_in_a_spawned_future_is_restarted() {
    restarted_after(Do::PanicInFuture).await;
}

#[actix_rt::test]
async fn an_actor_that_hangs_is_given_up_and_restarted() {
    restarted_after(Do::Hang).await;
}

#[actix_rt::test]
async fn an_actor_that_dies_at_every_start_is_borne_three_times() {
    let stage = stage(Some((ActorName::Sizer, Do::PanicInHandler)));
    until("the end", || stage.ending.borrow().is_some()).await;
    assert_eq!(*stage.ending.borrow(), Some(Ending::Escalated(ActorName::Sizer)));
    assert_eq!(stage.lives(&ActorName::Sizer), [1, 2, 3, 4]);
    let incidents = || stage.reader.open_incidents().unwrap();
    until("its incident", || incidents().iter().any(|row| &*row.kind == HALTED)).await;
}

#[actix_rt::test]
async fn a_follower_that_dies_at_every_start_leaves_the_others_running() {
    let stage = stage(Some((asha(), Do::PanicInHandler)));
    let incident =
        || stage.reader.open_incidents().unwrap().into_iter().find(|row| &*row.kind == FOLLOWER_DOWN);
    until("its incident", || incident().is_some()).await;
    assert_eq!(incident().unwrap().follower, Some(FollowerId::new("asha").unwrap()));
    assert_eq!(stage.lives(&asha()), [1, 2, 3, 4], "it stays down");
    assert_eq!(*stage.ending.borrow(), None);
    // Though no life comes after it, its last one neither writes nor sends any more, whatever it still does.
    stage.refuses_what_is_written_by("follower/asha", 4).await;
    assert_eq!(stage.fences.borrow().last(), Some(&(asha(), 5)));
    // The others are still watched over.
    stage.newest(&ActorName::Sizer).do_send(Do::Stop);
    until("a second life of another", || stage.lives(&ActorName::Sizer) == [1, 2]).await;
    assert_eq!(*stage.ending.borrow(), None);
}

#[actix_rt::test]
async fn an_actor_that_works_before_it_answers_does_not_hang() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::Sizer).do_send(Do::Hang);
    let sizer = stage.depths.borrow()[2].clone();
    let since = Instant::now();
    // Far longer than the deadline it keeps getting things done.
    until("long work", || {
        sizer.count_progress();
        since.elapsed() > Duration::from_millis(300)
    })
    .await;
    assert_eq!(stage.lives(&ActorName::Sizer), [1]);
    until("a second life, once nothing moves", || stage.lives(&ActorName::Sizer) == [1, 2]).await;
}

/// A mailbox has a bound (P24): it is answered all the while, and falls ever further behind.
#[actix_rt::test]
async fn an_actor_that_is_told_more_than_it_can_do_is_given_up() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    let sizer = Mailbox::new(stage.newest(&ActorName::Sizer), stage.depths.borrow()[2].clone());
    (0..=MAILBOX_MAX).for_each(|_| sizer.tell(Do::Nothing));
    until("a second life", || stage.lives(&ActorName::Sizer) == [1, 2]).await;
    assert_eq!(stage.lives(&asha()), [1], "nobody who stands before it");
}

#[actix_rt::test]
async fn without_a_store_nothing_goes_on() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::Store).do_send(Do::Stop);
    until("the end", || stage.ending.borrow().is_some()).await;
    assert_eq!(*stage.ending.borrow(), Some(Ending::StorageFault));
}

/// The Store's keeper shares its thread with all actors: no restart there would ever begin.
#[actix_rt::test]
async fn a_thread_that_does_nothing_any_more_is_told_as_such() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::Store).do_send(Do::Hang);
    until("the end", || stage.ending.borrow().is_some()).await;
    assert_eq!(*stage.ending.borrow(), Some(Ending::Blocked));
    let incidents = || stage.reader.open_incidents().unwrap();
    until("its incident", || incidents().iter().any(|row| &*row.kind == BLOCKED)).await;
    assert!(incidents().iter().all(|row| &*row.kind != HALTED), "no actor is blamed");
}

#[actix_rt::test]
async fn a_life_that_was_given_up_can_no_longer_write() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    stage.newest(&ActorName::Sizer).do_send(Do::Hang);
    until("it is given up", || !stage.fences.borrow().is_empty()).await;
    assert_eq!(*stage.fences.borrow(), [(ActorName::Sizer, 2)], "before the next life begins");
    until("a second life", || stage.lives(&ActorName::Sizer) == [1, 2]).await;
    stage.refuses_what_is_written_by("sizer", 1).await;
}

#[actix_rt::test]
async fn a_shutdown_waits_for_what_is_under_way() {
    let stage = stage(None);
    until("all started", || stage.births.borrow().len() == ALL).await;
    let underway = stage.in_flight.begin();
    stage.supervisor.send(Shutdown).await.unwrap();
    assert_eq!(*stage.ending.borrow(), None);
    drop(underway);
    until("the end", || stage.ending.borrow().is_some()).await;
    assert_eq!(*stage.ending.borrow(), Some(Ending::Stopped));
}
