//! The normalised fact: what happened, whichever tracker told it.
//!
//! Every text is empty where the tracker gave nothing, so that null, absent, `{}` and `""` are alike from here on. The
//! fields are those of the table in `docs/FIELDS.md`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::name::SourceName;

/// The trigger of an event of which nothing could be read but that it came.
pub const UNREADABLE: &str = "unreadable";

/// One thing that happened, as one source told it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The configured door it came through.
    pub source: SourceName,
    /// The product behind that door: `bugsnag` or `bugfender`; of what bugle says of itself, `bugle`.
    pub product: &'static str,
    /// What happened, in the tracker's own word; empty if it gave none.
    pub trigger: String,
    /// The tracker's own sentence about why it calls.
    pub reason: String,
    /// How bad it is.
    pub severity: Severity,
    /// The application it happened in.
    pub app: App,
    /// One line that names it: the error's class, or the title, or the reason.
    pub title: String,
    /// What the exception or the person says.
    pub text: String,
    /// This occurrence's own id in the tracker.
    pub id: String,
    /// When it happened, as the tracker writes it.
    pub at: String,
    /// The state of the error: open, fixed, closed, …
    pub status: String,
    /// What a colleague changed about the error's state.
    pub state: StateChange,
    /// Events in the spike.
    pub rate: String,
    /// The page in the tracker's dashboard; absolute http or https, else empty.
    pub url: String,
    /// The error, where there is one.
    pub error: ErrorFacts,
    /// The affected person.
    pub user: Person,
    /// The colleague who acted.
    pub actor: Person,
    /// The device it happened on.
    pub device: Device,
    /// The release that is announced.
    pub release: Release,
    /// Whether the tracker only tries whether its call arrives: the ping of its test button.
    pub test: bool,
    /// Whether bugle has asked the tracker for it, since no webhook had brought it.
    pub caught_up: bool,
    /// What a second arrival of the same event has in common with the first; none where that cannot be told.
    pub identity: Option<Identity>,
    /// The event's own element of the body, as it came.
    pub raw: String,
}

impl Event {
    /// An event of which nothing is known yet but where it came from and its raw element.
    pub fn blank(source: SourceName, product: &'static str, raw: &str) -> Self {
        Self {
            source,
            product,
            trigger: String::new(),
            reason: String::new(),
            severity: Severity::Info,
            app: App::default(),
            title: String::new(),
            text: String::new(),
            id: String::new(),
            at: String::new(),
            status: String::new(),
            state: StateChange::default(),
            rate: String::new(),
            url: String::new(),
            error: ErrorFacts::default(),
            user: Person::default(),
            actor: Person::default(),
            device: Device::default(),
            release: Release::default(),
            test: false,
            caught_up: false,
            identity: None,
            raw: raw.to_owned(),
        }
    }

    /// An event of which nothing could be read: its raw element is all there is.
    pub fn unreadable(source: SourceName, product: &'static str, raw: &str) -> Self {
        Self { trigger: UNREADABLE.to_owned(), ..Self::blank(source, product, raw) }
    }
}

/// How bad an event is. A word that bugle does not know is kept, can be matched, and is above and below nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
    /// A word that only the tracker knows.
    Other(String),
}

impl Severity {
    /// Reads a tracker's word; nothing for an empty one.
    pub fn read(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "" => None,
            "info" => Some(Self::Info),
            "warning" => Some(Self::Warning),
            "error" => Some(Self::Error),
            _ => Some(Self::Other(word.to_owned())),
        }
    }

    /// The word, as in rules and messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Other(word) => word,
        }
    }

    /// Its place in the order info < warning < error; none for a word that bugle does not know.
    pub fn rank(&self) -> Option<u8> {
        match self {
            Self::Info => Some(0),
            Self::Warning => Some(1),
            Self::Error => Some(2),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The application an event happened in.
#[derive(Debug, Clone, Default)]
pub struct App {
    /// What people call it.
    pub name: String,
    /// Its page in the tracker; absolute http or https, else empty.
    pub url: String,
    /// The release stage: production, staging, …
    pub stage: String,
    /// The version people see.
    pub version: String,
    /// The build number.
    pub build: String,
}

/// The error behind an event.
#[derive(Debug, Clone, Default)]
pub struct ErrorFacts {
    /// The group: the same error has the same id.
    pub id: String,
    /// The exception's class.
    pub class: String,
    /// Where in the code or app it happened.
    pub context: String,
    /// `true` or `false`; empty where not told.
    pub handled: String,
    /// The tracker's own count.
    pub occurrences: String,
    /// Affected users.
    pub users: String,
    /// When it was first seen, as the tracker writes it.
    pub first_seen: String,
    /// The request that caused it.
    pub request_url: String,
    /// The stack, innermost frame first.
    pub stack: Vec<Frame>,
    /// Further exceptions, in the order of causation.
    pub causes: Vec<Cause>,
    /// What happened before.
    pub breadcrumbs: Vec<Breadcrumb>,
    /// The issue in an issue tracker; both parts empty unless it has an address.
    pub linked_issue: LinkedIssue,
}

/// One line of a stack trace.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The file.
    pub file: String,
    /// The line in it.
    pub line: String,
    /// The column in that line.
    pub column: String,
    /// The method or function.
    pub method: String,
    /// Whether it is the project's own code; nothing where the tracker does not say.
    pub own: Option<bool>,
    /// Source lines around it: line number and text.
    pub code: Vec<(String, String)>,
}

/// An exception that led to another.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// Its class.
    pub class: String,
    /// Its message.
    pub message: String,
}

