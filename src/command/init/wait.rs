//! Waiting for the first event: it is shown as it arrives, with the rules that matched and what each platform says.
//!
//! If no bugle serves from the store, one serves for as long as this waits. All that is shown is read from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;

use crate::app::App;
use crate::clock::Moment;
use crate::command::dead_letters::{event_as_json, in_a_line, standing};
use crate::command::listing::{cut, inert, time, title};
use crate::command::presence::{Presence, remark};
use crate::command::{Setting, refuse};
use crate::config::{self, Care, Secrets};
use crate::event::{Event, EventId};
use crate::lifecycle::Signals;
use crate::name::DestinationName;
use crate::outbox::{DeliveryRecord, EventRecord, NextEvent, Records, RefusalRecord};
use crate::sockets::Sockets;
use crate::telemetry;

use super::proposal;
use super::told::with_config;

/// How often the store is looked into.
const LOOK: Duration = Duration::from_millis(100);

/// How often it is looked whether the bugle that serves still does.
const SILENCE: Duration = Duration::from_secs(2);

/// By then who serves has written down whom it refused before.
const WRITTEN_DOWN: Duration = Duration::from_millis(1_500);

/// Waits until the first event has come and is settled, or until told to stop. Gives the exit code.
pub(super) async fn run(out: &mut dyn Write, setting: Setting<'_>, path: &Path) -> Result<u8> {
    let mut signals = Signals::listen().context("signals cannot be received")?;
    let care = match config::load_care(path, setting.environment) {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let since = setting.clock.now();
    let path_of_store = &care.store.path;
    let beside = Records::open(path_of_store)?;
    let last = beside.as_ref().map_or(Ok(EventId(0)), Records::last_event)?;
    let beside = beside.filter(Records::is_served);
    let is_served = beside.is_some();
    if !setting.json {
        introduce(out, path, is_served)?;
    }
    let app = if is_served {
        None
    } else {
        telemetry::start_beside_a_story();
        match config::load(path, setting.environment, Secrets::Resolve) {
            Ok(loaded) => {
                let hung_up = signals.hung_up();
                Some(App::start(loaded, Sockets::default(), hung_up, setting.clock.clone()).await?)
            }
            Err(problems) => return Ok(refuse(&problems)?),
        }
    };
    if let (Some(app), false) = (&app, setting.json) {
        writeln!(out, "Listening on http://{}.", app.address())?;
        out.flush()?;
    }
    let mut watcher = Watcher::begin(setting, path_of_store, beside, since)?;
    let ended = tokio::select! {
        ended = watcher.watch(out, last) => ended.map(Some),
        () = signals.told_to_stop() => Ok(None),
        () = failed(app.as_ref()) => Err(anyhow!("a part of bugle has failed; the log says which")),
    };
    let (serves_itself, mut refusals) = (app.is_some(), watcher.refusals);
    drop(watcher.records);
    if let Some(app) = app {
        app.stop().await;
    }
    let story = ended?;
    if serves_itself && !setting.json {
        // As it stopped it has written down whom else it refused.
        if let Some(records) = Records::open(path_of_store)? {
            refusals.tell(out, &records)?;
        }
    }
    if let Some(story) = story {
        propose(out, setting, &care, &story)?;
    }
    if serves_itself && !setting.json {
        writeln!(out, "\nNothing serves any more: now run `bugle serve{}`.", with_config(setting.config))?;
    }
    Ok(0)
}

/// Waits until the one that serves here has failed; for ever, if none does.
async fn failed(app: Option<&App>) {
    match app {
        Some(app) => app.failed().await,
        None => pending().await,
    }
}

fn introduce(out: &mut dyn Write, path: &Path, is_served: bool) -> Result<()> {
    let config = path.display();
    if is_served {
        writeln!(out, "\nWaiting for the first event, with {config}. A bugle serves already.")?;
    } else {
        writeln!(
            out,
            "\nWaiting for the first event, with {config}. No bugle serves, so this one does until then."
        )?;
    }
    writeln!(out, "Press the tracker's test button, or post a sample. Ctrl-C ends this.")?;
    Ok(out.flush()?)
}

/// Looks into the store beside whoever serves.
struct Watcher<'a> {
    setting: Setting<'a>,
    records: Records,
    /// Who serves; nothing: this one does.
    presence: Option<Presence<'a>>,
    refusals: Refusals,
}

