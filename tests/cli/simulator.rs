//! `tandem sim`: says where it listens, serves, and ends when told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::program::tandem;

/// Ends the simulator when a test fails half-way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(arguments: &[&str]) -> (Running, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("sim")
        .args(arguments)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(child), line)
}

#[test]
fn it_says_where_it_listens_serves_and_ends_when_told() {
    let (mut running, line) = start(&["--json", "--seed", "7"]);
    let description: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(description["accounts"].as_array().unwrap().len(), 3);

    let rest = description["rest_url"].as_str().unwrap();
    let address = rest.trim_start_matches("http://").trim_end_matches("/v2");
    let token = description["accounts"][0]["access_token"].as_str().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    write!(
        socket,
        "GET /v2/fundlimit HTTP/1.1\r\nHost: x\r\naccess-token: {token}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("availabelBalance"), "{answer}");

    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn its_example_settings_are_good() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/sim.example.toml");
    let free = ["--rest-port", "0", "--stream-port", "0", "--control-port", "0"];
    let (_running, line) = start(&[&["--json", "--config", example], &free[..]].concat());
    let description: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(description["accounts"][1]["name"], "Asha");
}

#[test]
fn bad_settings_start_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["speed = 3\n", "seed = \"x\"\n", "accounts = []\n", "[[accounts]]\n", "rate = 11.0\n"] {
        std::fs::write(folder.path().join("sim.toml"), text).unwrap();
        let said = tandem(folder.path(), &["sim", "--config", "sim.toml"], &[]);
        assert_eq!(said.code, Some(2), "{text}: {said:?}");
        assert_eq!(said.out, "");
    }
}
