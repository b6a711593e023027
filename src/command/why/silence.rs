//! When there is no such event: what did happen at that time, so that nobody has to guess which side was silent.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::asked;
use super::question::Question;
use crate::clock::Moment;
use crate::command::listing::{counted, cut, lasted, time, title};
use crate::outbox::{
    Absence, AbsenceKind, AppRecord, ArrivalRecord, CatchUpRecord, ConfigurationRecord, EventFilter,
    EventLine, Presence, Records, RefusalRecord, WithheldRecord,
};
use crate::rule::differences;

/// What happened between two moments.
pub(super) struct Silence {
    said: String,
    /// What comes near.
    notes: Vec<String>,
    /// What of the question narrows it down.
    named: Named,
    since: Moment,
    until: Moment,
    now: Moment,
    is_served: bool,
    /// When the oldest event came that is still kept.
    oldest: Option<Moment>,
    arrivals: Vec<ArrivalRecord>,
    /// The latest event before that time which would have been meant.
    before: Option<EventLine>,
    /// The applications that are meant: all of them, if none was named.
    apps: Vec<AppRecord>,
    refusals: Vec<RefusalRecord>,
    presence: Presence,
    withheld: Vec<WithheldRecord>,
    configurations: Vec<ConfigurationRecord>,
    /// The sources that events ever came through.
    sources: BTreeSet<String>,
    /// How trackers were asked last.
    catch_ups: Vec<CatchUpRecord>,
}

/// What a question narrows down.
struct Named {
    time: bool,
    source: bool,
    app: bool,
}

/// Without a word of when, this long ago is meant.
const RECENTLY: Duration = Duration::from_hours(24);

/// Of applications, and of configurations, so many are named.
const APPS: usize = 10;
const CONFIGURATIONS: u32 = 10;
const WITHHELD: u32 = 5;

/// Of absences the last ones.
const ABSENCES: usize = 10;

/// An application is called silent when it has been for so many of its usual gaps, if it is known from so long a time and by so
/// many events.
const SILENT: i64 = 5;
const KNOWN: Duration = Duration::from_hours(6);
const EVENTS: usize = 10;

/// How the trackers of the sources that are meant were asked last.
fn catch_ups(records: &Records, question: &Question) -> Result<Vec<CatchUpRecord>> {
    let mut all = records.catch_ups()?;
    all.retain(|record| question.filter.source.chooses(&record.source));
    Ok(all)
}

impl Silence {
    pub(super) fn look(
        records: &Records,
        question: &Question,
        notes: Vec<String>,
        now: Moment,
    ) -> Result<Self> {
        let filter = &question.filter;
        let until = filter.until.unwrap_or(now).min(now);
        let since = filter.since.unwrap_or_else(|| until.minus(RECENTLY)).min(until);
        let earlier = EventFilter { since: None, until: Some(since), ..filter.clone() };
        let is_asked_for = filter.since.is_some() && !question.what.is_address();
        let before = if is_asked_for { records.events(&earlier, 1)?.0.pop() } else { None };
        let mut apps = records.heard_of(|source, _| source != "bugle")?;
        let sources = apps.iter().map(|app| app.source.clone()).collect();
        apps.retain(|app| filter.source.chooses(&app.source) && filter.app.chooses(&app.app));
        apps.sort_by_key(|app| std::cmp::Reverse(app.last_at));
        let mut refusals = records.refusals(since, until)?;
        // Whoever knocks at no door may have meant this one.
        refusals.retain(|refusal| refusal.source.is_empty() || filter.source.chooses(&refusal.source));
        Ok(Self {
            said: question.said.clone(),
            since,
            until,
            now,
            is_served: records.is_served(),
            oldest: records.oldest()?,
            arrivals: records.arrivals(since, until)?,
            before,
            apps,
            refusals,
            presence: records.presence(since, until, ABSENCES)?,
            withheld: records.withheld(since, until, WITHHELD)?,
            configurations: records.configurations(since, until, CONFIGURATIONS)?,
            sources,
            catch_ups: catch_ups(records, question)?,
            named: Named {
                time: filter.since.is_some() || filter.until.is_some(),
                source: !filter.source.is_everything(),
                app: !filter.app.is_everything(),
            },
            notes,
        })
    }

