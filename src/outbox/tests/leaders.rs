//! Messages that tell of many, when something happens to what they tell of meanwhile.

use super::floods::{flooded, of_error};
use super::*;
use crate::flood::Told;
use crate::order::{Letters, Order};

/// Five of a destination's events in one message that has been tried once.
async fn gathered(story: &Story) -> Claim {
    for error in ["a", "b", "c", "d", "e"] {
        story.accept(of_error("firstException", "0", error), false).await;
    }
    let leader = story.outbox.gather(&flooded(), Told::Digest, false).await.unwrap().unwrap();
    story.outbox.claim(&flooded(), Pick::This(leader)).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_gains_a_mention_leaves_a_message_that_does_not_make_it() {
    let story = Story::begin().await;
    let claim = gathered(&story).await;
    story
        .settle(&claim, Outcome::Passing, Settlement::Again { at: Moment(0), failures: 1, unclear: 0 })
        .await;
    let other = DestinationName::new("other").unwrap();
    let event: i64 = story.query("SELECT event FROM deliveries WHERE held = 2 ORDER BY id LIMIT 1");
    let connection = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    connection
        .execute(
            "INSERT INTO deliveries (event, destination, urgent, mentions, accepted_at, due_at)
             VALUES (?1, 'other', 1, '[\"ann\"]', 0, 0)",
            [event],
        )
        .unwrap();
    let diverted = story.outbox.divert(&other, &team(), Reason::Failing).await.unwrap();
    assert_eq!((diverted.moved, diverted.covered), (0, 1));
    let urgent = story.outbox.first(&flooded()).await.unwrap();
    assert_eq!((urgent.delivery.urgent, urgent.delivery.told), (true, None));
    assert_eq!(urgent.delivery.mentions, ["here", "ann"]);
}

#[tokio::test]
async fn what_a_message_tells_of_is_not_given_up_while_that_is_under_way() {
    let story = Story::begin().await;
    let claim = gathered(&story).await;
    story.outbox.know([]);
    let month = Duration::from_hours(24 * 30);
    story.clock.advance(month + month);
    let keep = Keep { history: month, dead_letters: month, max_size: u64::MAX };
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(story.query::<i64>("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 5);
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    story.outbox.fold(claim.delivery.id).await.unwrap();
    assert_eq!(story.query::<i64>("SELECT count(*) FROM deliveries WHERE state = 'folded'"), 4);
}

#[tokio::test]
async fn what_a_kill_leaves_of_a_message_and_those_that_it_tells_of_is_settled_before_anything_else_is_done()
{
    for (settlement, expected) in [
        (Some(Settlement::Delivered), "1 delivered, 4 folded"),
        (Some(Settlement::Dead(Reason::Blocked)), "5 dead"),
        // The message was under way, once too often.
        (None, "5 dead"),
    ] {
        let story = Story::begin().await;
        let claim = gathered(&story).await;
        if let Some(settlement) = settlement {
            story.settle(&claim, Outcome::Refused, settlement).await;
        }
        let story = story.restart().await;
        story.outbox.close_interrupted(|_, _| None).await.unwrap();
        assert_eq!(story.states(), expected);
        // Whoever orders something now, orders it for all of them.
        let order = Order::Discard { letters: Letters::default() };
        let done = story.outbox.carry_out(&order, None).await.unwrap();
        assert_eq!(done.discarded, if settlement == Some(Settlement::Delivered) { 0 } else { 5 });
        story.sums_hold();
    }
}
