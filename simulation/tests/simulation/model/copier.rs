//! One follower in a day: the world as it is for him, and what keeps it.

use std::cell::RefCell;
use std::rc::Rc;

use super::chance::Chance;
use super::day::{SHORT_AGE, draw, forget_copies};
use super::keeper::{Death, Keeper};
use super::lives::DOWN;
use super::speak;
use super::steps::{FOLLOWING, TRIES};
use super::world::{Checked, Operator, Seen, World, hold};
use crate::follower::FollowerBook;
use crate::gates::DeniedReason;

pub(super) struct Copier {
    pub(super) world: World,
    pub(super) keeper: Rc<RefCell<Keeper>>,
    /// His actor alone has died; the next one begins after so many steps.
    pub(super) is_away_for: Option<u32>,
    /// What was told of the leader when it died.
    pub(super) seen_alive: Vec<Seen>,
    /// What an operator had said before he was heard last.
    operator_before: Option<Operator>,
}

impl Copier {
    pub(super) fn new(mut world: World, keeper: Keeper) -> Self {
        let keeper = Rc::new(RefCell::new(keeper));
        world.keeping = Box::new(Rc::clone(&keeper));
        Self { world, keeper, is_away_for: None, seen_alive: Vec::new(), operator_before: None }
    }

    pub(super) fn name(&self) -> &'static str {
        self.world.policies.follower.name
    }

    pub(super) fn death(&self) -> Option<Death> {
        self.keeper.borrow().death
    }

    pub(super) fn draws<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.keeper.borrow_mut().chance)
    }

    /// The day begins.
    pub(super) fn wake(&mut self, is_short_of_time: bool) -> Checked {
        let world = &mut self.world;
        if is_short_of_time {
            // What is late is not followed: what should be held then is nobody's to say, but for what is flat.
            (world.settings.copy.entry_age_max, world.settings.entry.age_max) = (SHORT_AGE, SHORT_AGE);
            (0..world.policies.instruments).for_each(|instrument| world.blot(instrument, "lost"));
        }
        let limit = self.keeper.borrow().limit;
        if let Some(limit) = limit {
            (limit.settle)(&mut world.settings);
            (world.alter, world.is_limited) = (limit.alter, true);
            // On a holiday the exchange is closed to everybody.
            world.policies.owner &= limit.reason != DeniedReason::MarketHoliday;
            // Nobody replaces a token that is refused for the whole day.
            world.token.will_end &= limit.reason != DeniedReason::AccountHalted;
            (0..world.policies.instruments).for_each(|instrument| world.blot(instrument, "lost"));
        }
        if world.policies.operator || limit.is_some() {
            forget_copies(&mut world.tallies);
        }
        let (carried, now) = (world.carried(), world.time());
        self.keeper.borrow_mut().evening(carried, now)
    }

    /// Something happens in his account.
    pub(super) fn act(&mut self) -> Checked {
        if self.world.is_dead {
            return self.act_unseen();
        }
        self.world.token_turns()?;
        let before = self.world.operator;
        self.operator_before = Some(before);
        self.keeper.borrow_mut().has_trading = false;
        let happened = self.world.happened;
        for _ in 0..TRIES {
            let step = draw(&FOLLOWING, &mut self.world.chance);
            step(&mut self.world)?;
            if self.world.happened != happened {
                break;
            }
        }
        if self.world.operator != before {
            // An operator waits for the very commit that records his word.
            self.hear_all_of_store()?;
        }
        Ok(())
    }

    /// Nobody listens, and the broker goes on.
    pub(super) fn act_unseen(&mut self) -> Checked {
        self.world.token_turns()?;
        let step = self.draws(|chance| draw(&DOWN, chance));
        step(&mut self.world)
    }

    pub(super) fn pass_until(&mut self, clock: i64) -> Checked {
        self.world.pass((clock - self.world.now).max(0))
    }

    /// The store answers what it was given, if it has come to that.
    pub(super) fn hear_of_store(&mut self) -> Checked {
        let comes = !self.world.jobs.is_empty() && self.draws(|chance| chance.percent(35));
        if comes { self.hear_one_of_store() } else { Ok(()) }
    }

    pub(super) fn hear_all_of_store(&mut self) -> Checked {
        while !self.world.jobs.is_empty() && !self.world.is_dead {
            self.hear_one_of_store()?;
        }
        Ok(())
    }

    fn hear_one_of_store(&mut self) -> Checked {
        if self.world.is_dead {
            return Ok(());
        }
        let is_taken = self.keeper.borrow_mut().answer()?;
        if is_taken {
            if self.world.is_next_held_back() {
                self.keeper.borrow().count("in flight: held back at the door");
            }
            return self.world.stored();
        }
        self.world.note(|| "the rows refuse what it asked for, and the actor ends".to_owned());
        self.world.is_dead = true;
        self.keeper.borrow_mut().death = Some(Death::Alone);
        Ok(())
    }

    pub(super) fn calm_down(&mut self) -> Checked {
        self.keeper.borrow_mut().is_calm = true;
        self.world.calm_down()
    }

    /// The actor has died: with it all that was in its memory, and on its way to it. What had left goes on.
    pub(super) fn bury(&mut self) -> Checked {
        let world = &mut self.world;
        world.bury();
        self.keeper.borrow_mut().bury()?;
        while let Some(job) = world.jobs.pop_back() {
            world.never_leaves(&job);
        }
        let keeper = self.keeper.borrow();
        for (number, seen) in world.seen.iter_mut().enumerate() {
            (seen.target, seen.gap) = keeper.on_record.get(&number).copied().unwrap_or_default();
        }
        if let Some(before) = self.operator_before.take().filter(|_| !keeper.has_trading) {
            // Whose word was not recorded was not told that it was.
            world.operator = before;
        }
        Ok(())
    }

    /// A life begins with the rows and the account's own books.
    pub(super) fn restore(&mut self) -> Checked {
        let world = &mut self.world;
        let (book, now) = (FollowerBook::new(world.settings.clone()), world.time());
        world.is_dead = false;
        let (book, effects) = self.keeper.borrow().restore(book, now);
        world.book = book;
        for number in 0..world.seen.len() {
            let fills = world.mirror(number).map(|mirror| mirror.fills.clone());
            world.note(|| format!("on record of L{number}: {fills:?}"));
        }
        world.about = "rows";
        world.perform(effects)?;
        if !world.is_dead {
            world.check()?;
        }
        let told = self.keeper.borrow().limit.and_then(|limit| limit.told);
        if let Some(told) = told {
            world.tell(told())?;
        }
        world.arm()?;
        world.read_begins()?;
        world.read_ends()
    }

    pub(super) fn judge(&self) -> Checked {
        self.world.judge()?;
        self.judge_rows()
    }

    /// What a further life would make of the rows: each fill counts once (P9), and nothing is in doubt (P20).
    fn judge_rows(&self) -> Checked {
        let now = self.world.time();
        let book = FollowerBook::new(self.world.settings.clone());
        let (book, _) = self.keeper.borrow().restore(book, now);
        for instrument in 0..self.world.policies.instruments {
            let (told, held) = (book.copied_units(speak::key(instrument)), self.world.held(instrument));
            hold!(told == held, "P20: by the rows {told} units are held of {instrument}, in truth {held}");
        }
        hold!(book.unknown_count() == 0, "P20: by the rows {} are in doubt", book.unknown_count());
        Ok(())
    }

    /// What has become of him, order by order.
    pub(super) fn ending(&self) -> String {
        let outcomes: Vec<_> = self.world.book.outcomes().collect();
        format!("{:#?}\n{outcomes:#?}", self.world.follower.orders)
    }

    pub(super) fn story(&mut self) -> String {
        let trace = self.world.trace.take().unwrap_or_default().join("\n");
        format!("{}\n{trace}", self.world.choices())
    }
}
