//! Watching a store from beside: what has happened since the last look. A look that finds nothing costs nothing, reads
//! no more than a page of each kind, and keeps no moment of the store open when it is done.
//!
//! What gets a number of its own is found by its number; what only changes (an attempt that ends, a spell, a delivery that
//! moves) is found because the watch remembers what had not changed yet, or what it has told already.

mod anchor;
mod news;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use crate::clock::Moment;
use crate::outbox::records::Records;

pub use news::{About, Happening, News, Sent};

use anchor::Anchor;

/// A watch over a store.
#[derive(Debug)]
pub struct Watch {
    /// What SQLite last said of whether anybody has changed anything.
    version: Option<i64>,
    /// Whether the last look has left something to the next one.
    more: bool,
    /// The last event that was told of.
    event: i64,
    duplicates: Anchor,
    attempts: Anchor,
    configurations: Anchor,
    runs: Anchor,
    spells: Anchor,
    /// Attempts under way.
    under_way: BTreeSet<i64>,
    /// Messages that were delivered and whose members have not all been settled.
    folding: BTreeSet<i64>,
    /// Spells that go on.
    going_on: BTreeSet<i64>,
    /// The run that has not stopped.
    run: Option<i64>,
    /// What ended without being told: everything since `ended_since` that was told of already.
    ended: BTreeMap<(i64, Ended), i64>,
    ended_since: i64,
    /// How many refusals of each kind were told of, of all since `refused_since`.
    refused: BTreeMap<(i64, String, String), u64>,
    refused_since: i64,
    /// When it was looked last.
    now: i64,
}

/// How a delivery ends without being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Dead,
    Discarded,
    Moved,
}

/// Rows of a kind that one look reads, at most.
const PAGE: usize = 1_000;

/// A moment is written down a little later than it is, when the store can be written: so far back it is looked once more.
const LATE_MS: i64 = 10 * 60 * 1_000;

/// When the clock is set back, what bears a moment so short before was written since then, and what bears an earlier one was
/// told before.
const JUST_NOW_MS: i64 = 5 * 1_000;

/// So far back refusals may still be added up.
const REFUSED_MS: i64 = 2 * 60 * 60 * 1_000;

impl Watch {
    /// A watch that begins `now`, with the last `depth` things of each kind that have happened, or with what happens from now
    /// on.
    pub fn begin(records: &Records, depth: usize, now: Moment) -> rusqlite::Result<Self> {
        let moment = records.connection.unchecked_transaction()?;
        let mut watch = Self {
            version: None,
            // What there is to tell of the past is there already.
            more: true,
            event: anchor::before_last(&moment, "events", depth)?,
            duplicates: Anchor::new(&moment, "duplicates", "received_at", depth)?,
            attempts: Anchor::new(&moment, "attempts", "started_at", depth)?,
            configurations: Anchor::new(&moment, "configurations", "at", depth)?,
            runs: Anchor::new(&moment, "runs", "started_at", depth)?,
            spells: Anchor::new(&moment, "spells", "since", depth)?,
            under_way: BTreeSet::new(),
            folding: read::folding(&moment)?,
            going_on: BTreeSet::new(),
            run: None,
            ended: BTreeMap::new(),
            ended_since: 0,
            refused: BTreeMap::new(),
            refused_since: 0,
            now: now.0,
        };
        watch.under_way = read::under_way(&moment, watch.attempts.id())?;
        watch.going_on = read::going_on(&moment, watch.spells.id())?;
        watch.run = read::unstopped(&moment, watch.runs.id())?;
        watch.pass_over_ended(&moment, depth)?;
        watch.pass_over_refused(&moment, depth)?;
        Ok(watch)
    }

    /// Whether the last look has left something to the next one.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Has the next look be at a store that was opened again.
    pub fn look_anew(&mut self) {
        self.version = None;
    }

