//! Log lines: structured, text or JSON, written by a thread of their own so that nothing waits for a terminal or a
//! disk.
//!
//! Below `warn` only Tandem's own lines are let through, whatever the filter says: HTTP libraries print whole
//! requests at their lower levels, and a request's headers carry the access token.

use std::fmt;
use std::fs::OpenOptions;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::settings::{LogFormat, LogSettings};

/// Lines that may wait for the writing thread; about 20 MB. Beyond it lines are dropped: orders come before logs.
const QUEUE_LINES_MAX: usize = 65_536;

/// Ends the writing thread, with everything written, when dropped. Hold it until the program ends.
#[derive(Debug)]
#[must_use = "log lines are lost once this is dropped"]
pub struct LogGuard(#[expect(dead_code, reason = "held for its drop")] WorkerGuard);

/// Why log lines cannot be written.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The log file cannot be opened.
    #[error("cannot open the log file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The filter is not one. Settings were checked for it, so this is seen only by other callers.
    #[error("the log level is no filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Log lines go somewhere already.
    #[error("log lines are set up already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends log lines where the settings say: standard error or a file.
pub fn init(settings: &LogSettings) -> Result<LogGuard, TelemetryError> {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE_LINES_MAX);
    let (writer, guard) = match &settings.file {
        None => builder.finish(std::io::stderr()),
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let file = opened.map_err(|source| TelemetryError::File { path: path.clone(), source })?;
            builder.finish(file)
        }
    };
    let filter = EnvFilter::try_new(&settings.level)?.and(filter_fn(may_be_shown));
    let subscriber = Registry::default().with(lines(settings.format, writer).with_filter(filter));
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(LogGuard(guard))
}

/// Whether a text is a filter of log lines.
pub fn is_filter(text: &str) -> bool {
    EnvFilter::try_new(text).is_ok()
}

fn lines<S>(format: LogFormat, writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_timer(IndianTime).with_ansi(false).with_writer(writer);
    match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn may_be_shown(line: &Metadata<'_>) -> bool {
    *line.level() <= LevelFilter::WARN || line.target().starts_with("tandem")
}

/// Only the place: what a panic says may hold what it was working on.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), "panic");
}

/// The wall clock in India with its offset, as the exchange's day is reckoned.
struct IndianTime;

impl FormatTime for IndianTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "log lines carry the machine's time, whatever clock is lent"
    )]
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        const IST_SECONDS: i32 = 5 * 3600 + 1800;
        let now: DateTime<Utc> = Utc::now();
        match FixedOffset::east_opt(IST_SECONDS) {
            Some(india) => {
                w.write_str(&now.with_timezone(&india).to_rfc3339_opts(SecondsFormat::Micros, false))
            }
            None => w.write_str(&now.to_rfc3339_opts(SecondsFormat::Micros, false)),
        }
    }
}
