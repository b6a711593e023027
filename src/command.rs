//! What the binary does for each command. Every command writes to a `Write` that it is given.

mod card;
pub mod check;
pub mod demo;
pub mod healthcheck;
pub mod manual;
pub mod preview;
pub mod sample;
pub mod send_test;
pub mod serve;

use std::io::{self, IsTerminal as _, StdoutLock, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::cli::{Cli, Command};
use crate::clock::Clock;
use crate::config::Environment;
use crate::sockets::Sockets;
use crate::telemetry;

/// The exit code for a configuration with problems: `EX_CONFIG` of sysexits.h.
pub const EXIT_CONFIG: u8 = 78;

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let environment = Environment::from_process();
    let result = obey(cli, &mut out, &environment);
    out.flush()?;
    result
}

fn obey(cli: Cli, out: &mut StdoutLock<'_>, environment: &Environment) -> anyhow::Result<ExitCode> {
    let (config, json, colour) = (cli.config.as_deref(), cli.json, out.is_terminal());
    match cli.command {
        Command::Serve => {
            telemetry::start(if json { telemetry::Format::Json } else { telemetry::Format::for_stderr() });
            let sockets = Sockets::passed(environment)?;
            block_on(serve::run(config, sockets, environment))
        }
        Command::Check { without_secrets } => {
            let code = check::run(out, config, json, without_secrets, colour, environment)?;
            Ok(ExitCode::from(code))
        }
        Command::Preview { payload, source, kind, template, all_samples: _ } => {
            let asked = preview::Asked {
                payload: payload.as_deref(),
                source: source.as_deref(),
                kind: kind.as_deref(),
                template: template.as_deref(),
            };
            let code = preview::run(out, config, asked, preview::Manner { json, colour }, environment)?;
            Ok(ExitCode::from(code))
        }
        Command::Sample { source, trigger } => {
            sample::run(out, &source, &trigger, &Clock::system()).map(|()| ExitCode::SUCCESS)
        }
        Command::SendTest { destination } => {
            let code =
                block_on(send_test::run(out, config, &destination, json, environment, &Clock::system()))?;
            Ok(ExitCode::from(code))
        }
        Command::Healthcheck { ready } => {
            let code = block_on(healthcheck::run(out, config, ready, json, environment))?;
            Ok(ExitCode::from(code))
        }
        Command::Demo { once } => {
            telemetry::start_beside_a_demo();
            block_on(demo::run(out, once, colour)).map(|()| ExitCode::SUCCESS)
        }
        Command::Completions { shell } => manual::completions(out, shell).map(|()| ExitCode::SUCCESS),
        Command::Man { folder } => manual::pages(out, folder.as_deref()).map(|()| ExitCode::SUCCESS),
    }
}

/// How long what blocks may hold up the end of the process.
const LINGER: Duration = Duration::from_millis(500);

fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(LINGER);
    result
}
