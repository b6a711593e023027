//! The herald with a real store and a clock that is moved by hand.

use std::collections::HashMap;

use proptest::prelude::*;

use super::restraint::QUIET;
use super::*;
use crate::flood::FloodControl;
use crate::metrics::Metrics;
use crate::name::SourceName;
use crate::notice::TEMPLATE;
use crate::outbox::{Claim, Closing, Ending, Room};
use crate::rule::Route;

struct Story {
    folder: tempfile::TempDir,
    clock: Clock,
    outbox: Outbox,
    closing: Closing,
    herald: Herald,
    notices: Notices,
}

fn room(name: &str) -> DestinationName {
    DestinationName::new(name).unwrap()
}

fn at(name: &str) -> Room {
    Room { name: room(name), pace_group: "pace".into(), flood: FloodControl::OFF }
}

fn dead(name: &str, count: u64) -> Notice {
    let (words, example) = ("503".to_owned(), None);
    Notice::DeadLetters { destination: Some(room(name)), reason: Reason::GaveUp, words, example, count }
}

fn gone(name: &str) -> Notice {
    Notice::DestinationGone { destination: room(name), words: "404".into(), fallback: None }
}

impl Story {
    async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::begin_in(folder, Clock::by_hand(Moment(1_790_000_000_000))).await
    }

    async fn begin_in(folder: tempfile::TempDir, clock: Clock) -> Self {
        let (outbox, closing) = {
            let path = folder.path().join("bugle.db");
            Outbox::open(&path, clock.clone(), Metrics::new(clock.clone())).unwrap()
        };
        let mut herald = Herald::new(outbox.clone(), clock.clone());
        herald.recover(clock.now(), &[]).await;
        let notices = herald.notices();
        notices.send_to(Some(room("team")));
        Self { folder, clock, outbox, closing, herald, notices }
    }

    async fn restart(self) -> Self {
        let Self { folder, clock, outbox, closing, herald, notices } = self;
        drop((outbox, herald, notices));
        tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
        Self::begin_in(folder, clock).await
    }

    async fn tell(&mut self, notice: Notice) {
        self.notices.tell(notice);
        self.look().await;
    }

    async fn look(&mut self) {
        self.herald.look().await.unwrap();
    }

    async fn after(&mut self, minutes: u64) {
        self.clock.advance(Duration::from_mins(minutes));
        self.look().await;
    }

    /// The titles of what is owed to `name`, in order.
    fn titles(&self, name: &str) -> Vec<String> {
        let store = rusqlite::Connection::open(self.folder.path().join("bugle.db")).unwrap();
        let sql = "SELECT e.title FROM events e JOIN deliveries d ON d.event = e.id WHERE d.destination = ?1 ORDER BY e.id";
        let mut statement = store.prepare(sql).unwrap();
        statement.query_map([name], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    async fn claim(&self, name: &str) -> Claim {
        self.outbox.first(&at(name)).await.unwrap()
    }
}

#[tokio::test]
async fn a_notice_is_owed_like_any_event_and_reads_back() {
    let mut story = Story::begin().await;
    story.tell(gone("oncall")).await;
    let claim = story.claim("team").await;
    let event = claim.stored.read();
    assert!(claim.stored.is_own() && claim.delivery.urgent && claim.delivery.mentions.is_empty());
    assert_eq!(claim.delivery.template.as_deref(), Some(TEMPLATE));
    assert_eq!((event.source.as_str(), event.trigger.as_str()), ("bugle", "destinationGone"));
    assert!(event.text.contains("waits in the store"), "{}", event.text);
}

#[tokio::test]
async fn the_first_goes_out_at_once_and_the_rest_together_when_the_hour_is_over() {
    let mut story = Story::begin().await;
    story.tell(dead("oncall", 1)).await;
    for _ in 0..3 {
        story.clock.advance(Duration::from_mins(10));
        story.tell(dead("oncall", 4)).await;
    }
    story.after(29).await;
    assert_eq!(story.titles("team").len(), 1);
    assert_eq!(story.herald.restraint.pause(story.clock.now()), Duration::from_mins(1));
    story.after(1).await;
    let titles = story.titles("team");
    assert_eq!(titles.len(), 2);
    assert_eq!(titles[1], "12 more messages to \"oncall\" could not be delivered");
    story.after(60).await;
    assert_eq!(story.titles("team").len(), 2, "nothing has happened since");
    story.tell(dead("oncall", 1)).await;
    assert_eq!(story.titles("team")[2], "A message to \"oncall\" could not be delivered");
}

#[tokio::test]
async fn each_kind_has_an_hour_of_its_own() {
    let mut story = Story::begin().await;
    story.tell(dead("oncall", 1)).await;
    story.tell(gone("oncall")).await;
    story.tell(gone("managers")).await;
    assert_eq!(story.titles("team").len(), 2);
    story.after(60).await;
    assert_eq!(story.titles("team")[2], "The destination \"managers\" is gone");
}

#[tokio::test]
async fn what_is_over_by_then_is_not_told() {
    let mut story = Story::begin().await;
    let source = SourceName::new("backend").unwrap();
    story.tell(gone("oncall")).await;
    story.tell(gone("managers")).await;
    story.tell(gone("ops")).await;
    story.notices.is_over(Matter::Gone(room("managers")));
    story.notices.is_over(Matter::Rejected(source));
    story.after(60).await;
    assert_eq!(story.titles("team")[1..], ["The destination \"ops\" is gone"]);
}

#[tokio::test]
async fn to_and_fro_within_the_hour_is_not_told_to_the_fallback() {
    let mut story = Story::begin().await;
    let (from, to) = (room("oncall"), room("managers"));
    let began = || Notice::DivertingBegan { from: from.clone(), to: to.clone(), gone: true };
    let ended = || Notice::DivertingEnded { from: from.clone(), to: to.clone() };
    story.tell(began()).await;
    story.tell(ended()).await;
    for _ in 0..3 {
        story.tell(began()).await;
        story.tell(ended()).await;
    }
    story.after(61).await;
    let both = ["Messages for \"oncall\" come here from now on", "\"oncall\" works again"];
    assert_eq!(story.titles("managers"), both);
    assert!(story.titles("team").is_empty());
}

#[tokio::test]
async fn a_restart_does_not_say_it_again_and_does_not_forget_the_dead() {
    let mut story = Story::begin().await;
    story.tell(gone("oncall")).await;
    story.tell(dead("oncall", 1)).await;
    story.clock.advance(Duration::from_mins(5));
    bury(&story, "crash").await;
    bury(&story, "notice").await;
    let mut story = story.restart().await;
    story.tell(gone("oncall")).await;
    assert_eq!(story.titles("team").len(), 2);
    story.after(55).await;
    let titles = story.titles("team");
    assert_eq!(titles.len(), 4, "{titles:?}");
    assert_eq!(titles[2], "One more message to \"oncall\" could not be delivered");
    assert_eq!(titles[3], "The destination \"oncall\" is gone");
}

#[tokio::test]
async fn the_dead_of_a_quiet_hour_that_ended_while_nothing_ran_are_told_at_the_start_and_once() {
    let mut story = Story::begin().await;
    story.tell(dead("oncall", 1)).await;
    story.clock.advance(Duration::from_mins(30));
    bury(&story, "crash").await;
    story.clock.advance(Duration::from_mins(32));
    for _ in 0..2 {
        story = story.restart().await;
        story.look().await;
        let again = "A message to \"oncall\" could not be delivered";
        assert_eq!(story.titles("team"), [again, again]);
        story.clock.advance(Duration::from_mins(62));
    }
}

#[tokio::test]
async fn the_dead_of_the_last_hour_are_told_at_the_start_although_none_ever_were() {
    let story = Story::begin().await;
    bury(&story, "crash").await;
    story.clock.advance(Duration::from_mins(61));
    bury(&story, "crash").await;
    story.clock.advance(Duration::from_mins(1));
    let mut story = story.restart().await;
    story.look().await;
    assert_eq!(story.titles("team"), ["A message to \"oncall\" could not be delivered"]);
}

/// An event, a tracker's or a notice, that becomes a dead letter at `oncall` while the herald does not look.
async fn bury(story: &Story, what: &str) {
    let mut event = crate::event::Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
    if what == "notice" {
        (event.source, event.product) = (SourceName::own(), OWN);
    }
    let routing = Routing { matched: Vec::new(), routes: vec![Route::to(room("oncall"))] };
    let rules = story.outbox.keep_rules(&RuleSet::empty()).await.unwrap();
    story.outbox.accept(rules, vec![Offer { event, routing }], ()).await.unwrap();
    let claim = story.claim("oncall").await;
    let verdict = crate::delivery::Verdict::new(crate::delivery::Outcome::Refused, Reason::Blocked, "no");
    let dead = crate::delivery::Settlement::Dead(Reason::Blocked);
    story.outbox.settle(&at("oncall"), &claim, Ending::new(verdict, dead)).await.unwrap();
}

#[tokio::test]
async fn without_an_addressee_nothing_is_told_and_with_a_new_one_it_is() {
    let mut story = Story::begin().await;
    story.notices.send_to(None);
    story.tell(gone("oncall")).await;
    story.notices.send_to(Some(room("managers")));
    assert!(story.titles("team").is_empty());
    story.tell(gone("ops")).await;
    assert_eq!(story.titles("managers"), ["The destination \"ops\" is gone"]);
}

#[tokio::test]
async fn whoever_stands_in_is_told_so_without_an_addressee_too_and_only_errors_go_ahead() {
    let mut story = Story::begin().await;
    story.notices.send_to(None);
    let (from, to) = (room("oncall"), room("managers"));
    story.tell(Notice::DivertingBegan { from: from.clone(), to: to.clone(), gone: true }).await;
    story.tell(Notice::DivertingEnded { from, to }).await;
    let both = ["Messages for \"oncall\" come here from now on", "\"oncall\" works again"];
    assert_eq!(story.titles("managers"), both);
    assert!(!story.claim("managers").await.delivery.urgent);
    story.notices.send_to(Some(room("managers")));
    story.tell(dead("oncall", 1)).await;
    assert!(story.claim("managers").await.delivery.urgent);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_silence_it() {
    let mut story = Story::begin().await;
    story.tell(dead("oncall", 1)).await;
    let story = story.restart().await;
    let Story { folder, outbox, closing, herald, notices, .. } = story;
    drop((outbox, herald, notices));
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let mut story = Story::begin_in(folder, Clock::by_hand(Moment(1_000_000))).await;
    story.tell(dead("oncall", 1)).await;
    assert_eq!(story.titles("team").len(), 2);
}

#[tokio::test]
async fn more_than_there_is_room_for_keeps_nobody_waiting() {
    let mut story = Story::begin().await;
    for _ in 0..1_000 {
        story.notices.tell(dead("oncall", 2));
    }
    assert_eq!(story.notices.waiting(), QUEUE);
    story.look().await;
    assert_eq!(story.titles("team"), ["512 messages to \"oncall\" could not be delivered"]);
}

#[tokio::test]
async fn what_was_heard_before_the_stop_is_told() {
    let story = Story::begin().await;
    let Story { herald, notices, .. } = &story;
    assert_eq!(herald.restraint.pause(Moment(0)), Duration::MAX);
    notices.tell(gone("oncall"));
    let stop = CancellationToken::new();
    stop.cancel();
    let Story { folder, herald, outbox, closing, notices, .. } = story;
    herald.run(stop).await;
    drop((outbox, notices));
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("bugle.db")).unwrap();
    let count: i64 = connection.query_row("SELECT count(*) FROM deliveries", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[derive(Debug, Clone)]
enum Happening {
    Told(Notice),
    Over(Matter),
    Passed(Duration),
}

fn happening() -> impl Strategy<Value = Happening> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"]);
    prop_oneof![
        4 => (name(), 1..50_u64).prop_map(|(name, count)| Happening::Told(dead(name, count))),
        2 => name().prop_map(|name| Happening::Told(gone(name))),
        1 => name().prop_map(|name| Happening::Over(Matter::Gone(room(name)))),
        3 => (0..5_000_u64).prop_map(|seconds| Happening::Passed(Duration::from_secs(seconds))),
    ]
}

proptest! {
    #[test]
    fn counts_never_lie_and_no_kind_is_told_twice_in_an_hour(
        happenings in prop::collection::vec(happening(), 0..200)
    ) {
        let (mut restraint, mut now) = (Restraint::default(), Moment(1_000_000));
        let mut heard: HashMap<Topic, u64> = HashMap::new();
        let mut told: HashMap<Topic, u64> = HashMap::new();
        let mut last: HashMap<Topic, Moment> = HashMap::new();
        for happening in happenings {
            match happening {
                Happening::Told(notice) => {
                    *heard.entry(notice.topic()).or_default() += notice.count();
                    restraint.hear(notice, now);
                }
                Happening::Over(matter) => {
                    let topic = gone("a").topic();
                    let before = restraint.bulletin(&topic).0.count();
                    restraint.forget(&matter);
                    let after = restraint.bulletin(&topic).0.count();
                    *heard.entry(topic).or_default() -= before - after;
                }
                Happening::Passed(time) => now = now.plus(time),
            }
            for topic in restraint.due(now) {
                let (bulletin, _) = restraint.bulletin(&topic);
                prop_assert!(!bulletin.is_empty());
                *told.entry(topic.clone()).or_default() += bulletin.count();
                if let Some(before) = last.insert(topic.clone(), now) {
                    prop_assert!(now.since(before) >= QUIET, "{:?}", topic);
                }
                restraint.told(&topic, now);
            }
        }
        for topic in restraint.due(now.plus(QUIET)) {
            *told.entry(topic.clone()).or_default() += restraint.bulletin(&topic).0.count();
        }
        heard.retain(|_, count| *count > 0);
        prop_assert_eq!(heard, told);
    }
}
