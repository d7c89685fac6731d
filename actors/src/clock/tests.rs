//! The system's time beside a machine whose clock is set, with both clocks read by hand: no test waits.

mod absence;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

fn at(text: &str) -> Timestamp {
    Timestamp::from_ist(text.parse().unwrap())
}

/// How far its clock is set.
#[derive(Debug, Clone, Copy)]
enum Set {
    Ahead(Duration),
    Back(Duration),
}

/// A machine that was started when its clock was right.
struct Machine {
    wall: Wall,
    reading: Reading,
}

impl Machine {
    fn started(shown: &str) -> Self {
        // Machines run for a while before Tandem does.
        let reading = Reading { shown: at(shown), steady: Duration::from_millis(7_123_456) };
        Self { wall: Wall::new(reading), reading }
    }

    fn now(&self) -> Timestamp {
        self.wall.now(self.reading)
    }

    fn passes(&mut self, span: Duration) -> Timestamp {
        self.reading = Reading {
            shown: self.reading.shown.plus(span),
            steady: self.reading.steady.saturating_add(span),
        };
        self.now()
    }

    /// As many looks, so far apart.
    fn passes_in_steps(&mut self, steps: u32, apart: Duration) -> Timestamp {
        (0..steps).for_each(|_| {
            self.passes(apart);
        });
        self.now()
    }

    fn is_set(&mut self, set: Set) -> Timestamp {
        self.reading.shown = match set {
            Set::Ahead(by) => self.reading.shown.plus(by),
            Set::Back(by) => self.reading.shown.minus(by),
        };
        self.now()
    }

    fn shows(&mut self, shown: &str) -> Timestamp {
        self.reading.shown = at(shown);
        self.now()
    }

    fn hears_of(&self, happened: Timestamp) -> Timestamp {
        self.wall.hear_of(happened, self.reading);
        self.now()
    }
}

#[test]
fn p28_what_is_measured_is_steady_however_the_clock_is_set() {
    let noon = at("2026-12-02T12:00:00");
    let (hurried, held_back, even) = (10_200, 9_000, 10_000);
    for (set, millis_in_ten_seconds) in [
        (Set::Ahead(SECOND), hurried),
        (Set::Ahead(SECOND * 30), hurried),
        (Set::Ahead(HOUR * 2), hurried),
        (Set::Back(SECOND), held_back),
        (Set::Back(SECOND * 30), held_back),
        (Set::Back(HOUR * 2), held_back),
        (Set::Ahead(DAY), even),
        (Set::Back(DAY), even),
        (Set::Ahead(DAY * 400), even),
    ] {
        let mut machine = Machine::started("2026-12-02T12:00:00");
        assert_eq!(machine.is_set(set), noon, "{set:?}: no time has passed");
        let later = machine.passes_in_steps(40, SECOND / 4);
        assert_eq!(later.since(noon).as_millis(), millis_in_ten_seconds, "{set:?}");
    }
}

#[test]
fn p28_a_small_difference_vanishes() {
    for (set, within) in [
        (Set::Ahead(SECOND), SECOND * 50),
        (Set::Ahead(SECOND * 30), SECOND * 1500),
        (Set::Back(SECOND), SECOND * 10),
        (Set::Back(SECOND * 30), SECOND * 300),
    ] {
        let mut machine = Machine::started("2026-12-02T12:00:00");
        machine.is_set(set);
        let before = machine.passes_in_steps(99, within / 100);
        assert_ne!(before, machine.reading.shown, "{set:?}: not at once");
        machine.passes(within / 100);
        assert_eq!(machine.now(), machine.reading.shown, "{set:?}");
        assert_eq!(machine.passes(HOUR), machine.reading.shown, "{set:?}: and stays so");
    }
    // Many looks within a moment are as good as few.
    let mut machine = Machine::started("2026-12-02T12:00:00");
    machine.is_set(Set::Back(Duration::from_millis(1)));
    machine.passes_in_steps(20_000, Duration::from_nanos(500));
    machine.reading.shown = at("2026-12-02T12:00:00").plus(Duration::from_millis(9));
    assert_eq!(machine.now(), machine.reading.shown);
}

