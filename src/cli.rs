//! The grammar of the command line, nothing else.

mod bugfender;
mod dead_letters;
mod doctor;
mod events;
mod init;
mod why;

use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand};
use clap_complete::Shell;

use crate::name::DestinationName;

pub use bugfender::{Bugfender, OfApps};
pub use dead_letters::{DeadLetters, Time, Which};
pub use doctor::Doctor;
pub use events::{Events, Of, Tail};
pub use init::{AddressFrom, DestinationWanted, Init, SourceWanted, known, source_name};
pub use why::Why;

use dead_letters::time;

/// Relays Bugsnag and Bugfender webhooks to Slack, Microsoft Teams and Discord.
///
/// Exit codes: 0 all is well; 1 it failed, and says why; 2 the command line is wrong; 78 the configuration has
/// problems.
#[derive(Debug, Parser)]
#[command(name = "bugle", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// The configuration file [default: ./config.toml, else /etc/bugle/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Write JSON, for programs to read
    #[arg(long, global = true)]
    pub json: bool,
}

/// What bugle can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Receive webhooks and deliver messages until told to stop
    Serve,

    /// Write a configuration that works, with fresh tokens, and say which addresses to paste where
    ///
    /// Asks for what the flags do not say. Secrets go into files of their own, which nobody else can read. Nothing that is
    /// there already is changed.
    Init(Init),

    /// Check the configuration and show every problem in it
    Check {
        /// Leave secrets alone, for machines that do not have them
        #[arg(long)]
        without_secrets: bool,
    },

    /// Show what a webhook would cause: its rules and its messages. Nothing is sent, and no secret is needed
    #[command(group(ArgGroup::new("shown").required(true).args(["payload", "all_samples"])))]
    Preview {
        /// The webhook's body as a file; `-` for standard input
        payload: Option<PathBuf>,
        /// The source that it would come through; can be left out if there is only one
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// What the address says it is, as in ?type=crash
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Write with this template, whatever the rules say
        #[arg(long, value_name = "FILE")]
        template: Option<PathBuf>,
        /// Show a sample of every kind of event instead
        #[arg(long)]
        all_samples: bool,
    },

    /// Write a realistic webhook to standard output, for curl
    Sample {
        /// The tracker: bugsnag or bugfender
        source: String,
        /// What happened, in the tracker's own word, such as firstException or crash
        trigger: String,
    },

    /// Post a marked test message to a destination, and say what its platform answers
    ///
    /// The message mentions nobody and passes by the store, so a running server does not notice. The exit code is 0
    /// only if the message was delivered.
    SendTest {
        /// The destination's name in the configuration
        #[arg(value_name = "NAME")]
        destination: String,
    },

    /// List what has come, the latest first, and what became of it
    ///
    /// What bugle says of itself is listed with `--source bugle` alone.
    Events(Events),

    /// Tell what happens, as it happens: what comes, what becomes of it, who is turned away, when bugle starts and stops
    ///
    /// Works beside a running server. Where none runs on a store that is there, it waits for one; where no server ever ran, it
    /// says so and ends. Filters hide only lines that have what they look at. Ends with Ctrl-C.
    Tail(Tail),

    /// Look at everything that can keep a message from coming, and say what to do about it
    ///
    /// Configuration, secrets, store, server, clock, public address, sources, and each destination, about which its
    /// platform is asked where it can be without posting a message. Changes nothing, and works whether the server runs or
    /// not. The exit code is 0 if nothing is broken, 1 if something is, 78 if the configuration has problems.
    Doctor(Doctor),

    /// Say why an event was told, to whom and when, or why it was not
    ///
    /// Shows the event's way: when it came, what each rule made of it, what held it back, every attempt, and where it stands.
    /// If there is no such event, it says what did happen at that time. The exit code is 0 if there is one, else 1.
    Why(Why),

    /// Show what waits for each destination, since when, and why
    Queue,

    /// Look at what was given up, send it again, or discard it
    #[command(subcommand)]
    DeadLetters(DeadLetters),

    /// Send nothing to a destination until it is resumed
    ///
    /// An attempt that has begun is finished. What comes for the destination waits, over restarts and reloads, too.
    Suspend {
        /// The destination's name in the configuration
        #[arg(value_name = "NAME", value_parser = DestinationName::new)]
        destination: DestinationName,
    },

    /// Send to a destination again, and at once: also to one that is gone, or that is left alone after failures
    ///
    /// A wait that its platform has asked for holds all the same.
    Resume {
        /// The destination's name in the configuration
        #[arg(value_name = "NAME", value_parser = DestinationName::new)]
        destination: DestinationName,
    },

    /// Let all that waits for one destination go to another
    Move {
        /// Where it waits; need not be in the configuration any more
        #[arg(value_name = "FROM", value_parser = DestinationName::new)]
        from: DestinationName,
        /// Where it goes
        #[arg(value_name = "TO", value_parser = DestinationName::new)]
        to: DestinationName,
    },

    /// Have Bugfender call this bugle, see whether it still does, and undo it
    #[command(subcommand)]
    Bugfender(Bugfender),

    /// Ask the running server whether it is alive, for containers
    ///
    /// Looks only at `server` in the configuration, and needs no secrets. The exit code is 0 if the server says yes,
    /// else 1.
    Healthcheck {
        /// Ask whether it is ready: whether the store can be written, too
        #[arg(long)]
        ready: bool,
    },

    /// Copy the store while it is in use, and check the copy
    ///
    /// The copy is the store as it was when this began: one file, for its owner alone. Whoever starts bugle on it sends
    /// again what was sent since.
    Backup {
        /// The file to write, which must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },

    /// Say whether the store is whole, and whether all is in it that bugle relies on
    ///
    /// Changes nothing, and works whether the server runs or not; with a large store it takes a while. The exit code is 0
    /// if all is well, else 1.
    CheckStore {
        /// The file to look at, such as a backup [default: the configured store]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },

    /// Show what bugle does: a relay with pretend chats, nothing to configure
    Demo {
        /// End after the samples instead of waiting for more webhooks
        #[arg(long)]
        once: bool,
    },

    /// Write the completions for a shell to standard output
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Write the manual page to standard output
    Man {
        /// Write a page for each command into this folder instead
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}
