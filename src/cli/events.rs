//! The grammar of `bugle events` and `bugle tail`.

use clap::Args;

use crate::cli::{Time, time};
use crate::rule::{Choice, ChoiceError};

/// What is to be listed of what has come.
#[derive(Debug, Args)]
pub struct Events {
    /// Words that all occur in an event's title, its message, its application, source or trigger, or ids of it in the
    /// tracker; not case-sensitive
    #[arg(value_name = "WORDS")]
    pub words: Vec<String>,
    /// Those that came then or later: `2d` ago, `2026-03-01`, `2026-03-01T12:00`; in UTC
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Time>,
    /// Those that came before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Time>,
    /// Which
    #[command(flatten)]
    pub of: Of,
    /// Those that no rule matched
    #[arg(long)]
    pub unmatched: bool,
    /// Those that nobody has heard of, or not yet
    #[arg(long)]
    pub unsent: bool,
    /// Those that no webhook had brought, so that bugle asked the tracker for them
    #[arg(long)]
    pub caught_up: bool,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub limit: u32,
}

/// What is to be told of what happens.
#[derive(Debug, Args)]
pub struct Tail {
    /// Which
    #[command(flatten)]
    pub of: Of,
    /// What goes to these destinations, as patterns like those of rules
    #[arg(long, value_name = "PATTERN")]
    pub destination: Vec<String>,
    /// Begin with so many lines of what has happened
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub last: u32,
}

/// What narrows events down, as a condition of a rule does: any of the patterns of each kind must match.
#[derive(Debug, Args)]
pub struct Of {
    /// Those of these sources: a pattern like those of rules, such as `back*`
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| pattern("source", text))]
    pub source: Vec<String>,
    /// Those of these applications, such as `Shop *`
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| pattern("app", text))]
    pub app: Vec<String>,
    /// Those with these triggers, such as `firstException`
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| pattern("trigger", text))]
    pub trigger: Vec<String>,
    /// Those that are so bad, such as `error` or `>= warning`
    #[arg(long, value_name = "PATTERN", value_parser = |text: &str| pattern("severity", text))]
    pub severity: Vec<String>,
}

/// A text that is a pattern for `field`.
fn pattern(field: &str, text: &str) -> Result<String, ChoiceError> {
    Choice::parse(field, &[text]).map(|_| text.to_owned())
}
