//! What the binary does for each command. Every command writes to a `Write` that it is given.

mod card;
pub mod check;
pub mod demo;
pub mod preview;
pub mod sample;
pub mod serve;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::config::Environment;
use crate::telemetry;

/// The exit code for a configuration with problems: `EX_CONFIG` of sysexits.h.
pub const EXIT_CONFIG: u8 = 78;

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let environment = Environment::from_process();
    let result = match cli.command {
        Command::Serve => {
            let format = if cli.json { telemetry::Format::Json } else { telemetry::Format::for_stderr() };
            telemetry::start(format);
            block_on(serve::run(cli.config.as_deref(), &environment))
        }
        Command::Check { without_secrets } => {
            let colour = out.is_terminal();
            let code =
                check::run(&mut out, cli.config.as_deref(), cli.json, without_secrets, colour, &environment)?;
            Ok(ExitCode::from(code))
        }
        Command::Preview { payload, source, kind, template, all_samples: _ } => {
            let asked = preview::Asked {
                payload: payload.as_deref(),
                source: source.as_deref(),
                kind: kind.as_deref(),
                template: template.as_deref(),
            };
            let manner = preview::Manner { json: cli.json, colour: out.is_terminal() };
            let code = preview::run(&mut out, cli.config.as_deref(), asked, manner, &environment)?;
            Ok(ExitCode::from(code))
        }
        Command::Sample { source, trigger } => {
            sample::run(&mut out, &source, &trigger, &Clock::system()).map(|()| ExitCode::SUCCESS)
        }
        Command::Demo { once } => {
            let colour = out.is_terminal();
            block_on(demo::run(&mut out, once, colour)).map(|()| ExitCode::SUCCESS)
        }
    };
    out.flush()?;
    result
}

/// How long what blocks may hold up the end of the process.
const LINGER: Duration = Duration::from_millis(500);

fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(LINGER);
    result
}
