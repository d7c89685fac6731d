//! The exit codes that the README and the runbook list, beside the one list that the program ends by.

const SOURCE: &str = include_str!("../../src/cli/exit.rs");
const README: &str = include_str!("../../README.md");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");

/// The codes of `ExitStatus`, each with the number that its documentation begins with.
fn of_the_program() -> Vec<(u8, u8)> {
    let body =
        SOURCE.split_once("pub enum ExitStatus {").and_then(|(_, rest)| rest.split_once("\n}")).unwrap().0;
    let told = body.lines().filter_map(|line| line.trim().strip_prefix("/// ")?.split_once(": "));
    let told = told.map(|(number, _)| number.parse().unwrap());
    let set = body.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "));
    let set: Vec<u8> = set.map(|(_, number)| number.parse().unwrap()).collect();
    let told: Vec<u8> = told.collect();
    assert_eq!(told.len(), set.len(), "each has its documentation");
    set.into_iter().zip(told).collect()
}

/// The codes of the table under a heading of a page; each says something of its code.
fn of_the_table(page: &str, heading: &str) -> Vec<u8> {
    let section = page.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let rows = rows.filter_map(|(code, meaning)| Some((code.parse().ok()?, meaning)));
    rows.inspect(|(code, meaning)| assert!(meaning.len() > 5, "nothing is said of {code}"))
        .map(|(code, _)| code)
        .collect()
}

#[test]
fn each_exit_code_is_in_the_readme_and_in_the_runbook() {
    let codes = of_the_program();
    assert!(codes.iter().all(|(set, told)| set == told), "the number and its documentation: {codes:?}");
    let codes: Vec<u8> = codes.into_iter().map(|(set, _)| set).collect();
    assert_eq!(of_the_table(README, "Exit codes"), codes, "README.md");
    assert_eq!(of_the_table(RUNBOOK, "How it ended"), codes, "docs/runbook.md");
}

/// Whoever writes a unit file goes by this sentence.
#[test]
fn what_a_service_manager_is_told_speaks_of_known_codes() {
    let codes: Vec<u8> = of_the_program().into_iter().map(|(set, _)| set).collect();
    let sentence =
        RUNBOOK.lines().find(|line| line.starts_with("A service manager should restart it after")).unwrap();
    let named = sentence.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    let mut named: Vec<u8> = named.collect();
    assert!(!named.is_empty() && named.iter().all(|code| codes.contains(code)), "{named:?}");
    let said = named.len();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), said, "a code for both: {sentence}");
}
