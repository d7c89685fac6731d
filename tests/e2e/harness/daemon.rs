//! The built binary as a child process, watched through its log, its database and its exit.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tandem_actors::incident_kinds::KINDS;
use tandem_checker::{Book, Finding, verify};
use tandem_sim::Books;

use super::broker::{Broker, PIN, SENTINEL, TOTP_SECRET};
use super::wait::within;
use super::{Records, until};

/// Twice `recovery.idle_poll_ms`, and some time for a slow machine.
const IDLE_READS: Duration = Duration::from_secs(45);

/// How log lines begin that tell of an actor or a thread that failed. It may be well again a moment later: who tolerates
/// whatever is logged does not mean these. Where one is meant to come about, its own words are expected or tolerated.
const FAILURES: [&str; 5] =
    ["panic", "actor panicked", "actor stopped", "actor hangs", "actor is told more than it can do"];

/// The program that is tested: the one built with the tests, or the one that `TANDEM_BIN` names.
fn program() -> OsString {
    std::env::var_os("TANDEM_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_tandem").into())
}

/// One `tandem run`. Its folder lives on when it is started again.
pub(crate) struct Daemon {
    pub(crate) child: Option<Child>,
    folder: tempfile::TempDir,
    pub(crate) variables: Vec<(String, String)>,
    records: Records,
    books: Books,
    expected: Vec<String>,
    tolerated: Vec<String>,
    excused: Vec<String>,
    /// What the checker may find.
    pub(crate) overlooked: Vec<String>,
}

impl std::ops::Deref for Daemon {
    type Target = Records;

    fn deref(&self) -> &Records {
        &self.records
    }
}

impl Daemon {
    /// The books are those of its broker: at the end they are compared with what it recorded.
    pub(crate) fn spawn(folder: tempfile::TempDir, variables: Vec<(String, String)>, books: Books) -> Self {
        let mut daemon = Self {
            child: None,
            records: Records::at(&folder.path().join("tandem.db")),
            folder,
            variables,
            books,
            expected: Vec::new(),
            tolerated: Vec::new(),
            excused: Vec::new(),
            overlooked: Vec::new(),
        };
        daemon.start();
        daemon
    }

