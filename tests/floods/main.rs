//! A bad deploy in real time: the built binary between a tracker that calls thousands of times and chats at their true
//! limits, killed and started again in the middle.
//!
//! `cargo test --test floods` has a fifth of it within a quarter of a minute and short windows; `cargo test --release --test
//! floods -- --full` all of it, and watches until nothing waits any more. Both tell what each channel has seen, minute by
//! minute, and a judge compares it with what was posted and with what the store says. What it looks for stands in `judge`.

#[cfg(test)]
mod flood;
#[cfg(test)]
mod ground;
#[cfg(test)]
mod judge;
#[cfg(test)]
#[path = "../faults/relay.rs"]
mod relay;
#[cfg(test)]
mod report;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod sums;

use std::process::ExitCode;

#[cfg(test)]
fn main() -> ExitCode {
    flood::main()
}

#[cfg(not(test))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
