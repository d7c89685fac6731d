//! The follower's book against the model broker, through random days with lost answers, late books, manual orders and
//! restarts; and the sequences in which such days have found a fault.

use proptest::prelude::{Just, ProptestConfig, Strategy as _, any, prop, prop_oneof, proptest};

use super::model::Fate;
use super::world::{LEADER, Step, World};
use super::*;

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    let which = 0..LEADER.len();
    // Of what there is, counted round.
    let index = || 0..12_usize;
    let ends =
        prop_oneof![Just(BrokerStatus::Cancelled), Just(BrokerStatus::Rejected), Just(BrokerStatus::Expired)];
    prop_oneof![
        8 => which.clone().prop_map(|which| Step::Follow { which, units: None }),
        1 => (which.clone(), 1u32..4)
            .prop_map(|(which, lots)| Step::Follow { which, units: Some(65 * lots) }),
        1 => which.clone().prop_map(Step::Await),
        1 => which.clone().prop_map(Step::Withdraw),
        8 => index().prop_map(Step::Answer),
        8 => prop::bool::weighted(0.8).prop_map(|complete| Step::BeginRead { complete }),
        8 => index().prop_map(Step::EndRead),
        3 => index().prop_map(Step::LookUp),
        5 => (index(), 1u32..=195).prop_map(|(at, units)| Step::Fill(at, units)),
        1 => (index(), ends).prop_map(|(at, status)| Step::End(at, status)),
        1 => which.prop_map(|like| Step::ByHand { like }),
        8 => (0u64..4_000).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        1 => any::<bool>().prop_map(Step::Breaker),
        1 => prop::bool::weighted(0.3).prop_map(Step::Credentials),
        2 => Just(Step::Restart),
    ]
}

/// What becomes of a request, and how late the books show its order.
fn fate() -> impl proptest::strategy::Strategy<Value = (Fate, Duration)> {
    let fates = prop_oneof![
        3 => Just(Fate::Taken),
        1 => Just(Fate::Refused),
        1 => Just(Fate::NeverLeft),
        1 => Just(Fate::BusyRefused),
        1 => Just(Fate::BusyTaken),
        2 => Just(Fate::LostBefore),
        2 => Just(Fate::LostAfter),
        1 => Just(Fate::LostAfterAndUntagged),
    ];
    (fates, (0..=SETTLE.as_millis()).prop_map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))))
}

proptest! {
    // Other cases in every run. What they find is mended, and goes into the table below.
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_order_is_copied_at_most_once_and_at_most_whole(
        steps in prop::collection::vec(step(), 1..64),
        fates in prop::collection::vec(fate(), 0..12),
    ) {
        run(&steps, &fates);
    }
}

fn run(steps: &[Step], fates: &[(Fate, Duration)]) {
    let mut world = World::new(fates.to_vec());
    for step in steps {
        world.take(step.clone());
    }
    world.settle();
    world.check_end();
}

/// Steps, and what becomes of the first requests.
type Sequence = (&'static [Step], &'static [Fate]);

const fn whole(which: usize) -> Step {
    Step::Follow { which, units: None }
}

const fn cut(which: usize, units: u32) -> Step {
    Step::Follow { which, units: Some(units) }
}

const READ: Step = Step::BeginRead { complete: true };

const FOUND: &[Sequence] = {
    use Fate::{LostAfter, LostAfterAndUntagged, LostBefore, NeverLeft, Refused, Taken};
    use Step::{
        Answer, Await, BeginRead, Breaker, ByHand, Credentials, EndRead, Fill, Pass, Restart, Withdraw,
    };
    const MS: Duration = Duration::from_millis(1);
    &[
        (
            &[
                whole(4),
                Await(0),
                Fill(0, 65),
                Credentials(true),
                Pass(Duration::from_millis(913)),
                READ,
                EndRead(0),
                whole(2),
            ],
            &[LostAfter],
        ),
        (
            &[
                whole(2),
                whole(3),
                Pass(Duration::from_millis(1488)),
                whole(0),
                Restart,
                BeginRead { complete: false },
                whole(0),
            ],
            &[LostAfterAndUntagged],
        ),
        (&[whole(0), whole(0), Answer(0), whole(3), Await(3), Restart], &[NeverLeft]),
        (
            &[whole(2), whole(0), Restart, Pass(Duration::from_secs(2)), READ, Fill(0, 98)],
            &[Refused, LostAfter],
        ),
        // A raise that is denied as it leaves, of an order that closes besides, was given up and asked for for ever.
        (
            &[whole(1), whole(5), Fill(1, 65), ByHand { like: 0 }, Breaker(true), Fill(0, 33), Withdraw(2)],
            &[LostAfter, LostAfter],
        ),
        // He lowers what the copy has filled beyond it; what sells against it closes that too, and opens the rest of his.
        (&[whole(3), Fill(0, 130), whole(0), Fill(1, 98), cut(0, 65), whole(3), Withdraw(1)], &[]),
        (&[whole(0), cut(0, 65), whole(5), Fill(0, 98), Fill(1, 130), Await(5)], &[]),
        (&[cut(2, 130), Answer(0), cut(1, 130), Fill(0, 130), Fill(1, 98), whole(1)], &[Taken, Refused]),
        (
            &[whole(4), cut(4, 65), Answer(0), whole(5), Fill(0, 60), Fill(1, 130), Fill(0, 38), Await(2)],
            &[Taken, Refused, LostAfter],
        ),
        (
            &[
                whole(5),
                whole(1),
                Answer(1),
                Pass(MS),
                cut(1, 130),
                Fill(0, 5),
                whole(3),
                Fill(1, 98),
                Fill(0, 125),
                whole(1),
            ],
            &[],
        ),
        // An order that a read shows without its tag at the very moment it was sent did not stand there before.
        (&[whole(0), READ, whole(0)], &[LostAfterAndUntagged]),
        (&[whole(1), whole(0), READ], &[LostAfterAndUntagged]),
        // A raise is taken, then a lowering is seen before its answer is lost: the rows show the lowered order.
        (
            &[
                whole(1),
                READ,
                EndRead(0),
                cut(1, 130),
                whole(1),
                Answer(1),
                READ,
                EndRead(0),
                Answer(1),
                Restart,
            ],
            &[Taken, Taken, LostAfter],
        ),
        // Ten requests in a second, several of them changes of one order, and a restart: all of them count.
        (
            &[
                whole(1),
                whole(5),
                Answer(0),
                Answer(0),
                Fill(1, 130),
                Fill(0, 65),
                Pass(MS),
                whole(4),
                READ,
                EndRead(0),
                Fill(3, 65),
                Answer(1),
                cut(1, 130),
                Restart,
                cut(1, 65),
                Answer(0),
                READ,
                Answer(0),
                EndRead(0),
                whole(2),
                Restart,
            ],
            &[],
        ),
        (
            &[
                cut(2, 130),
                whole(0),
                whole(1),
                Fill(0, 98),
                whole(5),
                READ,
                EndRead(0),
                Withdraw(2),
                Answer(1),
                whole(3),
                Answer(1),
                Answer(2),
                Restart,
                Answer(0),
                Answer(0),
                Withdraw(3),
                Restart,
                Fill(1, 65),
                whole(4),
                READ,
            ],
            &[LostBefore],
        ),
    ]
};

#[test]
fn what_was_found_before_is_found_no_more() {
    for (steps, fates) in FOUND {
        let fates: Vec<_> = fates.iter().map(|fate| (*fate, Duration::ZERO)).collect();
        run(steps, &fates);
    }
}
