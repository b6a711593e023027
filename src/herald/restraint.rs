//! How rarely something is told: the first of a topic at once, what follows within an hour together at its end. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::notice::{Bulletin, Matter, Notice, Topic};

/// For so long nothing more is told of a topic.
pub(super) const QUIET: Duration = Duration::from_hours(1);

/// What was told and what has gathered since.
#[derive(Debug, Default)]
pub(super) struct Restraint(HashMap<Topic, Window>);

#[derive(Debug, Default)]
struct Window {
    told_at: Option<Moment>,
    gathered: Bulletin,
}

impl Window {
    /// Until when nothing is told. A moment further ahead comes from a clock that has been set back since.
    fn quiet_for(&self, now: Moment) -> Duration {
        let Some(told_at) = self.told_at else { return Duration::ZERO };
        if told_at > now { Duration::ZERO } else { told_at.plus(QUIET).since(now) }
    }

    /// An hour in which nothing gathered ends unheard.
    fn open(&mut self, now: Moment) -> &mut Bulletin {
        if self.gathered.is_empty() && self.quiet_for(now).is_zero() {
            self.told_at = None;
        }
        &mut self.gathered
    }
}

impl Restraint {
    /// Whether it is known when `topic` was told last.
    pub(super) fn knows(&self, topic: &Topic) -> bool {
        self.0.contains_key(topic)
    }

    /// Learns when `topic` was told last.
    pub(super) fn remember(&mut self, topic: &Topic, told_at: Option<Moment>, now: Moment) {
        let window = Window { told_at, gathered: Bulletin::default() };
        self.0.entry(topic.clone()).or_insert(window).open(now);
    }

    /// Gathers `notice` of the moment `at`.
    pub(super) fn hear(&mut self, notice: Notice, at: Moment) {
        let undone = notice.undoes().and_then(|topic| self.0.get_mut(&topic));
        if undone.is_some_and(|window| window.gathered.remove(&notice.matter()) > 0) {
            // People were told of the state before that one, which is this one.
            return;
        }
        self.0.entry(notice.topic()).or_default().open(at).add(notice, at);
    }

    /// Forgets what has gathered about `matter`, which is over.
    pub(super) fn forget(&mut self, matter: &Matter) {
        for window in self.0.values_mut() {
            window.gathered.remove(matter);
        }
    }

    /// What may be told now. Of what was told long ago nothing is kept.
    pub(super) fn due(&mut self, now: Moment) -> Vec<Topic> {
        self.0.retain(|_, window| !window.gathered.is_empty() || !window.quiet_for(now).is_zero());
        let ready = |window: &Window| !window.gathered.is_empty() && window.quiet_for(now).is_zero();
        let mut due: Vec<Topic> =
            self.0.iter().filter(|(_, window)| ready(window)).map(|(topic, _)| topic.clone()).collect();
        due.sort();
        due
    }

    /// How long it is until something may be told.
    pub(super) fn pause(&self, now: Moment) -> Duration {
        let gathered = self.0.values().filter(|window| !window.gathered.is_empty());
        gathered.map(|window| window.quiet_for(now)).min().unwrap_or(Duration::MAX)
    }

    /// What there is to tell of `topic`, and whether that was told of in the hour before.
    pub(super) fn bulletin(&self, topic: &Topic) -> (Bulletin, bool) {
        let window = self.0.get(topic);
        window.map(|window| (window.gathered.clone(), window.told_at.is_some())).unwrap_or_default()
    }

    /// Notes that all of that was told.
    pub(super) fn told(&mut self, topic: &Topic, now: Moment) {
        let window = Window { told_at: Some(now), gathered: Bulletin::default() };
        self.0.insert(topic.clone(), window);
    }

    /// Notes that nobody is to be told of it.
    pub(super) fn drop_gathered(&mut self, topic: &Topic) {
        if let Some(window) = self.0.get_mut(topic) {
            window.gathered = Bulletin::default();
        }
    }
}
