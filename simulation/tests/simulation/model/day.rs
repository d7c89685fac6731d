//! One day of chaos and its calm evening: a leader, one to three followers, one process.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tandem_actors::store::Bare;

use super::chance::Chance;
use super::copier::Copier;
use super::coverage::Coverage;
use super::exchange::Order;
use super::keeper::{Death, Fate, Keeper};
use super::limits;
use super::policies::{self, Policies};
use super::rows::Rows;
use super::speak::FOLLOWERS;
use super::steps::{FOLLOWING, LEADING, PASSING, Step, TRIES, span};
use super::tally::{Carried, Tally};
use super::world::{self, Checked, MILLI, World, hold};
use crate::follower::FollowerBook;

const STEPS_MIN: u32 = 30;
const STEPS_MORE: u32 = 80;
/// More than the steps of any day.
pub(super) const STEPS_MAX: u32 = STEPS_MIN + STEPS_MORE;
/// The longest that the store takes for an answer.
const SLICE: i64 = 200 * MILLI;

// So that no two draw the same numbers.
const DAY: u64 = 0x0D1E_0F1D_0E5E_ED00;
const LEADER: u64 = 0x1EAD_0000_5EED_0001;
const LIMITS: u64 = 0x0000_0000_0B01_4D00;
const FATES: [u64; FOLLOWERS.len()] = [0xFA7E_0001_0000_0000, 0xFA7E_0002_0000_0000, 0xFA7E_0003_0000_0000];
const WORLDS: [u64; FOLLOWERS.len()] = [0, 0xF011_0002_0000_0000, 0xF011_0003_0000_0000];

/// A day.
pub(super) struct Day {
    /// What goes for all is drawn from.
    pub(super) chance: Chance,
    pub(super) clock: i64,
    pub(super) copiers: Vec<Copier>,
    pub(super) rows: Rc<RefCell<Rows>>,
    pub(super) plan: Plan,
    /// A process that another has taken the database from, and that does not know it yet; and its number.
    pub(super) elder: Option<(Vec<FollowerBook>, i64)>,
    /// For so many steps more the leader's stream tells nothing.
    pub(super) is_cut_off_for: u32,
    /// With whom something happens now.
    at: usize,
}

/// What became of a day.
pub(super) struct Lived {
    pub(super) checked: Checked,
    pub(super) story: String,
    pub(super) coverage: Coverage,
    pub(super) followers: usize,
    /// How he ended whom nothing befell in the company of others.
    spared: Option<(usize, String)>,
}

/// Which day, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Which {
    pub(super) seed: u64,
    pub(super) steps_max: u32,
    pub(super) deaths_max: u32,
    /// That follower without the others.
    pub(super) alone: Option<usize>,
    pub(super) is_traced: bool,
}

impl Which {
    pub(super) const fn whole(seed: u64) -> Self {
        Self { seed, steps_max: STEPS_MAX, deaths_max: u32::MAX, alone: None, is_traced: false }
    }
}

/// What a day is, whatever happens in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    followers: usize,
    /// How often no process runs for no time, for seconds, for hours.
    pub(super) downtimes: [u32; 3],
    /// Whether what is late is not followed.
    pub(super) is_short_of_time: bool,
    /// Whether another day follows.
    has_night: bool,
    /// Whether the process never dies, and nothing at all befalls the last of the followers.
    spares_one: bool,
}

impl Plan {
    fn draw(chance: &mut Chance) -> Self {
        let is_short_of_time = chance.percent(15);
        Self {
            followers: 1 + chance.weighted(&[30, 45, 25]),
            downtimes: chance.pick(&[[1, 0, 0], [1, 0, 0], [4, 3, 1], [1, 1, 2]]),
            is_short_of_time,
            // Nothing of an evening is late in the morning.
            has_night: !is_short_of_time && chance.percent(25),
            spares_one: chance.percent(20),
        }
    }
}

