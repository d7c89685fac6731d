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
