//! What keeps a burst of events from becoming a burst of messages: which events are more of the same, for how long they
//! are only counted, and when what waits is told together. Pure: no I/O, no clock.
//!
//! Two things hold messages back. After a message about an error was posted, a *window* is open in which more of the same is
//! only counted; at its end one message says how many there were. And when more waits for a destination than can be posted
//! soon, a *digest* tells of all of it together.

use std::time::Duration;

use crate::clock::Moment;
use crate::event::{Event, digest};

/// What a destination's configuration says of floods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodControl {
    /// How long the first window of an error is; nothing: every event is a message of its own.
    pub collapse: Option<Duration>,
    /// When more than this many wait, they become a digest; nothing: never.
    pub digest_over: Option<u32>,
}

impl Default for FloodControl {
    fn default() -> Self {
        Self { collapse: Some(Duration::from_mins(10)), digest_over: Some(10) }
    }
}

impl FloodControl {
    /// Every event is a message of its own.
    pub const OFF: Self = Self { collapse: None, digest_over: None };

    /// The window that follows one of the length `span` in which there was more of the same: twice as long, up to an hour.
    /// Nothing, if the configuration has none any more.
    pub fn next_window(&self, span: Duration) -> Option<Duration> {
        let first = self.collapse?;
        Some(span.saturating_mul(2).clamp(first, first.max(LONGEST_WINDOW)))
    }
}

/// No window grows beyond this, unless its first is longer already.
const LONGEST_WINDOW: Duration = Duration::from_hours(1);

/// Windows that would end within this part of their length are ended with one that ends, so that they are told together.
pub const ENDS_TOGETHER: u32 = 4;

/// Urgent messages to a destination that go one by one, within [`URGENT_WITHIN`]; what is urgent beyond them is gathered.
pub const URGENT_ONE_BY_ONE: u32 = 5;

/// The span in which urgent messages are counted, and in which no digest mentions again whom another has mentioned.
pub const URGENT_WITHIN: Duration = Duration::from_mins(5);

/// For how long after a tracker has called a project spiking its events are gathered sooner.
pub const SPIKING: Duration = Duration::from_mins(10);

/// When nothing waits at the moment at which the next digest may follow, nor for this long after it, the burst is over.
pub const SILENCE: Duration = Duration::from_secs(20);

/// The pause after the `digests`-th digest of a burst before the next: ever longer, as whoever reads them has heard.
pub fn pause(digests: u32, urgent: bool) -> Duration {
    let step = Duration::from_secs(20);
    let longest = if urgent { Duration::from_mins(1) } else { Duration::from_mins(10) };
    step.saturating_mul(3_u32.saturating_pow(digests.saturating_sub(1))).min(longest)
}

/// What the events of one error have in common: source, application, stage, error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorKey(pub [u8; 16]);

impl ErrorKey {
    /// The key of `event`, if it tells that an error has happened, or that a project is spiking. Without the error's id
    /// there is none: never losing beats never repeating.
    pub fn of(event: &Event) -> Option<Self> {
        let Event { source, app, error, .. } = event;
        let whole = if is_spike(event.product, &event.trigger) {
            // Of fewer parts than an error's: no id can make one look like the other.
            digest(&[source.as_str(), &app.name])
        } else if OCCURRENCES.contains(&event.trigger.as_str()) && !error.id.is_empty() {
            digest(&[source.as_str(), &app.name, &app.stage, &error.id])
        } else {
            return None;
        };
        let mut key = [0; 16];
        key.copy_from_slice(whole.split_at(16).0);
        Some(Self(key))
    }
}

/// The triggers, of whichever tracker, by which it tells that an error has happened, once or several times.
pub const OCCURRENCES: [&str; 7] =
    ["firstException", "powerTen", "exception", "reopened", "errorEventFrequency", "crash", "issue"];

/// Whether an event of this kind tells that a project has far more errors than usual.
pub fn is_spike(product: &str, trigger: &str) -> bool {
    (product, trigger) == ("bugsnag", "projectSpiking")
}

/// Whether `event` is only counted while the window of its error is open.
pub fn is_collapsible(event: &Event) -> bool {
    let is_repetition = matches!(
        (event.product, event.trigger.as_str()),
        ("bugsnag", "exception" | "projectSpiking") | ("bugfender", "crash" | "issue")
    );
    is_repetition && !event.test
}

/// How a message tells of several events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All that waited.
    Digest,
    /// How much more there was of what had been told.
    More,
}

impl Told {
    /// The word in the store, and the name of the template.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::More => "more",
        }
    }

    /// Reads the word in the store.
    pub fn read(word: &str) -> Option<Self> {
        [Self::Digest, Self::More].into_iter().find(|told| told.as_str() == word)
    }
}

/// Errors that a digest names, each with a line of its own.
pub const NAMED: usize = 10;

/// What else a digest gives a line of its own: comments, feedback, releases and the like.
pub const NOTICES: usize = 10;