#[test]
fn p28_no_day_begins_or_comes_back_because_the_clock_was_set() {
    let noon = at("2026-12-02T12:00:00");
    for shown in [
        "2026-12-02T15:00:00",
        "2026-12-02T23:59:59",
        "2026-12-02T00:00:00",
        "2026-12-03T00:00:00",
        "2026-12-03T12:00:00",
        "2026-12-01T23:59:59",
        "2025-01-01T12:00:00",
    ] {
        let mut machine = Machine::started("2026-12-02T12:00:00");
        machine.shows(shown);
        let later = machine.passes_in_steps(3600, SECOND);
        assert_eq!(later.trading_day(), noon.trading_day(), "{shown}");
        assert!(later.since(noon) <= HOUR + HOUR / 50, "{shown}: {later}");
    }
}

#[test]
fn p28_two_small_lies_do_not_make_a_day() {
    let noon = at("2026-12-02T12:00:00");
    let mut machine = Machine::started("2026-12-02T12:00:00");
    assert_eq!(machine.shows("2026-12-02T23:59:59"), noon);
    assert!(machine.passes(SECOND * 2).since(noon) < SECOND * 3, "it is noon");
    let mut machine = Machine::started("2026-12-02T12:00:00");
    for _ in 0..12 * 60 {
        machine.is_set(Set::Ahead(SECOND * 60));
        machine.passes(SECOND);
    }
    assert!(machine.now().since(noon) < HOUR, "nor do many");
}

#[test]
fn p28_a_day_begins_when_time_has_passed() {
    let mut machine = Machine::started("2026-12-02T23:59:59");
    assert_eq!(machine.passes(SECOND * 2), at("2026-12-03T00:00:01"));
    // A machine that slept over the week-end, or was not looked at.
    assert_eq!(machine.passes(DAY * 3), at("2026-12-06T00:00:01"));
    // One that is a little ahead has its midnight first, one that was set to the next day has not.
    for (ahead, is_neared) in [(SECOND * 90, true), (SECOND * 150, false)] {
        let mut machine = Machine::started("2026-12-02T23:58:59");
        machine.is_set(Set::Ahead(ahead));
        let midnight = machine.passes(SECOND * 60);
        assert_eq!(midnight > at("2026-12-02T23:59:59"), is_neared, "{midnight}");
        // Once both are in one day, ours nears it.
        let later = machine.passes(SECOND * 100);
        assert!(later.since(midnight) >= SECOND * 100, "{later}");
        machine.passes(HOUR * 3);
        assert_eq!(machine.now(), machine.reading.shown);
    }
}

#[test]
fn p28_what_the_broker_tells_of_is_believed_where_the_machine_shows_it() {
    let ten = at("2026-12-02T10:00:00");
    for (shown, happened, is_believed) in [
        // Within the day.
        ("2026-12-02T10:30:00", "2026-12-02T10:29:59", true),
        ("2026-12-02T10:30:00", "2026-12-02T10:31:30", true),
        ("2026-12-02T10:30:00", "2026-12-02T10:02:01", true),
        ("2026-12-02T10:30:00", "2026-12-02T10:02:00", false),
        ("2026-12-02T10:30:00", "2026-12-02T09:15:00", false),
        ("2026-12-02T10:02:00", "2026-12-02T10:03:00", false),
        // What the machine's clock does not show either is absurd.
        ("2026-12-02T10:30:00", "2026-12-02T10:32:01", false),
        ("2026-12-02T10:30:00", "2099-01-01T10:00:00", false),
        ("2026-12-02T10:00:00", "2099-01-01T10:00:00", false),
        ("2026-12-02T09:00:00", "2026-12-02T10:30:00", false),
        // A later day.
        ("2026-12-03T10:00:00", "2026-12-03T09:59:59", true),
        ("2026-12-03T10:00:00", "2026-12-02T10:00:01", false),
        ("2026-12-03T10:00:00", "2026-12-05T10:00:00", false),
        // Never an earlier one.
        ("2026-12-01T10:00:00", "2026-12-01T10:00:00", false),
        ("2026-12-02T09:00:00", "2026-12-02T09:00:00", false),
    ] {
        let mut machine = Machine::started("2026-12-02T10:00:00");
        assert_eq!(machine.shows(shown), ten, "{shown}");
        let expected = if is_believed { at(shown) } else { ten };
        assert_eq!(machine.hears_of(at(happened)), expected, "{shown}, {happened}");
    }
    // At midnight half a minute is enough: it is another day.
    let mut machine = Machine::started("2026-12-02T23:59:30");
    machine.shows("2026-12-03T00:02:00");
    assert_eq!(machine.hears_of(at("2026-12-03T00:00:01")), at("2026-12-03T00:02:00"));
}

