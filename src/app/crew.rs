//! The couriers: one for each destination, engaged, replaced and dismissed as the configuration says.
//!
//! A destination that stays as it is, with the pace of its group, keeps its courier and is not disturbed. One that changes
//! gets another courier, which begins when the one before has finished what it had in hand: there is never more than one
//! at a destination.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Moment;
use crate::config::People;
use crate::courier::{Courier, Held, Hold, Live, Office, Throttle};
use crate::destination::{Destination, Pace};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::outbox::StoreError;
use crate::template::TemplateSet;

/// All couriers at work.
#[derive(Debug)]
pub(super) struct Crew {
    office: Office,
    lifecycle: Lifecycle,
    posts: BTreeMap<DestinationName, Post>,
    /// Those whose destination has left the configuration, as long as they have something in hand: it may come back.
    leaving: Vec<Post>,
    throttles: Throttles,
}

/// The throttles of all pace groups, by the group's name.
pub(super) type Throttles = HashMap<String, Shared>;

/// A courier at its destination.
#[derive(Debug, Clone)]
struct Post {
    destination: Destination,
    throttle: Arc<Throttle>,
    hold: Hold,
    /// Tells it to stop.
    dismissed: CancellationToken,
    /// It has stopped.
    ended: CancellationToken,
}

/// The throttle of a pace group.
#[derive(Debug)]
pub(super) struct Shared {
    pace: Pace,
    throttle: Arc<Throttle>,
}

impl Crew {
    /// Nobody yet.
    pub(super) fn new(office: Office, lifecycle: Lifecycle) -> Self {
        Self { office, lifecycle, posts: BTreeMap::new(), leaving: Vec::new(), throttles: Throttles::new() }
    }

    /// The present moment.
    pub(super) fn now(&self) -> Moment {
        self.office.clock.now()
    }

    /// One throttle for each pace group, at the pace of its slowest member: the one that there is if its pace stays,
    /// else a new one, with what was sent before in mind. An attempt that the couriers before begin after this is not:
    /// at most one for each of them.
    pub(super) async fn throttles_for(&self, destinations: &[Destination]) -> Result<Throttles, StoreError> {
        let mut throttles = Throttles::new();
        for (group, pace) in slowest(destinations) {
            let throttle = match self.throttles.get(group) {
                Some(shared) if shared.pace == pace => Arc::clone(&shared.throttle),
                _ => {
                    let throttle = Throttle::new(pace, self.office.clock.clone());
                    let now = self.office.clock.now();
                    let since = now.minus(throttle.memory());
                    throttle.prime(&self.office.outbox.recent_attempts(group, since).await?, now);
                    Arc::new(throttle)
                }
            };
            throttles.insert(group.to_owned(), Shared { pace, throttle });
        }
        Ok(throttles)
    }

    /// Sees to it that there is a courier at each of `destinations`, and nowhere else; gives the names of those that
    /// are left. `throttles` are theirs, as [`Crew::throttles_for`] has made them.
    pub(super) fn set(
        &mut self,
        throttles: Throttles,
        destinations: &[Destination],
        people: &People,
        templates: &TemplateSet,
    ) -> Vec<DestinationName> {
        self.throttles = throttles;
        let mut earlier = std::mem::take(&mut self.posts);
        let mut engaged = Vec::new();
        for destination in destinations {
            let throttle = self.throttle(destination);
            let post = match earlier.remove(&destination.name) {
                Some(post) if post.is_still(destination, &throttle) => post,
                before => {
                    let before = before.map(Post::dismiss).or_else(|| self.still_leaving(&destination.name));
                    let post = self.post(destination.clone(), throttle, before.as_ref());
                    engaged.push((post.clone(), before));
                    post
                }
            };
            self.posts.insert(post.destination.name.clone(), post);
        }
        let left = earlier.keys().cloned().collect();
        self.leaving.retain(|post| !post.ended.is_cancelled());
        self.leaving.extend(earlier.into_values().map(Post::dismiss));
        self.office.outbox.know(self.posts.keys().cloned());
        self.office.metrics.know_destinations(self.posts.keys());
        let holds = self.posts.values().map(Post::held).collect();
        // Before anyone begins: a courier finds its own hold among these.
        let (people, templates) = (people.clone(), templates.clone());
        self.office.live.store(Arc::new(Live { people, templates, holds }));
        for (post, before) in engaged {
            self.begin(post, before);
        }
        left
    }

    /// The destinations that have a courier.
    pub(super) fn names(&self) -> Vec<DestinationName> {
        self.posts.keys().cloned().collect()
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.office.metrics
    }

    /// The courier that was dismissed from `destination`, if it has not ended yet.
    fn still_leaving(&mut self, destination: &DestinationName) -> Option<Post> {
        let place = self.leaving.iter().position(|post| post.destination.name == *destination)?;
        Some(self.leaving.swap_remove(place))
    }

    /// Lets a courier begin once the one `before` it has ended.
    fn begin(&self, post: Post, before: Option<Post>) {
        let Post { destination, throttle, hold, dismissed, ended } = post;
        let (name, stop) = (format!("courier {}", destination.name), dismissed.clone());
        let courier = Courier::new(self.office.clone(), destination, throttle, hold);
        self.lifecycle.spawn_until(dismissed, name, async move {
            let _ended = ended.drop_guard();
            if let Some(before) = before {
                before.ended.cancelled().await;
            }
            courier.run(stop).await;
        });
    }

    /// A post at `destination`. If its address is the one that the post `before` had, its hold goes on.
    fn post(&self, destination: Destination, throttle: Arc<Throttle>, before: Option<&Post>) -> Post {
        let fingerprint = destination.address.fingerprint();
        let same_place = before.filter(|before| before.destination.address.fingerprint() == fingerprint);
        let hold = same_place.map(|before| before.hold.clone());
        let hold = hold.unwrap_or_else(|| Hold::new(self.office.clock.clone()));
        let dismissed = self.lifecycle.soft().child_token();
        Post { destination, throttle, hold, dismissed, ended: CancellationToken::new() }
    }

    fn throttle(&self, destination: &Destination) -> Arc<Throttle> {
        let shared = self.throttles.get(&destination.pace_group).map(|shared| Arc::clone(&shared.throttle));
        shared.unwrap_or_else(|| Arc::new(Throttle::new(destination.pace, self.office.clock.clone())))
    }
}

impl Post {
    /// Whether its courier can go on as it is.
    fn is_still(&self, destination: &Destination, throttle: &Arc<Throttle>) -> bool {
        self.destination.is_same(destination) && Arc::ptr_eq(&self.throttle, throttle)
    }

    /// Tells its courier to stop after what it has in hand.
    fn dismiss(self) -> Self {
        self.dismissed.cancel();
        self
    }

    fn held(&self) -> Held {
        Held {
            destination: self.destination.name.clone(),
            product: self.destination.platform.product(),
            hold: self.hold.clone(),
        }
    }
}

/// The pace of each group's slowest member.
fn slowest(destinations: &[Destination]) -> HashMap<&str, Pace> {
    let mut slowest: HashMap<&str, Pace> = HashMap::new();
    for Destination { pace_group, pace, .. } in destinations {
        let slower = slowest.entry(pace_group).or_insert(*pace);
        if pace.per / pace.count.max(1) > slower.per / slower.count.max(1) {
            *slower = *pace;
        }
    }
    slowest
}
