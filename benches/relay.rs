//! What bugle costs above the least that could do its work: ratios, measured in one run on one machine.
//!
//! `cargo bench` runs all of it, `cargo bench -- --short` a hasty version, `cargo bench -- intake rules` only those. A
//! baseline is a process of its own, as bugle is, and is measured in turns with it, so that what else the machine does
//! falls on both.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on has nothing better to do than to say so and end"
)]

#[path = "relay/baseline.rs"]
mod baseline;
#[path = "relay/figures.rs"]
mod figures;
#[path = "relay/load.rs"]
mod load;
#[path = "relay/process.rs"]
mod process;
#[path = "relay/sink.rs"]
mod sink;

use std::env;
use std::path::Path;

use figures::{Manner, Report};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, kind, folder, rest @ ..] = arguments.as_slice()
        && flag == "--baseline"
    {
        return baseline::serve(kind, Path::new(folder), rest.first().map(String::as_str));
    }
    let manner =
        if arguments.iter().any(|argument| argument == "--short") { Manner::SHORT } else { Manner::FULL };
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut report = Report::default();
    for (name, measure) in figures::ALL {
        if wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name) {
            runtime.block_on(measure(manner, &mut report));
        }
    }
    report.print();
}
