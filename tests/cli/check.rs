//! `tandem check` against the simulator and against nobody.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tandem_sim::{Operation, SimSettings, Simulator};

use crate::program::{SECRET, Said, tandem};

const FOLLOWER: &str = "[[follower]]\nid = \"asha\"\n";

fn check(folder: &Path, urls: [&str; 3], tokens: [&str; 2]) -> Said {
    let [base_url, stream_url, instruments_url] = urls;
    let settings = format!(
        "[broker]\nbase_url = \"{base_url}\"\nstream_url = \"{stream_url}\"\n\
         instruments_url = \"{instruments_url}\"\n{FOLLOWER}"
    );
    std::fs::write(folder.join("my.toml"), settings).unwrap();
    let variables = [
        ("LEADER_CLIENT_ID", "1000000101"),
        ("LEADER_ACCESS_TOKEN", tokens[0]),
        ("FOLLOWER_CLIENT_ID", "1000000202"),
        ("FOLLOWER_ACCESS_TOKEN", tokens[1]),
    ];
    tandem(folder, &["check", "--config", "my.toml"], &variables)
}

/// Verdict and first word of what was said, for each line about `subject`.
fn verdicts<'a>(said: &'a Said, subject: &str) -> Vec<(&'a str, &'a str)> {
    let about = said.out.lines().filter(|line| line.contains(subject));
    about
        .map(|line| (line.split_whitespace().next().unwrap(), line[31..].split([':', ' ']).next().unwrap()))
        .collect()
}

#[test]
fn nobody_listening_fails_every_account_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = ["http://127.0.0.1:1/v2", "ws://127.0.0.1:1", "http://127.0.0.1:1/instruments.csv"];
    let said = check(folder.path(), nobody, [SECRET, SECRET]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(verdicts(&said, "settings"), [("ok", "good;")]);
    assert_eq!(verdicts(&said, "leader leader"), [("fail", "broker")]);
    assert_eq!(verdicts(&said, "follower asha"), [("fail", "broker")]);
    assert!(said.out.lines().any(|line| line.starts_with("fail  instruments")), "{said:?}");
    assert!(said.out.lines().any(|line| line.starts_with("warn  clock")), "{said:?}");
    assert!(said.out.lines().any(|line| line.starts_with("ok    database")), "{said:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a check makes nothing: {left:?}");
}

#[test]
fn a_broker_that_knows_everybody_passes_and_no_order_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(SimSettings::default()).unwrap();
    let (rest, stream, instruments) =
        (simulator.rest_url(), simulator.stream_url(), simulator.instruments_url());
    let urls = [rest.as_str(), stream.as_str(), instruments.as_str()];

    let said = check(folder.path(), urls, ["sim-token-1000000101", "sim-token-1000000202"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(
        verdicts(&said, "leader leader").iter().map(|(_, what)| *what).collect::<Vec<_>>(),
        ["token", "funds"]
    );
    let follower = verdicts(&said, "follower asha");
    assert_eq!(follower.iter().map(|(_, what)| *what).collect::<Vec<_>>(), ["token", "funds", "address"]);
    assert!(said.out.contains("ok    clock"), "{said:?}");

    let said = check(folder.path(), urls, ["sim-token-1000000101", SECRET]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(verdicts(&said, "follower asha"), [("fail", "token")]);
    simulator.stop();
}

#[test]
fn tokens_and_their_renewal_are_judged_without_asking_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(SimSettings::default()).unwrap();
    let secret = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    secret("asha.token", "sim-token-1000000202", 0o644);
    secret("asha.pin", SECRET, 0o600);
    secret("asha.totp", "GEZDGNBVGY3TQOJQ", 0o600);
    let settings = format!(
        "[broker]\nbase_url = \"{}\"\nstream_url = \"{}\"\ninstruments_url = \"{}\"\nauth_url = \"{}\"\n\
         [leader]\ntoken_renewal = \"broker\"\n{FOLLOWER}access_token_file = \"asha.token\"\n\
         token_renewal = \"totp\"\npin_file = \"asha.pin\"\ntotp_secret_file = \"asha.totp\"\n",
        simulator.rest_url(),
        simulator.stream_url(),
        simulator.instruments_url(),
        simulator.description().auth_url,
    );
    std::fs::write(folder.path().join("my.toml"), settings).unwrap();
    let variables = [
        ("LEADER_CLIENT_ID", "1000000101"),
        ("LEADER_ACCESS_TOKEN", "sim-token-1000000101"),
        ("FOLLOWER_CLIENT_ID", "1000000202"),
    ];
    let look = || tandem(folder.path(), &["check", "--config", "my.toml"], &variables);

    let said = look();
    assert_eq!(verdicts(&said, "follower asha"), [("fail", "token")]);
    assert!(said.out.contains("asha.token has mode 644"), "{said:?}");
    assert!(said.out.contains("renewal: in memory only"), "{said:?}");

    secret("asha.token", "sim-token-1000000202", 0o600);
    let said = look();
    assert!(verdicts(&said, "follower asha").contains(&("fail", "renewal")), "{said:?}");
    assert!(said.out.contains("asha.pin holds no PIN"), "{said:?}");

    secret("asha.pin", "123456", 0o600);
    let said = look();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(verdicts(&said, "follower asha").contains(&("ok", "renewal")), "{said:?}");
    let asked = simulator.requests().iter().filter(|request| request.operation == Operation::Token).count();
    assert_eq!(asked, 0, "looking ends no token");
    simulator.stop();
}
