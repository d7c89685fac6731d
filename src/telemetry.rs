//! Log lines: structured, text or JSON, written by a thread of their own so that nothing waits for a terminal or a
//! disk.
//!
//! Below `warn` only Tandem's own lines are let through, whatever the filter says: HTTP libraries print whole
//! requests at their lower levels, and a request's headers carry the access token.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
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
use tracing_subscriber::reload;

use crate::settings::{LogFormat, LogSettings};

/// Lines that may wait for the writing thread; about 20 MB. Beyond it lines are dropped: orders come before logs.
const QUEUE_LINES_MAX: usize = 65_536;

/// Ends the writing thread, with everything written, when dropped. Hold it until the program ends.
#[derive(Debug)]
#[must_use = "log lines are lost once this is dropped"]
pub struct LogGuard {
    _worker: WorkerGuard,
    level: Level,
}

impl LogGuard {
    /// By which the level is changed later.
    pub fn level(&self) -> Level {
        self.level.clone()
    }
}

/// What is logged, while lines are being written.
#[derive(Debug, Clone)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// Logs by this filter from now on.
    pub fn set(&self, filter: &str) -> Result<(), TelemetryError> {
        Ok(self.0.reload(EnvFilter::try_new(filter)?)?)
    }
}

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
    /// Nothing is logged any more.
    #[error("nothing is logged any more: {0}")]
    Ended(#[from] reload::Error),
    /// Log lines go somewhere already.
    #[error("log lines are set up already")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends log lines where the settings say: standard error or a file.
pub fn init(settings: &LogSettings) -> Result<LogGuard, TelemetryError> {
    let to: Box<dyn io::Write + Send> = match &settings.file {
        None => Box::new(io::stderr()),
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            Box::new(opened.map_err(|source| TelemetryError::File { path: path.clone(), source })?)
        }
    };
    let (subscriber, guard) = subscriber(settings, to)?;
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(guard)
}

fn subscriber(
    settings: &LogSettings,
    to: impl io::Write + Send + 'static,
) -> Result<(impl Subscriber + Send + Sync, LogGuard), TelemetryError> {
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(QUEUE_LINES_MAX);
    let (writer, guard) = builder.finish(to);
    let (level, handle) = reload::Layer::new(EnvFilter::try_new(&settings.level)?);
    let filter = level.and(filter_fn(may_be_shown));
    let subscriber = Registry::default().with(lines(settings.format, writer).with_filter(filter));
    Ok((subscriber, LogGuard { _worker: guard, level: Level(handle) }))
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str) -> String {
        let sink = Sink::default();
        let settings = LogSettings { format, level: level.to_owned(), file: None };
        let (subscriber, guard) = subscriber(&settings, sink.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "actix_http::h1", head = "access-token: very-secret", "request");
            tracing::info!(target: "awc", "connected");
            tracing::warn!(target: "rustls", "bad certificate");
            tracing::debug!(target: "tandem_actors::sizer", lots = 2, "sized");
        });
        drop(guard);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn requests_of_the_http_library_are_never_shown() {
        let text = logged(LogFormat::Text, "trace");
        assert!(!text.contains("very-secret") && !text.contains("connected"), "{text}");
        assert!(text.contains("bad certificate") && text.contains("lots=2"), "{text}");
        assert!(!logged(LogFormat::Text, "info").contains("lots=2"));
    }

    #[test]
    fn json_lines_are_objects_with_indian_time() {
        let text = logged(LogFormat::Json, "info,tandem_actors=debug");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!((&lines[1]["lots"], &lines[1]["level"]), (&2.into(), &"DEBUG".into()));
        assert!(lines[0]["timestamp"].as_str().unwrap().ends_with("+05:30"), "{text}");
    }

    #[test]
    fn the_level_changes_while_lines_are_written() {
        let sink = Sink::default();
        let settings = LogSettings::default();
        let (subscriber, guard) = subscriber(&settings, sink.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "tandem_actors::sizer", "before");
            guard.level().set("debug").unwrap();
            tracing::debug!(target: "tandem_actors::sizer", "after");
            // What libraries say stays unsaid.
            tracing::debug!(target: "awc", "headers");
            assert!(guard.level().set("tandem=louder").is_err());
        });
        drop(guard);
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("after") && !text.contains("before") && !text.contains("headers"), "{text}");
    }

    #[test]
    fn a_filter_is_told_from_another_text() {
        assert!(is_filter("info,tandem_actors=debug"));
        assert!(!is_filter("tandem=louder"));
    }
}
