//! The outbox, told as stories: what was accepted is owed, once, whatever happens in between.

mod catch_up;
mod diary;
mod divert;
mod events;
mod file;
mod floods;
mod glance;
mod hooks;
mod leaders;
mod orders;
mod upkeep;
mod versions;
mod visit;
mod watch;

use super::*;
use crate::clock::Moment;
use crate::delivery::{Outcome, Reason, Settlement, Verdict, Wait};
use crate::event::{Event, Identity};
use crate::flood::FloodControl;
use crate::name::{RuleName, SourceName};
use crate::rule::{Route, Routing, RuleSet};

struct Story {
    folder: tempfile::TempDir,
    clock: Clock,
    outbox: Outbox,
    closing: Closing,
    rules: RuleSetId,
}

fn open(path: &Path) -> Result<(Outbox, Closing), OpenError> {
    Outbox::open(path, Clock::system(), Metrics::new(Clock::system()))
}

/// A destination whose messages are never gathered.
fn room(name: DestinationName) -> Room {
    Room { name, pace_group: "pace".into(), flood: FloodControl::OFF }
}

impl Outbox {
    /// Takes what is due first, for one attempt.
    pub(crate) async fn first(&self, room: &Room) -> Option<Claim> {
        match self.look(room, false).await.unwrap().next {
            Some(Next::Due(Turn { what: What::One(delivery), .. })) => {
                self.claim(room, Pick::This(delivery)).await.unwrap()
            }
            _ => None,
        }
    }
}

fn team() -> DestinationName {
    DestinationName::new("team").unwrap()
}

impl Story {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::begin_in(folder, Clock::by_hand(Moment(1_000_000))).await
    }

    async fn begin_in(folder: tempfile::TempDir, clock: Clock) -> Self {
        let path = folder.path().join("bugle.db");
        let (outbox, closing) = Outbox::open(&path, clock.clone(), Metrics::new(clock.clone())).unwrap();
        outbox.know([team()]);
        let rules = outbox.keep_rules(&RuleSet::new(Vec::new(), None).unwrap()).await.unwrap();
        Self { folder, clock, outbox, closing, rules }
    }

    /// The process ends and another begins on the same store.
    async fn restart(self) -> Self {
        let Self { folder, clock, outbox, closing, .. } = self;
        drop(outbox);
        tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
        Self::begin_in(folder, clock).await
    }

    async fn accept(&self, event: Event, urgent: bool) -> Accepted {
        let route =
            Route { destination: team(), rule: None, template: None, urgent, mention: vec!["here".into()] };
        let routing = Routing { matched: vec![RuleName::new("r").unwrap()], routes: vec![route] };
        self.outbox.accept(self.rules, vec![Offer { event, routing }], ()).await.unwrap()[0]
    }

    async fn claim(&self) -> Option<Claim> {
        self.outbox.first(&room(team())).await
    }

    /// Whether something can be sent now, and if so, whether it is urgent.
    async fn due(&self) -> Option<bool> {
        match self.next().await {
            Next::Due(turn) => Some(turn.urgent),
            _ => None,
        }
    }

    /// What there is to do at once.
    async fn next(&self) -> Next {
        self.outbox.look(&room(team()), false).await.unwrap().next.unwrap()
    }

    async fn settle(&self, claim: &Claim, outcome: Outcome, settlement: Settlement) {
        let verdict = Verdict::new(outcome, Reason::ServerError, "words");
        let room = room(claim.delivery.destination.clone());
        self.outbox.settle(&room, claim, Ending::new(verdict, settlement)).await.unwrap();
    }

    fn query<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let connection = Connection::open(self.folder.path().join("bugle.db")).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn event(id: &str) -> Event {
    let raw = format!(r#"{{"trigger":{{"type":"exception"}},"error":{{"id":"{id}","message":"m {id}"}}}}"#);
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", &raw);
    event.trigger = "exception".into();
    event.id = id.into();
    event.identity = Identity::of(&["backend", "exception", id]);
    event
}

#[tokio::test]
async fn what_was_accepted_is_owed_after_a_restart_and_read_again_in_full() {
    let story = Story::begin().await;
    let accepted = story.accept(event("a"), true).await;
    let story = story.restart().await;
    let claim = story.claim().await.unwrap();
    assert_eq!(claim.delivery.event_id, accepted.id);
    let event = claim.stored.read();
    assert_eq!((event.text.as_str(), event.trigger.as_str()), ("m a", "exception"));
    assert!(claim.delivery.urgent);
    assert_eq!(claim.delivery.mentions, ["here"]);
}

#[tokio::test]
async fn a_second_arrival_is_known_even_after_a_restart() {
    let story = Story::begin().await;
    let first = story.accept(event("a"), false).await;
    let story = story.restart().await;
    let second = story.accept(event("a"), false).await;
    assert_eq!((second.id, second.duplicate), (first.id, true));
    assert_eq!(story.query::<i64>("SELECT count(*) FROM deliveries"), 1);
    assert_eq!(story.query::<i64>("SELECT count(*) FROM duplicates"), 1);
}

#[tokio::test]
async fn an_event_twice_in_one_request_is_one_event() {
    let story = Story::begin().await;
    let offer = || Offer { event: event("a"), routing: Routing::default() };
    let accepted = story.outbox.accept(story.rules, vec![offer(), offer()], ()).await.unwrap();
    assert_eq!([accepted[0].duplicate, accepted[1].duplicate], [false, true]);
}

#[tokio::test]
async fn a_body_counts_as_the_same_only_for_a_while() {
    let story = Story::begin().await;
    let change = || {
        let mut event = event("a");
        event.identity = Some(Identity::of_body(&event.source, &event.raw, Duration::from_mins(1)));
        event
    };
    assert!(!story.accept(change(), false).await.duplicate);
    story.clock.advance(Duration::from_secs(59));
    assert!(story.accept(change(), false).await.duplicate);
    story.clock.advance(Duration::from_secs(2));
    assert!(!story.accept(change(), false).await.duplicate);
}

#[tokio::test]
async fn urgent_goes_first_and_order_is_kept() {
    let story = Story::begin().await;
    for (id, urgent) in [("a", false), ("b", false), ("c", true)] {
        story.accept(event(id), urgent).await;
    }
    assert_eq!(story.due().await, Some(true));
    let mut order = Vec::new();
    while let Some(claim) = story.claim().await {
        order.push(claim.stored.read().id);
        story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    }
    assert_eq!(order, ["c", "a", "b"]);
    assert_eq!(story.next().await, Next::Nothing);
}

#[tokio::test]
async fn a_failure_waits_for_its_moment_and_a_refusal_is_a_dead_letter() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    let at = story.clock.now().plus(Duration::from_secs(5));
    story.settle(&claim, Outcome::Passing, Settlement::Again { at, failures: 1, unclear: 0 }).await;
    assert_eq!(story.next().await, Next::At(at));
    assert!(story.claim().await.is_none());
    story.clock.advance(Duration::from_secs(5));
    let claim = story.claim().await.unwrap();
    assert_eq!(claim.delivery.failures, 1);
    story.settle(&claim, Outcome::Refused, Settlement::Dead(Reason::TooLong)).await;
    assert_eq!(story.query::<String>("SELECT state || reason || words FROM deliveries"), "deadtoo_longwords");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM attempts WHERE ended_at IS NOT NULL"), 2);
}

