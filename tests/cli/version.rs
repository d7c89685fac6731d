//! Version and usage.

use crate::program::tandem;

#[test]
fn the_version_goes_to_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let said = tandem(folder.path(), &["--version"], &[]);
    assert_eq!(said.code, Some(0));
    assert_eq!(said.out, format!("tandem {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(said.err, "");
}

#[test]
fn a_bad_command_line_is_a_bad_setting() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["fly"], &["run"], &["check"], &["run", "--config"]] {
        let said = tandem(folder.path(), arguments, &[]);
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:?}");
    }
}

/// What can be made to fail is not what anybody trades with: the names in the table of `docs/faults.md` are in no ordinary
/// program. That they are in a build with the feature, `tests/kill/build.rs` shows.
#[cfg(not(feature = "faults"))]
#[test]
fn an_ordinary_build_has_no_fault_points() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_tandem")).unwrap();
    let words = program
        .split(|byte| !(byte.is_ascii_alphabetic() || *byte == b'_' || *byte == b' '))
        .filter(|word| word.len() >= 10)
        .collect::<std::collections::BTreeSet<_>>();
    let words = words.into_iter().collect::<Vec<_>>().join(&b'\n');
    let words = String::from_utf8(words).unwrap();
    let has = |text: &str| words.contains(text);
    assert!(has("tandem starts"), "texts are found as they are written");
    let docs = include_str!("../../docs/faults.md");
    let names: Vec<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names.into_iter().chain(["TANDEM_FAULT", "fault point"]) {
        assert!(!has(name), "{name} is in an ordinary build");
    }
}
