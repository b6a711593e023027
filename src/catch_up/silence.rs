//! Sources that used to speak and do so no more: a webhook that was switched off tells nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Moment};
use crate::herald::Notices;
use crate::intake::Intake;
use crate::name::SourceName;
use crate::notice::{Matter, Notice};
use crate::outbox::{Outbox, StoreError};

/// How often it is looked.
const LOOK: Duration = Duration::from_mins(5);

/// Fewer hours in which it spoke do not say how often a source does …
const HOURS: usize = 20;

/// … nor do those of a shorter time.
const SPAN: Duration = Duration::from_hours(7 * 24);

/// Nobody calls a shorter time a silence.
const SHORTEST: Duration = Duration::from_hours(6);

/// It is one if it is longer than so many times the longest that there was.
const TIMES: u32 = 2;

/// A source that used to speak, and does so no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When its last event came.
    pub last: Moment,
    /// The longest time between two of those before.
    pub usual: Duration,
}

/// Whether a source is silent at `now`, which spoke in hours whose last events came at `times`, the latest first, where bugle has
/// been at work since `begun`: what came before is not missed by anybody who was not there.
pub fn judge(times: &[Moment], begun: Moment, now: Moment) -> Option<Silence> {
    let (last, first) = (*times.first()?, *times.last()?);
    if times.len() < HOURS || last.since(first) < SPAN {
        return None;
    }
    let gaps = times.iter().zip(times.iter().skip(1)).map(|(later, earlier)| later.since(*earlier));
    let usual = gaps.max()?;
    let quiet = now.since(last.max(begun));
    (quiet > usual.saturating_mul(TIMES) && quiet > SHORTEST).then_some(Silence { last, usual })
}

/// Says once of each source that it is silent, until told to stop. bugle has been at work since `begun`.
pub async fn watch(
    outbox: Outbox,
    intake: Arc<Intake>,
    notices: Notices,
    (clock, begun): (Clock, Moment),
    stop: CancellationToken,
) {
    let mut watcher = Watcher { outbox, intake, notices, clock, begun, told: None };
    loop {
        tokio::select! {
            () = watcher.look() => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = watcher.clock.sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

struct Watcher {
    outbox: Outbox,
    intake: Arc<Intake>,
    notices: Notices,
    clock: Clock,
    begun: Moment,
    /// Of which sources it was said, and which last event of theirs that was about; nothing: that is not read yet.
    told: Option<BTreeMap<String, Moment>>,
}

impl Watcher {
    async fn look(&mut self) {
        let mut told = match self.told.take() {
            Some(told) => told,
            None => match self.outbox.silences().await {
                Ok(silences) => silences.into_iter().map(|silence| (silence.source, silence.last)).collect(),
                // If the store cannot be asked now, the next time will do.
                Err(_) => return,
            },
        };
        for source in self.intake.sources() {
            self.look_at(source, &mut told).await.unwrap_or_default();
        }
        self.told = Some(told);
    }

    async fn look_at(
        &self,
        source: SourceName,
        told: &mut BTreeMap<String, Moment>,
    ) -> Result<(), StoreError> {
        let times = self.outbox.spoken(&source).await?;
        let before = told.get(source.as_str()).copied();
        if before.is_some() && times.first().copied() != before {
            tracing::info!(%source, "the source speaks again");
            told.remove(source.as_str());
            self.notices.is_over(Matter::Silent(source.clone()));
        }
        if let Some(silence) = judge(&times, self.begun, self.clock.now())
            && before != Some(silence.last)
        {
            self.say(&source, silence).await?;
            told.insert(source.to_string(), silence.last);
        }
        Ok(())
    }

    async fn say(&self, source: &SourceName, Silence { last, usual }: Silence) -> Result<(), StoreError> {
        self.outbox.say_silent(source, last, usual).await?;
        tracing::warn!(%source, since = %last, "the source has been silent for much longer than usual");
        self.notices.tell(Notice::SourceSilent { source: source.clone(), since: last, usual });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const NOW: Moment = Moment(1_790_000_000_000);

    /// `count` events, `gap` apart, the last of which came `quiet` ago.
    fn regular(count: u32, gap: Duration, quiet: Duration) -> Vec<Moment> {
        (0..count).map(|i| NOW.minus(quiet + gap * i)).collect()
    }

    #[test]
    fn a_silence_is_longer_than_twice_the_longest_gap_of_a_week_and_than_six_hours() {
        let long_ago = NOW.minus(HOUR * 10_000);
        // How many, how far apart, how long nothing has come, whether that is a silence; times in hours.
        let cases = [
            (20, 9, 19, true),
            (20, 9, 18, false),
            (19, 10, 1_000, false),
            (20, 8, 1_000, false),
            (200, 1, 7, true),
            (200, 1, 6, false),
            (200, 24, 47, false),
            (200, 24, 49, true),
            (0, 1, 1_000, false),
            (1, 1, 1_000, false),
        ];
        for (count, gap, quiet, is_silent) in cases {
            let times = regular(count, HOUR * gap, HOUR * quiet);
            let silence = judge(&times, long_ago, NOW);
            assert_eq!(silence.is_some(), is_silent, "{count} {gap} {quiet}");
            if let Some(silence) = silence {
                assert_eq!(silence, Silence { last: times[0], usual: HOUR * gap });
            }
        }
    }

    #[test]
    fn nobody_misses_what_may_have_come_before_bugle_was_there() {
        let times = regular(200, HOUR, HOUR * 50);
        assert!(judge(&times, NOW.minus(HOUR * 7), NOW).is_some());
        assert_eq!(judge(&times, NOW.minus(HOUR * 6), NOW), None);
        assert_eq!(judge(&times, NOW.plus(HOUR), NOW), None);
    }

    proptest! {
        #[test]
        fn a_source_that_keeps_to_its_own_rhythm_is_never_silent(
            gaps in prop::collection::vec(0..200_000_u64, 1..200),
            part in 0.0..1.0_f64,
        ) {
            let mut times = vec![NOW];
            for gap in &gaps {
                times.push(times.last().unwrap().minus(Duration::from_secs(*gap)));
            }
            let longest = Duration::from_secs(*gaps.iter().max().unwrap());
            let begun = NOW.minus(HOUR * 1_000_000);
            prop_assert_eq!(judge(&times, begun, NOW.plus((longest * 2).mul_f64(part))), None);
            if times.len() >= HOURS && NOW.since(*times.last().unwrap()) >= SPAN {
                let later = NOW.plus((longest * 2).max(SHORTEST) + Duration::from_millis(1));
                prop_assert!(judge(&times, begun, later).is_some());
            }
        }
    }
}