impl<'a> Watcher<'a> {
    /// Looks into the store at `path`: `beside`, if another bugle serves from it; else this process does.
    /// Refusals are told of from `since` on.
    fn begin(setting: Setting<'a>, path: &'a Path, beside: Option<Records>, since: Moment) -> Result<Self> {
        let presence = beside.is_some().then(|| {
            let mut presence = Presence::begin(path, setting.clock);
            // If it has ended since then, that is news.
            presence.learns(true);
            presence
        });
        let Some(records) = beside.map_or_else(|| Records::open(path), |records| Ok(Some(records)))? else {
            bail!("the store {} is not there any more", path.display());
        };
        let refusals = Refusals { since, told: BTreeMap::new() };
        Ok(Self { setting, records, presence, refusals })
    }

    /// Shows the first event after `last` and what becomes of it.
    async fn watch(&mut self, out: &mut dyn Write, last: EventId) -> Result<Story> {
        let arrival = self.next(out, last).await?;
        let event = arrival.event.read();
        if !self.setting.json {
            tell_arrival(out, &arrival, &event)?;
        }
        let record = self.until_settled(out, arrival.id).await?;
        if self.presence.is_some() && !self.setting.json {
            // Who was refused just before is written down a little later.
            self.setting.clock.sleep(WRITTEN_DOWN).await;
            self.refusals.tell(out, &self.records)?;
        }
        Ok(Story { arrival, event, record })
    }

    /// The first event after `last`. Until it comes, webhooks that are refused are told of.
    async fn next(&mut self, out: &mut dyn Write, last: EventId) -> Result<NextEvent> {
        loop {
            if let Some(event) = self.records.event_after(last)? {
                return Ok(event);
            }
            if !self.setting.json {
                self.refusals.tell(out, &self.records)?;
            }
            self.pause().await?;
        }
    }

    /// Shows each attempt as it ends, until there is nothing more to wait for.
    async fn until_settled(&mut self, out: &mut dyn Write, id: EventId) -> Result<EventRecord> {
        let mut told = BTreeMap::new();
        loop {
            let Some(record) = self.records.event(id, None)? else {
                bail!("the event {id} is not in the store any more");
            };
            for delivery in record.deliveries.iter().filter(|_| !self.setting.json) {
                tell_attempts(out, delivery, told.entry(delivery.id).or_insert(0))?;
            }
            let resting = resting(&self.records)?;
            let waits = |delivery: &&DeliveryRecord| {
                let is_held = delivery.held_until.is_some() || resting.contains(&delivery.destination);
                delivery.state == "waiting" && !is_held
            };
            if record.deliveries.iter().find(waits).is_none() {
                if !self.setting.json {
                    tell_end(out, &record, &resting)?;
                }
                return Ok(record);
            }
            self.pause().await?;
        }
    }

    /// Lets a moment pass, and says so if meanwhile nobody serves any more: then there is nothing to be seen.
    async fn pause(&mut self) -> Result<()> {
        if let Some(presence) = &mut self.presence {
            match presence.look_after(SILENCE)? {
                Some(false) => remark(
                    "Nobody serves from this store any more, so nothing can come: waiting for the next `bugle serve`. \
                     Ctrl-C ends this.",
                )?,
                Some(true) => remark("A bugle serves again.")?,
                None => {}
            }
        }
        self.setting.clock.sleep(LOOK).await;
        Ok(())
    }
}

/// The webhooks that were refused, each kind told whenever there are more of it.
struct Refusals {
    since: Moment,
    told: BTreeMap<(String, String), Moment>,
}

impl Refusals {
    fn tell(&mut self, out: &mut dyn Write, records: &Records) -> Result<()> {
        for refusal in records.refusals(self.since, Moment(i64::MAX))? {
            let RefusalRecord { source, reason, last_at, sender, .. } = refusal;
            let before = self.told.insert((source.clone(), reason.clone()), last_at);
            if before.is_none_or(|before| before < last_at) {
                let at = if source.is_empty() { "no source's address".to_owned() } else { cut(&source, 64) };
                let from =
                    if sender.is_empty() { String::new() } else { format!(", from {}", cut(&sender, 64)) };
                let (time, reason) = (time(last_at), cut(&reason, 64));
                writeln!(out, "  {time}  a webhook at {at} was refused: {reason}{from}")?;
            }
        }
        Ok(out.flush()?)
    }
}

