//! A platform's answer, as far as it was read, and the waits that it asks for.
//!
//! Each platform keeps its refusals as a table of [`Row`]s; what all have in common is settled here. No word of an
//! answer is passed on before anything that could be the destination's address is taken out of it.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Moment;
use crate::delivery::{Outcome, Reason, Verdict};
use crate::text::one_line;

/// The shortest and the longest wait that we believe a platform.
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_hours(24);

/// How many characters of a platform's words are kept.
const WORDS: usize = 200;

/// What came back from a platform.
#[derive(Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: String,
    /// Whether the body was read to its end, or to our limit; not, if the connection broke in it.
    pub complete: bool,
    /// When it arrived: an HTTP date counts from here.
    pub at: Moment,
}

impl fmt::Debug for Reply {
    /// Without headers and body: either could repeat the address that was called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("complete", &self.complete)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What a status says by itself, whichever platform it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// 2xx: taken, unless the body says otherwise.
    Taken,
    /// 429.
    TooMany,
    /// 4xx: the platform's table tells what it refuses.
    Refusal,
    /// Settled already.
    Settled(Outcome, Reason),
}

impl Reply {
    /// What the status says.
    pub(super) fn class(&self) -> Class {
        match self.status {
            200..=299 if self.complete => Class::Taken,
            300..=399 => Class::Settled(Outcome::Passing, Reason::Redirected),
            408 | 500..=599 => Class::Settled(Outcome::Passing, Reason::ServerError),
            429 => Class::TooMany,
            400..=499 => Class::Refusal,
            _ => Class::Settled(Outcome::Unclear, Reason::UnreadableAnswer),
        }
    }

    /// The value of a header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// A header that is a plain number of seconds.
    pub(super) fn seconds(&self, name: &str) -> Option<f64> {
        plain_number(self.header(name)?)
    }

    /// The wait that `Retry-After` asks for: whole seconds, a fraction, or an HTTP date.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?;
        plain_number(value).map_or_else(|| self.until(value), bounded)
    }

    /// By the platform's own clock where it tells the time: ours may be ahead of it.
    fn until(&self, date: &str) -> Option<Duration> {
        let now = self.told_time().unwrap_or(self.at);
        Some(moment(date)?.since(now).clamp(SHORTEST, LONGEST))
    }

    /// What time it was at the platform when it answered, if it says so; to the second.
    pub fn told_time(&self) -> Option<Moment> {
        self.header("date").and_then(moment)
    }

    /// Whether the body is a page for people, which no webhook answers with.
    pub(super) fn is_page(&self) -> bool {
        self.body.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']).starts_with('<')
    }

    /// The verdict, with the platform's `words`, or ours where it has none.
    pub(super) fn verdict(&self, outcome: Outcome, reason: Reason, words: &str) -> Verdict {
        let words = match harmless(words) {
            words if words.is_empty() => own_words(self.status, reason),
            words => words,
        };
        Verdict { status: Some(self.status), ..Verdict::new(outcome, reason, words) }
    }
}

/// An HTTP date.
fn moment(date: &str) -> Option<Moment> {
    let date = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(date.as_millis()).ok().map(Moment)
}

/// `seconds` as a wait, within what we believe; nothing for what is no time at all.
pub(super) fn bounded(seconds: f64) -> Option<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    let seconds = seconds.min(LONGEST.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.clamp(SHORTEST, LONGEST))
}

/// Digits with at most one point: not the signs, exponents and words that a float may have elsewhere.
fn plain_number(text: &str) -> Option<f64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    text.parse().ok()
}

/// One row of a platform's table of refusals. Rows are read from the top; the first that fits counts.
#[derive(Debug)]
pub(super) struct Row {
    /// The status it is for; nothing: any.
    pub(super) status: Option<u16>,
    /// The platform's code it is for; nothing: any.
    pub(super) code: Option<&'static str>,
    /// What such an answer means for the delivery.
    pub(super) outcome: Outcome,
    /// Why.
    pub(super) reason: Reason,
}

impl Row {
    /// A row for a code, whatever the status.
    pub(super) const fn code(code: &'static str, outcome: Outcome, reason: Reason) -> Self {
        Self { status: None, code: Some(code), outcome, reason }
    }

    /// A row for a status, whatever the code.
    pub(super) const fn status(status: u16, outcome: Outcome, reason: Reason) -> Self {
        Self { status: Some(status), code: None, outcome, reason }
    }