/// Lives the day; and again with him alone whom nothing befell in company: nobody's trouble is another's (P19), so that he
/// ends the same, order by order and to the microsecond.
pub(super) fn live(tables: &Rc<Bare>, which: Which) -> Lived {
    let mut lived = live_once(tables, which);
    let Some((number, ending)) = lived.spared.take().filter(|_| lived.checked.is_ok()) else { return lived };
    let alone = live_once(tables, Which { alone: Some(number), is_traced: false, ..which });
    lived.coverage.count("company: as if alone".to_owned());
    if let Some((_, alone)) = alone.spared.filter(|(_, alone)| *alone != ending) {
        let differ = ending.lines().zip(alone.lines()).find(|(one, other)| one != other);
        lived.checked = Err(format!("P19: {} ends otherwise than alone: {differ:?}", FOLLOWERS[number].name));
    }
    lived
}

fn live_once(tables: &Rc<Bare>, which: Which) -> Lived {
    let mut day = Day::new(tables, which);
    let lived = catch_unwind(AssertUnwindSafe(|| day.live(which.steps_max)));
    let checked = lived.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    });
    let at = day.at.min(day.copiers.len() - 1);
    let story = day.copiers[at].story();
    let checked = checked.map_err(|words| format!("{}: {words}", day.copiers[at].name()));
    let is_spared = day.plan.spares_one && day.plan.followers > 1;
    let spared = day.copiers.last().filter(|_| is_spared);
    let spared = spared.map(|copier| (day.plan.followers - 1, copier.ending()));
    Lived { checked, story, coverage: day.coverage(), followers: day.plan.followers, spared }
}

impl Day {
    fn new(tables: &Rc<Bare>, which: Which) -> Self {
        let mut chance = Chance::new(which.seed ^ DAY);
        let plan = Plan::draw(&mut chance);
        let Policies { instruments, freeze_lots, leader_orders, .. } =
            Policies::draw(&mut Chance::new(which.seed));
        let mut leads = Chance::new(which.seed ^ LEADER);
        let carried: Vec<i64> = (0..instruments).map(|_| world::carried_by_leader(&mut leads)).collect();
        let listed: Vec<_> =
            (0..instruments).map(|number| policies::instrument(number, freeze_lots)).collect();
        let rows = Rc::new(RefCell::new(Rows::new(tables, &listed)));
        let numbers = (0..plan.followers).filter(|number| which.alone.is_none_or(|alone| alone == *number));
        let copiers = numbers.map(|number| {
            let mut chance = Chance::new(which.seed ^ WORLDS[number]);
            let mut policies = Policies {
                follower: FOLLOWERS[number],
                instruments,
                freeze_lots,
                leader_orders,
                ..Policies::draw(&mut chance)
            };
            // How a halt outlasts a night is the core's own tests' matter.
            policies.operator &= !plan.has_night;
            let carried = carried.iter().map(|leader| world::carried(&mut chance, &policies, *leader));
            let carried = carried.collect();
            let mut world = World::new(chance, policies, carried, which.is_traced);
            world.leads = Some(leads.clone());
            let mut chance = Chance::new(which.seed ^ FATES[number]);
            let is_spared = plan.spares_one && number + 1 == plan.followers;
            let deaths = if is_spared { 0 } else { chance.below(5).min(which.deaths_max) };
            let fate = Fate { deaths, is_alone: plan.spares_one };
            let mut keeper = Keeper::new(&rows, number, chance, fate);
            keeper.limit = limits::draw(Chance::new(which.seed ^ FATES[number] ^ LIMITS));
            keeper.lead(&mut world);
            Copier::new(world, keeper)
        });
        let copiers: Vec<Copier> = copiers.collect();
        let clock = copiers[0].world.now;
        Self { chance, clock, copiers, rows, plan, elder: None, is_cut_off_for: 0, at: 0 }
    }

    fn live(&mut self, steps_max: u32) -> Checked {
        let is_short = self.plan.is_short_of_time;
        self.each(|copier| copier.wake(is_short))?;
        self.begin()?;
        self.rise()?;
        let steps = (STEPS_MIN + self.chance.below(STEPS_MORE)).min(steps_max);
        for step in 0..steps {
            if step == steps / 2 && self.plan.has_night {
                self.night()?;
            }
            self.step()?;
        }
        self.is_cut_off_for = 0;
        self.judge()
    }

