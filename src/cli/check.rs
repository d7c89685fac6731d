//! `tandem check`: whether copying could start now. Reads only; nothing is placed, and no database is made.
//!
//! One line for each thing looked at, `ok`, `warn` or `fail`, as soon as it is known. A failed thing does not end the
//! check: the next fault is better known now than after the first is mended.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use tandem_actors::store::Reader;
use tandem_actors::token_keeper::Renewal;
use tandem_dhan::fetch;
use tandem_dhan::instruments::{LoadedInstruments, load_complete};
use tandem_dhan::parse::IpReport;
use tandem_dhan::rest::{AccountClient, MintSecrets, ReadError};
use tandem_dhan::token::{self, TokenSource};
use tandem_domain::calendar::Calendar;
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::ExchangeSegment;
use tandem_domain::time::Timestamp;
use tandem_domain::token_life::{Outlook, TokenLimits};

use super::{ExitStatus, clock_skew, say_error};
use crate::settings::{ClockSource, InstrumentSource, Purpose, Settings, Sources, load_calendar};

/// The broker's times have a resolution of one second, and the answer travels.
const SKEW_WARN: Duration = Duration::from_secs(3);
/// Beyond this, ages of orders mean nothing any more.
const SKEW_FAIL: Duration = Duration::from_secs(20);

pub(super) fn check(config: &Path) -> anyhow::Result<ExitStatus> {
    let settings = match Sources::new().file(config).process_environment().load(Purpose::Check) {
        Ok(settings) => settings,
        Err(faults) => {
            say_error(&faults.to_string());
            return Ok(ExitStatus::BadSettings);
        }
    };
    let mut report = Report { out: std::io::stdout().lock(), failures: 0 };
    let followers = settings.enabled_followers().count();
    report.say(Verdict::Ok, "settings", &format!("good; followers enabled: {followers}"))?;
    if settings.broker.stream_url.is_none() {
        report.say(
            Verdict::Warn,
            "stream",
            "the sandbox has no order stream: nothing can be copied there",
        )?;
    }
    actix_rt::System::new().block_on(check_broker(&settings, &mut report))?;
    check_database(&settings.store.path, &mut report)?;
    Ok(if report.failures == 0 { ExitStatus::Ok } else { ExitStatus::Failed })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

struct Report<W> {
    out: W,
    failures: usize,
}

impl<W: Write> Report<W> {
    fn say(&mut self, verdict: Verdict, subject: &str, text: &str) -> std::io::Result<()> {
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        self.failures += usize::from(verdict == Verdict::Fail);
        writeln!(self.out, "{word:<5} {subject:<24} {text}")?;
        self.out.flush()
    }
}

/// One account, leader or follower, as far as the check cares.
struct Account<'a> {
    label: String,
    client_id: &'a DhanClientId,
    token: TokenSource,
    renewal: Renewal,
    local_address: Option<Ipv4Addr>,
    /// Only orders need a whitelisted address; a leader is only watched.
    places_orders: bool,
}

async fn check_broker<W: Write>(settings: &Settings, report: &mut Report<W>) -> std::io::Result<()> {
    let leader = &settings.leader;
    let mut accounts = vec![Account {
        label: format!("leader {}", leader.name),
        client_id: &leader.client_id,
        token: leader.token(),
        renewal: leader.renewal(&settings.broker),
        local_address: leader.local_address,
        places_orders: false,
    }];
    accounts.extend(settings.enabled_followers().map(|follower| Account {
        label: format!("follower {}", follower.id),
        client_id: &follower.client_id,
        token: follower.token(),
        renewal: follower.renewal(&settings.broker),
        local_address: follower.local_address,
        places_orders: true,
    }));
    for account in &accounts {
        check_account(settings, account, report).await?;
    }
    check_instruments(settings, report).await?;
    check_clock(settings, report).await
}

