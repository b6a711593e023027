//! The built-in message of an event: what happened and where, why this message, what it says, the facts, the frames
//! of the project's own code, one link, a quiet footer. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::event::{Event, EventId, Frame, Severity, UNREADABLE};
use crate::message::{Block, Field, Link, Message, Span, Text, Tone};
use crate::text::{Place, as_it_is, with_separators};

/// How many stack frames are shown.
const FRAMES: usize = 5;

/// Before any platform's form a character is a character.
const CHARACTERS: Place = Place { write: as_it_is, count: |_| 1 };

/// The tracker's own sentence in the line above the title; after it the application and the stage must be seen.
const HEADING: usize = 120;

/// What an exception says, which may be a whole web page.
const ERROR_TEXT: usize = 600;

/// What a person wrote, or a crash report with its own stack.
const LONG_TEXT: usize = 1_500;

/// Says what `event` is about. `id` is its number in the store; times are shown in `zone`.
pub fn plain(event: &Event, id: EventId, zone: &TimeZone) -> Message {
    let tone = tone(event);
    let mut blocks = Vec::new();
    let text = text(event);
    if !text.is_empty() {
        blocks.push(Block::Paragraph(Text::plain(text)));
    }
    let fields = fields(event, zone);
    if !fields.is_empty() {
        blocks.push(Block::Fields(fields));
    }
    let code = frames(&event.error.stack).join("\n");
    if !code.is_empty() {
        blocks.push(Block::Code(code));
    }
    let links = links(event);
    if !links.is_empty() {
        blocks.push(Block::Links(links));
    }
    Message {
        tone,
        title: Text(vec![
            Span { text: format!("{} ", tone.emoji()), ..Span::default() },
            Span { text: title(event), url: event.url.clone(), ..Span::default() },
        ]),
        subtitle: Text::plain(subtitle(event)),
        blocks,
        footer: Text::plain(footer(event, id)),
        at: event.at.clone(),
        thread: String::new(),
    }
}

/// The colour of a message about `event`: its state if that has changed, else its severity.
pub fn tone(event: &Event) -> Tone {
    match event.state.change.as_str() {
        "fixed" => return Tone::Resolved,
        "ignored" | "snoozed" | "snoozeCancelled" | "unignored" => return Tone::Other,
        _ => {}
    }
    match event.severity {
        Severity::Error => Tone::Error,
        Severity::Warning => Tone::Warning,
        Severity::Info => Tone::Info,
        Severity::Other(_) => Tone::Other,
    }
}

/// Why this message, in a few words: the tracker's own sentence, else the trigger in plain words.
fn heading(event: &Event) -> String {
    if event.trigger == "comment" && !event.actor.name.is_empty() {
        return format!("Comment by {}", event.actor.name);
    }
    if !event.reason.is_empty() {
        return event.reason.clone();
    }
    match event.trigger.as_str() {
        "" => "Event".to_owned(),
        "crash" => "Crash".to_owned(),
        "issue" => "Issue".to_owned(),
        "feedback" => "Feedback".to_owned(),
        UNREADABLE => "Unreadable webhook".to_owned(),
        other => other.to_owned(),
    }
}

fn title(event: &Event) -> String {
    let Event { release, app, .. } = event;
    if event.trigger == UNREADABLE {
        return format!("Something came through {} that bugle cannot read", event.source);
    }
    if event.trigger == "release" && !release.version.is_empty() {
        return joined(" ", [app.name.as_str(), &release.version]);
    }
    let title = if event.title.is_empty() { heading(event) } else { event.title.clone() };
    joined(" in ", [title.as_str(), &app.name])
}

/// Why this message, and where: what the title does not say.
fn subtitle(event: &Event) -> String {
    let heading = heading(event);
    let heading = if title(event).starts_with(&heading) { "" } else { heading.as_str() };
    let context = if event.error.class.is_empty() { "" } else { event.error.context.as_str() };
    joined(" · ", [&*CHARACTERS.end(heading, HEADING), &event.app.stage, context])
}

fn text(event: &Event) -> String {
    if event.trigger == UNREADABLE {
        let size = event.raw.len();
        return format!(
            "Its body ({} {}) is kept with the event.",
            with_separators(size),
            if size == 1 { "byte" } else { "bytes" }
        );
    }
    let limit =
        if event.trigger == "comment" || event.product == "bugfender" { LONG_TEXT } else { ERROR_TEXT };
    let text = match event.product {
        "bugfender" => without_fences(&event.text),
        _ => event.text.clone(),
    };
    CHARACTERS.middle(text.trim(), limit)
}

