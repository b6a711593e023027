//! A message as a card of one text and, where it leads somewhere, one button.

use serde_json::{Value, json};

use super::compose::{LITERAL, MARKDOWN, SUMMARY, block, breaking_functions, envelope, mention_parts, run};
use crate::destination::simplest::Simplest;
use crate::message::{Mention, Message};
use crate::text::{Room, one_line, or_none};

/// Room for the mentions. The whole card stays under a third of what Teams takes.
const MENTIONS: usize = 4_000;

/// The body of the request.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let simplest = Simplest::of(message);
    let [title, words, footer] = simplest.lines(LITERAL);
    let lines = [title, words, footer];
    let text = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    let (at_line, entities) = mention_parts(mentions, &mut Room::new(MENTIONS));

    let mut items = Vec::new();
    if !at_line.is_empty() {
        items.push(json!({"type": "TextBlock", "text": at_line, "wrap": true}));
    }
    items.push(block(&[run(&text, json!({}))], "None"));
    if let Some(url) = simplest.link(str::to_owned) {
        let open = json!({"type": "Action.OpenUrl", "title": "Open", "url": url});
        items.push(json!({"type": "ActionSet", "actions": [open]}));
    }
    let summary = MARKDOWN.end(&or_none(one_line(&message.summary())), SUMMARY);
    envelope(&items, &entities, &breaking_functions(&summary))
}
