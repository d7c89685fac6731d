//! `tandem demo`, run as it is built: a whole day, without a terminal.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

/// What one run printed, its exit code first.
fn demo() -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("demo")
        .env_clear()
        .env("TMPDIR", folder.path())
        // None of this may lead the demo anywhere else.
        .env("DHAN_ENV", "prod")
        .env("LEADER_ACCESS_TOKEN", "eyJhbGciOiJIUzUxMiJ9.very-secret-token.c2ln")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(left.is_empty(), "a demo that goes well leaves nothing behind: {left:?}\n{out}\n{err}");
    (output.status.code(), out, err)
}

/// The numbers of a table's row.
fn row<'a>(out: &'a str, label: &str) -> Vec<&'a str> {
    let line = out.lines().find_map(|line| line.trim().strip_prefix(label));
    let numbers = line.unwrap_or_else(|| panic!("no row {label:?} in\n{out}"));
    numbers.split_whitespace().collect()
}

#[test]
fn a_day_goes_as_written_down() {
    let (code, out, err) = demo();
    assert_eq!(code, Some(0), "{out}\n{err}");
    assert_eq!(err, "");
    assert!(!out.contains("very-secret") && !out.contains("sim-token"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours and no cursor without a terminal: {out}");

    // Progress in plain lines, from the open to the close.
    for time in ["09:16", "11:00", "15:41"] {
        assert!(
            out.lines().any(|line| line.starts_with(time) && line.contains("leader orders")),
            "{time}: {out}"
        );
    }
    // Three of his 290 orders are sliced into eight.
    assert_eq!(row(&out, "leader orders seen"), ["295", "295", "295"]);
    assert_eq!(row(&out, "copied"), ["274", "260"]);
    assert_eq!(row(&out, "of them cut down by a limit"), ["0", "1"]);
    assert_eq!(row(&out, "taken over by hand"), ["1", "0"]);
    assert_eq!(row(&out, "stopped by a halt"), ["0", "3"]);
    // Every second of twenty single lots is half of two for Asha, every fifth a fifth of five for Bala.
    assert_eq!(row(&out, "skipped: below_one_lot"), ["12", "18"]);
    assert_eq!(row(&out, "skipped: nothing_to_close"), ["2", "6"]);
    assert_eq!(row(&out, "skipped: cover_missing"), ["0", "1"]);
    assert_eq!(row(&out, "skipped: halted"), ["0", "1"]);
    assert_eq!(row(&out, "skipped: leader_rejected"), ["3", "3"]);
    assert_eq!(row(&out, "skipped: not_option"), ["3", "3"]);
    // With the repairs, and the exits of five super orders, two for each.
    assert_eq!(row(&out, "orders at the broker"), ["305", "288", "277"]);
    // His owner's two, and one of the broker's at 15:20.
    assert_eq!(row(&out, "placed by others"), ["0", "3"]);
    assert_eq!(row(&out, "of them exits"), ["10", "10", "10"]);
    assert_eq!(row(&out, "rejected"), ["3", "1", "1"]);
    assert_eq!(row(&out, "NIFTY 29 Dec 26500 CE"), ["MARGIN", "650", "325", "130"]);
    assert_eq!(row(&out, "SENSEX 10 Dec 84000 PE"), ["MARGIN", "200", "100", "0"]);
    assert_eq!(row(&out, "FINNIFTY 29 Dec 27600 CE"), ["MARGIN", "1200", "180", "120"]);

    // What it cost and how long it took, for each follower.
    assert!(row(&out, "follower").ends_with(&["basis", "points"]), "{out}");
    for follower in ["asha", "bala"] {
        assert_eq!(row(&out, follower).len(), 5, "{out}");
    }
    for stretch in [
        "leader's exchange to frame",
        "frame to decision",
        "decision to request",
        "request to acknowledgement",
        "acknowledgement to first fill",
    ] {
        let took = row(&out, stretch);
        assert!(took.len() == 8 && !took.contains(&"-"), "{stretch}: {took:?}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 110), "{out}");
    assert!(row(&out, "requests  p50 us").contains(&"max"), "{out}");
    assert!(!out.contains("Differences"), "{out}");
    assert!(out.lines().last().is_some_and(|line| line.starts_with("Right: ")), "{out}");
}