async fn check_account<W: Write>(
    settings: &Settings,
    account: &Account<'_>,
    report: &mut Report<W>,
) -> std::io::Result<()> {
    let label = &account.label;
    let token = match account.token.read() {
        Ok(token) => token,
        Err(error) => return report.say(Verdict::Fail, label, &format!("token: {error}")),
    };
    let claims = token::claims(&token);
    if let Some(claimed) = claims.as_ref().and_then(|claims| claims.account.as_ref())
        && claimed != account.client_id
    {
        return report.say(Verdict::Fail, label, "token: belongs to another account than the client id");
    }
    let client_settings = settings.broker.client(account.local_address);
    let client = match AccountClient::new(&client_settings, account.client_id.clone(), account.token.clone())
    {
        Ok(client) => client,
        Err(error) => return report.say(Verdict::Fail, label, &format!("connection: {error}")),
    };

    let profile = match client.profile().await {
        Ok(profile) => profile,
        // Without a profile neither funds nor address will be told: one line says it all.
        Err(error @ ReadError::Refused(_)) => {
            return report.say(Verdict::Fail, label, &format!("token: {error}"));
        }
        Err(error) => return report.say(Verdict::Fail, label, &format!("broker: {error}")),
    };
    if profile.account != *account.client_id {
        return report.say(Verdict::Fail, label, "token: the broker says it belongs to another account");
    }
    let expires = profile.token_valid_until.or_else(|| claims.and_then(|claims| claims.expires));
    let calendar = load_calendar(settings.session.calendar_file.as_deref()).unwrap_or_default();
    let (verdict, text) = judge_expiry(expires, settings.tokens.limits(), &calendar, wall_clock());
    report.say(verdict, label, &text)?;
    if let Some((verdict, text)) = judge_renewal(&account.renewal, &account.token) {
        report.say(verdict, label, &text)?;
    }

    match client.funds().await {
        Ok(funds) => {
            let text = format!("funds: {} available of {}", funds.available, funds.total());
            report.say(Verdict::Ok, label, &text)?;
        }
        Err(error) => report.say(Verdict::Fail, label, &format!("funds: {error}"))?,
    }
    if account.places_orders {
        let (verdict, text) = judge_address(client.ip_status().await);
        report.say(verdict, label, &text)?;
    }
    Ok(())
}

fn judge_expiry(
    expires: Option<Timestamp>,
    limits: TokenLimits,
    calendar: &Calendar,
    now: Timestamp,
) -> (Verdict, String) {
    let until = |at: Timestamp| at.ist().format("%Y-%m-%d %H:%M IST").to_string();
    match (limits.outlook(expires, calendar.close_of_day(ExchangeSegment::NseFno, now), now), expires) {
        (Outlook::Good, Some(at)) => (Verdict::Ok, format!("token: works until {}", until(at))),
        (Outlook::EndsBeforeClose(at), _) => {
            let text = format!("token: works, but only until {}, before the close of trading", until(at));
            (Verdict::Warn, text)
        }
        (Outlook::EndsSoon(at) | Outlook::Ended(at), _) => {
            (Verdict::Warn, format!("token: works, but only until {}", until(at)))
        }
        (Outlook::Good | Outlook::Unknown, _) => {
            (Verdict::Warn, "token: works; the broker does not say until when".to_owned())
        }
    }
}

/// Nothing is asked of the broker here: a renewal would end the token that a running Tandem uses.
fn judge_renewal(renewal: &Renewal, token: &TokenSource) -> Option<(Verdict, String)> {
    match renewal {
        Renewal::Off => return None,
        Renewal::Totp { pin, totp, .. } => {
            if let Err(error) = MintSecrets::read(pin, totp) {
                return Some((Verdict::Fail, format!("renewal: {error}")));
            }
        }
        Renewal::Broker => {}
    }
    Some(if token.is_file() {
        (Verdict::Ok, format!("renewal: into {}", token.name()))
    } else {
        (
            Verdict::Warn,
            "renewal: in memory only; a restart finds the old token (access_token_file)".to_owned(),
        )
    })
}