    /// Starts it, with the settings and the database that are there.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.child = Some(self.launch("said.txt"));
    }

    /// Starts another process on the same settings and database, and waits for its end.
    pub(crate) fn run_second(&self) -> ExitStatus {
        let mut second = self.launch("second.txt");
        until("the second process ends", || second.try_wait().unwrap())
    }

    /// What `tandem status` says of the database.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.run_command(&["status", "--database", "tandem.db", "--json"])).unwrap()
    }

    /// Runs another command of the program in the same folder; what it says.
    #[track_caller]
    pub(crate) fn run_command(&self, arguments: &[&str]) -> String {
        let ran = self.command(arguments);
        let complaint = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?} ended with {}: {complaint}", ran.status);
        String::from_utf8(ran.stdout).unwrap()
    }

    /// Runs another command of the program in the same folder, whatever comes of it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .env_clear()
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn launch(&self, output: &str) -> Child {
        let said = File::options().create(true).append(true).open(self.folder.path().join(output)).unwrap();
        // A write beyond a limit on the size of files is to fail, and not to end the process by a signal.
        Command::new("/bin/sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(program())
            .args(["run", "--config", "tandem.toml"])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// This warning or error must come.
    pub(crate) fn expects(&mut self, text: &str) {
        self.expected.push(text.to_owned());
    }

    /// This warning or error may come.
    pub(crate) fn tolerates(&mut self, text: &str) {
        self.tolerated.push(text.to_owned());
    }

    /// The checker must find this: rows that it needs were lost, and cannot be in what was restored.
    pub(crate) fn excuses(&mut self, finding: &str) {
        self.excused.push(finding.to_owned());
    }

    /// Log lines so far, of all its lives.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("tandem.log")).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many log lines hold this text.
    pub(crate) fn log_count(&self, text: &str) -> usize {
        self.log().iter().filter(|line| line.to_string().contains(text)).count()
    }

    #[track_caller]
    pub(crate) fn until_log(&self, text: &str) {
        until(&format!("a log line with {text:?}"), || (self.log_count(text) > 0).then_some(()));
    }

    /// Waits until so many log lines hold this text: the log is written by a thread of its own, after the fact.
    #[track_caller]
    pub(crate) fn until_log_count(&self, text: &str, times: usize) {
        until(&format!("{times} log lines with {text:?}"), || (self.log_count(text) == times).then_some(()));
    }

    /// Waits until it follows the leader, for the `times`-th time.
    #[track_caller]
    pub(crate) fn until_live(&self, times: usize) {
        until("the daemon is live", || (self.log_count("leader's book merged: live") >= times).then_some(()));
    }

    /// From now on it can write no file beyond so many bytes: each such write fails.
    pub(crate) fn limit_files(&self, bytes: u64) {
        let child = self.child.as_ref().unwrap();
        let pid = rustix::process::Pid::from_child(child);
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
        rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit).unwrap();
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Ends it as a power cut would: nothing it meant to do is done any more.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        assert_eq!(self.until_exit(), None, "ended by the signal");
    }

    /// Asks it to read its settings again.
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Writes a secret's file in its folder, mode 0600, in the place of what is there.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        super::setup::write_secret(&self.folder.path().join(name), text);
    }

    /// What a secret's file holds.
    pub(crate) fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap().trim().to_owned()
    }

    /// What the list of processes shows of it.
    pub(crate) fn command_line(&self) -> String {
        let id = self.child.as_ref().unwrap().id();
        String::from_utf8_lossy(&fs::read(format!("/proc/{id}/cmdline")).unwrap()).into_owned()
    }

    /// Writes its settings file anew.
    pub(crate) fn edit_settings(&self, edit: impl FnOnce(String) -> String) {
        let path = self.folder.path().join("tandem.toml");
        let before = fs::read_to_string(&path).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after, "the edit changes nothing");
        fs::write(path, after).unwrap();
    }

    /// Sends it a signal, by its short name.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().unwrap();
        // The shell's own `kill`: nothing else needs to be installed.
        let told = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for its end; answers with the exit code.
    #[track_caller]
    pub(crate) fn until_exit(&mut self) -> Option<i32> {
        let child = self.child.as_mut().unwrap();
        let status = until("the daemon ends", || child.try_wait().unwrap());
        self.child = None;
        status.code()
    }

    /// Stops it, then looks for what no test may leave unseen: warnings nobody expected, secrets, broken promises.
    pub(crate) fn end(mut self) {
        if self.child.is_some() {
            self.terminate();
            assert_eq!(self.until_exit(), Some(0), "the exit code");
        }
        let loud: Vec<String> = self
            .log()
            .iter()
            .filter(|line| matches!(line["level"].as_str(), Some("WARN" | "ERROR")))
            .map(ToString::to_string)
            .collect();
        let named = || self.expected.iter().chain(&self.tolerated).map(String::as_str);
        // Where the machine is slow, what is in doubt may be so for long.
        let slow = named().any(|text| text == "the answer was lost").then_some("outcome_unknown");
        // Or have no processor for the daemon.
        let slow = slow.into_iter().chain(["the process stood still"]);
        let known = |line: &&String| named().chain(slow.clone()).any(|text| line.contains(text));
        let unexpected: Vec<&String> = loud.iter().filter(|line| !known(line)).collect();
        assert!(unexpected.is_empty(), "warnings nobody expected: {unexpected:#?}");
        for text in &self.expected {
            assert!(loud.iter().any(|line| line.contains(text)), "no warning or error with {text:?}");
        }
        self.assert_told_of_no_failure();
        self.assert_incidents_can_end();
        self.assert_incidents_are_told();
        self.assert_promises_kept();
    }

    /// No actor and no thread of any of its lives failed that was not named, and nothing that it wrote holds a secret.
    #[track_caller]
    pub(crate) fn assert_told_of_no_failure(&self) {
        let named = self.expected.iter().chain(&self.tolerated).filter(|text| !text.is_empty());
        let is_named = |line: &Value| {
            let message = line["message"].as_str().unwrap_or_default();
            named.clone().any(|text| message.starts_with(text.as_str()))
        };
        let mut failures = Self::failures_in(self.log());
        failures.retain(|line| !is_named(line));
        assert!(failures.is_empty(), "failures nobody expected: {failures:#?}");
        self.assert_no_secrets();
        let said = fs::read_to_string(self.folder.path().join("said.txt")).unwrap();
        assert!(said.is_empty(), "said beside the log: {said}");
    }

    /// Whatever it told of is of a kind of which it is said how it ends.
    fn assert_incidents_can_end(&self) {
        let kinds: Vec<String> = self.table("SELECT DISTINCT kind FROM incidents", |row| row.get(0));
        let is_known = |kind: &String| KINDS.iter().any(|(known, _)| known == kind);
        assert!(kinds.iter().all(is_known), "kinds that nobody knows: {kinds:?}");
    }

    /// Each incident and its end is in the log, in one shape; and nothing else looks like one.
    fn assert_incidents_are_told(&self) {
        let told: Vec<(String, String)> = self
            .log()
            .iter()
            .filter_map(|line| {
                let kind = line.get("alert")?.as_str().unwrap();
                let of = line["follower"].as_str().unwrap_or_else(|| panic!("no follower: {line}"));
                let subject = line["subject"].as_str().unwrap_or_else(|| panic!("no subject: {line}"));
                let level = line["level"].as_str().unwrap();
                Some((level.to_owned(), format!("{kind}/{of}/{subject}")))
            })
            .collect();
        // What was closed while nobody ran was closed by this machine's clock: at the earliest moment.
        let sql = "SELECT substr(id, instr(id, '/') + 1), closed_at > opened_at FROM incidents";
        let rows: Vec<(String, Option<bool>)> = self.table(sql, |row| Ok((row.get(0)?, row.get(1)?)));
        for (about, is_over) in rows {
            let is_told = |level: &str| told.contains(&(level.to_owned(), about.clone()));
            assert!(is_told("ERROR"), "an incident without a line: {about}");
            assert!(is_over != Some(true) || is_told("INFO"), "an end without a line: {about}");
        }
    }

    /// Lets so much time pass that nothing counts as under way: the checker then asks how all of it ended.
    pub(crate) fn come_to_rest(&self, broker: &Broker) {
        broker.pass(Duration::from_secs(150));
        // What became due in that jump is done before the next.
        broker.pass(Duration::from_secs(5));
        // Fills are read with every second read of an idle account's book, and what was adopted by its tag may wait for that.
        // Whether all is right, the caller asks.
        let is_right = || self.findings().iter().all(|(_, finding)| self.excuses_finding(finding));
        within(IDLE_READS, is_right);
        // What is adopted only by now has its fills read after that.
        broker.pass(IDLE_READS);
        within(IDLE_READS, is_right);
    }

    /// Ends it when all has come to rest.
    #[track_caller]
    pub(crate) fn end_at_rest(self, broker: &Broker) {
        self.come_to_rest(broker);
        self.end();
    }

    /// The independent checker over its database and the broker's books, whether it runs, has ended or was killed.
    #[track_caller]
    pub(crate) fn assert_promises_kept(&self) {
        let findings = self.findings();
        let (excused, broken): (Vec<_>, Vec<_>) =
            findings.iter().partition(|(_, finding)| self.excuses_finding(finding));
        assert!(broken.is_empty(), "broken promises: {broken:#?}");
        assert!(excused.is_empty() == self.excused.is_empty(), "it did not find {:?}", self.excused);
    }

    /// The lines that tell of an actor or a thread that failed.
    pub(crate) fn failures_in(mut lines: Vec<Value>) -> Vec<Value> {
        let is_one = |message: &str| FAILURES.iter().any(|failure| message.starts_with(failure));
        lines.retain(|line| line["message"].as_str().is_some_and(is_one));
        lines
    }

    /// What the checker finds now, without what a test overlooks.
    fn findings(&self) -> Vec<(u8, Finding)> {
        let mut book = Book::default();
        book.take(&self.books.as_json()).unwrap();
        let report = verify(&self.folder.path().join("tandem.db"), Some(&book), None).unwrap();
        report
            .findings()
            .filter(|(_, finding)| !self.overlooked.iter().any(|text| finding.text.contains(text)))
            .map(|(promise, finding)| (promise, finding.clone()))
            .collect()
    }

    fn excuses_finding(&self, finding: &Finding) -> bool {
        self.excused.iter().any(|text| finding.text.contains(text))
    }

    /// Logs, database with its journal, what was said: no secret anywhere but in the files that are there for them.
    pub(crate) fn assert_no_secrets(&self) {
        let is_for_secrets = |path: &PathBuf| {
            ["token", "pin", "totp"].iter().any(|kind| path.extension() == Some(OsStr::new(kind)))
        };
        let mut files = files_below(self.folder.path());
        // Where it runs, its socket is there, too.
        files.retain(|path| path.is_file() && !is_for_secrets(path));
        assert!(files.iter().any(|path| path.extension() == Some(OsStr::new("db"))));
        for path in files {
            let bytes = fs::read(&path).unwrap();
            // They are plain ASCII: what is no text between them hides none.
            let text = String::from_utf8_lossy(&bytes);
            for secret in [SENTINEL, PIN, TOTP_SECRET] {
                assert!(!text.contains(secret), "a secret is in {}", path.display());
            }
        }
    }
}

/// Every file in a folder and in those below it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        const TAIL: usize = 30;
        if let Some(child) = &mut self.child {
            // A test that failed: there is nobody left to complain to.
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            return;
        }
        // For whoever looks at the database of a failed test.
        if std::env::var_os("TANDEM_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("--- the daemon's folder is kept: {}", self.folder.path().display());
        }
        let log = fs::read_to_string(self.folder.path().join("tandem.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("--- the end of the daemon's log:");
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            eprintln!("{line}");
        }
        let said = fs::read_to_string(self.folder.path().join("said.txt")).unwrap_or_default();
        eprintln!("--- the daemon said: {said}");
        eprintln!("--- not copied, and why:");
        for (order, follower, outcome, reason) in self.not_copied() {
            eprintln!("{order} at {follower}: {outcome}, {reason:?}");
        }
        eprintln!("--- incidents that are open: {:?}", self.incidents());
    }
}
