//! Whether what bugle has subscribed at Bugfender is still there.

use crate::api::{Api, Session};
use crate::command::bugfender::{self, Line, State};
use crate::command::listing::counted;
use crate::outbox::HookRecord;

use super::PATIENCE;
use super::verdict::{Check, Health, Part};

/// What Bugfender tells of what is `remembered` and of what is not; nothing if it takes too long.
pub(super) async fn look(api: &Api, session: &Session, remembered: &[HookRecord]) -> Option<Vec<Line>> {
    tokio::time::timeout(PATIENCE, bugfender::look(api, session, remembered)).await.ok()
}

/// The same in words; what was `said` of the whole API is not said again of each, nor are `refusals` of its credentials.
pub(super) fn checks(
    api: &Api,
    lines: Option<Vec<Line>>,
    said: &[String],
    refusals: &[String],
) -> Vec<Check> {
    let about = &format!("{}, webhooks", api.source);
    let Some(mut lines) = lines else {
        let words = format!("no answer of Bugfender's within {} s", PATIENCE.as_secs());
        let help = format!("see whether `sources.{}.api.url` can be reached from here", api.source);
        return vec![Check::not_ok(Part::Sources, about, Health::Unknown, &words, &help)];
    };
    let is_refused = |line: &Line| {
        line.state == State::Failed && refusals.iter().any(|words| line.words.starts_with(words.as_str()))
    };
    let mut checks: Vec<Check> = Vec::new();
    if lines.iter().any(is_refused) {
        let help = format!("mend what is said of \"{}, API\"", api.source);
        let words = "whether they are there cannot be told, since the credentials are refused";
        checks.push(Check::not_ok(Part::Sources, about, Health::Unknown, words, &help));
    }
    lines.retain(|line| !is_refused(line));
    lines.retain(|line| line.state != State::Failed || !said.contains(&line.words));
    let lines = &lines;
    let count = |state| lines.iter().filter(|line| line.state == state).count() as u64;
    let there = count(State::There);
    if there > 0 {
        let words = format!("{} that bugle has subscribed: there", counted(there, "webhook"));
        checks.push(Check::ok(Part::Sources, about, &words));
    }
    let untold = count(State::Untold);
    if untold > 0 {
        let words = format!(
            "{} that bugle has subscribed; this Bugfender does not tell of them",
            counted(untold, "webhook")
        );
        let help = "if nothing comes any more, `bugle bugfender subscribe --again` makes them anew";
        checks.push(Check::not_ok(Part::Sources, about, Health::Unknown, &words, help));
    }
    let not: Vec<String> = lines
        .iter()
        .filter(|line| line.state == State::NotSubscribed)
        .map(|line| format!("{} of {}", line.event, line.app))
        .collect();
    if !not.is_empty() {
        // They may have been added in the dashboard; whether anything comes is said of the source.
        let words = format!("not subscribed by bugle: {}", not.join(", "));
        checks.push(Check::ok(Part::Sources, about, &words));
    }
    checks.extend(lines.iter().filter(|line| !line.is_well).map(|line| unwell(about, line)).fold(
        Vec::new(),
        |mut all, check| {
            // Wrong credentials are wrong for each of them.
            if !all.contains(&check) {
                all.push(check);
            }
            all
        },
    ));
    checks
}

fn unwell(about: &str, line: &Line) -> Check {
    let (health, words, help) = match line.state {
        State::Gone => (
            Health::Warning,
            format!("{} of {} is gone", line.event, line.app),
            "`bugle bugfender subscribe` makes it again",
        ),
        State::Outdated => (
            Health::Warning,
            format!("{} of {} calls an earlier address of bugle's", line.event, line.app),
            "`bugle bugfender subscribe` makes a new one",
        ),
        State::MayBe => (
            Health::Warning,
            format!("{} of {}: {}", line.event, line.app, line.words),
            "`bugle bugfender subscribe` says what is known",
        ),
        _ => (Health::Warning, line.words.clone(), "`bugle bugfender list` says it of each"),
    };
    Check::not_ok(Part::Sources, about, health, &words, help)
}
