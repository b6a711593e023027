//! Reads a body as Mattermost and Rocket.Chat do, and panics at whatever acts in it that is not our own mark-up.

#![expect(clippy::string_slice, reason = "a slice inside a character fails the test, as it should")]

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{array, assert_text, assert_url, only, text};

static COLOUR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^#[0-9a-f]{6}$").unwrap());
static PINGS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^@[A-Za-z0-9._-]+( @[A-Za-z0-9._-]+)*$").unwrap());
static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"@[^\x{200B}]|@$").unwrap());
static PREFIX: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(> |- |[0-9]+\. |  )").unwrap());
static ITEM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[0-9]+\. ").unwrap());
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\[([^\[\]]*)\]\(([^()]*)\)").unwrap());
static SLACK_LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<([^<\|]+)\|([^>]+)>").unwrap());
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<[^ >]*@[^ >]*>").unwrap());

/// What somebody who reads a text gets to see of it, and what acted in it.
#[derive(Debug, Default)]
pub(in crate::destination::conformance) struct Seen {
    pub(in crate::destination::conformance) text: String,
    pub(in crate::destination::conformance) marks: usize,
    pub(in crate::destination::conformance) urls: Vec<String>,
    /// Lines that are quotes or items.
    pub(in crate::destination::conformance) lines: usize,
}

/// Panics unless the server takes the body whole and nothing acts in it but our own mark-up; whom it pings, and what is
/// to be seen.
pub(in crate::destination::conformance) fn check(body: &Value) -> (Vec<String>, Seen) {
    only(body, &["text", "attachments"]);
    let [attachment] = array(body, "attachments") else { panic!("one attachment") };
    only(attachment, &["fallback", "color", "title", "title_link", "text", "fields", "footer"]);
    assert!(COLOUR.is_match(text(attachment, "color")));
    assert!(!text(body, "text").is_empty());
    let (pings, rest) = leading_pings(text(body, "text"));
    let mut seen = Seen::default();
    let mut all = text(body, "text").encode_utf16().count();
    for (name, value) in attachment.as_object().unwrap() {
        match name.as_str() {
            "fallback" | "title" | "footer" => assert_plain(text(attachment, name)),
            "title_link" => assert_url(text(attachment, name), 3_000),
            _ => {}
        }
        all += value.as_str().map_or(0, |text| text.encode_utf16().count());
    }
    assert!(attachment.get("title_link").is_some() == attachment.get("title").is_some());
    read(rest, &mut seen);
    seen.text.push_str(attachment.get("title").and_then(Value::as_str).unwrap_or_default());
    if attachment.get("text").is_some() {
        seen.text.push('\n');
        read(text(attachment, "text"), &mut seen);
    }
    for field in attachment.get("fields").and_then(Value::as_array).into_iter().flatten() {
        only(field, &["title", "value", "short"]);
        assert_plain(text(field, "title"));
        assert!(field["short"].is_boolean());
        seen.text.extend(["\n", text(field, "title"), "\n"]);
        read(text(field, "value"), &mut seen);
        all += text(field, "title").encode_utf16().count() + text(field, "value").encode_utf16().count();
    }
    seen.text.push('\n');
    seen.text.push_str(attachment.get("footer").and_then(Value::as_str).unwrap_or_default());
    assert!(all < 4_500, "{all} characters");
    seen.text = seen.text.replace('\u{200B}', "").replace('‹', "<").replace('［', "[").replace('］', "]");
    (pings, seen)
}

/// The same for a message in its simplest form.
pub(in crate::destination::conformance) fn check_simplest(body: &Value) -> (Vec<String>, Seen) {
    only(body, &["text"]);
    let (pings, rest) = leading_pings(text(body, "text"));
    let (urls, lines): (Vec<&str>, Vec<&str>) =
        rest.split('\n').partition(|line| line.starts_with("https://") || line.starts_with("http://"));
    let mut seen = Seen::default();
    for url in urls {
        assert_url(url, 1_800);
        seen.urls.push(url.to_owned());
    }
    read(&lines.join("\n"), &mut seen);
    assert!(text(body, "text").encode_utf16().count() < 4_500);
    seen.text = seen.text.replace('\u{200B}', "").replace('‹', "<");
    (pings, seen)
}

fn leading_pings(text: &str) -> (Vec<String>, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if PINGS.is_match(first) {
        (first.split(' ').map(str::to_owned).collect(), rest)
    } else {
        (Vec::new(), text)
    }
}

/// Panics unless nobody is called by `text`.
fn assert_plain(text: &str) {
    assert_text(text, 4_500);
    assert!(!NAME.is_match(text) && !text.contains("<!"), "{text:?}");
}

/// Reads Markdown; panics if something acts that is none of our marks.
fn read(text: &str, seen: &mut Seen) {
    if text.is_empty() {
        return;
    }
    assert_plain(text);
    // Both are looked for before anything else, in code as well.
    assert!(!SLACK_LINK.is_match(text) && !ADDRESS.is_match(text), "{text:?}");
    let mut in_code = false;
    for line in text.split('\n') {
        if line == "```" {
            in_code = !in_code;
            continue;
        }
        if in_code {
            assert!(!line.contains("``"), "{text:?}");
            seen.text.push_str(line);
        } else {
            let prefix = PREFIX.find(line).map_or("", |found| found.as_str());
            seen.lines += usize::from(!prefix.is_empty());
            let line = line.strip_prefix(prefix).unwrap();
            let first = line.chars().next().unwrap_or('x');
            assert!(!first.is_whitespace() && !"-+=>|".contains(first), "{line:?} in {text:?}");
            assert!(!ITEM.is_match(line), "{line:?}");
            inline(line, seen);
        }
        seen.text.push('\n');
    }
    assert!(!in_code, "an open fence: {text:?}");
}

fn inline(line: &str, seen: &mut Seen) {
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        match c {
            '\\' if next == Some('\u{200B}') => seen.text.push(c),
            '\\' => {
                let escaped = rest.next().unwrap();
                assert!("*_`.~#".contains(escaped), "a backslash is seen before {escaped:?}: {line:?}");
                let after = rest.clone().next();
                assert!(!"~#".contains(escaped) || after == Some('\u{200B}'), "{line:?}");
                seen.text.push(escaped);
            }
            '`' => {
                let (code, after) = rest.as_str().split_once('`').expect("a closed span of code");
                seen.text.push_str(code);
                (seen.marks, rest) = (seen.marks + 1, after.chars());
            }
            '[' => {
                let Some(found) = LINK.captures(line.get(line.len() - rest.as_str().len() - 1..).unwrap())
                else {
                    seen.text.push(c);
                    continue;
                };
                assert_url(&found[2], 1_800);
                seen.urls.push(found[2].to_owned());
                inline(&found[1], seen);
                rest = rest.as_str()[found[0].len() - 1..].chars();
            }
            '*' | '_' | '~' => seen.marks += 1,
            ']' | '<' | '|' | '@' | ':' => {
                assert_eq!(next, Some('\u{200B}'), "{c} acts in {line:?}");
                seen.text.push(c);
            }
            '#' | '.' => panic!("{c} acts in {line:?}"),
            c => seen.text.push(c),
        }
    }
}
