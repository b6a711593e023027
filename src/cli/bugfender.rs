//! The grammar of `bugle bugfender`.

use clap::{Args, Subcommand};

use crate::name::SourceName;

/// What can be done about webhooks at Bugfender.
#[derive(Debug, Subcommand)]
pub enum Bugfender {
    /// Have Bugfender call this bugle: crashes, issues and feedback of each application, each as what it is
    ///
    /// What is subscribed already is left as it is. After the address has changed, the new one is subscribed first and then
    /// the old one undone. Needs `[sources.NAME.api]` and `server.public_url`. The exit code is 0 if all of it is subscribed.
    Subscribe {
        /// Which
        #[command(flatten)]
        which: OfApps,
        /// Make each anew, and undo what was there: where Bugfender does not tell whether a webhook is still there
        #[arg(long)]
        again: bool,
    },

    /// Show what bugle has subscribed, and ask Bugfender whether it is still there
    ///
    /// Changes nothing. The exit code is 0, or 1 if one is gone or Bugfender could not be asked.
    List {
        /// Of this source alone
        #[arg(long, value_name = "NAME", value_parser = SourceName::new)]
        source: Option<SourceName>,
    },

    /// Undo what bugle has subscribed
    Unsubscribe {
        /// Which
        #[command(flatten)]
        which: OfApps,
        /// Those with these ids at Bugfender, even if bugle does not remember them
        #[arg(long, value_name = "ID")]
        hook: Vec<String>,
    },
}

/// Which webhooks are meant: those for which all of this holds.
#[derive(Debug, Default, Args)]
pub struct OfApps {
    /// Of this source alone
    #[arg(long, value_name = "NAME", value_parser = SourceName::new)]
    pub source: Option<SourceName>,
    /// Of these applications alone, by number, id or name
    #[arg(long, value_name = "APP")]
    pub app: Vec<String>,
}