/// Bugfender's text is Markdown; the plain form shows it as text, where a fence says nothing.
fn without_fences(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("```"));
    lines.collect::<Vec<_>>().join("\n")
}

fn fields(event: &Event, zone: &TimeZone) -> Vec<Field> {
    let Event { error, app, device, release, .. } = event;
    let is_release = event.trigger == "release";
    let facts: [(&str, String); 16] = [
        ("Severity", if is_release { String::new() } else { event.severity.to_string() }),
        ("Version", build(app.version.as_str(), &app.build)),
        ("Seen", seen(event, zone)),
        ("Users", number(&error.users)),
        (
            "Rate",
            if event.rate.is_empty() { String::new() } else { format!("{} events", number(&event.rate)) },
        ),
        (
            "Handled",
            match error.handled.as_str() {
                "true" => "yes".into(),
                "false" => "no".into(),
                _ => String::new(),
            },
        ),
        ("Status", if event.status == "open" { String::new() } else { event.status.clone() }),
        ("Snoozed", event.state.snooze.clone()),
        ("By", by(event)),
        ("Released by", if is_release { release.by.clone() } else { String::new() }),
        ("Commit", if is_release { release.commit.clone() } else { String::new() }),
        ("Device", device.name.clone()),
        ("System", joined(" ", [device.os.as_str(), &device.os_version])),
        ("Request", error.request_url.clone()),
        ("Caused by", error.causes.iter().map(|cause| cause.class.as_str()).collect::<Vec<_>>().join(" ← ")),
        ("When", date(&event.at, zone)),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(label, value)| Field { label: Text::plain(label), value: Text::plain(value) })
        .collect()
}

fn build(version: &str, build: &str) -> String {
    match (version, build) {
        ("", build) => build.to_owned(),
        (version, "") => version.to_owned(),
        (version, build) if version == build => version.to_owned(),
        (version, build) => format!("{version} ({build})"),
    }
}

/// "32 times since 2 Mar 2025, 07:41", as far as it is known.
fn seen(event: &Event, zone: &TimeZone) -> String {
    let times = match event.error.occurrences.as_str() {
        "" => String::new(),
        "1" => "once".to_owned(),
        count => format!("{} times", number(count)),
    };
    match (times.as_str(), date(&event.error.first_seen, zone).as_str()) {
        (times, "") => times.to_owned(),
        ("", first) => format!("first {first}"),
        ("once", first) => format!("once, {first}"),
        (times, first) => format!("{times} since {first}"),
    }
}

/// Who acted, where neither the heading nor the tracker's own sentence has said it.
fn by(event: &Event) -> String {
    let name = &event.actor.name;
    if event.reason.contains(name.as_str()) || event.trigger == "comment" {
        String::new()
    } else {
        name.clone()
    }
}

/// A time as people write it; as the tracker wrote it if that is no time.
fn date(text: &str, zone: &TimeZone) -> String {
    match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M %Z").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// A whole number with its thousands apart; anything else as it is.
fn number(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), with_separators)
}

/// The project's own frames; where none is marked as such, the innermost.
fn frames(stack: &[Frame]) -> Vec<String> {
    let own: Vec<_> = stack.iter().filter(|frame| frame.own == Some(true)).collect();
    let shown = if own.is_empty() { stack.iter().collect() } else { own };
    shown.into_iter().take(FRAMES).map(frame).filter(|line| !line.is_empty()).collect()
}

fn frame(frame: &Frame) -> String {
    let place = joined(":", [frame.file.as_str(), &frame.line]);
    joined(" in ", [place.as_str(), &frame.method])
}

fn links(event: &Event) -> Vec<Link> {
    let issue = &event.error.linked_issue;
    let issue_label =
        if issue.id.is_empty() { "Linked issue".to_owned() } else { format!("Issue {}", issue.id) };
    let no_release = String::new();
    let changes = if event.trigger == "release" { &event.release.diff_url } else { &no_release };
    [
        (open_label(event.product).to_owned(), &event.url),
        (issue_label, &issue.url),
        ("What changed".to_owned(), changes),
    ]
    .into_iter()
    .filter(|(_, url)| !url.is_empty())
    .map(|(label, url)| Link { label, url: url.clone() })
    .collect()
}

fn open_label(product: &str) -> &'static str {
    match product {
        "bugsnag" => "Open in Bugsnag",
        "bugfender" => "Open in Bugfender",
        _ => "Open",
    }
}

fn footer(event: &Event, id: EventId) -> String {
    joined(" · ", [event.source.as_str(), &event.id, &format!("#{id}")])
}

/// The parts that are not empty, with `between` between them.
fn joined<'a>(between: &str, parts: impl IntoIterator<Item = &'a str>) -> String {
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
}
