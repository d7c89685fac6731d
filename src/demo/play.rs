//! Plays the leader's day to its end, and notes what must have come of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use chrono::NaiveTime;

use super::books;
use super::compare::Expectation;
use super::day::{Act, Day, Step};
use super::show::{Show, Tally};
use super::stage::{Stage, database};

/// How long the daemon may take to learn the end of the day from the followers' books.
const SETTLE_DEADLINE: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Plays the day; gives what must have come of it.
pub(super) async fn play(
    day: &Day,
    stage: &Stage,
    folder: &Path,
    show: &mut Show,
) -> anyhow::Result<Vec<Expectation>> {
    // Without a daemon on the clock time would jump freely.
    while stage.simulator.daemons() == 0 || stage.simulator.open_streams(&stage.leader) == 0 {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut playing = Playing { stage, expected: Vec::new(), named: BTreeMap::new() };
    for step in &day.steps {
        reach(stage, step.at).await?;
        playing.act(step).with_context(|| format!("line {}", step.line))?;
        show.progress(step.at, Tally::of(stage, playing.expected.len()))?;
    }
    let after_close = NaiveTime::from_hms_opt(15, 41, 0).context("a time")?;
    reach(stage, after_close).await?;
    show.progress(after_close, Tally::of(stage, playing.expected.len()))?;
    settle(stage, folder).await?;
    Ok(playing.expected)
}

/// How far the day is.
struct Playing<'a> {
    stage: &'a Stage,
    expected: Vec<Expectation>,
    /// Places in `expected`.
    named: BTreeMap<String, usize>,
}

impl Playing<'_> {
    fn act(&mut self, step: &Step) -> anyhow::Result<()> {
        let stage = self.stage;
        match &step.act {
            Act::Order(order) => {
                let terms = stage.terms(order, &order.asked)?;
                let leader_orders = stage.place(order, &terms)?;
                if let Some(name) = &order.name {
                    self.named.insert(name.clone(), self.expected.len());
                }
                self.expected.push(Expectation {
                    line: step.line,
                    leader_orders,
                    terms,
                    earlier: Vec::new(),
                    seized: Default::default(),
                    order: order.as_ref().clone(),
                    units_in_lot: stage.instrument(&order.alias)?.units_in_lot,
                });
            }
            Act::Change(name, change) => {
                let expected = self.named(name)?;
                let asked = change.of(&expected.order.asked);
                let terms = stage.terms(&expected.order, &asked)?;
                for leader_order in &expected.leader_orders {
                    stage.change(leader_order, &terms, change, expected.leader_orders.len())?;
                }
                expected.order.asked = asked;
                expected.earlier.push(std::mem::replace(&mut expected.terms, terms));
            }
            Act::Cancel(name, leg) => {
                let expected = self.named(name)?;
                for leader_order in &expected.leader_orders {
                    stage.cancel(leader_order, *leg)?;
                }
                if let Some(leg) = leg {
                    expected.order.asked.forget_exit(*leg);
                    expected.terms = stage.terms(&expected.order, &expected.order.asked)?;
                }
            }
            Act::CancelAll => stage.cancel_all()?,
            Act::Fill(name, lots) => {
                let expected = self.named(name)?;
                stage.fill(expected, *lots)?;
            }
            Act::Price(alias, price) => {
                let instrument = stage.instrument(alias)?.key;
                stage.simulator.with_exchange(|exchange| exchange.set_last_price(instrument, *price));
            }
            Act::Refuse(follower) => stage.refuse_next(*follower),
            Act::Own(follower, order) => stage.place_own(*follower, order)?,
            Act::ByHand(follower, name) => {
                let expected = self.named(name)?;
                stage.cancel_by_hand(*follower, expected)?;
                expected.seized[*follower] = Some(expected.terms.clone());
            }
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> anyhow::Result<&mut Expectation> {
        let place = self.named.get(name).copied();
        place
            .and_then(|place| self.expected.get_mut(place))
            .ok_or_else(|| anyhow!("{name} is no order so far"))
    }
}

/// Lets simulated time go on to a time of day: by jumps, whenever the daemon has nothing under way.
async fn reach(stage: &Stage, time: NaiveTime) -> anyhow::Result<()> {
    stage.simulator.clock().run_until(stage.at(time)).finished().await?;
    Ok(())
}

/// Waits until the daemon has read of the last fills. If it never does, the comparison says what is missing.
async fn settle(stage: &Stage, folder: &Path) -> anyhow::Result<()> {
    let reader = books::open(&database(folder))?;
    let began = Instant::now();
    while !books::all_known(stage, &reader)? && began.elapsed() < SETTLE_DEADLINE {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}
