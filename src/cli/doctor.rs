//! The grammar of `bugle doctor`.

use clap::Args;

/// What a look at everything is to include.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Post a marked test message to these destinations, or to all if none is named, instead of asking about them
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub post: Option<Vec<String>>,
}
