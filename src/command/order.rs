//! The commands that change something: `dead-letters redrive` and `discard`, `suspend`, `resume`, `move`.
//!
//! Only one process writes to a store. If nobody serves from it, the command does what is asked itself; else it asks the
//! server that does. Either way the work is done in steps, and what is said to be done is on disk.

mod server;

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::clock::Clock;
use crate::command::listing::{counted, time};
use crate::command::{Setting, nothing_yet, refuse};
use crate::config::{self, Care};
use crate::courier::repeat_interrupted;
use crate::destination::Retry;
use crate::metrics::Metrics;
use crate::order::{Done, Order};
use crate::outbox::{Closing, OpenError, Outbox};

use server::{Server, Trouble};

/// Carries out `order` and writes to `out` what came of it. Gives the exit code.
pub async fn run(out: &mut dyn Write, setting: Setting<'_>, order: &Order) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let path = &care.store.path;
    if !path.exists() {
        bail!(nothing_yet(path));
    }
    let (by, done) = carry_out(order, setting, &care).await?;
    if setting.json {
        writeln!(out, "{:#}", as_json(order, by, &done))?;
    } else {
        tell(out, order, &done)?;
        if by == By::Command && (done.sent > 0 || done.waiting > 0) {
            writeln!(out, "No bugle serves from this store: nothing is sent until one does.")?;
        }
    }
    Ok(0)
}

/// Carries out `order`, or has the server do it that has the store.
pub(super) async fn carry_out(order: &Order, setting: Setting<'_>, care: &Care) -> Result<(By, Done)> {
    match open(care, setting.clock, Outbox::open_at_once).await {
        Ok(opened) => return Ok((By::Command, alone(opened, order, setting.clock).await?)),
        Err(OpenError::InUse(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let path = &care.store.path;
    let address = match Server::find(setting, path)?.carry_out(order, progress).await {
        Ok(done) => return Ok((By::Server, done)),
        Err(Trouble::Nobody(address)) => address,
        Err(Trouble::Other(words)) => bail!("{words}"),
    };
    // Whoever had it may have been another command.
    match open(care, setting.clock, Outbox::open_for_command).await {
        Ok(opened) => Ok((By::Command, alone(opened, order, setting.clock).await?)),
        Err(OpenError::InUse(_)) => bail!(
            "another bugle serves from {}, but none answers at {address} (`admin.listen`), where it would be asked; \
             nothing was changed",
            path.display()
        ),
        Err(error) => Err(error.into()),
    }
}

/// Who has carried out an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Server,
    Command,
}

type Opened = (Outbox, Closing);

async fn open(
    care: &Care,
    clock: &Clock,
    open: fn(&Path, Clock, Metrics) -> Result<Opened, OpenError>,
) -> Result<Opened, OpenError> {
    let (path, clock) = (care.store.path.clone(), clock.clone());
    let opening = tokio::task::spawn_blocking(move || open(&path, clock.clone(), Metrics::new(clock)));
    let (outbox, closing) = opening
        .await
        .map_err(|error| OpenError::Io { path: care.store.path.clone(), cause: io::Error::other(error) })??;
    outbox.know(care.destinations.iter().cloned());
    Ok((outbox, closing))
}

/// Carries out `order` where nobody else has the store.
async fn alone((outbox, closing): Opened, order: &Order, clock: &Clock) -> Result<Done> {
    let now = clock.now();
    // Nothing is under way: what seems to be was cut off by the end of a server.
    let again_at = move |_: &_, unclear| repeat_interrupted(&Retry::default(), now, unclear);
    outbox.close_interrupted(again_at).await?;
    let mut all = Done::default();
    let result = loop {
        match outbox.carry_out(order, all.rest).await {
            Ok(done) => all = all.and(done),
            Err(error) => break Err(error).with_context(|| so_far(&all)),
        }
        if all.rest.is_none() {
            break Ok(all);
        }
        progress(&all);
    };
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await?;
    result
}

/// Shows on a terminal how far a long order has come.
fn progress(done: &Done) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        // Nobody needs to see it.
        drop(write!(out, "\r{} so far … ", done.count()).and_then(|()| out.flush()));
    }
}