#[test]
fn p28_a_later_day_is_believed_once_the_broker_is_there() {
    let (noon, next_day) = ("2026-12-02T12:00:00", "2026-12-03T10:00:00");
    let mut machine = Machine::started(noon);
    machine.shows(next_day);
    assert_eq!(machine.hears_of(at("2026-12-02T12:00:01")), at(noon));
    assert_eq!(machine.hears_of(at("2026-12-03T09:59:59")), at(next_day));
    // Nothing that he tells makes an earlier day.
    machine.shows(noon);
    assert_eq!(machine.hears_of(at(noon)), at(next_day));
}

#[test]
fn p28_it_is_overruled_while_both_differ_by_more_than_two_minutes() {
    for (set, is_overruled) in [
        (Set::Ahead(SECOND * 120), false),
        (Set::Back(SECOND * 120), false),
        (Set::Ahead(SECOND * 121), true),
        (Set::Back(SECOND * 121), true),
        (Set::Ahead(DAY), true),
        (Set::Back(DAY), true),
    ] {
        let mut machine = Machine::started("2026-12-02T12:00:00");
        machine.is_set(set);
        assert_eq!(machine.wall.is_overruled(machine.reading), is_overruled, "{set:?}");
        // Ours has come nearer.
        machine.passes(SECOND * 60);
        let is_far = matches!(set, Set::Ahead(by) | Set::Back(by) if by >= DAY);
        assert_eq!(machine.wall.is_overruled(machine.reading), is_far, "{set:?}");
    }
}

#[test]
fn a_look_that_another_has_overtaken_is_not_earlier() {
    let mut machine = Machine::started("2026-12-02T12:00:00");
    let before = machine.reading;
    let now = machine.passes(SECOND);
    assert_eq!(machine.wall.now(before), now);
    assert_eq!(machine.now(), now, "and the second counts once");
}

#[test]
fn the_systems_clock_goes_on() {
    let clock = Clock::system();
    let first = clock.now();
    assert!(clock.now() >= first && !clock.is_overruled());
}

#[derive(Debug, Clone)]
enum Happens {
    Passes(Duration),
    IsSet(Set),
    /// The broker tells of something that happened so many microseconds after what the machine shows.
    Tells(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let span = || {
        prop_oneof![0..5_000u64, 0..5_000_000u64, 0..7_200_000_000u64, 0..200_000_000_000u64]
            .prop_map(Duration::from_micros)
    };
    prop_oneof![
        4 => span().prop_map(Happens::Passes),
        1 => span().prop_map(|by| Happens::IsSet(Set::Ahead(by))),
        1 => span().prop_map(|by| Happens::IsSet(Set::Back(by))),
        1 => (-7_200_000_000..7_200_000_000i64).prop_map(Happens::Tells),
    ]
}

proptest! {
    #[test]
    fn p28_every_span_is_within_a_tenth_of_the_steady_one_unless_the_broker_confirmed(
        course in proptest::collection::vec(happens(), 1..40)
    ) {
        let mut machine = Machine::started("2026-12-02T12:00:00");
        let mut looks = vec![(machine.reading.steady, machine.now())];
        for next in course {
            let before = machine.now();
            let now = match next {
                Happens::Passes(span) => machine.passes(span),
                Happens::IsSet(set) => machine.is_set(set),
                Happens::Tells(after) => {
                    let happened = Timestamp::from_micros(machine.reading.shown.micros() + after);
                    machine.hears_of(happened)
                }
            };
            prop_assert!(now >= before, "{before} {now}");
            if matches!(next, Happens::Tells(_)) && now != before {
                // Believed: measured anew from here.
                prop_assert_eq!(now, machine.reading.shown);
                looks.clear();
            }
            for (steady, told) in &looks {
                let (passed, measured) = (machine.reading.steady.saturating_sub(*steady), now.since(*told));
                let rounding = Duration::from_micros(1);
                prop_assert!(measured + rounding + passed / 10 >= passed, "{passed:?} {measured:?}");
                prop_assert!(measured <= passed + passed / 50 + rounding, "{passed:?} {measured:?}");
            }
            looks.push((machine.reading.steady, now));
        }
    }
}

#[test]
fn a_lent_clock_stands_still_until_it_is_set() {
    let (clock, setter) = Clock::lent(Timestamp::from_micros(5));
    assert_eq!(clock.now(), Timestamp::from_micros(5));
    setter.set(Timestamp::from_micros(9), 0);
    assert_eq!(clock.now(), Timestamp::from_micros(9));
    setter.set(Timestamp::from_micros(9), 10_000);
    assert!(clock.real_time_until(Timestamp::from_micros(10_009)) <= Duration::from_millis(1));
}
