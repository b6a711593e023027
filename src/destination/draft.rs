//! A message made ready to be laid out: every text cleaned, nothing required blank, the grid within its ten fields.
//!
//! What all platforms need alike is done here once; the limits and the form are each platform's own.

use serde_json::Value;
use url::{Host, Position, Url};

use crate::message::{Message, Tone};
use crate::text::{NOTE, Place, Room, clean, is_blank, left_out, one_line, or_none};

/// The most fields that a grid shows; what is beyond is counted, not shown.
const FIELDS: usize = 10;

/// A message, cleaned but not yet cut or escaped.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its colour and emoji.
    pub(super) tone: Tone,
    /// The small line above the title, with the emoji before it.
    pub(super) lead: String,
    /// Never blank.
    pub(super) title: String,
    /// Where the title leads; empty if nowhere.
    pub(super) url: String,
    /// May be empty, may have several lines, has none at its ends.
    pub(super) text: String,
    /// Label and value, neither blank.
    pub(super) fields: Vec<(String, String)>,
    /// How many fields there were beyond those.
    pub(super) more_fields: usize,
    /// Lines of code, the most important first.
    pub(super) code: Vec<String>,
    /// Words and address. The words are never blank.
    pub(super) links: Vec<(String, String)>,
    /// May be empty.
    pub(super) footer: String,
    /// The message in one line, with the emoji before it.
    pub(super) summary: String,
}

impl Draft {
    /// Makes `message` ready.
    pub(super) fn of(message: &Message) -> Self {
        let emoji = message.tone.emoji();
        let summary = first_seen(&[&message.summary, &message.title, &message.lead]);
        let lead = one_line(&message.lead);
        let lead = if is_blank(&lead) { emoji.to_owned() } else { format!("{emoji} {lead}") };
        let shown = message.fields.iter().take(FIELDS);
        Self {
            tone: message.tone,
            lead,
            title: first_seen(&[&message.title, &message.summary]),
            url: message.url.clone(),
            text: block(&message.text),
            fields: shown.map(|f| (or_none(one_line(&f.label)), or_none(one_line(&f.value)))).collect(),
            more_fields: message.fields.len().saturating_sub(FIELDS),
            code: code(&message.code),
            links: message
                .links
                .iter()
                .map(|link| (words_for(&link.label, &link.url), link.url.clone()))
                .collect(),
            footer: seen(one_line(&message.footer)),
            summary: format!("{emoji} {summary}"),
        }
    }
}

/// How a platform writes the links beside the title's.
#[derive(Debug)]
pub(super) struct LinkForm {
    /// Where their words stand.
    pub(super) place: Place,
    /// The most that the words of one may measure.
    pub(super) words: usize,
    /// The address as it is written; nothing if the platform does not take it.
    pub(super) address: fn(&str) -> Option<String>,
    /// What the mark-up around one link comes to.
    pub(super) around: usize,
}

impl Draft {
    /// The links as they are written, words and address, as far as `most` of `room` goes; and a note of those beyond.
    pub(super) fn links_within(
        &self,
        room: &mut Room,
        most: usize,
        form: &LinkForm,
    ) -> (Vec<(String, String)>, String) {
        if self.links.is_empty() {
            return (Vec::new(), String::new());
        }
        let mut part = room.part(most);
        let before = part.left();
        part.take(NOTE);
        let mut shown = Vec::new();
        let mut missing = 0;
        for (words, url) in &self.links {
            let Some(address) = (form.address)(url) else { continue };
            let words = form.place.end(words, form.words);
            if part.take(form.place.count(&words) + address.len() + form.around) {
                shown.push((words, address));
            } else {
                missing += 1;
            }
        }
        room.take(before - part.left());
        (shown, if missing > 0 { left_out(missing, "link") } else { String::new() })
    }
}

/// The first of `texts`, in one line, of which something can be seen.
fn first_seen(texts: &[&str]) -> String {
    let line = texts.iter().map(|text| one_line(text)).find(|line| !is_blank(line));
    or_none(line.unwrap_or_default())
}

fn seen(text: String) -> String {
    if is_blank(&text) { String::new() } else { text }
}

fn block(text: &str) -> String {
    seen(clean(text).trim_matches(char::is_whitespace).to_owned())
}

fn code(code: &[String]) -> Vec<String> {
    let lines = code
        .iter()
        .flat_map(|code| clean(code).lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>());
    let lines: Vec<String> = lines.collect();
    if lines.iter().all(|line| is_blank(line)) { Vec::new() } else { lines }
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
    use crate::message::{Field, Link};

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

    #[test]
    fn nothing_required_is_blank() {
        let field = Field { label: "\u{200B}".into(), value: " \u{FEFF}".into() };
        let links = vec![Link { label: " ".into(), url: "https://a.example/x".into() }];
        let draft = Draft::of(&Message {
            fields: vec![field; 12],
            links,
            footer: "\u{2800}".into(),
            ..Message::default()
        });
        assert_eq!(
            (draft.title.as_str(), draft.lead.as_str(), draft.summary.as_str()),
            ("(none)", "⚪", "⚪ (none)")
        );
        assert_eq!(draft.fields, vec![("(none)".to_owned(), "(none)".to_owned()); 10]);
        assert_eq!((draft.more_fields, draft.footer.as_str()), (2, ""));
        assert_eq!(draft.links, [("a.example".to_owned(), "https://a.example/x".to_owned())]);
    }
}
