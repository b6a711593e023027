//! The built-in message that stands for several events, and its words, which templates have as well. Pure.

mod words;

use jiff::tz::TimeZone;

use crate::clock::Moment;
use crate::event::{Event, Severity};
use crate::flood::{Gathering, Kindred, Told};
use crate::message::{Block, List, Message, Span, Text, Tone, tone};

pub use words::{apps, counted, counts, different, in_all, latest, news, quote, span, special, which};

/// Says what `gathering` has to tell. Times are shown in `zone`, with their date where that is not the day of `now`.
pub fn plain_gathering(gathering: &Gathering, now: Moment, zone: &TimeZone) -> Message {
    let Content { title, subtitle, blocks } = match gathering.told {
        Told::Digest => digest(gathering, now, zone),
        Told::More => more(gathering, now, zone),
    };
    Message {
        tone: tone_of_all(gathering),
        title,
        subtitle: if subtitle.is_empty() { Text::default() } else { Text::plain(subtitle) },
        blocks,
        at: gathering.last_at.to_string(),
        ..Message::default()
    }
}

/// The colour of a message that stands for several: the worst severity that is known.
pub fn tone_of_all(gathering: &Gathering) -> Tone {
    let known = gathering.severities.iter().filter_map(|(word, _)| Severity::read(word));
    let ranks = known.filter_map(|severity| severity.rank().map(|rank| (rank, severity)));
    let worst = ranks.max_by_key(|(rank, _)| *rank).map(|(_, severity)| severity);
    worst.map_or(Tone::Other, |severity| of_severity(&severity))
}

/// The colour of one error: the severity of its worst event.
pub fn tone_of_error(kindred: &Kindred) -> Tone {
    Severity::read(&kindred.severity).map_or(Tone::Other, |severity| of_severity(&severity))
}

fn of_severity(severity: &Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Error,
        Severity::Warning => Tone::Warning,
        Severity::Info => Tone::Info,
        Severity::Other(_) => Tone::Other,
    }
}

struct Content {
    title: Text,
    subtitle: String,
    blocks: Vec<Block>,
}

/// All that waited: counts, the errors, what else there was.
fn digest(gathering: &Gathering, now: Moment, zone: &TimeZone) -> Content {
    let Gathering { errors, more_errors, notices, more_notices, first_at, last_at, .. } = gathering;
    let urgent = if gathering.urgent { "Urgent: " } else { "" };
    let kinds = match different(gathering) {
        0 => String::new(),
        kinds => counted(kinds, "different error"),
    };
    let error = |kindred: &Kindred| {
        let Kindred { event, count, .. } = kindred;
        let span = span(kindred.first_at, kindred.last_at, now, zone);
        let facts = [words::stage(event), special(kindred), span, counted(*count, "event")];
        line(tone_of_error(kindred), event, &format!(" · {}", joined(facts)))
    };
    let mut blocks = list(errors.iter().map(error).collect());
    blocks.extend(and_more(*more_errors, "error"));
    blocks.extend(list(notices.iter().map(notice).collect()));
    blocks.extend(and_more(*more_notices, "notice"));
    Content {
        title: Text::plain(format!("{} {urgent}{}", tone_of_all(gathering).emoji(), counts(gathering))),
        subtitle: joined([kinds, apps(gathering), span(*first_at, *last_at, now, zone)]),
        blocks,
    }
}

/// How much more there was of what had been told.
fn more(gathering: &Gathering, now: Moment, zone: &TimeZone) -> Content {
    let Gathering { errors, more_errors, count, .. } = gathering;
    if let ([kindred], 0) = (errors.as_slice(), more_errors) {
        let words = format!("{}, {}", counted(kindred.count, "more notice"), latest(kindred, now, zone));
        return Content {
            title: line(tone_of_error(kindred), &kindred.event, ""),
            subtitle: words::stage(&kindred.event),
            blocks: vec![Block::Paragraph(Text::plain(words))],
        };
    }
    let error = |kindred: &Kindred| {
        let stage = words::stage(&kindred.event);
        let stage = if stage.is_empty() { String::new() } else { format!(" · {stage}") };
        let words = format!("{stage}: {} more, {}", words::number(kindred.count), latest(kindred, now, zone));
        line(tone_of_error(kindred), &kindred.event, &words)
    };
    let mut blocks = list(errors.iter().map(error).collect());
    blocks.extend(and_more(*more_errors, "error"));
    let kinds = match different(gathering) {
        0 => String::new(),
        kinds => format!(" of {}", counted(kinds, "error")),
    };
    let emoji = tone_of_all(gathering).emoji();
    let title = Text::plain(format!("{emoji} {}{kinds}", counted(*count, "more notice")));
    Content { title, subtitle: String::new(), blocks }
}

/// What a comment, a release or the like says, in one line.
fn notice(event: &Event) -> Text {
    let (news, quote) = (news(event), quote(event));
    let news = if news.is_empty() { news } else { format!(" {news}") };
    let quote = if quote.is_empty() { quote } else { format!(": “{quote}”") };
    line(tone(event), event, &(news + &quote))
}

/// A dot, which error or thing it is, linked, and `words` behind it.
fn line(tone: Tone, event: &Event, words: &str) -> Text {
    let (emoji, which) = (tone.emoji(), which(event));
    if event.url.is_empty() {
        return Text::plain(format!("{emoji} {which}{words}"));
    }
    let mut text = Text::plain(format!("{emoji} "));
    text.0.push(Span { text: which, url: event.url.clone(), ..Span::default() });
    if !words.is_empty() {
        text.push(words);
    }
    text
}

fn list(items: Vec<Text>) -> Vec<Block> {
    if items.is_empty() { Vec::new() } else { vec![Block::List(List { first: None, items })] }
}

fn and_more(count: u64, thing: &str) -> Option<Block> {
    let words = format!("and {}", counted(count, &format!("more {thing}")));
    (count > 0).then(|| Block::Paragraph(Text::plain(words)))
}

fn joined(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(" · ")
}