    pub(super) fn words(&self) -> String {
        let what = match cut(&self.said, 200) {
            said if said.is_empty() => "such event".to_owned(),
            said => format!("event for {said:?}"),
        };
        let span = format!("between {} and {}", time(self.since), time(self.until));
        let when = if self.named.time { format!(" {span}") } else { String::new() };
        let mut lines = vec![format!("There is no {what}{when}.")];
        lines.extend(self.notes.iter().cloned());
        if let Some(oldest) = self.oldest.filter(|oldest| self.named.time && *oldest > self.since) {
            lines.push(format!("The oldest event that is still kept came {}.", time(oldest)));
        }
        if let Some(before) = &self.before {
            lines.push(format!(
                "The last one before came {}: #{}  {}.",
                time(before.received_at),
                before.id,
                cut(&title(&before.trigger, &before.title), 100)
            ));
        }
        lines.push(String::new());
        lines.push(if self.named.time {
            "What did happen:".to_owned()
        } else {
            format!("What did happen {span} (`--since` asks for another time):")
        });
        let mut parts = vec![
            self.absence_words(),
            self.refusal_words(),
            self.withheld_words(),
            self.configuration_words(),
            self.arrival_words(),
            self.catch_ups.iter().map(|record| asked::words(record, self.now)).collect(),
        ];
        // Whoever asks for an application wants to know of it first.
        parts.insert(if self.named.app { 0 } else { 4 }, self.app_words());
        for part in parts {
            lines.extend(part.into_iter().map(|line| format!("  {line}")));
        }
        lines.join("\n")
    }

    fn absence_words(&self) -> Vec<String> {
        let Presence { first, absences, left_out } = &self.presence;
        let mut lines: Vec<String> = absences.iter().map(absence_words).collect();
        if *left_out > 0 {
            lines.insert(0, format!("… and {left_out} times before these"));
        }
        match first {
            None if self.is_served => {}
            None => lines.push(
                "bugle does not run, and it is not written down when it did last: `bugle serve`".to_owned(),
            ),
            Some(first) if *first > self.since => {
                lines.insert(0, format!("when bugle ran before {} is not written down", time(*first)));
            }
            Some(_) if lines.is_empty() => lines.push("bugle ran all the time".to_owned()),
            Some(_) => {}
        }
        lines
    }

    fn refusal_words(&self) -> Vec<String> {
        if self.refusals.is_empty() {
            return vec!["nobody was refused at the door".to_owned()];
        }
        let line = |refusal: &RefusalRecord| {
            let RefusalRecord { source, reason, count, first_at, last_at, sender } = refusal;
            let door = if source.is_empty() {
                "at no known source".to_owned()
            } else {
                format!("at {}", cut(source, 64))
            };
            let from = if sender.is_empty() {
                String::new()
            } else {
                format!(", the last from {}", cut(sender, 64))
            };
            let when = if first_at == last_at {
                time(*first_at)
            } else {
                format!("{} to {}", time(*first_at), time(*last_at))
            };
            format!(
                "refused {door}: {}, {reason} ({}), {when}{from}",
                counted(*count, "request"),
                meaning(reason)
            )
        };
        self.refusals.iter().map(line).collect()
    }

    fn withheld_words(&self) -> Vec<String> {
        let line = |withheld: &WithheldRecord| {
            let WithheldRecord { event, at, source, app, trigger } = withheld;
            let how = if trigger == "projectSamplingStarted" {
                "it sends only a sample of its events"
            } else {
                "it is about to drop events"
            };
            format!(
                "the tracker of {} said {} of {}: {how} (#{event})",
                cut(source, 64),
                time(*at),
                cut(app, 100)
            )
        };
        self.withheld.iter().map(line).collect()
    }

