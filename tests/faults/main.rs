//! The fault bench: the built binary between pretend trackers and pretend chats, while things go wrong.
//!
//! `cargo test --test faults` breaks a little of everything; `cargo test --release --test faults -- --rounds 500 --only
//! kill --seed 7` goes on for longer. After each story everything is let recover, and a judge compares what the trackers
//! were answered with what the chats have shown and what the store says. What it looks for stands in `judge`.
//!
//! The dice are seeded: the same seed throws the same faults at the same moments, though not on the same instruction.

#[cfg(test)]
mod arguments;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod ground;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod report;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod story;
#[cfg(test)]
#[path = "../floods/sums.rs"]
mod sums;
#[cfg(test)]
mod tracker;

use std::process::ExitCode;

#[cfg(test)]
fn main() -> ExitCode {
    bench::main()
}

#[cfg(not(test))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
