//! What is durable, in real rows, and what waits to become it: one store for all followers, as the daemon has it.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use tandem_actors::instruments::Instruments;
use tandem_actors::store::{Bare, Job, Reader, StoreError, Write, WriterId};

use super::coverage::Coverage;
use super::speak::{FOLLOWERS, LEADER};
use super::world::Checked;
use crate::ids::DhanClientId;
use crate::instrument::{Instrument, InstrumentRow, InstrumentTable};
use crate::leader::LeaderOrder;
use crate::time::Timestamp;

/// What became of a job.
pub(super) type Answer = Result<(), StoreError>;

/// The database, and its writer.
pub(super) struct Rows {
    tables: Rc<Bare>,
    /// Which process writes.
    pub(super) epoch: i64,
    /// The newest life of each follower's actor.
    generations: HashMap<Arc<str>, u32>,
    /// What nobody has committed yet, and whose it is.
    queue: VecDeque<(usize, Job)>,
    /// What became of each follower's jobs that nobody was told of yet.
    answers: [VecDeque<Answer>; FOLLOWERS.len()],
    pub(super) instruments: Instruments,
    pub(super) coverage: Coverage,
}

impl Rows {
    pub(super) fn new(tables: &Rc<Bare>, instruments: &[Instrument]) -> Self {
        tables.clear().unwrap();
        Self {
            tables: Rc::clone(tables),
            epoch: tables.take_over().unwrap(),
            generations: HashMap::new(),
            queue: VecDeque::new(),
            answers: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            instruments: listed(instruments),
            coverage: Coverage::default(),
        }
    }

    pub(super) fn reader(&self) -> &Reader {
        self.tables.reader()
    }

    /// A process begins to write.
    pub(super) fn take_over(&mut self) {
        self.epoch = self.tables.take_over().unwrap();
    }

    /// A life of an actor begins: what an older one has asked for is refused from now on.
    pub(super) fn set_generation(&mut self, writer: &WriterId) {
        self.generations.insert(Arc::clone(&writer.actor), writer.generation);
    }

    /// The leader's orders, as his stream remembers them.
    pub(super) fn leader_orders(&self, now: Timestamp) -> Vec<Arc<LeaderOrder>> {
        let leader = DhanClientId::new(LEADER).unwrap();
        self.reader().leader_orders(now.trading_day(), &leader).unwrap()
    }

    /// A job waits for the writer.
    pub(super) fn submit(&mut self, number: usize, mut job: Job) {
        job.writes.iter_mut().for_each(|write| self.share(write));
        self.queue.push_back((number, job));
    }

    /// The Sizer hands one and the same order to all followers.
    fn share(&self, write: &mut Write) {
        let Write::LeaderEvent(event) = write else { return };
        let others = self.queue.iter().flat_map(|(_, job)| &job.writes);
        let mut same = others.filter_map(|other| match other {
            Write::LeaderEvent(other) if other.order == event.order => Some(&other.order),
            _ => None,
        });
        if let Some(same) = same.next_back() {
            event.order = Arc::clone(same);
        }
    }

    /// The writer commits all that waits, together.
    pub(super) fn commit(&mut self) -> Checked {
        let (owners, jobs): (Vec<usize>, Vec<Job>) = std::mem::take(&mut self.queue).into_iter().unzip();
        if jobs.is_empty() {
            return Ok(());
        }
        self.count_together(&owners, &jobs);
        let results = self.tables.commit(self.epoch, &self.generations, &jobs);
        let results = results.map_err(|error| error.to_string())?;
        for ((owner, job), result) in owners.into_iter().zip(jobs).zip(results) {
            if self.is_newest(&job.writer) {
                self.answers[owner].push_back(result);
            } else {
                self.coverage.count("a commit: of a dead actor's, refused".to_owned());
            }
        }
        Ok(())
    }

    fn count_together(&mut self, owners: &[usize], jobs: &[Job]) {
        if owners.iter().any(|owner| *owner != owners[0]) {
            self.coverage.count("a commit: of two followers' jobs".to_owned());
        }
        let orders = jobs.iter().flat_map(|job| &job.writes).filter_map(|write| match write {
            Write::LeaderEvent(event) => Some(Arc::as_ptr(&event.order)),
            _ => None,
        });
        let mut orders: Vec<_> = orders.collect();
        orders.sort_unstable();
        if orders.windows(2).any(|pair| pair[0] == pair[1]) {
            self.coverage.count("a commit: of one order for two followers".to_owned());
        }
    }

    fn is_newest(&self, writer: &WriterId) -> bool {
        self.generations.get(&writer.actor).is_none_or(|newest| *newest == writer.generation)
    }

    /// As the process of that number commits, which knows of no newer one.
    pub(super) fn commit_as(&self, epoch: i64, job: Job) -> Result<Vec<Answer>, StoreError> {
        self.tables.commit(epoch, &HashMap::new(), &[job])
    }

    /// The process dies: the writer may have committed some of what waited, the first of it first, and nobody was told.
    pub(super) fn crash(&mut self, committed: usize) -> Checked {
        self.queue.truncate(committed);
        self.commit()
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What became of the first job of a follower's that he has not been told of.
    pub(super) fn answer(&mut self, number: usize) -> Option<Answer> {
        self.answers[number].pop_front()
    }
}

fn listed(instruments: &[Instrument]) -> Instruments {
    let mut table = InstrumentTable::builder();
    for instrument in instruments {
        table.push(InstrumentRow {
            key: instrument.key,
            kind: instrument.kind,
            symbol: &instrument.symbol,
            underlying: &instrument.underlying,
            lot_size: instrument.lot_size,
            tick: instrument.tick,
            expiry: instrument.expiry,
            option: instrument.option,
            freeze_quantity: instrument.freeze_quantity,
            band: instrument.band,
        });
    }
    let listed = Instruments::default();
    listed.replace(table.build());
    listed
}
