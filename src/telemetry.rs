//! Logs: for people on a terminal, as JSON otherwise; filtered by `RUST_LOG`.

use std::io::{self, IsTerminal as _};

use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for a person.
    Human,
    /// A JSON object a line.
    Json,
}

impl Format {
    /// What suits standard error: a terminal is read by a person.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// What is written if `RUST_LOG` does not say.
const DEFAULT_FILTER: &str = "warn,bugle=info";

/// What is written beside a demonstration, or a wait for the first event, which tells the rest itself.
const BESIDE_FILTER: &str = "error,bugle::app::reload=info";

/// Writes an error for each caller who does not speak HTTP, and there is no end to those.
const NOISY: &str = "actix_http";

/// Sends log lines to standard error from now on.
pub fn start(format: Format) {
    start_with(format, DEFAULT_FILTER);
}

/// Sends to standard error what came of reading the configuration again, and errors.
pub fn start_beside_a_story() {
    start_with(Format::Human, BESIDE_FILTER);
}

/// Sends what passes `RUST_LOG`, else `default`.
///
/// Of dependencies only `info` and above is written, whatever the filter says: at `debug` the HTTP client writes the
/// addresses it calls, and those are secrets.
fn start_with(format: Format, default: &str) {
    // Set to nothing, as Compose does with a variable that is not there, it says nothing.
    let written = EnvFilter::try_from_default_env().ok().filter(|filter| !filter.to_string().is_empty());
    let filter = written.unwrap_or_else(|| EnvFilter::new(default));
    let ours = filter_fn(|metadata| {
        let (target, level) = (metadata.target(), *metadata.level());
        target.starts_with("bugle") || (level <= Level::INFO && !target.starts_with(NOISY))
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match format {
        Format::Human => lines.with_target(false).with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(lines.with_filter(ours).with_filter(filter)).init();
}
