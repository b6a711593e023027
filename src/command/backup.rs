//! `bugle backup`: copies the store while it is in use. Of the configuration only `[store]` matters.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Result, anyhow};
use bytesize::ByteSize;
use serde_json::json;

use crate::config::{self, Environment};
use crate::outbox::{BackupStep, Copied, back_up};
use crate::text::with_separators;

/// Copies the store to `copy`, and writes to `out` what is in it.
pub fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    copy: &Path,
    json: bool,
    environment: &Environment,
) -> Result<()> {
    let store = config::find(config).and_then(|path| config::load_store(&path, environment));
    let store = store.map_err(|problems| anyhow!("{}", problems.to_string().trim_end()))?;
    let mut shown = Shown::new();
    let copied = back_up(&store.path, copy, |step| shown.show(step));
    shown.clear();
    let Copied { bytes, events, waiting } = copied?;
    if json {
        let report = json!({ "file": copy, "bytes": bytes, "events": events, "waiting": waiting });
        writeln!(out, "{report:#}")?;
    } else {
        writeln!(
            out,
            "{}: {}, {} events, {} deliveries that wait; read through, and whole",
            copy.display(),
            ByteSize(bytes).display().iec(),
            number(events),
            number(waiting)
        )?;
    }
    Ok(())
}

/// A whole number with its thousands apart.
pub(super) fn number(number: u64) -> String {
    with_separators(usize::try_from(number).unwrap_or(usize::MAX))
}

/// How far it is, on a terminal and in one line.
struct Shown {
    is_terminal: bool,
    percent: Option<u64>,
}

impl Shown {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), percent: None }
    }

    fn show(&mut self, step: BackupStep) {
        match step {
            BackupStep::Copying { done, of } => {
                let percent = done.saturating_mul(100).checked_div(of).unwrap_or(100);
                if self.percent.replace(percent) != Some(percent) {
                    self.write(&format!("copying: {percent} % of {}", ByteSize(of).display().iec()));
                }
            }
            BackupStep::Checking => self.write("checking the copy"),
        }
    }

    fn clear(&self) {
        self.write("");
    }

    fn write(&self, words: &str) {
        if self.is_terminal {
            // A terminal that takes no words needs none.
            drop(write!(io::stderr(), "\r\x1b[K{words}"));
        }
    }
}
