//! `tandem sim`: the simulated broker, served until told to stop.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tandem_sim::{Description, SimError, SimSettings, Simulator};
use tokio::signal::unix::{SignalKind, signal};

use super::{ExitStatus, say_error};
use crate::settings::LogSettings;
use crate::telemetry;

/// What may be set on the command line; a settings file may set more (docs/simulator.md).
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Simulator settings: accounts, start, rate, depth, variants.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Port of the REST API and the instrument files; a free one otherwise.
    #[arg(long, value_name = "N")]
    rest_port: Option<u16>,
    /// Port of the order stream; a free one otherwise.
    #[arg(long, value_name = "N")]
    stream_port: Option<u16>,
    /// Port of the control API and the lent clock; a free one otherwise.
    #[arg(long, value_name = "N")]
    control_port: Option<u16>,
    /// Seed of the prices: the same seed gives the same tape.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print where it listens as one line of JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn sim(options: Options) -> anyhow::Result<ExitStatus> {
    let mut settings = match &options.config {
        None => SimSettings::default(),
        Some(path) => match read(path) {
            Ok(settings) => settings,
            Err(error) => {
                say_error(&format!("{}: {error}", path.display()));
                return Ok(ExitStatus::BadSettings);
            }
        },
    };
    settings.rest_port = options.rest_port.unwrap_or(settings.rest_port);
    settings.stream_port = options.stream_port.unwrap_or(settings.stream_port);
    settings.control_port = options.control_port.unwrap_or(settings.control_port);
    settings.seed = options.seed.unwrap_or(settings.seed);

    let _log = telemetry::init(&LogSettings::default()).context("set up the log lines")?;
    let simulator = match Simulator::start(settings) {
        Ok(simulator) => simulator,
        Err(error @ SimError::Settings(_)) => {
            say_error(&error.to_string());
            return Ok(ExitStatus::BadSettings);
        }
        Err(error) => return Err(error).context("start the simulator"),
    };
    let signal = actix_rt::System::new().block_on(serve(simulator.description(), options.json))?;
    tracing::info!(signal, "simulator stopped");
    Ok(ExitStatus::Ok)
}

fn read(path: &Path) -> anyhow::Result<SimSettings> {
    let text = std::fs::read_to_string(path)?;
    let file = config::File::from_str(&text, config::FileFormat::Toml);
    Ok(config::Config::builder().add_source(file).build()?.try_deserialize()?)
}

fn announce(description: &Description, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        writeln!(out, "{}", serde_json::to_string(description)?)?;
    } else {
        writeln!(out, "REST         {}", description.rest_url)?;
        writeln!(out, "orders       {}", description.stream_url)?;
        writeln!(out, "control      {}", description.control_url)?;
        writeln!(out, "instruments  {}", description.instruments_url)?;
        for account in &description.accounts {
            let (id, token, name) = (&account.client_id, &account.access_token, &account.name);
            writeln!(
                out,
                "account      {id}  {name:<10}  {:>12} rupees  token {token}",
                account.capital_rupees
            )?;
        }
    }
    Ok(out.flush()?)
}

/// Listens for signals before it says where the simulator is: whoever reads that may stop it at once.
async fn serve(description: &Description, as_json: bool) -> anyhow::Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    announce(description, as_json).context("print where the simulator listens")?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
