//! The grammar of `bugle why`.

use clap::{ArgGroup, Args};

use super::{Time, time};

/// What somebody wants to know of.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").required(true).multiple(true).args(["what", "since", "app", "source"])))]
pub struct Why {
    /// A short id from a message, an address or id of the tracker, an error's class, or words
    #[arg(value_name = "WHAT")]
    pub what: Vec<String>,
    /// Only what came then or later: `2d` ago, `2026-03-01`, `2026-03-01T12:00`; in UTC
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Time>,
    /// Only what came before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Time>,
    /// Only events of this application, a pattern as in rules: `'Shop *'`
    #[arg(long, value_name = "PATTERN")]
    pub app: Vec<String>,
    /// Only events that came through this source
    #[arg(long, value_name = "PATTERN")]
    pub source: Vec<String>,
}
