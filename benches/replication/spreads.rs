//! A day of spreads: the leader buys a call and sells another under its cover, at once.
//!
//! Purchases never wait, and are measured as ever. A covered sale waits until the follower's own cover has filled, which
//! is the market's time and not Tandem's: so it is told apart, once from the leader's frame, and once from the report of
//! that fill, which is the work that Tandem adds.

use hdrhistogram::Histogram;

use super::{Bench, Placement, ROUNDS, Variant, median};
use crate::support::process::Broker;
use crate::support::protocol::{Frames, Stamps};
use crate::support::{count, histogram, spread};

/// Spreads of a round, and frames of a floor.
const PER_ROUND: u32 = 150;
const PAUSE_US: u64 = 10_000;
/// The follower's cover fills this long after its request: its answer is stored by then.
const FILL_AFTER_US: u64 = 10_000;

/// One stretch: its figures, and its median by round.
struct Stretch {
    name: &'static str,
    figures: Histogram<u64>,
    p50_by_round: Vec<f64>,
}

impl Bench {
    pub(super) fn spreads(&self, placement: Placement) -> anyhow::Result<()> {
        let mut broker = Broker::start(placement.broker)?;
        let mut floor =
            self.floor("floor B: writer thread", "thread", "1000000005", 1, &broker, placement)?;
        let mut tandem = self.tandem("Tandem", "1000000006", 1, &broker, placement, true)?;
        floor.warm_up(&mut broker, 1)?;
        tandem.warm_up(&mut broker, 1)?;
        let frames = Frames::Spread { pause_us: PAUSE_US, fill_after_us: FILL_AFTER_US };
        tandem.send(&mut broker, 2 * PER_ROUND / 5, frames)?;
        let mut stretches = [
            Stretch::new("purchase: the leader's frame to the request"),
            Stretch::new("sale: the leader's frame to the request"),
            Stretch::new("sale: report of the cover's fill to the request"),
        ];
        for round in 0..ROUNDS {
            // Turns change, so that neither always comes first.
            for turn in 0..2 {
                if (round + turn) % 2 == 0 {
                    let alone = Frames::Closed { requests_each: 1, pause_us: PAUSE_US };
                    let stamps = floor.send(&mut broker, PER_ROUND, alone)?;
                    floor.take(&stamps);
                } else {
                    let stamps = tandem.send(&mut broker, 2 * PER_ROUND, frames)?;
                    tandem.lost += stamps.lost;
                    take(&mut stretches, &stamps);
                }
            }
        }
        println!(
            "\n== spreads, 1 follower, {}, {ROUNDS} rounds of {PER_ROUND}; the cover fills {FILL_AFTER_US} us after its \
             request",
            placement.name
        );
        table(&floor, &tandem, &stretches);
        floor.process.stop()?;
        tandem.process.stop()
    }
}

impl Stretch {
    fn new(name: &'static str) -> Self {
        Self { name, figures: histogram(), p50_by_round: Vec::new() }
    }

    fn take(&mut self, from: &[u64], to: &[u64]) {
        let mut round = histogram();
        for (from, to) in from.iter().zip(to) {
            count(&mut round, (to - from) / 1_000);
        }
        // Far below what a float holds exactly.
        self.p50_by_round.push(round.value_at_quantile(0.5) as f64);
        // Both count microseconds to three digits.
        self.figures.add(round).ok();
    }
}

fn take([purchase, sale, added]: &mut [Stretch; 3], stamps: &Stamps) {
    purchase.take(&stamps.sent, &stamps.first);
    sale.take(&stamps.sent, &stamps.last);
    added.take(&stamps.filled, &stamps.last);
}

fn table(floor: &Variant, tandem: &Variant, stretches: &[Stretch]) {
    println!("{:<50} {:>8} {:>8} {:>8}", "", "p50", "p99", "max");
    println!("{:<50} {}   lost {}", "floor B: frame to the request", spread(&floor.first), floor.lost);
    for stretch in stretches {
        println!("{:<50} {}   lost {}", stretch.name, spread(&stretch.figures), tandem.lost);
    }
    let [purchase, _, added] = stretches else { return };
    for stretch in [purchase, added] {
        let ratios: Vec<f64> = stretch
            .p50_by_round
            .iter()
            .zip(&floor.p50_by_round)
            .map(|(over, under)| over / under.0)
            .collect();
        let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let median = median(ratios);
        println!(
            "{} / floor B: median of ratios of p50: {median:.3}   rounds: {}",
            stretch.name,
            each.join(" ")
        );
    }
}
