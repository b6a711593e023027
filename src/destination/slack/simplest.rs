//! A message as `text` alone: no attachment, no blocks.

use serde_json::{Value, json};

use super::compose::{MARKUP, mention_line};
use crate::destination::simplest::Simplest;
use crate::message::{Mention, Message};

/// The body of the request. With all the room that its mentions may take, it stays under the 4,000 characters that
/// Slack advises.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let simplest = Simplest::of(message);
    let [title, words, footer] = simplest.lines(MARKUP);
    let title = format!("{} {title}", mention_line(mentions));
    let link = simplest.link(|url| format!("<{}>", url.replace('&', "&amp;"))).unwrap_or_default();
    let lines = [title.trim_start().to_owned(), words, link, footer];
    let text = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    json!({"text": text, "unfurl_links": false, "unfurl_media": false})
}
