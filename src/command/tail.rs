//! `bugle tail`: what happens, as it happens, one line each, read from the store beside whoever serves.

mod filter;
mod line;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cli::Tail;
use crate::clock::Clock;
use crate::command::listing::inert;
use crate::command::presence::{Presence, remark};
use crate::command::{Setting, nothing_yet, refuse};
use crate::lifecycle::Signals;
use crate::outbox::{Happening, News, Records, Watch};

use filter::Filter;
use line::Lines;

/// How soon something is told of.
const LOOK: Duration = Duration::from_millis(250);

/// A bugle that serves writes down that it does more often than this. After so long a silence it is looked whether one does.
const SILENCE: Duration = Duration::from_secs(15);

/// So far back it is looked for lines that pass a filter.
const FAR_BACK: usize = 5_000;

/// Writes what happens to `out` until told to stop. Gives the exit code.
pub async fn run(out: &mut dyn Write, setting: Setting<'_>, asked: &Tail) -> Result<u8> {
    let care = match setting.care() {
        Ok(care) => care,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let filter = Filter::new(asked)?;
    filter.hint(&care.sources)?;
    let path = care.store.path.as_path();
    let Some(records) = Records::open(path)? else { bail!(nothing_yet(path)) };
    let mut signals = Signals::listen().context("signals cannot be received")?;
    let mut tale = Tale { out, lines: Lines::default(), json: setting.json, filter };
    tokio::select! {
        told = tale.tell(records, path, asked, setting.clock) => told.map(|()| 0),
        () = signals.told_to_stop() => Ok(0),
    }
}

/// The telling, line by line.
struct Tale<'a> {
    out: &'a mut dyn Write,
    lines: Lines,
    json: bool,
    filter: Filter,
}

impl Tale<'_> {
    async fn tell(&mut self, mut records: Records, path: &Path, asked: &Tail, clock: &Clock) -> Result<()> {
        let last = usize::try_from(asked.last).unwrap_or(usize::MAX);
        let depth = if self.filter.is_everything() { last } else { last.max(FAR_BACK) };
        // Nothing of the past is wanted: then nothing of it is looked at.
        let depth = if last == 0 { 0 } else { depth };
        let mut presence = Presence::begin(path, clock);
        let mut watch = loop {
            let past = self.past(&records, depth, last, clock).await;
            if !records.is_overtaken() {
                let (watch, past) = past?;
                self.write(&past)?;
                break watch;
            }
            records = presence.open_again()?;
        };
        if !presence.is_served() {
            remark("Nobody serves from this store now; waiting for who does.")?;
        }
        loop {
            // Somebody serves now from a store that nobody served from.
            if records.is_overtaken() {
                records = presence.open_again()?;
                watch.look_anew();
            }
            let news = watch.look(&records, clock.now())?;
            heed(&mut presence, &news)?;
            let is_idle = news.is_empty() && !watch.has_more();
            self.write(&news)?;
            if is_idle {
                clock.sleep(LOOK).await;
            } else {
                // Whoever wants this to stop is heard even while there is very much to tell.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Begins to watch; the `last` lines of what has happened.
    async fn past(
        &self,
        records: &Records,
        depth: usize,
        last: usize,
        clock: &Clock,
    ) -> Result<(Watch, Vec<News>)> {
        let mut watch = Watch::begin(records, depth, clock.now())?;
        let mut past = Vec::new();
        while watch.has_more() {
            past.extend(watch.look(records, clock.now())?);
            past.retain(|news| self.filter.passes(&news.what));
            past.sort_by_key(|news| news.at);
            past.drain(..past.len().saturating_sub(last));
            tokio::task::yield_now().await;
        }
        Ok((watch, past))
    }

    fn write(&mut self, news: &[News]) -> Result<()> {
        for news in news.iter().filter(|news| self.filter.passes(&news.what)) {
            if self.json {
                writeln!(self.out, "{}", inert(&line::as_json(news).to_string()))?;
            } else {
                self.lines.write(self.out, news)?;
            }
        }
        Ok(self.out.flush()?)
    }
}

/// Says so if nobody serves any more although nobody has said that it stops.
fn heed(presence: &mut Presence<'_>, news: &[News]) -> Result<()> {
    for news in news {
        match news.what {
            Happening::Started { .. } | Happening::Paused { .. } => presence.learns(true),
            Happening::Stopped { .. } => presence.learns(false),
            _ => {}
        }
    }
    if !news.is_empty() {
        presence.hears();
    } else if presence.look_after(SILENCE)? == Some(false) {
        remark("Nobody serves from this store any more: bugle was killed. Waiting for its next start.")?;
    }
    Ok(())
}
