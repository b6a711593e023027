//! Where links lead: destinations put together from own text and values, and the words for one that is shown.

use std::ops::Range;

use url::Url;

use super::inline::Tally;
use crate::template::value::Piece;

/// The most characters that are shown of where a link leads.
const SHOWN: usize = 60;

/// The most of them that its host takes.
const HOST: usize = 40;

/// Whether a text is an absolute address of the web, the only kind that a link leads to.
pub(super) fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A link's destination. A value that is an address itself can start it; every other value is percent-encoded, so that
/// it stays within the part of the address that it stands in. Empty if a value leaves its part all the same.
pub(super) fn destination<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> (String, Tally) {
    let mut url = String::new();
    let mut tally = Tally::default();
    let mut values = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Own(text) => url.push_str(text),
            Piece::Value(value) => {
                tally = tally.and(Tally::of(value));
                let text = value.text.trim();
                if url.is_empty() && is_web(text) {
                    url.push_str(text);
                } else if !text.is_empty() {
                    let start = url.len();
                    encode(text, &mut url);
                    values.push(start..url.len());
                }
            }
        }
    }
    if values.iter().any(|value| is_astray(&url, value)) {
        url.clear();
    }
    (url, tally)
}

/// Whether a value, which stands at `value`, changes the meaning of what is before it, though no character of it could:
/// it goes on with the host's name, or is a step up in the path.
fn is_astray(url: &str, value: &Range<usize>) -> bool {
    let is_slash = |c: char| matches!(c, '/' | '\\');
    let path_end = url.find(['?', '#']).unwrap_or(url.len());
    let (Some(before), Some(after)) = (url.get(..value.start), url.get(value.end..path_end)) else {
        return false;
    };
    let host = before.split_once(':').map_or("", |(_, rest)| rest.trim_start_matches(is_slash));
    if !host.contains(is_slash) {
        let is_last = after.chars().next().is_none_or(is_slash);
        return is_last && !host.is_empty() && !host.contains(':');
    }
    let start = before.rfind(is_slash).map_or(0, |slash| slash + 1);
    let end = after.find(is_slash).map_or(path_end, |slash| value.end + slash);
    let segment = url.get(start..end).unwrap_or_default().to_ascii_lowercase().replace("%2e", ".");
    matches!(segment.as_str(), "." | "..")
}

fn encode(text: &str, out: &mut String) {
    let hex = |digit: u8| char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

/// Where a link leads, as a reader wants to know it before following: host and path, shortened. Nothing if its words
/// are that address themselves, or if it leads nowhere.
pub(super) fn target(url: &str, words: &str) -> Option<String> {
    let parsed = Url::parse(url).ok().filter(|_| is_web(url))?;
    let bare = |text: &str| {
        let text = text.trim();
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.strip_suffix('/').unwrap_or(text).to_owned()
    };
    if bare(words) == bare(url) {
        return None;
    }
    let mut shown = host(parsed.host_str()?);
    if let Some(port) = parsed.port() {
        shown.push(':');
        shown.push_str(&port.to_string());
    }
    let path = parsed.path();
    shown.push_str(path.strip_suffix('/').unwrap_or(path));
    let whole = parsed.query().is_none() && parsed.fragment().is_none();
    if shown.chars().count() > SHOWN || !whole {
        shown = shown.chars().take(SHOWN - 1).chain(['…']).collect();
    }
    Some(shown)
}

/// A host, its start left out if it is long: its end says whose it is.
fn host(name: &str) -> String {
    let length = name.chars().count();
    if length <= HOST {
        return name.to_owned();
    }
    ['…'].into_iter().chain(name.chars().skip(length + 1 - HOST)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::value::{mark, unmark};

    #[test]
    fn a_value_leads_where_it_says_or_stays_within_its_part() {
        let built = |rendered: &str| {
            let marked = unmark(rendered).unwrap();
            destination(marked.pieces(&marked.text)).0
        };
        let url = mark(" https://a.example/?q=1#x ");
        assert_eq!(built(&url), "https://a.example/?q=1#x");
        assert_eq!(built(&format!("{url}&tab=2")), "https://a.example/?q=1#x&tab=2");
        assert_eq!(
            built(&format!("https://b.example/{url}/ü{}", mark("ü/../a b&c?d#e%41-._~"))),
            "https://b.example/https%3A%2F%2Fa.example%2F%3Fq%3D1%23x/ü%C3%BC%2F..%2Fa%20b%26c%3Fd%23e%2541-._~"
        );
        assert_eq!(
            built(&format!("https://{}.b.example", mark("evil.example/"))),
            "https://evil.example%2F.b.example"
        );
        assert_eq!(built(&mark("javascript:alert(1)")), "javascript%3Aalert%281%29");
        assert_eq!(built(""), "");
        for (before, value, after) in [
            ("https://a.example/x/", "..", ""),
            ("https://a.example/x/", ".", "/y"),
            ("https://a.example/x/.", ".", "?q"),
            ("https://a.example/%2E", ".", "#f"),
            ("https://bugsnag.com", ".evil.example", ""),
            ("https://bugsnag.com", "x", "/y"),
            ("HTTPS:bugsnag.com", "x", "?y"),
        ] {
            assert_eq!(built(&format!("{before}{}{after}", mark(value))), "", "{before}{value}{after}");
        }
        for (before, value, after) in [
            ("https://a.example/x/", "...", ""),
            ("https://a.example/v", "..", "/y"),
            ("https://a.example/?q=", "..", ""),
            ("https://a.example/x?y=/", "..", ""),
            ("https://a.example:", "8080", "/"),
            ("https://", "a.example", "/x"),
            ("https://a.example", "", "/x"),
        ] {
            let whole = format!("{before}{value}{after}");
            assert_eq!(built(&format!("{before}{}{after}", mark(value))), whole);
        }
    }

    #[test]
    fn only_absolute_addresses_of_the_web_are_links() {
        for web in ["https://a.example", "http://a.example/x y", "HTTPS://A.example"] {
            assert!(is_web(web), "{web}");
        }
        for other in [
            "",
            "a.example",
            "/x",
            "//a.example",
            "javascript:alert(1)",
            "mailto:a@b.example",
            "data:,x",
            "ftp://a.example",
        ] {
            assert!(!is_web(other), "{other}");
        }
        assert!(!is_web("https://evil.example%2F.b.example"), "a value does not leave its part of the host");
    }

    #[test]
    fn a_target_is_shown_unless_the_words_are_it() {
        let shown = |url: &str, words: &str| target(url, words);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(shown("https://a.example/x", "here"), some("a.example/x"));
        assert_eq!(shown("https://a.example/", "bugsnag.com"), some("a.example"));
        assert_eq!(shown("https://bugsnag.com@a.example:8443/", "bugsnag.com"), some("a.example:8443"));
        assert_eq!(shown("https://a.example/x?secret=1", "here"), some("a.example/x…"));
        assert_eq!(shown("https://a.example/x/", "a.example/x"), None);
        assert_eq!(shown("https://a.example/x", "https://a.example/x"), None);
        assert_eq!(shown("javascript:alert(1)", "here"), None);
        assert_eq!(shown("https://аpple.com/", "here"), some("xn--pple-43d.com"));
        let long =
            shown(&format!("https://bugsnag.com.{}.evil.example/{}", "a".repeat(60), "b".repeat(90)), "here");
        let long = long.unwrap();
        assert_eq!(long.chars().count(), 60);
        assert!(
            long.starts_with("…aaa") && long.contains(".evil.example/bbb") && long.ends_with("b…"),
            "{long}"
        );
    }
}
