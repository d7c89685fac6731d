//! `docs/promises.md` beside the tests it names: each promise says what keeps it and has some, and each of them exists.

use std::path::Path;

const PAGE: &str = include_str!("../../docs/promises.md");
/// As many as are numbered.
const PROMISES: usize = 29;

/// What a page says of one promise, from its heading to the next.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'))
}

/// Tests that a section names: their file, and their names.
fn tests(section: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let lines = section.lines().filter_map(|line| line.strip_prefix("- `"));
    lines.filter_map(|line| line.split_once("`: ")).map(|(file, names)| {
        let names = names.split(", ").map(|name| name.trim_matches('`')).collect();
        (file, names)
    })
}

#[test]
fn each_promise_says_what_keeps_it_and_has_tests() {
    let ids: Vec<&str> = sections().filter_map(|(heading, _)| heading.split(' ').next()).collect();
    let numbered: Vec<String> = (1..=PROMISES).map(|number| format!("P{number}")).collect();
    assert_eq!(ids, numbered, "one section for each, in order");
    for (heading, section) in sections() {
        let kept_by = section.split_once("*Kept by*").map_or("", |(_, sentence)| sentence.trim_start());
        let begins = |first: char| first.is_alphanumeric() || first == '`';
        assert!(kept_by.starts_with(begins), "nothing is said to keep {heading}");
        assert!(tests(section).next().is_some(), "nothing proves {heading}");
    }
}

#[test]
fn each_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (heading, section) in sections() {
        for (file, names) in tests(section) {
            let text = std::fs::read_to_string(root.join(file));
            let text = text.unwrap_or_else(|error| panic!("{heading}: {file}: {error}"));
            for name in names {
                let begins = format!("fn {name}(");
                let at = text.find(&begins).unwrap_or_else(|| panic!("{heading}: {file} has no {name}"));
                let before: Vec<&str> = text[..at].lines().rev().take(4).collect();
                let is_test =
                    before.iter().any(|line| line.trim_start().starts_with("#[") && line.contains("test"));
                assert!(is_test, "{heading}: {name} in {file} is no test");
            }
        }
    }
}