    /// What has happened since the last look, in the order of time; of very much the beginning.
    pub fn look(&mut self, records: &Records, now: Moment) -> rusqlite::Result<Vec<News>> {
        // Asked for before anything is read: what is changed meanwhile shows the next time.
        let version = records.connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if !self.more && self.version == Some(version) {
            return Ok(Vec::new());
        }
        let moment = records.connection.unchecked_transaction()?;
        let mut news = Vec::new();
        self.more = false;
        self.heed_clock(&moment, now.0)?;
        self.look_at_events(&moment, &mut news)?;
        // What became of an event is not told before the event.
        if !self.more {
            self.look_at_runs(&moment, &mut news)?;
            self.look_at_duplicates(&moment, &mut news)?;
            self.look_at_attempts(&moment, &mut news)?;
            self.look_at_ended(&moment, &mut news)?;
            self.look_at_folding(&moment, &mut news)?;
            self.look_at_refused(&moment, &mut news)?;
            self.look_at_spells(&moment, &mut news)?;
        }
        self.version = Some(version);
        news.sort_by_key(|news| news.at);
        Ok(news)
    }

    fn look_at_events(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        let found = read::events(moment, self.event)?;
        self.more |= found.len() >= PAGE;
        for (id, arrived) in found {
            self.event = id;
            news.push(arrived);
        }
        Ok(())
    }

    fn look_at_duplicates(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        self.duplicates.hold(moment)?;
        let found = read::duplicates(moment, self.duplicates.id())?;
        self.more |= found.len() >= PAGE;
        for (id, at, came_again) in found {
            self.duplicates.advance(id, at);
            news.extend(came_again);
        }
        Ok(())
    }

    fn look_at_attempts(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        for id in std::mem::take(&mut self.under_way) {
            if let Some(attempt) = read::attempt(moment, id)? {
                self.tell_attempt(attempt, news);
            }
        }
        self.attempts.hold(moment)?;
        let found = read::attempts(moment, self.attempts.id())?;
        self.more |= found.len() >= PAGE;
        for attempt in found {
            self.attempts.advance(attempt.id, attempt.started_at);
            self.tell_attempt(attempt, news);
        }
        Ok(())
    }

    fn tell_attempt(&mut self, attempt: read::Attempt, news: &mut Vec<News>) {
        match attempt.news {
            Some(told) => {
                if let (Happening::Delivered { sent, .. }, true) = (&told.what, attempt.tells_of_several) {
                    self.folding.insert(sent.delivery);
                }
                news.push(told);
            }
            None => {
                self.under_way.insert(attempt.id);
            }
        }
    }

    fn look_at_folding(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        for leader in std::mem::take(&mut self.folding) {
            let (waiting, folded) = read::members(moment, leader)?;
            if waiting > 0 {
                self.folding.insert(leader);
            } else if let Some((count, at)) = folded
                && let Some(sent) = read::sent(moment, leader)?
            {
                news.push(News { at, what: Happening::Folded { sent, count } });
            }
        }
        Ok(())
    }

    /// What ended before the watch began need not be told, but for the last `depth`.
    fn pass_over_ended(&mut self, moment: &Connection, depth: usize) -> rusqlite::Result<()> {
        let (last, first_told) = read::last_ended(moment, depth)?;
        self.ended_since = last.min(self.now).saturating_sub(LATE_MS).min(first_told);
        let mut known = Vec::new();
        read::ended(moment, self.ended_since, |ending| {
            known.push(ending);
            true
        })?;
        known.truncate(known.len().saturating_sub(depth));
        self.ended = known.into_iter().map(|(id, how, at)| ((id, how), at)).collect();
        Ok(())
    }

    fn look_at_ended(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        let (mut fresh, mut last) = (Vec::new(), i64::MIN);
        read::ended(moment, self.ended_since, |(id, how, at)| {
            last = at;
            if !self.ended.contains_key(&(id, how)) {
                fresh.push((id, how, at));
            }
            fresh.len() < PAGE
        })?;
        let left = fresh.len() >= PAGE;
        self.more |= left;
        for (id, how, at) in fresh {
            self.ended.insert((id, how), at);
            news.extend(read::ending(moment, id)?);
        }
        let since = last.min(self.now).saturating_sub(LATE_MS);
        if !left && since > self.ended_since {
            self.ended_since = since;
            self.ended.retain(|_, at| *at >= since);
        }
        Ok(())
    }