/// All that one message has to tell which stands for several.
#[derive(Debug, Clone)]
pub struct Gathering {
    /// How it tells of them.
    pub told: Told,
    /// Whether it went ahead of everything that was not urgent.
    pub urgent: bool,
    /// Events in all.
    pub count: u64,
    /// How many of them no webhook had brought.
    pub caught_up: u64,
    /// How many of each severity, the worst first.
    pub severities: Vec<(String, u64)>,
    /// When the first and the last of them came.
    pub first_at: Moment,
    /// See [`Gathering::first_at`].
    pub last_at: Moment,
    /// The errors that it names, the worst first.
    pub errors: Vec<Kindred>,
    /// Different errors beyond those.
    pub more_errors: u64,
    /// What tells of no error happening, in the order of arrival.
    pub notices: Vec<Event>,
    /// How much more there is of that.
    pub more_notices: u64,
}

/// Events of one error.
#[derive(Debug, Clone)]
pub struct Kindred {
    /// The last of them.
    pub event: Event,
    /// The severity of the worst.
    pub severity: String,
    /// What happened, in the tracker's words, each once.
    pub triggers: Vec<String>,
    /// How many there are.
    pub count: u64,
    /// When the first of them came.
    pub first_at: Moment,
    /// When the last of them came.
    pub last_at: Moment,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{App, ErrorFacts};
    use crate::name::SourceName;

    fn event(product: &'static str, trigger: &str, parts: [&str; 4]) -> Event {
        let [source, app, stage, error] = parts.map(str::to_owned);
        Event {
            trigger: trigger.into(),
            app: App { name: app, stage, ..App::default() },
            error: ErrorFacts { id: error, ..ErrorFacts::default() },
            ..Event::blank(SourceName::new(&source).unwrap(), product, "{}")
        }
    }

    const WHERE: [&str; 4] = ["backend", "Shop", "production", "e1"];

    #[test]
    fn what_tells_that_an_error_has_happened_has_its_key() {
        let key = |trigger| ErrorKey::of(&event("bugsnag", trigger, WHERE));
        let first = key("firstException").unwrap();
        for trigger in ["exception", "powerTen", "reopened", "errorEventFrequency"] {
            assert_eq!(key(trigger), Some(first), "{trigger}");
        }
        for trigger in
            ["comment", "errorStateManualChange", "release", "projectSamplingStarted", "new one", ""]
        {
            assert_eq!(key(trigger), None, "{trigger}");
        }
        assert_eq!(ErrorKey::of(&event("bugsnag", "exception", ["backend", "Shop", "production", ""])), None);
        let spike = ErrorKey::of(&event("bugsnag", "projectSpiking", ["backend", "Shop", "", ""]));
        assert_eq!(key("projectSpiking"), spike, "whichever error is most of it");
        assert_ne!(spike, Some(first));
    }

    #[test]
    fn only_repetitions_are_collapsed() {
        let is = |product, trigger| is_collapsible(&event(product, trigger, WHERE));
        for (product, trigger) in [
            ("bugsnag", "exception"),
            ("bugsnag", "projectSpiking"),
            ("bugfender", "crash"),
            ("bugfender", "issue"),
        ] {
            assert!(is(product, trigger), "{trigger}");
        }
        for (product, trigger) in [
            ("bugsnag", "firstException"),
            ("bugsnag", "powerTen"),
            ("bugsnag", "reopened"),
            ("bugsnag", "errorEventFrequency"),
            ("bugsnag", "comment"),
            ("bugsnag", "release"),
            ("bugfender", "feedback"),
            ("bugle", "exception"),
        ] {
            assert!(!is(product, trigger), "{trigger}");
        }
        assert!(!is_collapsible(&Event { test: true, ..event("bugsnag", "exception", WHERE) }));
    }

    #[test]
    fn pauses_widen_and_stay_short_for_what_is_urgent() {
        let seconds = |urgent| [1, 2, 3, 4, 5, 1_000_000].map(|digests| pause(digests, urgent).as_secs());
        assert_eq!(seconds(false), [20, 60, 180, 540, 600, 600]);
        assert_eq!(seconds(true), [20, 60, 60, 60, 60, 60]);
    }

    #[test]
    fn windows_double_up_to_an_hour_or_stay_as_long_as_the_first() {
        let after = |collapse: u64, span: u64| {
            let control = FloodControl { collapse: Some(Duration::from_mins(collapse)), digest_over: None };
            control.next_window(Duration::from_mins(span)).unwrap().as_secs() / 60
        };
        assert_eq!([after(10, 10), after(10, 20), after(10, 40), after(10, 60)], [20, 40, 60, 60]);
        assert_eq!([after(120, 120), after(5, 60), after(30, 10)], [120, 60, 30]);
        assert_eq!(FloodControl::OFF.next_window(Duration::from_mins(10)), None);
    }

    proptest! {
        #[test]
        fn keys_are_the_same_only_for_the_same(
            one in prop::array::uniform3("[a-c]{0,2}"), other in prop::array::uniform3("[a-c]{0,2}"),
        ) {
            let key = |parts: &[String; 3]| {
                ErrorKey::of(&event("bugsnag", "exception", ["backend", &parts[0], &parts[1], &parts[2]]))
            };
            let (first, second) = (key(&one), key(&other));
            prop_assert_eq!(first.is_none(), one[2].is_empty());
            if first.is_some() && second.is_some() {
                prop_assert_eq!(first == second, one == other);
            }
        }
    }
}