#[tokio::test]
async fn a_message_refused_in_full_is_due_at_once_in_its_simplest_form_and_stays_simple() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    story.accept(event("b"), false).await;
    let claim = story.claim().await.unwrap();
    assert!(!claim.delivery.simplest);
    let at = story.clock.now();
    story.settle(&claim, Outcome::Unclear, Settlement::Again { at, failures: 2, unclear: 1 }).await;
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Refused, Settlement::Simpler).await;
    let story = story.restart().await;
    assert_eq!(story.due().await, Some(false));
    let second = story.claim().await.unwrap().delivery;
    assert_eq!((second.id, second.simplest), (claim.delivery.id, true));
    assert_eq!((second.failures, second.unclear), (2, 1), "nothing was counted");
    assert_eq!(story.query::<String>("SELECT state || words FROM deliveries WHERE id = 1"), "waitingwords");
    // Cut off by the end of the process, it is repeated in the same form.
    let story = story.restart().await;
    let now = story.clock.now();
    story.outbox.close_interrupted(move |_, _| Some(now)).await.unwrap();
    let third = story.claim().await.unwrap().delivery;
    assert_eq!((third.id, third.simplest, third.unclear), (claim.delivery.id, true, 2));
}

#[tokio::test]
async fn an_attempt_found_open_is_repeated_and_known_to_be_one() {
    let mut story = Story::begin().await;
    story.accept(event("a"), false).await;
    for unclear in 1..=5 {
        story.claim().await.unwrap();
        story = story.restart().await;
        let now = story.clock.now();
        let again = move |_: &str, unclear| (unclear <= 5).then_some(now);
        assert_eq!(story.outbox.close_interrupted(again).await.unwrap().repeated, 1);
        let claim = story.claim().await.unwrap();
        assert!(claim.delivery.may_be_a_repeat());
        assert_eq!(claim.delivery.unclear, unclear);
        let at = story.clock.now();
        story
            .settle(
                &claim,
                Outcome::Wait(Wait::Told(Duration::ZERO)),
                Settlement::Again { at, failures: 0, unclear },
            )
            .await;
    }
    story.claim().await.unwrap();
    story = story.restart().await;
    assert_eq!(story.outbox.close_interrupted(|_, _| None).await.unwrap().buried, 1);
    assert_eq!(story.query::<String>("SELECT state || reason FROM deliveries"), "deadunclear");
}