/// Something that happened before the error.
#[derive(Debug, Clone, Default)]
pub struct Breadcrumb {
    /// What.
    pub name: String,
    /// Of which kind.
    pub kind: String,
    /// When, as the tracker writes it.
    pub at: String,
}

/// An issue that somebody linked to the error.
#[derive(Debug, Clone, Default)]
pub struct LinkedIssue {
    /// Its id there.
    pub id: String,
    /// Its page; absolute http or https.
    pub url: String,
}

/// A person.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// What a colleague changed.
#[derive(Debug, Clone, Default)]
pub struct StateChange {
    /// fixed, reopened, snoozed, …
    pub change: String,
    /// The rule of a snooze, in words.
    pub snooze: String,
}

/// A device.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// What it is called, or its maker and model.
    pub name: String,
    /// The operating system.
    pub os: String,
    /// Its version.
    pub os_version: String,
    /// The language or locale.
    pub language: String,
}

/// An announced release.
#[derive(Debug, Clone, Default)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// Who made it.
    pub by: String,
    /// When, as the tracker writes it.
    pub at: String,
    /// The commit it was made of.
    pub commit: String,
    /// A page with what changed; absolute http or https, else empty.
    pub diff_url: String,
}

/// What tells a second arrival of the same event from a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// A digest of what makes the event itself.
    pub digest: [u8; 32],
    /// For how long a second arrival counts as the same; nothing: as long as identities are remembered.
    pub within: Option<Duration>,
}

impl Identity {
    /// The identity made of `parts`, in this order; nothing if the last part, the event's own id, is empty.
    pub fn of(parts: &[&str]) -> Option<Self> {
        parts.last().filter(|id| !id.is_empty())?;
        Some(Self { digest: digest(parts), within: None })
    }

    /// The identity of a body that only counts as the same for a while.
    pub fn of_body(source: &SourceName, raw: &str, within: Duration) -> Self {
        Self { digest: digest(&[source.as_str(), raw]), within: Some(within) }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(")?;
        self.digest.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "…, within {:?})", self.within)
    }
}

/// A digest of `parts` in which the borders between them count.
pub fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// The number of an event in the store. Written as the short id that stands in a message's footer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(pub i64);

/// No 0, 1, i, l, o, u: nothing that is read as something else, and no words.
const ALPHABET: &[u8; 30] = b"23456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0).unwrap_or(0);
        let mut letters = Vec::with_capacity(13);
        while rest > 0 || letters.len() < 4 {
            let digit = usize::try_from(rest % 30).unwrap_or(0);
            letters.push(ALPHABET.get(digit).copied().unwrap_or(b'2'));
            rest /= 30;
        }
        letters.iter().rev().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

/// Why a text is no short id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a short id has four or more of the letters and digits {}", String::from_utf8_lossy(ALPHABET))]
pub struct ShortIdError;

impl TryFrom<String> for EventId {
    type Error = ShortIdError;

    fn try_from(text: String) -> Result<Self, ShortIdError> {
        Self::parse(&text).ok_or(ShortIdError)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl EventId {
    /// Reads a short id as a person may write it: in capitals, with spaces or a `#` around it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('#').to_ascii_lowercase();
        if text.len() < 4 {
            return None;
        }
        let number = text.bytes().try_fold(0_i64, |number, letter| {
            let digit = ALPHABET.iter().position(|l| *l == letter)?;
            number.checked_mul(30)?.checked_add(i64::try_from(digit).ok()?)
        })?;
        Some(Self(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_reads_back() {
        for number in [0, 1, 29, 30, 810_000, 1_234_567_890_123, i64::MAX] {
            let text = EventId(number).to_string();
            assert!(text.len() >= 4, "{text}");
            assert_eq!(EventId::parse(&text), Some(EventId(number)));
            assert_eq!(EventId::parse(&format!(" #{} ", text.to_uppercase())), Some(EventId(number)));
        }
        assert_eq!(EventId::parse("2o22"), None);
        assert_eq!(EventId::parse("zzzzzzzzzzzzzzzzzzzz"), None);
    }

    #[test]
    fn an_identity_needs_the_events_own_id_and_minds_the_borders() {
        assert_eq!(Identity::of(&["a", ""]), None);
        assert_ne!(Identity::of(&["ab", "c"]), Identity::of(&["a", "bc"]));
    }

    #[test]
    fn severities_are_ordered_and_unknown_words_are_not() {
        let rank = |word| Severity::read(word).and_then(|severity| severity.rank());
        assert!(rank("info") < rank("warning") && rank("warning") < rank("error"));
        assert_eq!(rank("catastrophe"), None);
        assert_eq!(Severity::read("catastrophe").unwrap().as_str(), "catastrophe");
    }
}
