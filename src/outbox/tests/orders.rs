//! Orders: whatever people ask for, in whichever order, nothing is lost and nothing is owed twice.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::order::{Done, Letters, Objection, Order};
use crate::outbox::{OrderError, Records};

const NAMES: [&str; 3] = ["team", "other", "third"];

fn named(name: &str) -> DestinationName {
    DestinationName::new(name).unwrap()
}

fn of(destination: &str) -> Letters {
    Letters { destination: Some(named(destination)), ..Letters::default() }
}

impl Story {
    async fn with_all() -> Self {
        let story = Self::begin().await;
        story.outbox.know(NAMES.map(named));
        for name in NAMES {
            story.outbox.standing(&named(name), [1; 32]).await.unwrap();
        }
        story
    }

    async fn ordered(&self, order: &Order) -> Result<Done, OrderError> {
        let mut all = Done::default();
        loop {
            all = all.clone().and(self.outbox.carry_out(order, all.rest).await?);
            if all.rest.is_none() {
                return Ok(all);
            }
        }
    }

    async fn owe_to(&self, id: &str, name: &str) {
        let destination = named(name);
        let route = Route {
            destination,
            rule: None,
            template: Some("short".into()),
            urgent: true,
            mention: vec!["ann".into()],
        };
        let routing = Routing { matched: Vec::new(), routes: vec![route] };
        self.outbox.accept(self.rules, vec![Offer { event: event(id), routing }], ()).await.unwrap();
    }

    async fn try_at(&self, name: &str, settlement: Settlement) -> Option<Claim> {
        let claim = self.outbox.first(&room(named(name))).await?;
        self.settle(&claim, Outcome::Unclear, settlement).await;
        Some(claim)
    }

    pub(super) fn records(&self) -> Records {
        Records::open(&self.folder.path().join("bugle.db")).unwrap().unwrap()
    }
}

#[tokio::test]
async fn what_is_sent_again_owes_what_it_did_and_begins_anew() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    for unclear in 1..=4 {
        story.try_at("team", Settlement::Again { at: story.clock.now(), failures: 3, unclear }).await;
    }
    story.try_at("team", Settlement::Dead(Reason::GaveUp)).await;
    story.clock.advance(Duration::from_hours(100));
    let order = Order::Redrive { letters: of("team"), to: None };
    assert_eq!(story.ordered(&order).await.unwrap(), Done { sent: 1, ..Done::default() });
    assert_eq!(story.ordered(&order).await.unwrap(), Done::default(), "the second time there is none");
    let delivery = story.claim().await.unwrap().delivery;
    assert_eq!((delivery.failures, delivery.unclear, delivery.simplest), (0, 1, false));
    assert!(delivery.may_be_a_repeat() && delivery.urgent);
    assert_eq!((delivery.accepted_at, delivery.instead_of), (story.clock.now(), None));
    assert_eq!(
        (delivery.template.as_deref(), delivery.mentions.as_slice()),
        (Some("short"), &["ann".to_owned()][..])
    );
    let event = story.records().event(delivery.event_id, None).unwrap().unwrap();
    let states: Vec<_> =
        event.deliveries.iter().map(|d| (d.state.as_str(), d.attempts.len(), d.moved_to)).collect();
    assert_eq!(
        states,
        [("moved", 5, Some(2)), ("waiting", 1, None)],
        "its attempts stay where they were made"
    );
}

#[tokio::test]
async fn what_its_destination_hears_of_anyway_is_not_sent_again() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    story.outbox.divert(&named("team"), &named("other"), Reason::Gone).await.unwrap();
    story.try_at("other", Settlement::Dead(Reason::TooLong)).await;
    let order = Order::Redrive { letters: of("other"), to: Some(named("third")) };
    assert_eq!(story.ordered(&order).await.unwrap().sent, 1);
    let claim = story.try_at("third", Settlement::Delivered).await.unwrap();
    assert_eq!(claim.delivery.instead_of.as_deref(), Some("team"), "for whom it was first meant");
    // A letter of the same event, given up elsewhere, that goes where the event has been told.
    story.query::<Option<i64>>("SELECT max(id) FROM deliveries");
    let connection = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let insert = "INSERT INTO deliveries (event, destination, urgent, mentions, accepted_at, state, due_at, settled_at)
                  VALUES (1, 'team', 0, '[]', 0, 'dead', 0, 0)";
    connection.execute(insert, []).unwrap();
    let order = Order::Redrive { letters: of("team"), to: Some(named("third")) };
    assert_eq!(story.ordered(&order).await.unwrap(), Done { covered: 1, ..Done::default() });
}

