//! What is held back, gathered and folded, told as stories of one destination.

use super::*;
use crate::flood::{ErrorKey, Told};
use crate::outbox::Folded;

/// The destination, with windows of ten minutes and digests of more than three.
pub(super) fn flooded() -> Room {
    Room { flood: FloodControl { digest_over: Some(3), ..FloodControl::default() }, ..room(team()) }
}

/// Something that happened to the error `error`.
pub(super) fn of_error(trigger: &str, id: &str, error: &str) -> Event {
    let id = format!("{trigger} {error} {id}");
    let body = serde_json::json!({
        "trigger": { "type": trigger }, "error": { "id": id, "errorId": error, "exceptionClass": error },
    });
    Event {
        trigger: trigger.into(),
        error: crate::event::ErrorFacts { id: error.into(), ..crate::event::ErrorFacts::default() },
        raw: body.to_string(),
        ..event(&id)
    }
}

impl Story {
    async fn look(&self) -> Next {
        self.outbox.look(&flooded(), false).await.unwrap().next.unwrap()
    }

    /// What a courier would do with the next turn: what is claimed, and all that its message tells of.
    async fn turn(&self) -> Claim {
        // As a courier does when it takes up its destination.
        self.outbox.standing(&team(), [0; 32]).await.unwrap();
        let turn = loop {
            match self.look().await {
                Next::Due(turn) => break turn,
                Next::Covered => self.outbox.collapse(&team()).await.unwrap(),
                other => panic!("nothing can be sent: {other:?}"),
            }
        };
        let delivery = match turn.what {
            What::One(delivery) => delivery,
            What::Many(told) => self.outbox.gather(&flooded(), told, turn.urgent).await.unwrap().unwrap(),
        };
        self.outbox.claim(&flooded(), Pick::This(delivery)).await.unwrap().unwrap()
    }

    async fn end(&self, claim: &Claim, settlement: Settlement) -> Folded {
        let outcome = if settlement == Settlement::Delivered { Outcome::Delivered } else { Outcome::Refused };
        let named = match claim.delivery.told {
            Some(told) => {
                let gathering = self.outbox.gathering(claim.delivery.id, told).await.unwrap();
                gathering.errors.iter().filter_map(|kin| ErrorKey::of(&kin.event)).collect()
            }
            None => claim.delivery.error.into_iter().collect(),
        };
        let verdict = Verdict::new(outcome, Reason::Blocked, "words");
        let ending = Ending { named, ..Ending::new(verdict, settlement) };
        self.outbox.settle(&flooded(), claim, ending).await.unwrap();
        self.outbox.fold(claim.delivery.id).await.unwrap()
    }

    /// Sends what can be sent; how many that told of.
    async fn send(&self) -> u64 {
        let claim = self.turn().await;
        1 + self.end(&claim, Settlement::Delivered).await.told
    }

    async fn happen(&self, trigger: &str, id: &str, error: &str, urgent: bool) {
        self.accept(of_error(trigger, id, error), urgent).await;
    }

    pub(super) fn states(&self) -> String {
        self.query(
            "SELECT coalesce(group_concat(n || ' ' || state, ', ' ORDER BY state), '')
             FROM (SELECT state, count(*) AS n FROM deliveries GROUP BY state)",
        )
    }