#[tokio::test]
async fn what_is_under_way_is_taken_by_nobody_else() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    let first = story.claim().await.unwrap();
    assert!(story.claim().await.is_none());
    assert_eq!(story.next().await, Next::Nothing, "nor does anybody wake up for it");
    story.accept(event("b"), false).await;
    let second = story.claim().await.expect("the next one is free");
    assert_ne!(first.delivery.id, second.delivery.id);
    let again = Settlement::Again { at: story.clock.now(), failures: 1, unclear: 0 };
    story.settle(&first, Outcome::Passing, again).await;
    assert_eq!(story.claim().await.unwrap().delivery.id, first.delivery.id);
}

#[tokio::test]
async fn a_hold_survives_a_restart_but_not_a_new_address() {
    let story = Story::begin().await;
    let standing = story.outbox.standing(&team(), [1; 32]).await.unwrap();
    assert_eq!(standing, Standing::default());
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    let until = Moment(2_000_000);
    let verdict = Verdict::new(Outcome::Gone, Reason::WebhookGone, "no_service");
    let again = Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    story
        .outbox
        .settle(&room(team()), &claim, Ending { holds: vec![(team(), until)], ..Ending::new(verdict, again) })
        .await
        .unwrap();
    let story = story.restart().await;
    let standing = story.outbox.standing(&team(), [1; 32]).await.unwrap();
    assert_eq!(
        standing,
        Standing { hold_until: Some(until), gone_since: Some(story.clock.now()), ..Standing::default() }
    );
    let mended = Standing { mended: Some(story.clock.now()), ..Standing::default() };
    assert_eq!(story.outbox.standing(&team(), [2; 32]).await.unwrap(), mended);
    assert_eq!(story.outbox.standing(&team(), [2; 32]).await.unwrap(), Standing::default());
}

#[tokio::test]
async fn a_platform_that_has_shut_us_out_has_done_so_at_a_new_address_too() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    let again = Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    let settle = async |reason, until| {
        let claim = story.claim().await.unwrap();
        let verdict = Verdict::new(Outcome::WaitEverywhere(Wait::Told(Duration::ZERO)), reason, "");
        story
            .outbox
            .settle(
                &room(team()),
                &claim,
                Ending { holds: vec![(team(), until)], ..Ending::new(verdict, again) },
            )
            .await
            .unwrap();
    };
    settle(Reason::RateLimited, Moment(2_000_000)).await;
    assert_eq!(story.outbox.shut_out().await.unwrap(), []);
    assert_eq!(story.outbox.standing(&team(), [2; 32]).await.unwrap().hold_until, None);
    let until = Moment(3_000_000);
    settle(Reason::Banned, until).await;
    assert_eq!(story.outbox.shut_out().await.unwrap(), [(team(), until)]);
    assert_eq!(story.outbox.standing(&team(), [3; 32]).await.unwrap().hold_until, Some(until));
}

#[tokio::test]
async fn a_clock_that_was_ahead_holds_nothing_up() {
    let story = Story::begin().await;
    let day = Duration::from_hours(24);
    story.clock.advance(day * 10);
    story.accept(event("a"), false).await;
    story.accept(event("b"), false).await;
    let claim = story.claim().await.unwrap();
    let at = story.clock.now().plus(Duration::from_mins(5));
    story.settle(&claim, Outcome::Passing, Settlement::Again { at, failures: 1, unclear: 0 }).await;
    let Story { folder, outbox, closing, .. } = story;
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let story = Story::begin_in(folder, Clock::by_hand(Moment(1_000_000))).await;
    assert_eq!(story.due().await, Some(false));
    assert_eq!(story.claim().await.unwrap().stored.read().id, "a");
}

#[tokio::test]
async fn what_has_waited_too_long_for_a_destination_that_is_down_is_given_up_with_it() {
    let story = Story::begin().await;
    for id in ["old", "older than it looks"] {
        story.accept(event(id), false).await;
    }
    story.clock.advance(Duration::from_secs(100));
    story.accept(event("young"), false).await;
    let claim = story.claim().await.unwrap();
    let verdict = Verdict::new(Outcome::Passing, Reason::Connect, "no route");
    let again = Settlement::Again { at: story.clock.now(), failures: 1, unclear: 0 };
    let before = story.clock.now().minus(Duration::from_secs(50));
    story
        .outbox
        .settle(&room(team()), &claim, Ending { overdue: Some(before), ..Ending::new(verdict, again) })
        .await
        .unwrap();
    let states = "SELECT group_concat(state || coalesce(reason, '') ORDER BY id) FROM deliveries";
    assert_eq!(story.query::<String>(states), "deadgave_up,deadgave_up,waiting");
}

