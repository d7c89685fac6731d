//! Plays the leader's day to its end, and notes what must have come of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::NaiveTime;
use tandem_domain::time::Timestamp;

use super::books;
use super::compare::Expectation;
use super::day::{Act, Day, Step};
use super::show::{Show, Tally};
use super::stage::{Stage, control_socket, database};
use crate::control::client::ask;
use crate::control::protocol::{Answer, Command, Request, VERSION};

/// How long the daemon may take to learn the end of the day from the followers' books.
const SETTLE_DEADLINE: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_AGAIN_SOON: Duration = Duration::from_millis(5);
/// Less than the age that `config/demo.toml` lets the figures have.
const MONEY_AGE_MAX: Duration = Duration::from_mins(45);

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
    let mut playing = Playing { stage, folder, expected: Vec::new(), named: BTreeMap::new() };
    for step in &day.steps {
        reach(stage, step.at).await?;
        know_money(stage, MONEY_AGE_MAX).await?;
        playing.act(step).await.with_context(|| format!("line {}", step.line))?;
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
    folder: &'a Path,
    expected: Vec<Expectation>,
    /// Places in `expected`.
    named: BTreeMap<String, usize>,
}

impl Playing<'_> {
    async fn act(&mut self, step: &Step) -> anyhow::Result<()> {
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
            Act::MoneyIsRead => {
                // What the first of two reads told is known when the second is asked for.
                know_money(stage, Duration::ZERO).await?;
                know_money(stage, Duration::ZERO).await?;
            }
            Act::Control(follower, command) => self.operator_tells(*follower, command.clone()).await?,
            Act::ByHand(follower, name) => {
                let expected = self.named(name)?;
                stage.cancel_by_hand(*follower, expected)?;
                expected.seized[*follower] = Some(expected.terms.clone());
            }
        }
        Ok(())
    }

    /// As `tandem halt` and `tandem resume` do it: over the daemon's socket.
    async fn operator_tells(&self, follower: usize, command: Command) -> anyhow::Result<()> {
        let follower = Some(self.stage.followers[follower].id.clone());
        let request = Request { version: VERSION, command, follower };
        match ask(&control_socket(self.folder), &request).await? {
            Answer::Followers(_) | Answer::Incidents(_) => Ok(()),
            Answer::Refused { text, .. } => bail!("refused: {text}"),
        }
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

/// Lets the daemon read the followers' money when it last did so longer ago than this: its polls are by real time, of
/// which a simulated day has little, and nothing is opened by figures that are too old.
async fn know_money(stage: &Stage, age_max: Duration) -> anyhow::Result<()> {
    let (began, since) = (Instant::now(), stage.simulator.clock().now());
    let is_known = |read: Timestamp| read >= since || since.since(read) < age_max;
    while !is_known(stage.money_read_at()?) {
        ensure!(began.elapsed() < SETTLE_DEADLINE, "the daemon no longer asks for the followers' money");
        tokio::time::sleep(LOOK_AGAIN_SOON).await;
    }
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