/// An event, how it was routed, and what became of it.
struct Story {
    arrival: NextEvent,
    event: Event,
    record: EventRecord,
}

/// Shows a rule for events like this one; for programs, all of it.
fn propose(out: &mut dyn Write, setting: Setting<'_>, care: &Care, story: &Story) -> Result<()> {
    let Story { arrival, event, record } = story;
    let first = record.deliveries.first().map(|delivery| DestinationName::new(&delivery.destination));
    let destination = first.and_then(Result::ok).or_else(|| care.destinations.first().cloned());
    let rule = destination.and_then(|destination| proposal::rule_for(event, &destination));
    if setting.json {
        let shown = json!({
            "event": event_as_json(record, false),
            "matched": arrival.matched,
            "routing": arrival.routing,
            "rule": rule,
        });
        writeln!(out, "{}", inert(&format!("{shown:#}")))?;
    } else if let Some(rule) = rule {
        writeln!(
            out,
            "\nA rule for events like this one. If you want it, put it before the others, and change it as you like:"
        )?;
        writeln!(out, "\n{}", rule.trim_end())?;
    }
    Ok(out.flush()?)
}

fn tell_arrival(out: &mut dyn Write, arrival: &NextEvent, event: &Event) -> Result<()> {
    let word = |text: &str| cut(text, 64);
    writeln!(
        out,
        "\n#{} came through {}: {}",
        arrival.id,
        word(event.source.as_str()),
        cut(&title(&event.trigger, &event.title), 200)
    )?;
    let facts = [event.trigger.as_str(), event.severity.as_str(), &event.app.name, &event.app.stage];
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).map(word).collect();
    writeln!(out, "  {}", facts.join(" · "))?;
    for rule in &arrival.matched {
        writeln!(out, "  matched: {}", cut(rule, 200))?;
    }
    match arrival.routing.as_str() {
        "dropped" => writeln!(out, "  That rule drops it, knowingly: nobody hears of it.")?,
        "unmatched" => writeln!(out, "  No rule matched, and there is no `default_destination`.")?,
        _ if arrival.matched.is_empty() => {
            writeln!(out, "  No rule matched: it goes to the `default_destination`.")?;
        }
        _ => {}
    }
    Ok(out.flush()?)
}

/// The destinations that nothing is sent to: suspended by a person, or gone.
fn resting(records: &Records) -> Result<BTreeSet<String>> {
    let queues = records.queues(&[])?.into_iter();
    let rests = queues
        .filter(|queue| queue.standing.suspended_since.is_some() || queue.standing.gone_since.is_some());
    Ok(rests.map(|queue| queue.destination).collect())
}

fn tell_attempts(out: &mut dyn Write, delivery: &DeliveryRecord, told: &mut usize) -> Result<()> {
    let ended = delivery.attempts.iter().take_while(|attempt| attempt.outcome.is_some()).count();
    for attempt in delivery.attempts.iter().take(ended).skip(*told) {
        writeln!(out, "  {}: {}", delivery.destination, in_a_line(attempt))?;
    }
    if *told == 0 && ended > 0 && delivery.state == "waiting" {
        writeln!(out, "  It is tried again, ever more slowly, until it succeeds; this waits for it.")?;
    }
    *told = ended;
    Ok(out.flush()?)
}

fn tell_end(out: &mut dyn Write, record: &EventRecord, resting: &BTreeSet<String>) -> Result<()> {
    if record.deliveries.is_empty() {
        writeln!(out, "  It is owed to nobody.")?;
    }
    for delivery in &record.deliveries {
        writeln!(out, "  {}: {}", delivery.destination, standing(delivery, &record.deliveries))?;
        if delivery.state == "waiting" && resting.contains(&delivery.destination) {
            writeln!(out, "  {}: nothing is sent there; `bugle queue` says why", delivery.destination)?;
        }
    }
    Ok(out.flush()?)
}
