//! Tables of the documentation that tests compare with the code, and write anew with `TANDEM_BLESS=1`.

use std::path::Path;

/// The page has this table between its two marks.
#[track_caller]
pub(crate) fn assert_table(page: &str, (begin, end): (&str, &str), table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(begin).expect("the document has the table");
    let (written, after) = rest.split_once(end).expect("the table has an end");
    if std::env::var_os("TANDEM_BLESS").is_some() {
        return std::fs::write(&path, format!("{before}{begin}\n{table}{end}{after}")).unwrap();
    }
    let lines = written.trim().lines().zip(table.trim().lines());
    let faults: Vec<_> = lines.filter(|(written, made)| written != made).collect();
    let is_same = written.trim() == table.trim();
    assert!(is_same, "{page}: TANDEM_BLESS=1 writes it anew; lines that differ: {faults:#?}");
}
