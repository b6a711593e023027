//! The grammar of the command line, nothing else.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand};
use clap_complete::Shell;

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

    /// Ask the running server whether it is alive, for containers
    ///
    /// Looks only at `server` in the configuration, and needs no secrets. The exit code is 0 if the server says yes,
    /// else 1.
    Healthcheck {
        /// Ask whether it is ready: whether the store can be written, too
        #[arg(long)]
        ready: bool,
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