    /// The same with each follower; where the process dies with one, the others die in that moment.
    pub(super) fn each(&mut self, mut act: impl FnMut(&mut Copier) -> Checked) -> Checked {
        for at in 0..self.copiers.len() {
            self.at = at;
            act(&mut self.copiers[at])?;
            if self.copiers[at].death() == Some(Death::Process) {
                self.copiers.iter_mut().for_each(|copier| copier.world.is_dead = true);
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Checked {
        let weights = [sum(&LEADING), PASSING, sum(&FOLLOWING)];
        match self.chance.weighted(&weights) {
            0 => self.leader_acts()?,
            1 => {
                let span = span(&mut self.chance);
                self.pass(span)?;
            }
            _ => self.each(Copier::act)?,
        }
        self.each(Copier::hear_of_store)?;
        self.listen()?;
        self.rise()?;
        self.elder_stirs()
    }

    fn leader_acts(&mut self) -> Checked {
        for _ in 0..TRIES {
            let step = draw(&LEADING, &mut self.chance);
            if self.lead(step)? {
                break;
            }
        }
        Ok(())
    }

    /// The leader does the same before each follower: whether he did anything.
    pub(super) fn lead(&mut self, step: Step) -> Result<bool, String> {
        let before: u64 = self.copiers.iter().map(|copier| copier.world.happened).sum();
        self.each(|copier| step(&mut copier.world))?;
        Ok(self.copiers.iter().map(|copier| copier.world.happened).sum::<u64>() != before)
    }

    /// Time runs on, and the store answers.
    pub(super) fn pass(&mut self, span: i64) -> Checked {
        let until = self.clock + span;
        while self.clock < until {
            self.clock = until.min(self.clock + SLICE);
            let clock = self.clock;
            self.each(|copier| copier.pass_until(clock))?;
            self.each(Copier::hear_all_of_store)?;
        }
        Ok(())
    }

    /// Until all live, and the store has answered all.
    pub(super) fn all_rise(&mut self) -> Checked {
        while self.copiers.iter().any(|copier| copier.world.is_dead || !copier.world.jobs.is_empty()) {
            self.each(Copier::hear_all_of_store)?;
            self.rise()?;
        }
        Ok(())
    }

    /// Faults stop: everything comes to rest, and what is so then is judged.
    fn judge(&mut self) -> Checked {
        self.all_rise()?;
        self.each(Copier::calm_down)?;
        self.each(|copier| copier.judge())?;
        let orders = |copier: &Copier| copier.world.leader.orders.iter().map(Order::to_string).collect();
        let mut leaders: Vec<Vec<String>> = self.copiers.iter().map(orders).collect();
        leaders.dedup();
        hold!(leaders.len() == 1, "this test's fault: the leader is not one");
        Ok(())
    }

    fn coverage(&self) -> Coverage {
        let mut coverage = std::mem::take(&mut self.rows.borrow_mut().coverage);
        for word in self.copiers.iter().flat_map(|copier| copier.world.reached()) {
            coverage.count(format!("day: {word}"));
        }
        coverage.count(format!("day: {} followers", self.copiers.len()));
        coverage
    }
}

/// One of the steps, each as often as its weight says.
pub(super) fn draw(steps: &[(u32, Step)], chance: &mut Chance) -> Step {
    let weights: Vec<u32> = steps.iter().map(|(weight, _)| *weight).collect();
    steps[chance.weighted(&weights)].1
}

fn sum(steps: &[(u32, Step)]) -> u32 {
    steps.iter().map(|(weight, _)| *weight).sum()
}

/// Nothing that copies of earlier days have left, where it would be squared off: that is the core's own tests' matter.
pub(super) fn forget_copies(tallies: &mut [Tally]) {
    for tally in tallies {
        *tally = Tally::new(Carried { copied: 0, ..tally.carried });
    }
}

/// How old an entry may be, where what is late is not followed.
pub(super) const SHORT_AGE: Duration = Duration::from_secs(5);
