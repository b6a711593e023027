//! A message as `content` alone: no embed.
//!
//! Here text from outside stands where mentions ping. Discord looks for them before it looks at mark-up, and what a
//! rule's `here` allows is every `@everyone` in the text; so no `@` keeps what follows it.

use serde_json::{Value, json};

use super::markdown::MARKDOWN;
use super::ping::{allowed, wanted};
use crate::destination::simplest::Simplest;
use crate::message::{Mention, Message};
use crate::text::{Place, Room};

/// All of it, as Discord counts.
const CONTENT: usize = 2_000;

/// `content`: as elsewhere, and a zero-width space after each `@`.
const INERT: Place = Place { write: disarm, count: |_| 1 };

fn disarm(c: char, out: &mut String) {
    (MARKDOWN.write)(c, out);
    if c == '@' {
        out.push('\u{200B}');
    }
}

/// The brackets keep Discord from adding a preview. In an address, too, an `@` could ping.
fn bare(url: &str) -> String {
    format!("<{}>", url.replace('@', "%40"))
}

/// The body of the request, but for what the options add.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let simplest = Simplest::of(message);
    let [title, words, footer] = simplest.lines(INERT);
    let link = simplest.link(bare).unwrap_or_default();
    let lines = [title, words, link, footer];
    let text = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");

    let mut room = Room::new(CONTENT.saturating_sub(INERT.count(&text)));
    let mut pings = wanted(mentions);
    pings.retain(|ping| room.take(ping.form().len() + 1));
    let content = pings.iter().map(|ping| ping.form()).chain([text]).collect::<Vec<_>>().join(" ");
    json!({"content": content, "allowed_mentions": allowed(&pings)})
}
