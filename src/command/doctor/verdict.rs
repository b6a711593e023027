//! What was looked at and what it was like, as people and programs read it.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::command::listing::{counted, cut};

/// What something is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// As it should be.
    Ok,
    /// Nobody can tell from here.
    Unknown,
    /// Messages come, but somebody should look after it.
    Warning,
    /// Messages do not come, or something is open that must not be.
    Broken,
}

impl Health {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// What is looked at, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Configuration,
    Secrets,
    Store,
    Server,
    PublicAddress,
    Clock,
    Sources,
    Destinations,
}

impl Part {
    const ALL: [Self; 8] = [
        Self::Configuration,
        Self::Secrets,
        Self::Store,
        Self::Server,
        Self::PublicAddress,
        Self::Clock,
        Self::Sources,
        Self::Destinations,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Secrets => "secrets",
            Self::Store => "store",
            Self::Server => "server",
            Self::PublicAddress => "public_address",
            Self::Clock => "clock",
            Self::Sources => "sources",
            Self::Destinations => "destinations",
        }
    }
}

/// The longest line that is shown of anything.
const LINE: usize = 1_000;

/// One look at one thing. Whatever text is in it is one line that no terminal acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) part: Part,
    pub(super) about: String,
    pub(super) health: Health,
    pub(super) words: String,
    pub(super) help: Option<String>,
}

impl Check {
    /// `about` is as it should be.
    pub(super) fn ok(part: Part, about: &str, words: &str) -> Self {
        let [about, words] = [about, words].map(|text| cut(text, LINE));
        Self { part, about, health: Health::Ok, words, help: None }
    }

    /// `about` is not as it should be, or nobody can tell; `help` says what to do.
    pub(super) fn not_ok(part: Part, about: &str, health: Health, words: &str, help: &str) -> Self {
        Self { health, help: Some(cut(help, LINE)), ..Self::ok(part, about, words) }
    }

    fn as_json(&self) -> Value {
        let Self { part, about, health, words, help } = self;
        json!({
            "check": part.as_str(),
            "about": about,
            "verdict": health.as_str(),
            "words": words,
            "help": help,
        })
    }
}

/// The worst of all; what nobody can tell makes nothing worse.
pub(super) fn worst(checks: &[Check]) -> Health {
    let healths = checks.iter().map(|check| check.health).filter(|health| *health != Health::Unknown);
    healths.max().unwrap_or(Health::Ok)
}

/// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
pub(super) fn as_json(checks: &[Check]) -> Value {
    let all: Vec<Value> = ordered(checks).map(Check::as_json).collect();
    json!({ "verdict": worst(checks).as_str(), "checks": all })
}

/// Writes all of it, group by group, and a last line that sums it up.
pub(super) fn tell(out: &mut dyn Write, checks: &[Check]) -> io::Result<()> {
    for part in Part::ALL {
        let mut checks = checks.iter().filter(|check| check.part == part).peekable();
        if checks.peek().is_some() {
            writeln!(out, "{}", part.as_str().replace('_', " "))?;
        }
        for Check { about, health, words, help, .. } in checks {
            writeln!(out, "  {:<8} {about}: {words}", health.as_str())?;
            if let Some(help) = help {
                writeln!(out, "           → {help}")?;
            }
        }
    }
    writeln!(out, "\n{}", summary(checks))
}

fn ordered(checks: &[Check]) -> impl Iterator<Item = &Check> {
    Part::ALL.into_iter().flat_map(|part| checks.iter().filter(move |check| check.part == part))
}

fn summary(checks: &[Check]) -> String {
    let count = |health| {
        let count = checks.iter().filter(|check| check.health == health).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let mut parts = Vec::new();
    if count(Health::Broken) > 0 {
        parts.push(format!("{} broken", count(Health::Broken)));
    }
    if count(Health::Warning) > 0 {
        parts.push(counted(count(Health::Warning), "warning"));
    }
    if count(Health::Unknown) > 0 {
        parts.push(format!("{} unknown", count(Health::Unknown)));
    }
    parts.push(format!("{} ok", count(Health::Ok)));
    let verdict = match worst(checks) {
        Health::Broken => "Something is broken",
        Health::Warning => "Nothing is broken, but something needs looking after",
        Health::Ok | Health::Unknown => "Nothing is broken",
    };
    format!("{verdict}: {}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(health: Health) -> Check {
        Check { health, ..Check::ok(Part::Store, "it", "words") }
    }

    #[test]
    fn the_whole_is_as_bad_as_its_worst_part_and_what_is_unknown_is_not_bad() {
        use Health::{Broken, Ok, Unknown, Warning};
        for (healths, worst_of, last) in [
            (&[][..], Ok, "Nothing is broken: 0 ok."),
            (&[Ok, Unknown], Ok, "Nothing is broken: 1 unknown, 1 ok."),
            (
                &[Ok, Warning, Unknown],
                Warning,
                "Nothing is broken, but something needs looking after: 1 warning, 1 unknown, 1 ok.",
            ),
            (&[Warning, Broken, Warning], Broken, "Something is broken: 1 broken, 2 warnings, 0 ok."),
        ] {
            let checks: Vec<_> = healths.iter().copied().map(check).collect();
            assert_eq!((worst(&checks), summary(&checks).as_str()), (worst_of, last));
        }
    }

    #[test]
    fn no_text_from_elsewhere_acts_on_a_terminal_or_makes_a_line_of_its_own() {
        let words = "a\u{1b}[2Jb\nok c\u{202E}";
        let check = Check::not_ok(Part::Sources, words, Health::Broken, words, words);
        let mut out = Vec::new();
        tell(&mut out, std::slice::from_ref(&check)).unwrap();
        let shown = String::from_utf8(out).unwrap() + &as_json(&[check]).to_string();
        assert!(!shown.contains(['\u{1b}', '\u{202E}']) && shown.contains("a[2Jb ok c"), "{shown}");
        assert_eq!(shown.lines().filter(|line| line.starts_with("  ")).count(), 2);
    }

    #[test]
    fn groups_come_in_their_order_whoever_was_looked_at_first() {
        let checks = [Check::ok(Part::Sources, "b", ""), Check::ok(Part::Store, "a", "")];
        let abouts: Vec<_> = ordered(&checks).map(|check| check.about.as_str()).collect();
        assert_eq!(abouts, ["a", "b"]);
    }
}