fn judge_address(answer: Result<IpReport, ReadError>) -> (Verdict, String) {
    match answer {
        Ok(IpReport { orders_allowed: Some(true), detected, .. }) => {
            (Verdict::Ok, format!("address: orders are allowed from {}", or_here(&detected)))
        }
        Ok(IpReport { orders_allowed: Some(false), detected, match_status, .. }) => {
            let seen = or_here(&detected);
            let text =
                format!("address: orders are refused from {seen} ({match_status}); whitelist it first");
            (Verdict::Fail, text)
        }
        Ok(IpReport { orders_allowed: None, .. }) => (
            Verdict::Warn,
            "address: the broker does not say whether orders are allowed from here".to_owned(),
        ),
        // The sandbox has no such call (`dhanhq-v2.md` section 11).
        Err(error) => (Verdict::Warn, format!("address: not known: {error}")),
    }
}

fn or_here(detected: &str) -> &str {
    if detected.is_empty() { "here" } else { detected }
}

async fn check_instruments<W: Write>(settings: &Settings, report: &mut Report<W>) -> std::io::Result<()> {
    let started = Instant::now();
    let loaded = match settings.broker.instruments() {
        InstrumentSource::File(path) => load_instruments(&path, settings.instrument_rows_min()),
        InstrumentSource::Url(url) => {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("instruments.csv");
            match fetch::fetch_file(&url, &settings.broker.fetch(), &path).await {
                Ok(_) => load_instruments(&path, settings.instrument_rows_min()),
                Err(error) => Err(error.to_string()),
            }
        }
    };
    match loaded {
        Ok(LoadedInstruments { table, malformed, .. }) => {
            let took = started.elapsed().as_secs_f32();
            let text = format!("{} loaded in {took:.1} s, {malformed} rows not readable", table.len());
            report.say(Verdict::Ok, "instruments", &text)
        }
        Err(why) => report.say(Verdict::Fail, "instruments", &why),
    }
}

fn load_instruments(path: &Path, rows_min: usize) -> Result<LoadedInstruments, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("open {}: {error}", path.display()))?;
    load_complete(std::io::BufReader::new(file), rows_min).map_err(|error| error.to_string())
}

async fn check_clock<W: Write>(settings: &Settings, report: &mut Report<W>) -> std::io::Result<()> {
    if settings.clock.source == ClockSource::Lent {
        return report.say(Verdict::Ok, "clock", "lent by the simulator");
    }
    match clock_skew::measure(&settings.broker, wall_clock).await {
        Ok(skew) => {
            let verdict = match skew {
                _ if skew > SKEW_FAIL => Verdict::Fail,
                _ if skew > SKEW_WARN => Verdict::Warn,
                _ => Verdict::Ok,
            };
            let text = format!("{:.0} s apart from the broker's", skew.as_secs_f32());
            report.say(verdict, "clock", &text)
        }
        Err(why) => report.say(Verdict::Warn, "clock", &format!("not compared with the broker's: {why}")),
    }
}

fn check_database<W: Write>(path: &Path, report: &mut Report<W>) -> std::io::Result<()> {
    let shown = path.display();
    if path.exists() {
        return match Reader::open(path, 1, Duration::from_secs(2)) {
            Ok(_) => report.say(Verdict::Ok, "database", &format!("{shown} opens")),
            Err(error) => report.say(Verdict::Fail, "database", &format!("{shown}: {error}")),
        };
    }
    let folder = existing_folder(path);
    match tempfile::NamedTempFile::new_in(&folder) {
        Ok(_) => report.say(Verdict::Ok, "database", &format!("{shown} will be made at the first run")),
        Err(error) => {
            let text = format!("{shown} cannot be made: {}: {error}", folder.display());
            report.say(Verdict::Fail, "database", &text)
        }
    }
}

/// The nearest folder above that exists; the store makes what is missing below it.
fn existing_folder(path: &Path) -> std::path::PathBuf {
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    above.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the check judges the machine's own clock")]
fn wall_clock() -> Timestamp {
    Timestamp::from_micros(chrono::Utc::now().timestamp_micros())
}
