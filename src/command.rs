//! What the binary does for each command. Every command writes to a `Write` that it is given.

pub mod backup;
pub mod bugfender;
mod card;
pub mod check;
pub mod check_store;
pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod healthcheck;
mod hint;
pub mod init;
mod listing;
pub mod manual;
mod neighbour;
pub mod order;
mod presence;
pub mod preview;
pub mod queue;
pub mod sample;
pub mod send_test;
pub mod serve;
pub mod tail;
pub mod why;

use std::io::{self, IsTerminal as _, StdoutLock, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::cli::{Cli, Command, DeadLetters};
use crate::clock::Clock;
use crate::config::{self, Care, Environment, Problems};
use crate::order::Order;
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
    let setting = Setting { config, environment, json, clock: &Clock::system() };
    match cli.command {
        Command::Serve => {
            telemetry::start(if json { telemetry::Format::Json } else { telemetry::Format::for_stderr() });
            let sockets = Sockets::passed(environment)?;
            block_on(serve::run(config, sockets, environment))
        }
        Command::Init(asked) => init::run(out, setting, asked).map(ExitCode::from),
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
        Command::Events(asked) => Ok(ExitCode::from(events::run(out, setting, &asked)?)),
        Command::Tail(asked) => block_on(tail::run(out, setting, &asked)).map(ExitCode::from),
        Command::Doctor(asked) => block_on(doctor::run(out, setting, &asked)).map(ExitCode::from),
        Command::Why(asked) => Ok(ExitCode::from(why::run(out, setting, &asked)?)),
        Command::Queue => Ok(ExitCode::from(queue::run(out, setting)?)),
        Command::DeadLetters(asked) => look_after_dead_letters(out, setting, asked),
        Command::Suspend { destination } => order(out, setting, &Order::Suspend { destination }),
        Command::Resume { destination } => order(out, setting, &Order::Resume { destination }),
        Command::Move { from, to } => order(out, setting, &Order::Move { from, to }),
        Command::Bugfender(asked) => block_on(bugfender::run(out, setting, &asked)).map(ExitCode::from),
        Command::Healthcheck { ready } => {
            let code = block_on(healthcheck::run(out, config, ready, json, environment))?;
            Ok(ExitCode::from(code))
        }
        Command::Backup { file } => {
            backup::run(out, config, &file, json, environment).map(|()| ExitCode::SUCCESS)
        }
        Command::CheckStore { file } => {
            check_store::run(out, config, file, json, environment).map(ExitCode::from)
        }
        Command::Demo { once } => {
            telemetry::start_beside_a_story();
            block_on(demo::run(out, once, colour)).map(|()| ExitCode::SUCCESS)
        }
        Command::Completions { shell } => manual::completions(out, shell).map(|()| ExitCode::SUCCESS),
        Command::Man { folder } => manual::pages(out, folder.as_deref()).map(|()| ExitCode::SUCCESS),
    }
}

fn look_after_dead_letters(
    out: &mut StdoutLock<'_>,
    setting: Setting<'_>,
    asked: DeadLetters,
) -> anyhow::Result<ExitCode> {
    match asked {
        DeadLetters::List { which, limit } => {
            Ok(ExitCode::from(dead_letters::list(out, setting, which, limit)?))
        }
        DeadLetters::Show { id, destination, raw } => {
            Ok(ExitCode::from(dead_letters::show(out, setting, id, destination.as_deref(), raw)?))
        }
        DeadLetters::Redrive { which, to, all: _ } => {
            let letters = dead_letters::letters(which, setting.clock.now());
            order(out, setting, &Order::Redrive { letters, to })
        }
        DeadLetters::Discard { which, all: _ } => {
            let letters = dead_letters::letters(which, setting.clock.now());
            order(out, setting, &Order::Discard { letters })
        }
    }
}

fn order(out: &mut StdoutLock<'_>, setting: Setting<'_>, order: &Order) -> anyhow::Result<ExitCode> {
    block_on(order::run(out, setting, order)).map(ExitCode::from)
}

/// What a command that looks after the store is given.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Where the configuration is, if somebody says so.
    pub config: Option<&'a Path>,
    /// The variables over it.
    pub environment: &'a Environment,
    /// Whether a program reads what is written.
    pub json: bool,
    /// The time.
    pub clock: &'a Clock,
}

impl Setting<'_> {
    /// Where the store is and which destinations there are.
    fn care(&self) -> Result<Care, Problems> {
        config::find(self.config).and_then(|path| config::load_care(&path, self.environment))
    }
}

/// That nothing was ever received where the store is to be: there is nothing to look into.
fn nothing_yet(store: &Path) -> String {
    format!(
        "there is no store at {} yet: `bugle serve` makes it, and has never run there; if yours is elsewhere, \
         say where in `store.url`",
        store.display()
    )
}

/// Shows why nothing can be done. Gives the exit code.
fn refuse(problems: &Problems) -> io::Result<u8> {
    writeln!(io::stderr().lock(), "{problems}")?;
    Ok(EXIT_CONFIG)
}

/// How long what blocks may hold up the end of the process.
const LINGER: Duration = Duration::from_millis(500);

fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = Runtime::new()?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(LINGER);
    result
}
