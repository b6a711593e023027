//! What is asked for, and which events may be meant by it.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use super::what::What;
use crate::cli::{Time, Why};
use crate::clock::Moment;
use crate::command::listing::{cut, time};
use crate::event::EventId;
use crate::outbox::{EventFilter, Records, Words};
use crate::rule::Choice;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) what: What,
    /// As it was said, for who reads the answer.
    pub(super) said: String,
    /// What narrows it down.
    pub(super) filter: EventFilter,
}

/// What may be meant.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The events, the likeliest first.
    pub(super) ids: Vec<EventId>,
    /// If there is none: what comes near.
    pub(super) notes: Vec<String>,
}

impl Question {
    pub(super) fn of(asked: &Why, now: Moment) -> Result<Self> {
        let moment = |time: Option<Time>| time.map(|time| time.moment(now));
        let (since, until) = (moment(asked.since), moment(asked.until));
        if since.is_some_and(|since| since > until.unwrap_or(now)) {
            bail!(
                "the time that is asked for ends before it begins: --since must lie before --until, and in the past"
            );
        }
        let what = What::of(&asked.what);
        if what == What::Nothing && !asked.what.is_empty() {
            bail!("there is nothing to look for in what was said");
        }
        let said = asked.what.join(" ");
        // Nobody has an address in their words; but a word may look like an id.
        let words = if what.is_address() { Words::default() } else { Words::new(&[&said])? };
        let filter = EventFilter {
            since,
            until,
            source: Choice::parse("source", &asked.source)?,
            app: Choice::parse("app", &asked.app)?,
            words,
            ..EventFilter::default()
        };
        Ok(Self { what, said, filter })
    }

    pub(super) fn find(&self, records: &Records) -> Result<Found> {
        let mut found = Found::default();
        match &self.what {
            What::Short(id) => self.by_short_id(records, *id, &mut found)?,
            What::Address { event: Some(event), ids } => {
                self.add(records, records.of_tracker_id(event, LOOK)?, &mut found)?;
                if found.ids.is_empty() {
                    found.notes.extend(of_the_same_error(records, event, ids)?);
                }
            }
            What::Address { event: None, ids } => {
                for id in ids {
                    self.by_tracker(records, id, &mut found)?;
                }
            }
            What::Word(short, word) => {
                self.by_tracker(records, word, &mut found)?;
                self.by_words(records, &mut found)?;
                if let Some(short) = short {
                    // A word of letters alone is hardly a short id, if there is anything else that it may be.
                    let is_rather_a_word = !word.contains(|letter: char| letter.is_ascii_digit());
                    let words = if is_rather_a_word { Vec::new() } else { std::mem::take(&mut found.ids) };
                    self.by_short_id(records, *short, &mut found)?;
                    found.ids.extend(words);
                }
            }
            What::Words | What::Nothing => self.by_words(records, &mut found)?,
        }
        let mut seen = BTreeSet::new();
        found.ids.retain(|id| seen.insert(*id));
        Ok(found)
    }

    fn by_short_id(&self, records: &Records, id: EventId, found: &mut Found) -> Result<()> {
        if records.line(id)?.is_some() {
            return self.add(records, vec![id], found);
        }
        found.notes.push(if records.has_forgotten(id)? {
            format!("#{id} has been forgotten: history is kept for `store.keep` and within `store.max_size`.")
        } else {
            format!("There never was a #{id} in this store.")
        });
        Ok(())
    }

    fn by_tracker(&self, records: &Records, id: &str, found: &mut Found) -> Result<()> {
        self.add(records, records.of_tracker_id(id, LOOK)?, found)?;
        self.add(records, records.of_error_id(id, LOOK)?, found)
    }

    fn by_words(&self, records: &Records, found: &mut Found) -> Result<()> {
        let (mut lines, _) = records.events(&self.filter, usize::try_from(LOOK).unwrap_or(usize::MAX))?;
        // Whoever says the whole title means no longer one.
        lines.sort_by_key(|line| !line.title.eq_ignore_ascii_case(&self.said));
        found.ids.extend(lines.into_iter().map(|line| line.id));
        Ok(())
    }

    /// Adds those that are not excluded by what narrows the question down.
    fn add(&self, records: &Records, ids: Vec<EventId>, found: &mut Found) -> Result<()> {
        let EventFilter { since, until, source, app, .. } = &self.filter;
        for id in ids {
            let Some(line) = records.line(id)? else { continue };
            let is_meant = since.is_none_or(|since| line.received_at >= since)
                && until.is_none_or(|until| line.received_at < until)
                && source.chooses(&line.source)
                && app.chooses(&line.app);
            if is_meant {
                found.ids.push(id);
            } else if found.notes.is_empty() {
                found.notes.push(format!(
                    "#{id} is not among those that are asked for: it came {}, through {}, of {}.",
                    time(line.received_at),
                    cut(&line.source, 64),
                    if line.app.is_empty() {
                        "no application".to_owned()
                    } else {
                        format!("{:?}", cut(&line.app, 100))
                    }
                ));
            }
        }
        Ok(())
    }
}

/// What is known of the error of an event that is not there.
fn of_the_same_error(records: &Records, event: &str, ids: &[String]) -> Result<Option<String>> {
    for id in ids {
        if let Some(latest) = records.of_error_id(id, 1)?.first()
            && let Some(line) = records.line(*latest)?
        {
            return Ok(Some(format!(
                "The event {} of this address is not here. The latest of the same error is #{latest}, which came {}.",
                cut(event, 100),
                time(line.received_at)
            )));
        }
    }
    Ok(None)
}

/// So many events are looked for at once.
pub(super) const LOOK: u32 = 100;