#[tokio::test]
async fn a_hold_from_a_clock_that_was_ahead_is_none() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    let verdict = Verdict::new(Outcome::Wait(Wait::Told(Duration::from_secs(9))), Reason::RateLimited, "");
    let again = Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    let year = story.clock.now().plus(Duration::from_hours(24 * 365));
    story
        .outbox
        .settle(&room(team()), &claim, Ending { holds: vec![(team(), year)], ..Ending::new(verdict, again) })
        .await
        .unwrap();
    assert_eq!(story.outbox.standing(&team(), [1; 32]).await.unwrap().hold_until, None);
}

#[tokio::test]
async fn what_nobody_mends_is_a_dead_letter_in_the_end() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    let gone = Verdict::new(Outcome::Gone, Reason::WebhookGone, "no_service");
    let again = Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    story.outbox.settle(&room(team()), &claim, Ending::new(gone, again)).await.unwrap();
    let day = Duration::from_hours(24);
    let keep = Keep { history: day * 30, dead_letters: day * 90, max_size: u64::MAX };
    let state = || story.query::<String>("SELECT state || coalesce(reason, '') FROM deliveries");
    story.clock.advance(day * 29);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(state(), "waiting");
    story.clock.advance(day * 2);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(state(), "deadstranded");
}

#[tokio::test]
async fn what_waits_for_nobody_is_told() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    story.accept(event("b"), false).await;
    assert_eq!(story.outbox.stranded(&[]).await.unwrap(), [("team".to_owned(), 2)]);
    assert!(story.outbox.stranded(&[team()]).await.unwrap().is_empty());
}

#[tokio::test]
async fn recent_attempts_are_remembered_for_the_pace() {
    let story = Story::begin().await;
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    let recent = |since| story.outbox.recent_attempts("pace", since);
    assert_eq!(recent(Moment(0)).await.unwrap(), [story.clock.now()]);
    assert!(recent(story.clock.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_locked_store_is_waited_for_then_refused_and_recovers() {
    let story = Story::begin().await;
    let mut other = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let lock = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let offer = |id| vec![Offer { event: event(id), routing: Routing::default() }];
    assert_eq!(story.outbox.accept(story.rules, offer("a"), ()).await, Err(StoreError::Unavailable));
    assert!(!story.outbox.is_writable().await);
    let waits = story.outbox.accept(story.rules, offer("b"), ());
    let unlock = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(lock);
    };
    let (waited, ()) = tokio::join!(waits, unlock);
    assert!(!waited.unwrap()[0].duplicate, "waited for, then stored");
    assert!(!story.accept(event("a"), false).await.duplicate, "what was refused had not been stored");
}

#[tokio::test]
async fn settled_history_is_forgotten_and_what_is_owed_is_not() {
    let story = Story::begin().await;
    for id in ["delivered", "waiting", "dead"] {
        story.accept(event(id), false).await;
    }
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    let later = story.clock.now().plus(Duration::from_hours(1));
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Passing, Settlement::Again { at: later, failures: 1, unclear: 0 }).await;
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Refused, Settlement::Dead(Reason::TooLong)).await;

    let day = Duration::from_hours(24);
    let keep = Keep { history: day * 30, dead_letters: day * 90, max_size: u64::MAX };
    let left = || story.query::<String>("SELECT group_concat(tracker_id ORDER BY id) FROM events");
    story.clock.advance(day * 29);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(left(), "delivered,waiting,dead");
    story.clock.advance(day * 2);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(left(), "waiting,dead");
    story.clock.advance(day * 60);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(left(), "waiting");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM attempts"), 1);
}

#[tokio::test]
async fn a_store_that_is_too_large_forgets_early_and_shrinks() {
    let story = Story::begin().await;
    for number in 0..40 {
        let mut event = event(&number.to_string());
        event.raw = format!(r#"{{"trigger":{{}},"pad":"{}"}}"#, "x".repeat(100_000));
        story.accept(event, false).await;
        let claim = story.claim().await.unwrap();
        story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    }
    let pages = || story.query::<i64>("PRAGMA page_count");
    let before = pages();
    story.clock.advance(Duration::from_secs(1));
    let keep = Keep { history: Duration::MAX, dead_letters: Duration::MAX, max_size: 1 << 20 };
    while story.outbox.prune(keep).await.unwrap().more {}
    assert!(pages() < before / 2, "{before} pages became {}", pages());
    assert_eq!(
        story.query::<String>("SELECT group_concat(tracker_id) FROM events WHERE id > 36"),
        "36,37,38,39"
    );
    assert!(story.query::<i64>("SELECT count(*) FROM events") < 12, "the oldest are gone");
}
