//! A build with fault points is no program to trade with, and says so.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tandem_actors::faults::{Fault, FaultKind, FaultPoint};

use crate::harness::Setup;
use crate::life::tandem;

#[test]
fn it_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let said = tandem(folder.path(), &["--version"], &[]);
    assert!(said.status.success());
    let version = String::from_utf8(said.stdout).unwrap();
    assert_eq!(
        version,
        format!("tandem {} with fault points: for tests on this machine only\n", env!("CARGO_PKG_VERSION"))
    );
}

/// So that the search in `tests/cli/version.rs`, which finds none in an ordinary build, is no empty one.
#[test]
fn it_has_every_point() {
    let program = fs::read(env!("CARGO_BIN_EXE_tandem")).unwrap();
    let words = program
        .split(|byte| !(byte.is_ascii_alphabetic() || *byte == b'_'))
        .filter(|word| word.len() >= 10)
        .collect::<BTreeSet<_>>();
    let words = String::from_utf8(words.into_iter().collect::<Vec<_>>().join(&b'\n')).unwrap();
    let has = |text: &str| words.contains(text);
    assert!(has("TANDEM_FAULT"));
    for point in FaultPoint::ALL {
        assert!(has(point.name()), "{point}");
    }
}

/// The table in the docs is what that search goes by.
#[test]
fn the_docs_list_every_point_in_its_order() {
    let docs = include_str!("../../docs/faults.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let listed: Vec<&str> = rows.map(|(name, _)| name).collect();
    let names: Vec<&str> = FaultPoint::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(listed, names);
}

#[test]
fn faults_are_read_from_texts() {
    let fault = |text: &str| text.parse::<Fault>();
    let (point, kind) = (FaultPoint::AfterSendingCommit, FaultKind::Abort);
    assert_eq!(fault("after_sending_commit=abort@3"), Ok(Fault { point, kind, at: 3, ever_after: false }));
    assert_eq!(fault(" after_sending_commit=abort"), Ok(Fault { point, kind, at: 1, ever_after: false }));
    let (point, kind) = (FaultPoint::BeforeFillCommit, FaultKind::Fail);
    assert_eq!(fault("before_fill_commit=fail"), Ok(Fault { point, kind, at: 1, ever_after: false }));
    let (point, kind) = (FaultPoint::FollowerStarted, FaultKind::Panic);
    assert_eq!(fault("follower_started=panic@2+"), Ok(Fault { point, kind, at: 2, ever_after: true }));
    let (point, kind) = (FaultPoint::SizerTold, FaultKind::HangFor(Duration::from_secs(3)));
    assert_eq!(fault("sizer_told=hang:3000@2"), Ok(Fault { point, kind, at: 2, ever_after: false }));
    for bad in [
        "",
        "sizer_told",
        "sizer_told=",
        "sizer_told=abort@0",
        "sizer_told=explode",
        "sizer_told=hang:",
        "sizer_told=hang:soon",
        "sizer_told=block:3000",
        "sizer_told=fail",
        "nowhere=abort@1",
    ] {
        assert!(fault(bad).is_err(), "{bad}");
    }
}

#[test]
fn it_speaks_to_no_other_machine() {
    let folder = tempfile::tempdir().unwrap();
    let follower = "[[follower]]\nid = \"asha\"\nclient_id_env = \"A\"\naccess_token_env = \"B\"\n";
    fs::write(folder.path().join("tandem.toml"), follower).unwrap();
    let variables =
        [("A", "1000000202"), ("B", "x"), ("LEADER_CLIENT_ID", "1000000101"), ("LEADER_ACCESS_TOKEN", "x")];
    for command in ["run", "check"] {
        let said = tandem(folder.path(), &[command, "--config", "tandem.toml"], &variables);
        assert_eq!(said.status.code(), Some(2), "{said:?}");
        let complaint = String::from_utf8(said.stderr).unwrap();
        assert!(complaint.contains("broker.base_url") && complaint.contains("fault points"), "{complaint}");
    }
}

#[test]
fn a_fault_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bad in ["nowhere=abort", "sizer_told=explode", "sizer_told=panic@0"] {
        let said = tandem(folder.path(), &["demo"], &[("TANDEM_FAULT", bad)]);
        assert_eq!(said.status.code(), Some(2), "{said:?}");
        assert!(String::from_utf8(said.stderr).unwrap().contains(bad));
    }
}

#[test]
fn with_nothing_armed_it_is_an_ordinary_program() {
    let stage = Setup::new().stage();
    let order = stage.broker.lead(crate::harness::buy(stage.broker.option(), 260));
    stage.daemon.until_filled(&order, "asha", 130);
    stage.daemon.end();
}