#[tokio::test]
async fn nothing_is_claimed_and_nothing_diverted_once_a_destination_is_suspended() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    let order = Order::Suspend { destination: named("team") };
    assert_eq!(story.ordered(&order).await.unwrap(), Done { waiting: 1, ..Done::default() });
    assert!(story.claim().await.is_none());
    assert!(story.outbox.divert(&named("team"), &named("other"), Reason::Gone).await.unwrap().is_nothing());
    let look = story.outbox.look(&room(named("team")), false).await.unwrap();
    assert_eq!((look.suspended_since, look.next), (Some(story.clock.now()), None));
    let story = story.restart().await;
    assert_eq!(
        story.outbox.standing(&team(), [2; 32]).await.unwrap().suspended_since,
        Some(Moment(1_000_000))
    );
    assert!(story.claim().await.is_none(), "at another address, too");
    let order = Order::Resume { destination: named("team") };
    assert_eq!(story.ordered(&order).await.unwrap(), Done { waiting: 1, ..Done::default() });
    assert!(story.claim().await.is_some());
}

#[tokio::test]
async fn resuming_ends_what_we_judged_ourselves_and_not_what_the_platform_asked_for() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    let claim = story.claim().await.unwrap();
    let (wait, rest) = (Moment(5_000_000), Some(Moment(4_600_000)));
    let verdict = Verdict::new(Outcome::WaitEverywhere(Wait::Told(Duration::ZERO)), Reason::RateLimited, "");
    let again = Settlement::Again { at: Moment(4_000_000), failures: 1, unclear: 0 };
    let ending = Ending { holds: vec![(team(), wait)], rests_until: rest, ..Ending::new(verdict, again) };
    story.outbox.settle(&room(team()), &claim, ending).await.unwrap();
    let queue = story.records().queues(&["team".to_owned()]).unwrap().remove(0);
    assert_eq!((queue.standing.hold_until, queue.standing.rests_until), (Some(wait), rest));
    let done = story.ordered(&Order::Resume { destination: team() }).await.unwrap();
    assert_eq!((done.held, done.was_so), (Some((wait, "rate_limited".to_owned())), true));
    let queue = story.records().queues(&["team".to_owned()]).unwrap().remove(0);
    assert_eq!(
        (queue.standing.hold_until, queue.standing.rests_until, queue.due_at),
        (Some(wait), None, Some(Moment(0)))
    );
    assert_eq!(story.outbox.look(&room(team()), true).await.unwrap().resumed_at, Some(story.clock.now()));
}

#[tokio::test]
async fn what_waits_for_a_suspended_destination_for_as_long_as_history_is_kept_is_given_up() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    story.ordered(&Order::Suspend { destination: team() }).await.unwrap();
    let day = Duration::from_hours(24);
    let keep = Keep { history: day, dead_letters: day * 90, max_size: u64::MAX };
    assert_eq!(story.outbox.prune(keep).await.unwrap().stranded, 0);
    story.clock.advance(day * 2);
    assert_eq!(story.outbox.prune(keep).await.unwrap().stranded, 1);
    assert_eq!(story.ordered(&Order::Discard { letters: of("team") }).await.unwrap().discarded, 1);
}

#[tokio::test]
async fn an_order_that_names_what_is_not_there_changes_nothing() {
    let story = Story::with_all().await;
    story.owe_to("a", "team").await;
    let near = |name: &str, near: &str| {
        let known = ["other", "team", "third"].map(str::to_owned).to_vec();
        OrderError::from(Objection::Unknown { name: name.to_owned(), near: Some(near.to_owned()), known })
    };
    for (order, objection) in [
        (Order::Suspend { destination: named("tema") }, near("tema", "team")),
        (Order::Resume { destination: named("otter") }, near("otter", "other")),
        (Order::Move { from: named("teams"), to: named("other") }, near("teams", "team")),
        (Order::Move { from: named("team"), to: named("thrid") }, near("thrid", "third")),
        (Order::Move { from: team(), to: team() }, Objection::Same("team".to_owned()).into()),
        (Order::Redrive { letters: of("team"), to: Some(named("tea")) }, near("tea", "team")),
    ] {
        assert_eq!(story.ordered(&order).await, Err(objection), "{order:?}");
    }
    assert_eq!(story.query::<i64>("SELECT count(*) FROM destinations WHERE suspended_since IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_command_that_has_the_store_for_a_moment_keeps_no_server_from_starting() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let Story { folder: _folder, outbox, closing, .. } = story;
    let at_once = || Outbox::open_at_once(&path, Clock::system(), Metrics::new(Clock::system()));
    assert!(matches!(at_once(), Err(OpenError::InUse(_))));
    drop(outbox);
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        closing.wait();
    });
    assert!(open(&path).is_ok());
    other.join().unwrap();
}

