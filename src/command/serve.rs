//! `bugle serve`: receive and deliver until told to stop.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::App;
use crate::clock::Clock;
use crate::command::EXIT_CONFIG;
use crate::config::{self, Environment, Secrets};
use crate::lifecycle::Signals;
use crate::sockets::Sockets;

/// Serves with the configuration at `config`, on `sockets` if there are any. One with problems does not start: they are
/// shown on standard error.
pub async fn run(
    config: Option<&Path>,
    sockets: Sockets,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    // First of all: a signal that comes while the configuration is read is not missed.
    let mut signals = Signals::listen().context("signals cannot be received")?;
    let loaded = config::find(config).and_then(|path| config::load(&path, environment, Secrets::Resolve));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            writeln!(io::stderr().lock(), "{problems}")?;
            return Ok(ExitCode::from(EXIT_CONFIG));
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!(problem = %warning, "the configuration loads, with a warning");
    }
    let app = tokio::select! {
        app = App::start(loaded, sockets, signals.hung_up(), Clock::system()) => app?,
        () = signals.told_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    if app.run(signals).await {
        Ok(ExitCode::SUCCESS)
    } else {
        anyhow::bail!("stopped, because a part of it failed; the log says which")
    }
}
