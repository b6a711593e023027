//! `bugle send-test`: one marked message to a real destination, and in words what its platform answered.
//!
//! It takes the way that every message takes, the platform's `compose`, the client, the platform's `judge`, but for the
//! store: nothing is written down, so a server may run beside it.

mod advice;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::clock::{Clock, Moment};
use crate::command::{EXIT_CONFIG, check};
use crate::config::{self, Environment, Problems, Secrets};
use crate::delivery::{Outcome, Verdict};
use crate::destination::{Client, Destination};
use crate::message::{Block, Field, Message, Text, Tone};
use crate::name::nearest;

pub(super) use advice::Advice;

/// What the message is called, for whoever looks for it.
pub(super) const TITLE: &str = "Test message from bugle";

/// Posts a test message to the destination `name` and writes to `out` what came of it. Gives the exit code: 0 only if
/// the platform has the message, [`EXIT_CONFIG`] if the configuration has problems, else 1.
pub async fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    name: &str,
    json: bool,
    environment: &Environment,
    clock: &Clock,
) -> Result<u8> {
    let loaded = config::find(config).and_then(|path| config::load(&path, environment, Secrets::Resolve));
    let destinations = match loaded {
        Ok(loaded) => loaded.settings.destinations,
        Err(problems) => {
            refuse(out, problems, json)?;
            return Ok(EXIT_CONFIG);
        }
    };
    let destination = find(&destinations, name)?;
    if !json {
        let seconds = destination.timeout.as_secs_f64();
        writeln!(out, "{name}: posting a test message, which may take up to {seconds} s …")?;
        out.flush()?;
    }
    let begun = clock.now();
    let verdict = post(destination, "send-test", clock).await?;
    let advice = Advice::on(&verdict, destination);
    if json {
        let report = as_json(destination, &verdict, &advice, clock.now().since(begun));
        writeln!(out, "{report:#}")?;
    } else {
        tell(out, destination, &verdict, &advice)?;
    }
    Ok(u8::from(verdict.outcome != Outcome::Delivered))
}

/// Shows why there is nothing to post with: as JSON where that was asked for, else for people, on standard error.
fn refuse(out: &mut dyn Write, problems: Problems, json: bool) -> io::Result<()> {
    if json {
        check::write_json(out, &problems.into_all(), false)
    } else {
        writeln!(io::stderr().lock(), "{problems}")
    }
}

/// The destination `name`, or words that say which there are.
pub(super) fn find<'d>(destinations: &'d [Destination], name: &str) -> Result<&'d Destination> {
    if let Some(found) = destinations.iter().find(|destination| destination.name.as_str() == name) {
        return Ok(found);
    }
    let known: Vec<&str> = destinations.iter().map(|destination| destination.name.as_str()).collect();
    if known.is_empty() {
        bail!("there is no destination {name:?}: none is configured");
    }
    let near = nearest(name, known.iter().copied());
    let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    bail!("there is no destination {name:?}{hint} (known: {})", known.join(", "));
}

/// Posts the message, which says that the command `by` has made it.
pub(super) async fn post(destination: &Destination, by: &str, clock: &Clock) -> Result<Verdict> {
    let platform = &destination.platform;
    let message = message(destination, by, clock.now());
    let body = serde_json::to_vec(&platform.compose(&message, &[]))?;
    Ok(match Client::new(clock.clone())?.post(destination, body).await {
        Ok(reply) => platform.judge(&reply),
        Err(verdict) => verdict,
    })
}

/// The message. It mentions nobody, and says that nobody needs to do anything.
fn message(destination: &Destination, by: &str, now: Moment) -> Message {
    let field = |label: &str, value: String| Field { label: Text::plain(label), value: Text::plain(value) };
    let words = "If you can read this, bugle reaches this channel. Nothing has happened, and nobody needs to do anything.";
    Message {
        tone: Tone::Info,
        title: Text::plain(TITLE),
        blocks: vec![
            Block::Paragraph(Text::plain(words)),
            Block::Fields(vec![
                field("Destination", destination.name.to_string()),
                field("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ]),
        ],
        footer: Text::plain(format!("bugle {by} {}", destination.name)),
        at: now.to_string(),
        // For a forum, where every message needs a thread; elsewhere it is not looked at.
        thread: TITLE.to_owned(),
        ..Message::default()
    }
}

fn tell(
    out: &mut dyn Write,
    destination: &Destination,
    verdict: &Verdict,
    advice: &Advice,
) -> io::Result<()> {
    let (name, outcome) = (&destination.name, advice.outcome);
    writeln!(out, "{name}: {outcome}")?;
    match verdict.status {
        Some(status) => writeln!(out, "  answer: {status}, {}", verdict.words)?,
        None => writeln!(out, "  answer: none, {}", verdict.words)?,
    }
    writeln!(out, "  {}", advice.what_to_do)
}

/// The fields of `--json`. They are listed in `docs/INSTALL.md`, which a test compares.
fn as_json(destination: &Destination, verdict: &Verdict, advice: &Advice, took: Duration) -> Value {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    json!({
        "destination": destination.name.as_str(),
        "type": destination.platform.product(),
        "delivered": verdict.outcome == Outcome::Delivered,
        "outcome": verdict.outcome.as_str(),
        "reason": verdict.reason.as_str(),
        "status": verdict.status,
        "words": verdict.words,
        "wait_ms": wait(verdict).map(millis),
        "message_id": verdict.message_id,
        "duration_ms": millis(took),
        "advice": advice.what_to_do,
    })
}

/// How long the platform asks to wait before the next message.
fn wait(verdict: &Verdict) -> Option<Duration> {
    match verdict.outcome {
        Outcome::Wait(wait) | Outcome::WaitEverywhere(wait) => Some(wait.at_least()),
        Outcome::Delivered | Outcome::Passing | Outcome::Unclear | Outcome::Refused | Outcome::Gone => None,
    }
}

/// A span as people write it: `1m 30s`.
pub(super) fn in_words(span: Duration) -> String {
    // A wait of less than a second is told as one: nobody types faster.
    let seconds = i64::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX);
    format!("{:#}", SignedDuration::from_secs(seconds.max(1)))
}