/// What happens in a story: something is owed, an attempt ends somehow, a person orders something.
#[derive(Debug, Clone)]
enum Happening {
    Owed(usize),
    Tried(usize, bool),
    Ordered(Order),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let place = 0..NAMES.len();
    let name = || prop::sample::select(&NAMES[..]).prop_map(named);
    let letters =
        (prop::option::of(name()), prop::option::of(1_i64..8)).prop_map(|(destination, event)| Letters {
            events: event.into_iter().map(crate::event::EventId).collect(),
            destination,
            ..Letters::default()
        });
    let redrive = (letters.clone(), prop::option::of(name()));
    prop_oneof![
        4 => place.clone().prop_map(Happening::Owed),
        6 => (place, any::<bool>()).prop_map(|(place, dies)| Happening::Tried(place, dies)),
        3 => redrive.prop_map(|(letters, to)| Happening::Ordered(Order::Redrive { letters, to })),
        1 => letters.prop_map(|letters| Happening::Ordered(Order::Discard { letters })),
        1 => name().prop_map(|destination| Happening::Ordered(Order::Suspend { destination })),
        1 => name().prop_map(|destination| Happening::Ordered(Order::Resume { destination })),
        2 => (name(), name()).prop_map(|(from, to)| Happening::Ordered(Order::Move { from, to })),
    ]
}

/// How many deliveries are in each state.
fn states(story: &Story) -> BTreeMap<String, i64> {
    let connection = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let mut statement = connection.prepare("SELECT state, count(*) FROM deliveries GROUP BY state").unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

async fn tell(story: &Story, happenings: Vec<Happening>) {
    let (mut owed, mut posted) = (0, 0);
    for happening in happenings {
        story.clock.advance(Duration::from_secs(1));
        let before = states(story);
        let count = |states: &BTreeMap<String, i64>, state: &str| states.get(state).copied().unwrap_or(0);
        match happening {
            Happening::Owed(place) => {
                owed += 1;
                story.owe_to(&format!("event {owed}"), NAMES[place]).await;
            }
            Happening::Tried(place, dies) => {
                let settlement = if dies { Settlement::Dead(Reason::GaveUp) } else { Settlement::Delivered };
                let is_suspended = story
                    .outbox
                    .look(&room(named(NAMES[place])), true)
                    .await
                    .unwrap()
                    .suspended_since
                    .is_some();
                let tried = story.try_at(NAMES[place], settlement).await;
                assert!(!(is_suspended && tried.is_some()));
                posted += i64::from(tried.is_some() && !dies);
            }
            Happening::Ordered(order) => {
                let Ok(done) = story.ordered(&order).await else { continue };
                let after = states(story);
                let signed = |count: u64| i64::try_from(count).unwrap();
                let total = |states: &BTreeMap<String, i64>| states.values().sum::<i64>();
                assert_eq!(total(&after) - total(&before), signed(done.sent), "{order:?}");
                assert_eq!(
                    count(&after, "moved") - count(&before, "moved"),
                    signed(done.sent + done.covered)
                );
                assert_eq!(count(&after, "discarded") - count(&before, "discarded"), signed(done.discarded));
                let again = story.ordered(&order).await.unwrap();
                assert_eq!((again.count(), states(story)), (0, after), "twice is once: {order:?}");
            }
        }
    }
    let sum = states(story);
    assert_eq!(sum.get("delivered").copied().unwrap_or(0), posted);
    let ended = "SELECT count(*) FROM deliveries WHERE state <> 'moved'";
    assert!(story.query::<i64>(ended) <= owed, "nothing is owed twice: {sum:?}");
    // Every event's way ends at a delivery that has not moved: waiting, delivered, dead or discarded.
    let lost = "WITH RECURSIVE way (first, id) AS (
                    SELECT min(id), min(id) FROM deliveries GROUP BY event
                    UNION SELECT way.first, d.moved_to FROM way JOIN deliveries d ON d.id = way.id WHERE d.state = 'moved')
                SELECT (SELECT count(*) FROM events) - count(DISTINCT way.first)
                FROM way JOIN deliveries d ON d.id = way.id WHERE d.state <> 'moved'";
    assert_eq!(story.query::<i64>(lost), 0, "{sum:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_people_order_every_event_is_owed_delivered_dead_or_discarded_once(
        happenings in prop::collection::vec(any_happening(), 1..50),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let story = Story::with_all().await;
            tell(&story, happenings).await;
        });
    }
}