    fn configuration_words(&self) -> Vec<String> {
        self.configurations.iter().flat_map(configuration_words).collect()
    }

    fn app_words(&self) -> Vec<String> {
        let line = |app: &AppRecord| {
            let name = if app.app.is_empty() {
                "events that name no application".to_owned()
            } else {
                cut(&app.app, 100)
            };
            let last = format!(
                "{name} ({}): the last event came {}, {} before now (#{})",
                cut(&app.source, 64),
                time(app.last_at),
                lasted(self.now.since(app.last_at)),
                app.last
            );
            let Some((usual, longest)) = usual(app).zip(app.gaps.last()) else { return last };
            let silent = if self.is_silent(app) {
                ": it is silent for far longer than it ever was of late"
            } else {
                ""
            };
            format!(
                "{last}; usually one comes every {}, the longest pause was {}{silent}",
                span(usual),
                span(*longest)
            )
        };
        let mut lines: Vec<String> = self.apps.iter().take(APPS).map(line).collect();
        match self.apps.len() {
            0 if self.named.source && !self.named.app => {
                let known: Vec<String> = self.sources.iter().map(|source| cut(source, 64)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                lines.push(format!(
                    "no event ever came through such a source; those that are kept came through {known}"
                ));
            }
            0 => lines.push("no event of such an application is kept".to_owned()),
            count if count > APPS => lines
                .push(format!("… and {} that came before", counted((count - APPS) as u64, "application"))),
            _ => {}
        }
        lines
    }

    /// Whether it has been silent for far longer than it usually is. Of an application that is hardly known, or only from one
    /// burst, nobody can say so.
    fn is_silent(&self, app: &AppRecord) -> bool {
        let milliseconds = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let silent = milliseconds(self.now.since(app.last_at));
        let known: i64 = app.gaps.iter().sum();
        let longest = app.gaps.last().copied().unwrap_or(i64::MAX);
        known >= milliseconds(KNOWN)
            && usual(app).is_some_and(|usual| silent > usual.saturating_mul(SILENT))
            && silent > longest.saturating_mul(2)
    }

    fn arrival_words(&self) -> Vec<String> {
        if self.arrivals.is_empty() {
            return vec!["no event came from anybody".to_owned()];
        }
        let line = |arrival: &ArrivalRecord| {
            let ArrivalRecord { source, events, untold, last_at } = arrival;
            let untold = match untold {
                0 => String::new(),
                _ => format!(", {untold} of them for nobody (`bugle events --unsent`)"),
            };
            format!(
                "{}: {} came{untold}, the last {}",
                cut(source, 64),
                counted(*events, "event"),
                time(*last_at)
            )
        };
        self.arrivals.iter().map(line).collect()
    }

    /// The fields are listed in `docs/OPERATIONS.md`, which a test compares.
    pub(super) fn as_json(&self) -> Value {
        let at = |moment: &Moment| moment.to_string();
        json!({
            "found": false,
            "since": at(&self.since),
            "until": at(&self.until),
            "serving": self.is_served,
            "oldest_at": self.oldest.as_ref().map(at),
            "before": self.before.as_ref().map(|line| json!({ "id": line.id.to_string(), "received_at": at(&line.received_at) })),
            "notes": self.notes,
            "first_run_at": self.presence.first.as_ref().map(at),
            "absences": self.presence.absences.iter().map(|absence| json!({
                "since": at(&absence.since),
                "until": absence.until.as_ref().map(at),
                "how": absence.kind.as_str(),
            })).collect::<Vec<_>>(),
            "refusals": self.refusals.iter().map(|refusal| json!({
                "source": refusal.source,
                "reason": refusal.reason,
                "count": refusal.count,
                "first_at": at(&refusal.first_at),
                "last_at": at(&refusal.last_at),
                "sender": refusal.sender,
            })).collect::<Vec<_>>(),
            "withheld": self.withheld.iter().map(|withheld| json!({
                "id": withheld.event.to_string(),
                "at": at(&withheld.at),
                "source": withheld.source,
                "app": withheld.app,
                "trigger": withheld.trigger,
            })).collect::<Vec<_>>(),
            "configurations": self.configurations.iter().map(|configuration| json!({
                "at": at(&configuration.at),
                "how": configuration.how,
                "lines": configuration.lines,
            })).collect::<Vec<_>>(),
            "catch_ups": self.catch_ups.iter().map(asked::as_json).collect::<Vec<_>>(),
            "apps": self.apps.iter().map(|app| json!({
                "source": app.source,
                "app": app.app,
                "last_at": at(&app.last_at),
                "last": app.last.to_string(),
                "usual_gap_ms": usual(app),
                "longest_gap_ms": app.gaps.last(),
                "silent": self.is_silent(app),
            })).collect::<Vec<_>>(),
            "arrivals": self.arrivals.iter().map(|arrival| json!({
                "source": arrival.source,
                "events": arrival.events,
                "untold": arrival.untold,
                "last_at": at(&arrival.last_at),
            })).collect::<Vec<_>>(),
        })
    }
}

/// The usual time between two events: the middle one; nothing if there are too few to say.
fn usual(app: &AppRecord) -> Option<i64> {
    app.gaps.get(app.gaps.len() / 2).filter(|_| app.gaps.len() >= EVENTS).copied()
}

fn absence_words(Absence { since, until, kind }: &Absence) -> String {
    let told = match kind {
        AbsenceKind::Stopped => "it had been told to stop",
        AbsenceKind::Killed => "it ended without being told to",
        AbsenceKind::Paused => "the machine slept, its clock was set, or the store could not be written",
    };
    let Some(until) = until else {
        return format!(
            "bugle has not been running since {}: {told}. What trackers send comes to nobody",
            time(*since)
        );
    };
    let span = format!("from {} to {} ({})", time(*since), time(*until), lasted(until.since(*since)));
    match kind {
        AbsenceKind::Paused => format!("bugle was not at work {span}: {told}"),
        _ => format!("bugle did not run {span}: {told}. What trackers sent then came to nobody"),
    }
}

fn configuration_words(configuration: &ConfigurationRecord) -> Vec<String> {
    let ConfigurationRecord { at, how, lines, rules, before } = configuration;
    let mut said = match (before, rules) {
        (Some(before), Some(after)) => differences(before, after),
        _ => Vec::new(),
    };
    // What has changed in the rules is said in full.
    said.extend(lines.iter().filter(|line| how != "reload" || !line.starts_with("rule `")).cloned());
    let what = match (how.as_str(), before) {
        ("refused", _) => "a configuration was refused, the one before stayed",
        ("reload", _) => "the configuration was changed",
        (_, Some(_)) => "bugle was started, with other rules than before",
        (_, None) => "bugle was started; which rules were in force before is not known",
    };
    let mut words = vec![format!("{}: {what}", time(*at))];
    words.extend(said.iter().map(|line| format!("  {}", cut(line, 300))));
    words
}

fn span(milliseconds: i64) -> String {
    lasted(Duration::from_millis(milliseconds.unsigned_abs()))
}

/// What the code of a refusal means, and what to do.
fn meaning(reason: &str) -> &'static str {
    match reason {
        "unauthorized" => {
            "a wrong token or none: paste the address again that `bugle init` or the configuration says"
        }
        "forbidden" => "the sender is not among `allow_from`",
        "unknown_source" => "there is no such source: is the name in the address right?",
        "method_not_allowed" => "webhooks are posted",
        "too_large" => "larger than `server.max_body`",
        "not_json" | "not_utf8" | "not_an_object" => "the body was no webhook of a tracker",
        "store_unavailable" => "the store could not be written: the log says why",
        _ => "see the log of that time",
    }
}
