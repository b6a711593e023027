//! `bugle demo`: the real relay between pretend trackers and pretend chats, told as a story in the terminal.
//!
//! Nothing needs to be configured and nothing leaves the machine. The configuration is written to a temporary folder
//! and loaded like any other; samples come in through the front door; each card is drawn from the very body that a
//! chat received.

mod stage;

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, anyhow, bail};
use tokio::time::timeout;

use crate::app::App;
use crate::clock::Clock;
use crate::command::card::{Pen, card, heading};
use crate::lifecycle::Signals;
use crate::pretend::{Received, post};
use crate::sample::sample;
use crate::sockets::Sockets;

use stage::{Room, Stage};

/// How long a sample's messages may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The samples: the source they come through, the tracker and trigger, and the rooms that hear of it.
const SAMPLES: [(&str, &str, &str, &[&str]); 5] = [
    ("backend", "bugsnag", "release", &["team"]),
    ("backend", "bugsnag", "firstException", &["oncall", "team"]),
    ("mobile", "bugfender", "feedback", &["managers"]),
    ("backend", "bugsnag", "comment", &["managers"]),
    ("mobile", "bugfender", "crash", &["oncall", "team"]),
];

/// Plays the demo to `out`: to the end of the samples if `once`, else until told to stop.
pub async fn run(out: &mut dyn Write, once: bool, colour: bool) -> Result<()> {
    let mut signals = Signals::listen().context("signals cannot be received")?;
    let mut stage = Stage::set()?;
    let app = App::start(stage.load()?, Sockets::default(), signals.hung_up(), Clock::system()).await?;
    let address = app.address();
    let ended = tokio::select! {
        played = play(out, &mut stage, address, once, Pen { colour }) => played,
        () = signals.told_to_stop() => {
            if once { Err(anyhow!("interrupted before all samples were shown")) } else { Ok(()) }
        }
    };
    app.stop().await;
    ended
}

async fn play(out: &mut dyn Write, stage: &mut Stage, relay: SocketAddr, once: bool, pen: Pen) -> Result<()> {
    introduce(out, stage, relay, pen)?;
    for (source, tracker, trigger, rooms) in SAMPLES {
        let posted = Instant::now();
        send(out, stage, relay, (source, tracker, trigger), pen).await?;
        for name in rooms {
            let Some(room) = stage.rooms.iter_mut().find(|room| room.name == *name) else { continue };
            receive(out, room, posted, pen)
                .await
                .with_context(|| format!("{} ({name}) did not show {trigger}", room.product))?;
        }
    }
    if once {
        writeln!(out, "\nAll five arrived where the rules send them.")?;
        return Ok(out.flush()?);
    }
    explain(out, stage, relay)?;
    loop {
        let [first, second, third] = &mut stage.rooms;
        let room = tokio::select! {
            () = first.arrival() => first,
            () = second.arrival() => second,
            () = third.arrival() => third,
        };
        show_news(out, room, None, pen)?;
    }
}

fn introduce(out: &mut dyn Write, stage: &Stage, relay: SocketAddr, pen: Pen) -> Result<()> {
    writeln!(out, "A relay runs on http://{relay}, with two sources and three pretend chats.")?;
    writeln!(out, "Nothing leaves this machine. Its rules:\n")?;
    for (name, rooms) in stage.rules()? {
        write!(out, "  {name} ")?;
        pen.styled(out, Style::new().bold(), &format!("→ {rooms}"))?;
        writeln!(out)?;
    }
    writeln!(out, "\nNow five webhooks, as the trackers would send them.")?;
    Ok(out.flush()?)
}

/// Posts a sample through the front door and shows what the relay answers.
async fn send(
    out: &mut dyn Write,
    stage: &Stage,
    relay: SocketAddr,
    (source, tracker, trigger): (&str, &str, &str),
    pen: Pen,
) -> Result<()> {
    let body = sample(tracker, trigger, Clock::system().now()).context("there is no such sample")?;
    let (shown, path) = stage.door(source);
    let (status, answer) = post(relay, &path, &body).await.context("the relay does not answer")?;
    write!(out, "\nPOST {shown}/…  ")?;
    pen.styled(out, Style::new().bold(), trigger)?;
    writeln!(out, " from {tracker} → {status} {}", answer.trim())?;
    out.flush()?;
    if status != 200 {
        bail!("the relay answered {status} to a sample");
    }
    Ok(())
}

/// Waits for what `room` gets, shows it, and goes on until a message was among it that people would see.
async fn receive(out: &mut dyn Write, room: &mut Room, posted: Instant, pen: Pen) -> Result<()> {
    let deadline = posted + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if timeout(left, room.arrival()).await.is_err() {
            bail!("no message came within {} seconds", PATIENCE.as_secs());
        }
        if show_news(out, room, Some(posted), pen)? {
            return Ok(());
        }
    }
}

/// Shows what has arrived in `room`; says whether people would see any of it.
fn show_news(out: &mut dyn Write, room: &mut Room, posted: Option<Instant>, pen: Pen) -> Result<bool> {
    let mut is_shown = false;
    for received in room.news() {
        let after = posted.map(|posted| received.at.saturating_duration_since(posted));
        show(out, room, &received, after, pen)?;
        is_shown |= received.is_shown();
    }
    Ok(is_shown)
}

fn show(
    out: &mut dyn Write,
    room: &Room,
    received: &Received,
    after: Option<Duration>,
    pen: Pen,
) -> Result<()> {
    let after = after.map(|after| format!(" · after {} ms", after.as_millis())).unwrap_or_default();
    let title = heading(&format!("{} · {}{after}", room.product, room.name));
    writeln!(out)?;
    pen.styled(out, Style::new().fg_color(Some(AnsiColor::BrightBlack.into())), &title)?;
    writeln!(out)?;
    match (&received.json, &received.answer) {
        (Some(body), Some(_)) if received.is_shown() => pen.card(out, &card(room.product.as_str(), body))?,
        (_, Some(answer)) => {
            let words = format!("refused: {} {} ({})", answer.status, answer.body_text(), answer.why);
            pen.styled(out, Style::new().fg_color(Some(AnsiColor::Red.into())), &words)?;
            writeln!(out)?;
        }
        (_, None) => writeln!(out, "left without an answer")?,
    }
    Ok(out.flush()?)
}

/// Lines to paste into another terminal.
fn explain(out: &mut dyn Write, stage: &Stage, relay: SocketAddr) -> Result<()> {
    let (backend, mobile) = (stage.url(relay, "backend"), stage.url(relay, "mobile"));
    let by_hand = r#"{"trigger":{"type":"firstException"},"project":{"name":"Shop API"},"error":{"exceptionClass":"HelloError","message":"hello from curl","severity":"error","releaseStage":"production"}}"#;
    writeln!(out, "\nNow you. Paste a line into another terminal; what it causes is shown here.\n")?;
    writeln!(out, "  bugle sample bugsnag reopened | curl -sS --data-binary @- {backend}\n")?;
    writeln!(out, "  bugle sample bugfender issue | curl -sS --data-binary @- {mobile}\n")?;
    writeln!(out, "  curl -sS --data-binary '{by_hand}' {backend}\n")?;
    let config = stage.config_path();
    let config = config.display();
    writeln!(out, "Or change a rule: edit {config}")?;
    writeln!(
        out,
        "and save it. What has changed is said here, or what is wrong with it. This shows the line:\n"
    )?;
    writeln!(out, "  bugle check --config {config}\n")?;
    writeln!(out, "Ctrl-C ends it, and removes the configuration.")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests;