    /// A row for a code that means something only with this status.
    pub(super) const fn both(status: u16, code: &'static str, outcome: Outcome, reason: Reason) -> Self {
        Self { status: Some(status), code: Some(code), outcome, reason }
    }

    fn fits(&self, status: u16, code: &str) -> bool {
        self.status.is_none_or(|own| own == status) && self.code.is_none_or(|own| own == code)
    }
}

/// What `table` says of an answer, if it knows it.
pub(super) fn known(table: &[Row], status: u16, code: &str) -> Option<(Outcome, Reason)> {
    table.iter().find(|row| row.fits(status, code)).map(|row| (row.outcome, row.reason))
}

/// What `table` says of a refusal; one that it does not know is refused all the same.
pub(super) fn refusal(table: &[Row], status: u16, code: &str) -> (Outcome, Reason) {
    known(table, status, code).unwrap_or((Outcome::Refused, Reason::OtherRefusal))
}

fn own_words(status: u16, reason: Reason) -> String {
    match reason {
        Reason::Ok => "taken".to_owned(),
        Reason::Redirected => format!("answered {status}, a redirect, which is not followed"),
        Reason::UnreadableAnswer => format!("answered {status} with a body that says neither yes nor no"),
        _ => format!("answered {status} without a word"),
    }
}

/// A platform's `words` in a short line, without anything that could be an address or a token.
pub(super) fn harmless(words: &str) -> String {
    without_addresses(&one_line(words))
}

/// A line from outside, shortened, without anything that could be an address or a token. A page of HTML says nothing.
fn without_addresses(line: &str) -> String {
    if line.starts_with('<') {
        return String::new();
    }
    let mut words = String::new();
    for word in line.split(' ') {
        let word = if may_be_secret(word) { "[address]" } else { word };
        if words.chars().count() + word.chars().count() + 1 > WORDS {
            words.push('…');
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// Whether a word looks like an address, a path of one, or a token: better one word too many than the secret.
fn may_be_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    lower.contains("//")
        || lower.contains("%2f")
        || lower.contains("www.")
        || lower.contains("sig=")
        || lower.matches('/').count() > 1
        || word.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').any(looks_random)
}

fn looks_random(run: &str) -> bool {
    let has = |test: fn(&u8) -> bool| run.bytes().any(|byte| test(&byte));
    run.len() >= 20 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, retry_after: &str) -> Reply {
        let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
        // Sun, 06 Nov 1994 08:49:37 GMT
        Reply { status, headers, body: String::new(), complete: true, at: Moment(784_111_777_000) }
    }

    #[test]
    fn a_wait_is_seconds_a_fraction_or_a_date_and_within_bounds() {
        let wait = |value| reply(429, value).retry_after().map(|wait| wait.as_millis());
        assert_eq!(wait("30"), Some(30_000));
        assert_eq!(wait(" 1.5 "), Some(1_500));
        assert_eq!(wait("0"), Some(50));
        assert_eq!(wait("999999999999"), Some(86_400_000));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30_000));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(50));
        for unreadable in ["", "-1", "NaN", "inf", "soon", "1e3", "1.2.3", "."] {
            assert_eq!(wait(unreadable), None, "{unreadable}");
        }
    }

    #[test]
    fn words_are_one_short_line_without_addresses() {
        let words = |text: &str| reply(400, "").verdict(Outcome::Refused, Reason::OtherRefusal, text).words;
        assert_eq!(words("invalid_blocks"), "invalid_blocks");
        assert_eq!(words("no\r\nservice\u{202E}"), "no service");
        assert_eq!(
            words("not at https://hooks.slack.com/services/T0/B0/secret, sorry"),
            "not at [address] sorry"
        );
        assert_eq!(words("POST /api/webhooks/123/abc"), "POST [address]");
        assert_eq!(words("token AbCdEfGhIjKlMnOpQrStUv0"), "token [address]");
        assert_eq!(
            words("missing_text_or_fallback_or_attachments"),
            "missing_text_or_fallback_or_attachments"
        );
        assert_eq!(words("<html><a href='https://x.example'>no</a></html>"), "answered 400 without a word");
        assert_eq!(words(""), "answered 400 without a word");
        assert!(words(&"word ".repeat(1_000)).chars().count() <= 201);
        assert!(words(&"x".repeat(1_000)).chars().count() <= 201);
    }

    #[test]
    fn debug_shows_neither_headers_nor_body() {
        let mut reply = reply(200, "hunter2");
        reply.body = "hunter3".to_owned();
        assert!(!format!("{reply:?}").contains("hunter"));
    }
}