/// What is certain when an order breaks off.
fn so_far(done: &Done) -> String {
    match done.count() {
        0 => "nothing was changed".to_owned(),
        count => format!("done for {} so far, and no further", counted(count, "message")),
    }
}

fn tell(out: &mut dyn Write, order: &Order, done: &Done) -> io::Result<()> {
    match order {
        Order::Redrive { .. } => tell_redriven(out, done),
        Order::Discard { .. } if done.discarded == 0 => writeln!(out, "There are no such dead letters."),
        Order::Discard { .. } => {
            writeln!(out, "{}: discarded.", counted(done.discarded, "dead letter"))
        }
        Order::Suspend { destination } => {
            let waiting = counted(done.waiting, "message");
            let already = if done.was_so { " already" } else { "" };
            writeln!(out, "{destination} is suspended{already}. {waiting} for it: waiting.")?;
            writeln!(out, "Nothing is sent to it until `bugle resume {destination}`.")
        }
        Order::Resume { destination } => {
            let was = if done.was_so { "was not suspended, and is tried at once" } else { "is resumed" };
            let waiting = counted(done.waiting, "message");
            writeln!(out, "{destination} {was}. {waiting} for it: waiting.")?;
            match &done.held {
                Some((until, reason)) => writeln!(
                    out,
                    "But its platform has asked to wait until {} ({reason}), and that holds.",
                    time(*until)
                ),
                None => Ok(()),
            }
        }
        Order::Move { from, to } => tell_moved(out, (from.as_str(), to.as_str()), done),
        // Parts of what `bugle bugfender` does, which says by itself what came of it.
        Order::KeepHook { .. } | Order::ForgetHook { .. } => Ok(()),
    }
}

fn tell_redriven(out: &mut dyn Write, done: &Done) -> io::Result<()> {
    if done.count() == 0 {
        return writeln!(out, "There are no such dead letters.");
    }
    writeln!(out, "{}: on their way again.", counted(done.sent, "dead letter"))?;
    tell_covered(out, done)?;
    tell_suspended(out, done)
}

fn tell_moved(out: &mut dyn Write, (from, to): (&str, &str), done: &Done) -> io::Result<()> {
    writeln!(out, "{} from {from}: moved to {to}.", counted(done.sent, "message"))?;
    tell_covered(out, done)?;
    if done.in_hand > 0 {
        writeln!(out, "{}: being sent just now, and left alone.", counted(done.in_hand, "message"))?;
    }
    tell_suspended(out, done)
}

fn tell_covered(out: &mut dyn Write, done: &Done) -> io::Result<()> {
    if done.covered == 0 {
        return Ok(());
    }
    let covered = counted(done.covered, "message");
    writeln!(out, "{covered}: not sent, since the destination has or gets one of the same event anyway.")
}

fn tell_suspended(out: &mut dyn Write, done: &Done) -> io::Result<()> {
    if done.is_suspended {
        writeln!(out, "A destination that they go to is suspended: they wait until it is resumed.")?;
    }
    Ok(())
}

/// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
fn as_json(order: &Order, by: By, done: &Done) -> serde_json::Value {
    json!({
        "order": order.as_str(),
        "by": match by { By::Server => "server", By::Command => "command" },
        "sent": done.sent,
        "covered": done.covered,
        "discarded": done.discarded,
        "in_hand": done.in_hand,
        "was_so": done.was_so,
        "waiting": done.waiting,
        "suspended": done.is_suspended,
        "held_until": done.held.as_ref().map(|(until, _)| until.to_string()),
        "held_reason": done.held.as_ref().map(|(_, reason)| reason),
    })
}

impl<'a> Server<'a> {
    /// The server that the configuration names.
    fn find(setting: Setting<'_>, store: &'a Path) -> Result<Self> {
        let door = config::find(setting.config)
            .and_then(|path| config::load_admin(&path, setting.environment))
            .map_err(|problems| {
                let words = problems.to_string();
                anyhow::anyhow!(
                    "a server has the store, and how to ask it is not known:\n{}",
                    words.trim_end()
                )
            })?;
        Self::new(door, store)
    }
}
