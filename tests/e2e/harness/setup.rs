//! What a test starts from: a broker, and a daemon with settings of its own.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::NaiveDateTime;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;
use tandem_sim::SimSettings;

use super::broker::token;
use super::{ASHA, BALA, Broker, CHAN, Daemon, LEADER, Network, until};

/// A follower in the settings.
pub(crate) struct Follower {
    pub(crate) id: &'static str,
    pub(crate) account: &'static str,
    /// More lines of its section.
    pub(crate) toml: &'static str,
}

impl Follower {
    pub(crate) const ASHA: Self = Self { id: "asha", account: ASHA, toml: "" };
    pub(crate) const BALA: Self = Self { id: "bala", account: BALA, toml: "" };
    pub(crate) const CHAN: Self = Self { id: "chan", account: CHAN, toml: "" };

    pub(crate) const fn with(self, toml: &'static str) -> Self {
        Self { toml, ..self }
    }
}

/// What is done at the broker before the daemon starts.
type Preparation = Box<dyn FnOnce(&Broker)>;

/// How a stage is built.
pub(crate) struct Setup {
    pub(crate) sim: SimSettings,
    leader: &'static str,
    followers: Vec<Follower>,
    toml: String,
    instruments: Option<String>,
    /// Where orders' interface and streams are, if not where the broker says.
    urls: Option<(String, String)>,
    given: Option<Preparation>,
    token_files: bool,
    /// Files of mode 0600: name and text.
    secrets: Vec<(&'static str, String)>,
}

/// A broker and one daemon that follows the leader.
pub(crate) struct Stage {
    // Dropped first: a daemon whose broker is gone would complain.
    pub(crate) daemon: Daemon,
    pub(crate) broker: Broker,
}

impl Setup {
    /// Leader 10 lakh, Asha 5 lakh: ratio one half.
    pub(crate) fn new() -> Self {
        Self {
            sim: Broker::settings(),
            leader: LEADER,
            followers: vec![Follower::ASHA],
            toml: String::new(),
            instruments: None,
            urls: None,
            given: None,
            token_files: false,
            secrets: Vec::new(),
        }
    }

    /// The accounts' tokens are in files, `leader.token` and `asha.token`, and not in the environment.
    pub(crate) fn token_files(mut self) -> Self {
        self.token_files = true;
        self
    }

    /// A file of mode 0600 that is there before the daemon starts; in the place of a token, if it has that name.
    pub(crate) fn secret(mut self, name: &'static str, text: &str) -> Self {
        self.secrets.push((name, text.to_owned()));
        self
    }

    fn write_secrets(&self, broker: &Broker, folder: &Path) {
        if self.token_files {
            for (id, account) in self.accounts() {
                let of = broker.sim.description().accounts.iter().find(|of| of.client_id.as_str() == account);
                write_secret(&folder.join(format!("{id}.token")), &of.unwrap().access_token);
            }
        }
        for (name, text) in &self.secrets {
            write_secret(&folder.join(name), text);
        }
    }

    fn accounts(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let followers = self.followers.iter().map(|follower| (follower.id, follower.account));
        std::iter::once(("leader", self.leader)).chain(followers)
    }

    pub(crate) fn leader(mut self, account: &'static str) -> Self {
        self.leader = account;
        self
    }

    pub(crate) fn followers(mut self, followers: impl IntoIterator<Item = Follower>) -> Self {
        self.followers = followers.into_iter().collect();
        self
    }

    /// Adds settings, as dotted keys: `copy.product_map = { MTF = "CNC" }`.
    pub(crate) fn set(mut self, line: &str) -> Self {
        writeln!(self.toml, "{line}").unwrap();
        self
    }

    pub(crate) fn sim(mut self, change: impl FnOnce(&mut SimSettings)) -> Self {
        change(&mut self.sim);
        self
    }

    /// The clock starts at this moment in India, `2026-12-05 11:00:00`; tokens do not age.
    pub(crate) fn starts(self, moment: &str) -> Self {
        let start = NaiveDateTime::parse_from_str(moment, "%Y-%m-%d %H:%M:%S").unwrap();
        self.sim(|sim| (sim.start, sim.token_hours) = (Timestamp::from_ist(start), 0))
    }

    /// Done at the broker before the daemon starts: positions from earlier days, a band for the instrument file.
    pub(crate) fn given(mut self, prepare: impl FnOnce(&Broker) + 'static) -> Self {
        self.given = Some(Box::new(prepare));
        self
    }

    /// The daemon reads this text as its instrument file.
    pub(crate) fn instruments(mut self, csv: String) -> Self {
        self.instruments = Some(csv);
        self
    }