    /// Looks further back if the clock was set back since the last look: what happens now comes before what was told.
    fn heed_clock(&mut self, moment: &Connection, now: i64) -> rusqlite::Result<()> {
        let was = std::mem::replace(&mut self.now, now);
        if now >= was {
            return Ok(());
        }
        let (told, since) = (now.saturating_sub(JUST_NOW_MS), now.saturating_sub(LATE_MS));
        if since < self.ended_since {
            let until = self.ended_since.min(told);
            read::ended(moment, since, |(id, how, at)| {
                if at < until {
                    self.ended.insert((id, how), at);
                }
                at < until
            })?;
            self.ended_since = since;
        }
        let since = now.saturating_sub(REFUSED_MS);
        if since < self.refused_since {
            for refused in read::refused(moment, since)? {
                if refused.kind.0 < self.refused_since && refused.news.at.0 < told {
                    self.refused.insert(refused.kind, refused.count);
                }
            }
            self.refused_since = since;
        }
        Ok(())
    }

    fn pass_over_refused(&mut self, moment: &Connection, depth: usize) -> rusqlite::Result<()> {
        let last = read::refused_before_last(moment, 0)?.min(self.now);
        self.refused_since = last.saturating_sub(REFUSED_MS).min(read::refused_before_last(moment, depth)?);
        let mut known = read::refused(moment, self.refused_since)?;
        known.sort_by_key(|refused| refused.news.at);
        known.truncate(known.len().saturating_sub(depth));
        self.refused = known.into_iter().map(|refused| (refused.kind, refused.count)).collect();
        Ok(())
    }

    fn look_at_refused(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        for mut refused in read::refused(moment, self.refused_since)? {
            let told = self.refused.insert(refused.kind, refused.count).unwrap_or_default();
            let fresh = refused.count.saturating_sub(told);
            if let Happening::Refused { count, .. } = &mut refused.news.what
                && fresh > 0
            {
                *count = fresh;
                news.push(refused.news);
            }
        }
        let last = self.refused.keys().next_back().map_or(i64::MIN, |(span, ..)| *span);
        self.refused_since = self.refused_since.max(last.min(self.now).saturating_sub(REFUSED_MS));
        self.refused.retain(|(span, ..), _| *span >= self.refused_since);
        Ok(())
    }

    fn look_at_runs(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        self.look_whether_stopped(moment, news)?;
        self.runs.hold(moment)?;
        let found = read::runs(moment, self.runs.id())?;
        self.more |= found.len() >= PAGE;
        for (id, started) in found {
            self.runs.advance(id, started.at);
            self.run = Some(id);
            news.push(started);
            self.look_whether_stopped(moment, news)?;
        }
        self.configurations.hold(moment)?;
        let found = read::configurations(moment, self.configurations.id())?;
        self.more |= found.len() >= PAGE;
        for (id, read) in found {
            self.configurations.advance(id, read.at);
            news.push(read);
        }
        Ok(())
    }

    fn look_whether_stopped(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        if let Some(run) = self.run
            && let Some(stopped) = read::stopped(moment, run)?
        {
            self.run = None;
            news.push(stopped);
        }
        Ok(())
    }

    fn look_at_spells(&mut self, moment: &Connection, news: &mut Vec<News>) -> rusqlite::Result<()> {
        for id in std::mem::take(&mut self.going_on) {
            self.look_at_spell(moment, id, news)?;
        }
        self.spells.hold(moment)?;
        let found = read::spells(moment, self.spells.id())?;
        self.more |= found.len() >= PAGE;
        for (id, began) in found {
            self.spells.advance(id, began.at);
            news.push(began);
            self.look_at_spell(moment, id, news)?;
        }
        Ok(())
    }

    fn look_at_spell(&mut self, moment: &Connection, id: i64, news: &mut Vec<News>) -> rusqlite::Result<()> {
        match read::spell_end(moment, id)? {
            read::SpellEnd::GoesOn => {
                self.going_on.insert(id);
            }
            read::SpellEnd::Over(ended) => news.push(*ended),
            read::SpellEnd::Forgotten => {}
        }
        Ok(())
    }
}
