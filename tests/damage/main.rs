//! Damaged input never panics, never takes memory without bound, never turns into silence: frames of the order stream,
//! answers over REST, the instrument file, the settings.
//!
//! How it works: real texts (fixtures, documented examples, the simulator's answers) are damaged at random, cut at each
//! byte, and have each of their JSON fields replaced and taken out in turn; each is read by the function that reads it in
//! Tandem (`readers.rs`), while the allocator counts. Every run begins with another seed and prints it:
//! `TANDEM_DAMAGE_SEED=7` repeats that run, `TANDEM_DAMAGE_CASES` says how many texts there are for each reader.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "the seed is printed, and the text that broke a reader")]

mod corpus;
mod fields;
mod memory;
mod mutations;
mod readers;
mod settings_reader;

use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use corpus::Surface;
use memory::Alone;
use mutations::{Chance, damaged};
use readers::Outcome;

/// Random texts for each reader.
const CASES: u64 = 1_000;

/// What a real text, damaged, may take of memory at once for each of its bytes. Three times what was ever seen.
const BYTES_PER_BYTE: usize = 32;
/// The same for a text of nothing but small things, each of which becomes a row or a fault.
const BYTES_PER_BYTE_AT_WORST: usize = 200;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn seed() -> u64 {
    number("TANDEM_DAMAGE_SEED").unwrap_or_else(|| RandomState::new().hash_one(0) % 1_000_000_000)
}

/// Reads it, held to its memory; a text that breaks the reader is shown.
fn read(surface: &Surface, text: &[u8], how: impl Fn() -> String) -> Outcome {
    read_within(surface, text, BYTES_PER_BYTE, how)
}

fn read_within(surface: &Surface, text: &[u8], per_byte: usize, how: impl Fn() -> String) -> Outcome {
    let read = || {
        let (outcome, taken) = memory::taken(|| (surface.read)(text));
        let bound = surface.bytes_at_least + per_byte * text.len();
        assert!(taken <= bound, "{taken} bytes taken for {} read, {bound} at most", text.len());
        outcome
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|broke| {
        const SHOWN: usize = 4_000;
        let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
        eprintln!("the {} broke over {} bytes ({}): {shown:?}", surface.name, text.len(), how());
        resume_unwind(broke)
    })
}

/// Damages and reads so many texts.
fn at_random(surface: &Surface) {
    let (seed, cases) = (seed(), number("TANDEM_DAMAGE_CASES").unwrap_or(CASES));
    eprintln!("{}: TANDEM_DAMAGE_SEED={seed} cargo test --test damage", surface.name);
    let mut chance = Chance::new(seed);
    for case in 0..cases {
        let text = damaged(&mut chance, &surface.samples);
        let _ = read(surface, &text, || format!("seed {seed}, case {case}"));
    }
}

/// Reads what is left of each sample when it ends after each of its bytes.
fn cut(surface: &Surface) {
    for sample in &surface.in_turn {
        for end in 0..sample.len() {
            let _ = read(surface, &sample[..end], || format!("cut after {end} bytes"));
        }
    }
}

#[test]
fn frames_are_read_or_named() {
    let _alone = Alone::begin();
    let frames = corpus::frames();
    at_random(&frames);
    cut(&frames);
    fields::each_in_turn(&frames);
}

#[test]
fn answers_are_read_or_named() {
    let answers = corpus::answers();
    let _alone = Alone::begin();
    for surface in &answers {
        at_random(surface);
        cut(surface);
        fields::each_in_turn(surface);
    }
}

#[test]
fn instrument_files_are_read_or_named() {
    let _alone = Alone::begin();
    let files = corpus::instruments();
    at_random(&files);
    cut(&files);
    fields::each_column_in_turn(&files);
}

#[test]
fn settings_are_read_or_named() {
    let _alone = Alone::begin();
    let files = corpus::settings();
    at_random(&files);
    fields::each_setting_in_turn(&files);
}

#[test]
fn many_small_things_take_no_more_than_their_share() {
    const SMALL: [&str; 10] = [
        "1 ",
        "{}",
        "null,",
        "\"\",",
        "[",
        "{\"orderNo\":1},",
        "\"orderno\":1,",
        "\n",
        ",",
        "{\"quantity\":0},",
    ];
    const BYTES: usize = 20_000;
    let answers = corpus::answers();
    let _alone = Alone::begin();
    for surface in [corpus::frames(), corpus::instruments()].into_iter().chain(answers) {
        for small in SMALL {
            let many = small.repeat(BYTES / small.len());
            for text in [&many, &format!("[{}]", many.trim_end_matches(',')), &format!("{{\"Data\":{many}")] {
                let how = || format!("many of {small:?}");
                let _ = read_within(&surface, text.as_bytes(), BYTES_PER_BYTE_AT_WORST, how);
            }
        }
    }
}

#[test]
fn a_cut_frame_still_names_the_order_it_showed() {
    let frames = corpus::frames();
    let whole = include_str!("../../dhan/tests/fixtures/frames/pending.json");
    for cut in 400..900 {
        let faults = (frames.read)(&whole.as_bytes()[..cut]).faults;
        assert_eq!(faults.len(), 1);
        assert!(faults[0].ends_with("(order 221261123048117)"), "{}", faults[0]);
    }
}