    /// The daemon's requests and streams go through this network.
    pub(crate) fn over(mut self, network: &Network, broker: &Broker) -> Self {
        let at = broker.sim.description();
        self.urls = Some((network.rest.instead_of(&at.rest_url), network.stream.instead_of(&at.stream_url)));
        self
    }

    /// Starts the broker and the daemon, and waits until it is live.
    pub(crate) fn stage(mut self) -> Stage {
        let broker = Broker::start(self.sim.clone());
        if let Some(prepare) = self.given.take() {
            prepare(&broker);
        }
        let daemon = self.daemon(&broker);
        Stage { daemon, broker }
    }

    /// Starts a daemon on a broker that is there, and waits until it is live.
    pub(crate) fn daemon(&self, broker: &Broker) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        if let Some(csv) = &self.instruments {
            fs::write(folder.path().join("instruments.csv"), csv).unwrap();
        }
        fs::write(folder.path().join("tandem.toml"), self.settings(broker)).unwrap();
        self.write_secrets(broker, folder.path());
        let daemon = Daemon::spawn(folder, self.variables(), broker.sim.books());
        daemon.until_live(1);
        let leader = DhanClientId::new(LEADER).unwrap();
        until("the broker serves the leader's stream", || {
            (broker.sim.open_streams(&leader) > 0).then_some(())
        });
        until("the daemon lives on the lent clock", || (broker.sim.daemons() > 0).then_some(()));
        daemon
    }

    fn variables(&self) -> Vec<(String, String)> {
        let of = |name: &str, account: &str| {
            [
                (format!("{name}_CLIENT_ID"), account.to_owned()),
                (format!("{name}_ACCESS_TOKEN"), token(account)),
            ]
        };
        let followers =
            self.followers.iter().flat_map(|follower| of(&follower.id.to_uppercase(), follower.account));
        of("LEADER", self.leader).into_iter().chain(followers).collect()
    }

    fn settings(&self, broker: &Broker) -> String {
        let at = broker.sim.description();
        let lent = at.control_url.replacen("http", "ws", 1);
        let (rest, stream) = self.urls.clone().unwrap_or((at.rest_url.clone(), at.stream_url.clone()));
        let mut toml = format!(
            r#"
broker.base_url = "{rest}"
broker.auth_url = "{auth}"
broker.stream_url = "{stream}"
broker.instruments_url = "{instruments}"
clock.source = "lent"
clock.lent_url = "{lent}/sim/clock"
store.path = "tandem.db"
log.format = "json"
log.file = "tandem.log"
"#,
            auth = at.auth_url,
            instruments = at.instruments_url,
        );
        if self.token_files {
            toml.push_str("leader.access_token_file = \"leader.token\"\n");
        }
        if self.instruments.is_some() {
            toml.push_str("broker.instruments_file = \"instruments.csv\"\n");
        }
        // Each daemon looks at its accounts often: tests wait for what it sees there.
        // Simulated time jumps ahead of the figures of an account, which only the tests of risk look at. And who waits for a
        // processor on a busy machine does not hang, nor is a fill that he tells of late one that does not come.
        let defaults = [
            "recovery.poll_ms = 50",
            "recovery.idle_poll_ms = 1000",
            "broker.limits.reads_per_second = 100",
            "risk.figures_age_ms_max = 600000",
            "risk.margin = \"off\"",
            "supervisor.hang_deadline_ms = 60000",
            "supervisor.shutdown_deadline_ms = 60000",
            "parting.exit_after_ms = 20000",
            "risk.lots_per_order_max = 10000",
            "risk.lots_per_instrument_max = 10000",
        ];
        for default in defaults {
            let key = default.split(' ').next().unwrap_or(default);
            if !self.toml.contains(key) {
                writeln!(toml, "{default}").unwrap();
            }
        }
        toml.push_str(&self.toml);
        for follower in &self.followers {
            let (id, name) = (follower.id, follower.id.to_uppercase());
            let token = if self.token_files {
                format!("access_token_file = \"{id}.token\"")
            } else {
                format!("access_token_env = \"{name}_ACCESS_TOKEN\"")
            };
            write!(
                toml,
                "\n[[follower]]\nid = \"{id}\"\nclient_id_env = \"{name}_CLIENT_ID\"\n{token}\n{}\n",
                follower.toml
            )
            .unwrap();
        }
        toml
    }
}

/// Writes a file of mode 0600 whole: first beside its place, then into it.
pub(super) fn write_secret(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&beside).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::rename(beside, path).unwrap();
}
