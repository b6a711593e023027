//! The binary: arguments in, exit code out. Everything else is in the library.

use std::io::{self, Write as _};
use std::process::ExitCode;

use bugle::cli::Cli;
use bugle::report::Report;
use clap::Parser as _;

fn main() -> ExitCode {
    match bugle::command::run(Cli::parse()) {
        Ok(code) => code,
        // Whoever read the output has seen enough, as with `bugle check | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody left to tell.
            drop(writeln!(io::stderr(), "bugle: {}", Report(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