    /// Both sums, from what is counted along and from the rows.
    pub(super) fn sums_hold(&self) {
        let rows = "SELECT group_concat(destination || state || n, ' ' ORDER BY destination, state)
                    FROM (SELECT destination, state, count(*) AS n FROM deliveries GROUP BY destination, state)";
        let tallied = "SELECT group_concat(destination || state || count, ' ' ORDER BY destination, state)
                       FROM tallies WHERE count > 0";
        assert_eq!(self.query::<Option<String>>(rows), self.query::<Option<String>>(tallied));
        let windows = "SELECT count(*) FROM windows w WHERE held <> (
                           SELECT count(*) FROM deliveries d WHERE d.destination = w.destination
                           AND d.error_key = w.error_key AND d.held = 1 AND d.state = 'waiting')";
        assert_eq!(self.query::<i64>(windows), 0);
        let lost = "SELECT count(*) FROM deliveries m WHERE m.held = 2 AND m.state = 'waiting'
                    AND NOT EXISTS (SELECT 1 FROM deliveries l WHERE l.id = m.folded_into)";
        assert_eq!(self.query::<i64>(lost), 0);
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_first_is_told_at_once_and_more_of_it_at_the_end_of_ever_longer_windows() {
    let story = Story::begin().await;
    story.happen("firstException", "0", "e", false).await;
    assert_eq!(story.send().await, 1);
    for minutes in [10, 20, 40, 60, 60] {
        let begun = story.clock.now();
        for id in 0..57 {
            story.happen("exception", &format!("{minutes} {id} {}", begun.0), "e", false).await;
        }
        assert_eq!(story.look().await, Next::At(begun.plus(minutes * MINUTE)), "{minutes}");
        story.clock.advance(minutes * MINUTE);
        let claim = story.turn().await;
        assert_eq!(claim.delivery.told, Some(Told::More));
        assert!(claim.delivery.mentions.is_empty(), "a line that there is more mentions nobody");
        let gathering = story.outbox.gathering(claim.delivery.id, Told::More).await.unwrap();
        assert_eq!((gathering.count, gathering.errors.len()), (57, 1));
        assert_eq!(story.end(&claim, Settlement::Delivered).await.told, 56);
        story.sums_hold();
    }
    assert_eq!(story.look().await, Next::Nothing);
    story.clock.advance(61 * MINUTE);
    story.happen("exception", "after silence", "e", false).await;
    assert_eq!(story.send().await, 1, "told at once");
    story.happen("exception", "more", "e", false).await;
    assert_eq!(story.look().await, Next::At(story.clock.now().plus(10 * MINUTE)), "and afresh");
}

#[tokio::test]
async fn what_came_before_the_first_was_told_is_held_back_too() {
    let story = Story::begin().await;
    for id in ["1", "2", "3"] {
        story.happen("exception", id, "e", false).await;
    }
    let claim = story.turn().await;
    assert_eq!(claim.delivery.told, None);
    story.end(&claim, Settlement::Delivered).await;
    assert_eq!(story.look().await, Next::Covered);
    story.outbox.collapse(&team()).await.unwrap();
    assert_eq!(story.look().await, Next::At(story.clock.now().plus(10 * MINUTE)));
    story.sums_hold();
}

#[tokio::test]
async fn only_repetitions_are_held_back_and_nothing_urgent_under_a_message_that_was_not() {
    let story = Story::begin().await;
    story.happen("exception", "0", "e", false).await;
    story.send().await;
    for trigger in ["firstException", "powerTen", "reopened", "errorEventFrequency", "comment"] {
        story.happen(trigger, "1", "e", false).await;
        assert_eq!(story.send().await, 1, "{trigger}");
    }
    story.happen("exception", "other", "f", false).await;
    assert_eq!(story.send().await, 1, "another error");
    story.happen("exception", "1", "e", true).await;
    assert_eq!(story.send().await, 1, "urgent");
    story.happen("exception", "2", "e", true).await;
    assert!(matches!(story.look().await, Next::At(_)), "after an urgent one it is");
    story.sums_hold();
}

#[tokio::test]
async fn windows_that_end_together_make_one_message() {
    let story = Story::begin().await;
    for (error, after) in [("e", 0), ("f", 2), ("g", 5)] {
        story.clock.advance(after * MINUTE);
        story.happen("exception", "0", error, false).await;
        story.send().await;
        story.happen("exception", "1", error, false).await;
    }
    story.clock.advance(3 * MINUTE);
    let claim = story.turn().await;
    let gathering = story.outbox.gathering(claim.delivery.id, Told::More).await.unwrap();
    assert_eq!((gathering.count, gathering.errors.len()), (2, 2), "the third has most of its time to go");
    story.end(&claim, Settlement::Delivered).await;
    assert!(matches!(story.look().await, Next::At(_)));
    story.sums_hold();
}

#[tokio::test]
async fn more_than_may_wait_is_gathered_and_told_as_one() {
    let story = Story::begin().await;
    for id in 0..4 {
        story.happen("firstException", "0", &format!("e{id}"), false).await;
    }
    story.happen("comment", "0", "", false).await;
    let claim = story.turn().await;
    assert_eq!(claim.delivery.told, Some(Told::Digest));
    assert_eq!(claim.delivery.mentions, ["here"], "whom its members would have, once");
    story.happen("firstException", "late", "e9", false).await;
    let gathering = story.outbox.gathering(claim.delivery.id, Told::Digest).await.unwrap();
    assert_eq!((gathering.count, gathering.errors.len(), gathering.notices.len()), (5, 4, 1));
    story.sums_hold();
    assert_eq!(story.states(), "6 waiting");
    assert_eq!(story.end(&claim, Settlement::Delivered).await.told, 4);
    assert_eq!(story.states(), "1 delivered, 4 folded, 1 waiting");
    let pause = Duration::from_secs(20);
    assert_eq!(story.look().await, Next::At(story.clock.now().plus(pause)), "the next waits a little");
    story.happen("exception", "0", "e1", false).await;
    story.clock.advance(pause);
    assert_eq!(story.send().await, 1, "a lone one goes by itself");
    assert!(matches!(story.look().await, Next::At(_)), "to be named in a digest opens the error's window");
    story.sums_hold();
}

#[tokio::test]
async fn what_a_message_was_to_tell_of_shares_its_fate() {
    for (settlement, expected) in [
        (Settlement::Dead(Reason::Blocked), "5 dead"),
        (Settlement::Again { at: Moment(0), failures: 1, unclear: 0 }, "5 waiting"),
    ] {
        let story = Story::begin().await;
        for id in 0..5 {
            story.happen("firstException", "0", &format!("e{id}"), false).await;
        }
        let claim = story.turn().await;
        story.end(&claim, settlement).await;
        assert_eq!(story.states(), expected);
        story.sums_hold();
        let story = story.restart().await;
        story.outbox.close_interrupted(|_, _| None).await.unwrap();
        assert_eq!(story.states(), expected);
    }
}

#[tokio::test]
async fn what_may_be_there_already_is_not_taken_in() {
    let story = Story::begin().await;
    story.happen("firstException", "0", "e0", false).await;
    let claim = story.turn().await;
    story
        .settle(&claim, Outcome::Unclear, Settlement::Again { at: Moment(0), failures: 0, unclear: 1 })
        .await;
    for id in 1..6 {
        story.happen("firstException", "0", &format!("e{id}"), false).await;
    }
    let again = story.turn().await;
    assert_eq!((again.delivery.id, again.delivery.told), (claim.delivery.id, None));
    story.end(&again, Settlement::Delivered).await;
    assert_eq!(story.send().await, 5);
}

#[tokio::test]
async fn after_five_urgent_messages_more_are_gathered_and_mention_once_in_five_minutes() {
    let story = Story::begin().await;
    let mut mentions = 0;
    for id in 0..40 {
        story.happen("firstException", "0", &format!("e{id}"), true).await;
    }
    for _ in 0..5 {
        let claim = story.turn().await;
        assert_eq!(claim.delivery.told, None);
        mentions += claim.delivery.mentions.len();
        story.end(&claim, Settlement::Delivered).await;
    }
    let claim = story.turn().await;
    assert_eq!((claim.delivery.told, claim.delivery.urgent), (Some(Told::Digest), true));
    mentions += claim.delivery.mentions.len();
    assert_eq!(story.end(&claim, Settlement::Delivered).await.told, 34);
    for (pause, id) in [(20, 50), (60, 51), (60, 52)] {
        story.happen("firstException", "0", &format!("e{id}"), true).await;
        let pause = Duration::from_secs(pause);
        assert_eq!(story.look().await, Next::At(story.clock.now().plus(pause)), "{id}");
        story.clock.advance(pause);
        let claim = story.turn().await;
        mentions += claim.delivery.mentions.len();
        story.end(&claim, Settlement::Delivered).await;
    }
    assert_eq!(mentions, 6);
    story.clock.advance(6 * MINUTE);
    story.happen("firstException", "0", "e60", true).await;
    let claim = story.turn().await;
    assert_eq!((claim.delivery.told, claim.delivery.mentions.len()), (None, 1), "as ever, once it is quiet");
}

#[tokio::test]
async fn more_than_a_thousand_are_gathered_and_folded_in_steps() {
    let story = Story::begin().await;
    let offers = (0..2_500).map(|id| {
        let route = Route::to(team());
        let routing = Routing { matched: Vec::new(), routes: vec![route] };
        Offer { event: of_error("firstException", &id.to_string(), &format!("e{}", id % 60)), routing }
    });
    story.outbox.accept(story.rules, offers.collect(), ()).await.unwrap();
    let claim = story.turn().await;
    let gathering = story.outbox.gathering(claim.delivery.id, Told::Digest).await.unwrap();
    assert_eq!((gathering.count, gathering.errors.len(), gathering.more_errors), (2_500, 10, 50));
    // The process ends between the message and those that it tells of.
    let ending = Ending::new(Verdict::new(Outcome::Delivered, Reason::Ok, ""), Settlement::Delivered);
    story.outbox.settle(&flooded(), &claim, ending).await.unwrap();
    assert_eq!(story.states(), "1 delivered, 2499 waiting");
    let story = story.restart().await;
    story.outbox.close_interrupted(|_, _| None).await.unwrap();
    assert_eq!(story.states(), "1 delivered, 2499 folded");
    story.sums_hold();
}

#[tokio::test]
async fn what_a_message_was_to_tell_of_moves_with_it() {
    for (unclear, mark) in [(0, false), (2, true)] {
        let story = Story::begin().await;
        for id in 0..250 {
            story.happen("firstException", "0", &format!("e{id}"), false).await;
        }
        let claim = story.turn().await;
        let again = Settlement::Again { at: Moment(0), failures: 1, unclear };
        story.settle(&claim, Outcome::Passing, again).await;
        let other = DestinationName::new("other").unwrap();
        let mut moved = 0;
        loop {
            let some = story.outbox.divert(&team(), &other, Reason::Failing).await.unwrap();
            if some.is_nothing() {
                break;
            }
            moved += some.moved;
            story.sums_hold();
        }
        assert_eq!((moved, story.states().as_str()), (250, "250 moved, 250 waiting"));
        let room = Room { name: other, ..flooded() };
        story.outbox.gather(&room, Told::Digest, false).await.unwrap();
        let claim = story.outbox.first(&room).await.unwrap();
        assert_eq!((claim.delivery.told, claim.delivery.may_be_a_repeat()), (Some(Told::Digest), mark));
        let gathering = story.outbox.gathering(claim.delivery.id, Told::Digest).await.unwrap();
        assert_eq!(gathering.count, 250);
    }
}

#[tokio::test]
async fn switched_off_the_windows_end_at_once() {
    let story = Story::begin().await;
    story.happen("exception", "0", "e", false).await;
    story.send().await;
    story.happen("exception", "1", "e", false).await;
    let off = room(team());
    let look = || async { story.outbox.look(&off, false).await.unwrap().next.unwrap() };
    assert_eq!(look().await, Next::Due(Turn { urgent: false, what: What::Many(Told::More) }));
    story.outbox.gather(&off, Told::More, false).await.unwrap();
    let claim = story.outbox.first(&off).await.unwrap();
    assert_eq!(claim.delivery.told, Some(Told::More));
    story.happen("exception", "2", "e", false).await;
    assert_eq!(story.query::<i64>("SELECT count(*) FROM deliveries WHERE held = 1"), 0);
}

#[tokio::test]
async fn events_of_a_spiking_project_join_a_digest_sooner() {
    let story = Story::begin().await;
    let of_shop = |trigger: &str, id: &str, error: &str| Event {
        app: crate::event::App { name: "Shop".into(), ..crate::event::App::default() },
        ..of_error(trigger, id, error)
    };
    story.accept(of_shop("projectSpiking", "0", ""), false).await;
    story.send().await;
    story.accept(of_shop("firstException", "0", "e1"), false).await;
    story.accept(of_shop("firstException", "0", "e2"), false).await;
    assert_eq!(story.look().await, Next::Due(Turn { urgent: false, what: What::Many(Told::Digest) }));
    story.clock.advance(11 * MINUTE);
    assert!(matches!(story.look().await, Next::Due(Turn { what: What::One(_), .. })), "long ago");
}

#[tokio::test]
async fn while_urgent_digests_rest_what_is_not_urgent_goes_on_and_mentions_nobody_in_their_place() {
    let story = Story::begin().await;
    for id in 0..20 {
        story.happen("firstException", "0", &format!("e{id}"), true).await;
    }
    for _ in 0..6 {
        story.send().await;
    }
    story.happen("firstException", "0", "resting", true).await;
    story.happen("firstException", "0", "other", false).await;
    let claim = story.turn().await;
    assert_eq!((claim.delivery.urgent, claim.delivery.told), (false, None));
    story.end(&claim, Settlement::Delivered).await;
    assert!(matches!(story.look().await, Next::At(_)), "the urgent one rests on");
}

#[tokio::test]
async fn a_line_of_more_does_not_wait_for_the_next_digest_nor_let_others_out() {
    let story = Story::begin().await;
    story.happen("exception", "0", "early", false).await;
    story.send().await;
    story.happen("exception", "1", "early", false).await;
    // Three digests, so that the next is minutes away when the window ends.
    story.clock.advance(5 * MINUTE);
    for (round, pause) in [20, 60, 180].into_iter().enumerate() {
        for id in 0..5 {
            story.happen("firstException", "0", &format!("e{round} {id}"), false).await;
        }
        assert_eq!(story.send().await, 5);
        story.clock.advance(Duration::from_secs(pause));
    }
    story.clock.advance(Duration::from_secs(1));
    for id in 0..5 {
        story.happen("firstException", "0", &format!("late {id}"), false).await;
    }
    assert_eq!(story.send().await, 5, "the fourth of the burst");
    story.happen("comment", "waiting", "", false).await;
    assert!(matches!(story.look().await, Next::At(_)));
    while !matches!(story.look().await, Next::Due(_)) {
        story.clock.advance(Duration::from_secs(1));
    }
    let claim = story.turn().await;
    assert_eq!(claim.delivery.told, Some(Told::More));
    story.end(&claim, Settlement::Delivered).await;
    assert!(matches!(story.look().await, Next::At(_)), "the comment waits for the next digest");
}

#[tokio::test]
async fn a_message_that_tells_of_many_is_tried_again_at_its_moment_whatever_rests() {
    let story = Story::begin().await;
    for id in 0..5 {
        story.happen("firstException", "0", &format!("e{id}"), false).await;
    }
    let claim = story.turn().await;
    let at = story.clock.now().plus(Duration::from_secs(1));
    story.settle(&claim, Outcome::Passing, Settlement::Again { at, failures: 1, unclear: 0 }).await;
    story.happen("comment", "waiting", "", false).await;
    story.clock.advance(Duration::from_secs(1));
    let again = story.turn().await;
    assert_eq!(again.delivery.id, claim.delivery.id);
}

#[tokio::test]
async fn a_clock_that_was_ahead_silences_nothing_urgent() {
    let folder = tempfile::tempdir().unwrap();
    let story = Story::begin_in(folder, Clock::by_hand(Moment(20_000_000))).await;
    for id in 0..20 {
        story.happen("firstException", "0", &format!("e{id}"), true).await;
    }
    for _ in 0..6 {
        story.send().await;
    }
    let story = Story { clock: Clock::by_hand(Moment(9_000_000)), ..story }.restart().await;
    story.happen("firstException", "0", "now", true).await;
    let claim = story.turn().await;
    assert_eq!((claim.delivery.told, claim.delivery.mentions.len()), (None, 1));
}

#[tokio::test]
async fn what_bugle_says_of_itself_is_never_told_with_others() {
    let story = Story::begin().await;
    let own = Event { product: crate::source::OWN, trigger: "destinationGone".into(), ..event("own") };
    story.accept(own, false).await;
    for id in 0..9 {
        story.happen("firstException", "0", &format!("e{id}"), false).await;
    }
    assert_eq!(story.send().await, 1);
    assert_eq!(story.send().await, 9);
}

#[tokio::test]
async fn while_nothing_can_be_sent_windows_go_on_counting() {
    let story = Story::begin().await;
    story.happen("exception", "0", "e", false).await;
    story.send().await;
    for round in 0..5 {
        story.happen("exception", &format!("more {round}"), "e", false).await;
        story.clock.advance(61 * MINUTE);
        let claim = story.turn().await;
        assert_eq!(claim.delivery.told, Some(Told::More));
        let at = story.clock.now();
        story.settle(&claim, Outcome::Gone, Settlement::Again { at, failures: 0, unclear: 0 }).await;
    }
    assert_eq!(story.query::<i64>("SELECT count(*) FROM deliveries WHERE told_as = 'more'"), 1);
    story.sums_hold();
}

#[tokio::test]
async fn members_of_what_is_given_up_for_its_age_are_back_in_the_queue() {
    let story = Story::begin().await;
    for id in 0..5 {
        story.happen("firstException", "0", &format!("e{id}"), false).await;
    }
    let claim = story.turn().await;
    story.end(&claim, Settlement::Dead(Reason::GaveUp)).await;
    assert_eq!(story.states(), "1 dead, 4 waiting");
    assert_eq!(
        story.query::<i64>("SELECT count(*) FROM deliveries WHERE held = 0 AND folded_into IS NULL"),
        5
    );
    story.sums_hold();
}
