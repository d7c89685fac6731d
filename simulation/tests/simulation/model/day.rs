//! One day of chaos and its calm evening.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tandem_actors::store::Bare;

use super::chance::Chance;
use super::coverage::Coverage;
use super::policies::{self, Policies};
use super::rows::Rows;
use super::speak;
use super::tally::{Carried, Tally};
use super::world::{Checked, World, hold};
use crate::follower::FollowerBook;

const STEPS_MIN: u32 = 30;
const STEPS_MORE: u32 = 80;
/// More than the steps of any day.
pub(super) const STEPS_MAX: u32 = STEPS_MIN + STEPS_MORE;
/// So that fate and world do not draw the same numbers.
const FATE: u64 = 0x0D1E_0F1D_0E5E_ED00;
const NIGHT: u64 = 0x0000_DA4C_0000_C0DE;

/// A day.
pub(super) struct Day {
    pub(super) world: World,
    pub(super) rows: Rc<RefCell<Rows>>,
    /// How often no process runs for no time, for seconds, for hours.
    pub(super) downtimes: [u32; 3],
    /// A process that another has taken the database from, and that does not know it yet; and its number.
    pub(super) elder: Option<(FollowerBook, i64)>,
    /// Whether what is late is not followed.
    pub(super) is_short_of_time: bool,
    /// Whether another day follows.
    pub(super) has_night: bool,
    /// For so many steps more the leader's stream tells nothing.
    pub(super) is_cut_off_for: u32,
}

/// What became of a day.
pub(super) struct Lived {
    pub(super) checked: Checked,
    pub(super) story: String,
    pub(super) coverage: Coverage,
}

/// Which day, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Which {
    pub(super) seed: u64,
    pub(super) steps_max: u32,
    pub(super) deaths_max: u32,
    pub(super) is_traced: bool,
}

impl Which {
    pub(super) const fn whole(seed: u64) -> Self {
        Self { seed, steps_max: STEPS_MAX, deaths_max: u32::MAX, is_traced: false }
    }
}

pub(super) fn live(tables: &Rc<Bare>, which: Which) -> Lived {
    let mut day = Day::new(tables, which);
    let lived = catch_unwind(AssertUnwindSafe(|| day.live(which.steps_max)));
    let checked = lived.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        Err(words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default())
    });
    let mut coverage = std::mem::take(&mut day.rows.borrow_mut().coverage);
    for word in day.world.reached() {
        coverage.count(format!("day: {word}"));
    }
    let trace = day.world.trace.take().unwrap_or_default().join("\n");
    Lived { checked, story: format!("{}\n{trace}", day.world.choices()), coverage }
}

impl Day {
    fn new(tables: &Rc<Bare>, which: Which) -> Self {
        let mut chance = Chance::new(which.seed ^ FATE);
        let night = Chance::new(which.seed ^ NIGHT).percent(25);
        let mut world = World::new(which.seed, which.is_traced);
        let downtimes = chance.pick(&[[1, 0, 0], [1, 0, 0], [4, 3, 1], [1, 1, 2]]);
        let is_short_of_time = chance.percent(15);
        if is_short_of_time {
            // What is late is not followed: what should be held then is nobody's to say, but for what is flat.
            let age_max = Duration::from_secs(5);
            (world.settings.copy.entry_age_max, world.settings.entry.age_max) = (age_max, age_max);
            (0..world.policies.instruments).for_each(|instrument| world.blot(instrument, "lost"));
        }
        if world.policies.operator {
            // How copies of earlier days are squared off is the core's own tests' matter.
            world
                .tallies
                .iter_mut()
                .for_each(|tally| *tally = Tally::new(Carried { copied: 0, ..tally.carried }));
        }
        // How a halt outlasts a night is the core's own tests' matter, too; and nothing of an evening is late in the morning.
        let has_night = night && !world.policies.operator && !is_short_of_time;
        let Policies { instruments, freeze_lots, .. } = world.policies;
        let instruments: Vec<_> =
            (0..instruments).map(|number| policies::instrument(number, freeze_lots)).collect();
        let mut rows = Rows::new(tables, chance, which.deaths_max, &instruments);
        let (carried, now) = (world.carried(), world.time());
        rows.evening(carried, now);
        let rows = Rc::new(RefCell::new(rows));
        world.keeping = Box::new(Rc::clone(&rows));
        Self { world, rows, downtimes, elder: None, is_short_of_time, has_night, is_cut_off_for: 0 }
    }

    fn live(&mut self, steps_max: u32) -> Checked {
        self.begin()?;
        self.rise()?;
        let steps = (STEPS_MIN + self.world.chance.below(STEPS_MORE)).min(steps_max);
        for step in 0..steps {
            if self.has_night && step == steps / 2 {
                self.night()?;
            }
            self.step()?;
        }
        self.is_cut_off_for = 0;
        self.world.calm_down()?;
        self.world.judge()?;
        self.judge_rows()
    }

    fn step(&mut self) -> Checked {
        let before = self.world.operator;
        self.rows.borrow_mut().has_trading = false;
        self.world.step()?;
        self.listen()?;
        if self.world.is_dead && !self.rows.borrow().has_trading {
            // Whose word was not recorded was not told that it was.
            self.world.operator = before;
        }
        self.rise()?;
        self.elder_stirs()
    }

    /// What a further life would make of the rows: each fill counts once (P9), and nothing is in doubt (P20).
    fn judge_rows(&self) -> Checked {
        let now = self.world.time();
        let (book, _) = self.rows.borrow().restore(FollowerBook::new(self.world.settings.clone()), now);
        for instrument in 0..self.world.policies.instruments {
            let (told, held) = (book.copied_units(speak::key(instrument)), self.world.held(instrument));
            hold!(told == held, "P20: by the rows {told} units are held of {instrument}, in truth {held}");
        }
        hold!(book.unknown_count() == 0, "P20: by the rows {} are in doubt", book.unknown_count());
        Ok(())
    }
}
