//! A message made ready to be written: every text cleaned, nothing blank, everything within the platform's limits.
//!
//! What all platforms need alike is done here once; the limits and the form are each platform's own.

use serde_json::Value;
use url::{Host, Position, Url};

use super::layout::{Limits, Part, lay_out};
use super::prose::{line, lines};
use crate::message::{Block, Field, Link, List, Message, Text, Tone};
use crate::text::{Room, clean, is_blank, one_line, or_none};

/// The largest number that Markdown knows for an item.
const LAST_NUMBER: u64 = 999_999_999;

/// A message as it will be written: cleaned and within its limits, but not yet escaped.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its colour.
    pub(super) tone: Tone,
    /// One line, never blank.
    pub(super) title: Text,
    /// One line; may be empty.
    pub(super) subtitle: Text,
    /// None of them is blank, nor has a blank part.
    pub(super) parts: Vec<Part>,
    /// Says how many blocks are left out; empty if none is.
    pub(super) note: String,
    /// One line; may be empty.
    pub(super) footer: Text,
}

impl Draft {
    /// Makes `message` ready, its addresses as `address` writes them; a link that has none is left out.
    ///
    /// Room is given out in the order in which it must not be lost, whatever the order on the screen.
    pub(super) fn of(
        message: &Message,
        address: fn(&str) -> Option<String>,
        limits: &Limits,
        room: &mut Room,
    ) -> Self {
        let title = some(line(&message.title, address), Text::is_empty).unwrap_or_else(nothing);
        let title = limits.title.end(&title, room);
        let subtitle = limits.subtitle.end(&line(&message.subtitle, address), room);
        let footer = limits.footer.middle(&line(&message.footer, address), room);
        let blocks: Vec<Block> = message.blocks.iter().filter_map(|block| cleaned(block, address)).collect();
        let (parts, note) = lay_out(&blocks, limits, room);
        Self { tone: message.tone, title, subtitle, parts, note, footer }
    }
}

/// The message in one line, cleaned and never blank.
pub(super) fn summary(message: &Message) -> String {
    or_none(one_line(&message.summary()))
}

/// `block` cleaned, without its blank parts; nothing if nothing of it can be seen.
fn cleaned(block: &Block, address: fn(&str) -> Option<String>) -> Option<Block> {
    let text = |text: &Text| some(lines(text, address), Text::is_empty);
    Some(match block {
        Block::Heading(heading) => Block::Heading(some(line(heading, address), Text::is_empty)?),
        Block::Paragraph(paragraph) => Block::Paragraph(text(paragraph)?),
        Block::Quote(quote) => Block::Quote(text(quote)?),
        Block::List(List { first, items }) => {
            let items = some(items.iter().filter_map(text).collect(), Vec::is_empty)?;
            Block::List(List { first: first.map(|first| first.min(LAST_NUMBER)), items })
        }
        Block::Fields(fields) => {
            let text = |text: &Text| some(line(text, address), Text::is_empty).unwrap_or_else(nothing);
            let fields =
                fields.iter().map(|Field { label, value }| Field { label: text(label), value: text(value) });
            Block::Fields(some(fields.collect(), Vec::is_empty)?)
        }
        Block::Code(code) => Block::Code(clean_code(code)?),
        Block::Links(links) => {
            let link = |link: &Link| {
                let url = address(&link.url)?;
                Some(Link { label: words_for(&link.label, &url), url })
            };
            Block::Links(some(links.iter().filter_map(link).collect(), Vec::is_empty)?)
        }
    })
}

fn some<T>(thing: T, is_empty: impl Fn(&T) -> bool) -> Option<T> {
    Some(thing).filter(|thing| !is_empty(thing))
}

/// What stands where there must be a text and there is none.
fn nothing() -> Text {
    Text::plain(or_none(String::new()))
}

/// Nothing blank above and below, nothing at the ends of lines.
fn clean_code(code: &str) -> Option<String> {
    let cleaned = clean(code);
    let lines: Vec<&str> = cleaned.lines().map(str::trim_end).collect();
    let first = lines.iter().position(|line| !is_blank(line))?;
    let last = lines.iter().rposition(|line| !is_blank(line))?;
    lines.get(first..=last).map(|lines| lines.join("\n"))
}

fn words_for(label: &str, url: &str) -> String {
    let label = one_line(label);
    if !is_blank(&label) {
        return label;
    }
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    or_none(host.unwrap_or_default())
}

/// `url` as every platform takes it: absolute, http or https, ASCII, with nothing in it that ends a link. Over `most`
/// characters it loses its query and fragment; if that does not help, there is none.
pub(super) fn link(url: &str, most: usize) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.host().as_ref().is_some_and(is_plain) {
        return None;
    }
    // What stands before an @ is either a secret or a disguise.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    let whole = encode(&url);
    if whole.len() <= most {
        return Some(whole);
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(encode(&url)).filter(|bare| bare.len() <= most)
}

/// Whether a host looks like one everywhere; the parser takes quotes and braces in names, platforms do not.
fn is_plain(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.trim_end_matches('.').split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        }),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

/// The parser has percent-encoded most of what the standard demands; this does the rest, and what is mark-up somewhere.
fn encode(url: &Url) -> String {
    let mut encoded = url[..Position::BeforePath].to_owned();
    let rest = &url[Position::BeforePath..];
    let mut in_fragment = false;
    for (index, byte) in rest.bytes().enumerate() {
        let stays = match byte {
            b'#' => !std::mem::replace(&mut in_fragment, true),
            b'%' => {
                rest.get(index + 1..index + 3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            }
            b'"' | b'<' | b'>' | b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
            byte => byte.is_ascii_graphic(),
        };
        if stays {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    encoded
}

fn hex_digit(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or('0').to_ascii_uppercase()
}

/// Sets a member of a JSON object, for what is not always there.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_absolute_and_has_nothing_that_ends_it() {
        assert_eq!(
            link("https://a.example/x y|z?q=<b>&c=\"`{}", 100).unwrap(),
            "https://a.example/x%20y%7Cz?q=%3Cb%3E&c=%22%60%7B%7D"
        );
        assert_eq!(link("https://a.example/[x]#a#b", 100).unwrap(), "https://a.example/%5Bx%5D#a%23b");
        assert_eq!(link("https://bugsnag.com:%@evil.example/", 100).unwrap(), "https://evil.example/");
        assert_eq!(link("http://[::1]/?[%2F%zz%", 100).unwrap(), "http://[::1]/?%5B%2F%25zz%25");
        assert_eq!(link("http://[::1]:80/é", 100).unwrap(), "http://[::1]/%C3%A9");
        for not_a_link in [
            "",
            "/path",
            "javascript:alert(1)",
            "mailto:a@b.example",
            "ftp://a.example",
            "https://",
            "https://it's/",
            "https://a..b/",
            "x",
        ] {
            assert_eq!(link(not_a_link, 100), None, "{not_a_link}");
        }
    }

    #[test]
    fn a_link_over_the_limit_loses_its_query_or_is_left_out() {
        let long = format!("https://a.example/page?q={}#f", "x".repeat(100));
        assert_eq!(link(&long, long.len()).unwrap(), long);
        assert_eq!(link(&long, long.len() - 1).unwrap(), "https://a.example/page");
        assert_eq!(link(&format!("https://a.example/{}", "x".repeat(100)), 50), None);
    }
}
