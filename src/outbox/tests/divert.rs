//! Moving deliveries from one destination to another: nothing lost, nothing doubled, whichever way they moved before.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rusqlite::params;

use super::*;
use crate::outbox::Diverted;

fn named(name: &str) -> DestinationName {
    DestinationName::new(name).unwrap()
}

impl Story {
    async fn owe(&self, id: &str, destinations: &[(&str, bool, &str)]) {
        let route = |&(name, urgent, mention): &(&str, bool, &str)| Route {
            destination: named(name),
            rule: Some(RuleName::new("r").unwrap()),
            template: Some("short".into()),
            urgent,
            mention: if mention.is_empty() { Vec::new() } else { vec![mention.to_owned()] },
        };
        let routing = Routing { matched: Vec::new(), routes: destinations.iter().map(route).collect() };
        self.outbox.accept(self.rules, vec![Offer { event: event(id), routing }], ()).await.unwrap();
    }

    async fn divert(&self, from: &str, to: &str) -> Diverted {
        self.outbox.divert(&named(from), &named(to), Reason::Gone).await.unwrap()
    }

    /// Makes an attempt at what is due first, and settles it.
    async fn attempt(&self, at: &str, settlement: Settlement) -> Option<Claim> {
        let claim = self.outbox.first(&room(named(at))).await?;
        self.settle(&claim, Outcome::Unclear, settlement).await;
        Some(claim)
    }

    fn rows(&self) -> String {
        self.query(
            "SELECT group_concat(id || destination || ' ' || state || coalesce(' ' || reason || ' to ' || moved_to, '')
                 || coalesce(' instead of ' || instead_of, ''), '; ' ORDER BY id) FROM deliveries",
        )
    }
}

#[tokio::test]
async fn what_waits_moves_with_all_that_it_owes_and_is_told_to_be_anothers() {
    let story = Story::begin().await;
    story.owe("a", &[("team", true, "ann")]).await;
    let at = story.clock.now().plus(Duration::from_hours(1));
    story.attempt("team", Settlement::Again { at, failures: 2, unclear: 1 }).await;
    assert_eq!(story.divert("team", "other").await, Diverted { moved: 1, covered: 0 });
    let story = story.restart().await;
    assert_eq!(story.rows(), "1team moved gone to 2; 2other waiting instead of team");
    let claim = story.outbox.first(&room(named("other"))).await.expect("it is due at once");
    let delivery = &claim.delivery;
    assert_eq!((delivery.failures, delivery.unclear, delivery.urgent), (0, 1, true));
    assert!(delivery.may_be_a_repeat());
    assert_eq!(
        (delivery.mentions.as_slice(), delivery.template.as_deref()),
        (&["ann".to_owned()][..], Some("short"))
    );
    assert_eq!(delivery.instead_of.as_deref(), Some("team"));
    assert_eq!(delivery.accepted_at, Moment(1_000_000));
    assert_eq!(story.query::<String>("SELECT rule FROM deliveries WHERE id = 2"), "r");
}

#[tokio::test]
async fn the_other_destination_is_woken() {
    let story = Story::begin().await;
    let wake = story.outbox.wake(&team());
    story.owe("a", &[("other", false, "")]).await;
    story.divert("other", "team").await;
    wake.notified().await;
}

#[tokio::test]
async fn an_event_that_the_other_hears_of_anyway_is_covered() {
    let story = Story::begin().await;
    story.owe("a", &[("team", true, "ann"), ("other", false, "here")]).await;
    story.owe("b", &[("team", false, "ann"), ("other", false, "here")]).await;
    story.attempt("other", Settlement::Delivered).await;
    assert_eq!(story.divert("team", "other").await, Diverted { moved: 0, covered: 2 });
    assert_eq!(
        story.rows(),
        "1team moved covered to 2; 2other delivered; 3team moved covered to 4; 4other waiting"
    );
    let claim = story.outbox.first(&room(named("other"))).await.unwrap();
    assert_eq!(claim.delivery.mentions, ["here", "ann"]);
    assert_eq!((claim.delivery.urgent, claim.delivery.instead_of), (false, None));
}

#[tokio::test]
async fn what_covers_an_urgent_message_becomes_urgent() {
    let story = Story::begin().await;
    story.owe("a", &[("team", true, "ann"), ("other", false, "ann")]).await;
    story.divert("team", "other").await;
    let claim = story.outbox.first(&room(named("other"))).await.unwrap();
    assert_eq!((claim.delivery.urgent, claim.delivery.mentions), (true, vec!["ann".to_owned()]));
}

#[tokio::test]
async fn a_dead_letter_covers_nothing_wherever_it_died() {
    let story = Story::begin().await;
    story.owe("a", &[("team", false, ""), ("other", false, "")]).await;
    story.divert("other", "third").await;
    story.attempt("third", Settlement::Dead(Reason::TooLong)).await;
    assert_eq!(story.divert("team", "other").await, Diverted { moved: 1, covered: 0 });
    assert_eq!(story.divert("other", "third").await, Diverted { moved: 1, covered: 0 });
    assert_eq!(
        story.query::<i64>(
            "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND destination = 'third'"
        ),
        1
    );
}

#[tokio::test]
async fn along_a_chain_the_first_destination_is_named_and_on_the_way_back_none() {
    let story = Story::begin().await;
    story.owe("a", &[("team", false, "")]).await;
    story.divert("team", "other").await;
    story.divert("other", "third").await;
    assert_eq!(
        story.query::<String>("SELECT instead_of FROM deliveries WHERE destination = 'third'"),
        "team"
    );
    assert_eq!(story.divert("third", "team").await, Diverted { moved: 1, covered: 0 });
    let back =
        "SELECT id FROM deliveries WHERE state = 'waiting' AND destination = 'team' AND instead_of IS NULL";
    assert_eq!(story.query::<i64>(back), 4);
}

#[tokio::test]
async fn what_is_under_way_stays_and_what_has_moved_is_forgotten_with_its_event() {
    let story = Story::begin().await;
    story.owe("a", &[("team", false, "")]).await;
    let claim = story.claim().await.unwrap();
    assert_eq!(story.divert("team", "other").await, Diverted::default());
    let at = story.clock.now();
    story.settle(&claim, Outcome::Passing, Settlement::Again { at, failures: 1, unclear: 0 }).await;
    story.divert("team", "other").await;
    let day = Duration::from_hours(24);
    let keep = Keep { history: day, dead_letters: day, max_size: u64::MAX };
    story.clock.advance(day * 2);
    story.outbox.prune(keep).await.unwrap();
    // It is stranded there, since nobody serves that destination here: a dead letter.
    assert_eq!(story.rows(), "1team moved gone to 2; 2other dead instead of team");
    story.clock.advance(day * 2);
    story.outbox.prune(keep).await.unwrap();
    assert_eq!(
        story.query::<i64>("SELECT count(*) FROM deliveries")
            + story.query::<i64>("SELECT count(*) FROM events"),
        0
    );
}

#[tokio::test]
async fn that_deliveries_move_is_known_until_the_destination_works_again() {
    let story = Story::begin().await;
    let standing = async |address: u8| {
        let standing = story.outbox.standing(&team(), [address; 32]).await.unwrap();
        (standing.diverting_since, standing.diverted_to, standing.mended)
    };
    let post = async |outcome| {
        let claim = story.outbox.first(&room(team())).await.unwrap();
        let at = story.clock.now();
        story.settle(&claim, outcome, Settlement::Again { at, failures: 1, unclear: 0 }).await;
    };
    assert_eq!(standing(1).await, (None, None, None));
    assert_eq!(story.divert("team", "other").await, Diverted::default());
    assert_eq!(standing(1).await, (None, None, None), "nothing has moved");
    let begun = story.clock.now();
    story.owe("a", &[("team", false, "")]).await;
    post(Outcome::Gone).await;
    story.divert("team", "other").await;
    story.clock.advance(Duration::from_mins(1));
    story.owe("b", &[("team", false, "")]).await;
    story.divert("team", "third").await;
    assert_eq!(standing(1).await, (Some(begun), Some(named("third")), None));
    story.owe("c", &[("team", false, "")]).await;
    // Gone until it takes something: that it looks at a message and refuses it is not enough.
    for outcome in [Outcome::Passing, Outcome::Refused, Outcome::Wait(Wait::Told(Duration::ZERO))] {
        post(outcome).await;
        assert_eq!(standing(1).await.0, Some(begun), "{outcome:?}");
    }
    // A new address is none that deliveries go past; but who was told of it is to hear that it is over.
    assert_eq!(standing(2).await, (None, Some(named("third")), Some(begun)));
    post(Outcome::Passing).await;
    assert_eq!(standing(2).await, (None, Some(named("third")), None));
    post(Outcome::Delivered).await;
    assert_eq!(standing(2).await, (None, None, None));
    // What only fails is over with the first answer that shows that it works.
    post(Outcome::Passing).await;
    story.divert("team", "other").await;
    assert_eq!(standing(2).await, (Some(story.clock.now()), Some(named("other")), None));
    story.owe("d", &[("team", false, "")]).await;
    post(Outcome::Refused).await;
    assert_eq!(standing(2).await, (None, None, None));
}

#[tokio::test]
async fn a_long_queue_moves_in_chunks_urgent_first_and_keeps_its_order() {
    let story = Story::begin().await;
    for number in 0..250 {
        story.owe(&number.to_string(), &[("team", number == 220, "")]).await;
    }
    for expected in [100, 100, 50] {
        assert_eq!(story.divert("team", "other").await.moved, expected);
    }
    assert_eq!(story.divert("team", "other").await, Diverted::default());
    let order = "SELECT group_concat(tracker_id) FROM (SELECT e.tracker_id FROM deliveries d JOIN events e ON e.id = d.event
                 WHERE d.state = 'waiting' ORDER BY d.urgent DESC, d.id)";
    let expected: Vec<_> = [220].into_iter().chain((0..250).filter(|number| *number != 220)).collect();
    assert_eq!(
        story.query::<String>(order),
        expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    );
}

#[derive(Debug, Clone)]
enum Act {
    /// An event for the destinations whose bit is set; urgent for those whose bit is set in the second number.
    Owe(usize, usize),
    /// An attempt at a destination, and how it ends.
    Attempt(usize, Settlement),
    Divert(usize, usize),
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn any_act() -> impl Strategy<Value = Act> {
    let ends = vec![
        Settlement::Delivered,
        Settlement::Simpler,
        Settlement::Dead(Reason::TooLong),
        Settlement::Again { at: Moment(0), failures: 1, unclear: 1 },
    ];
    prop_oneof![
        2 => (1_usize..16, 0_usize..16).prop_map(|(to, urgent)| Act::Owe(to, urgent)),
        2 => (0_usize..4, prop::sample::select(ends)).prop_map(|(at, end)| Act::Attempt(at, end)),
        3 => (0_usize..4, 1_usize..4).prop_map(|(from, step)| Act::Divert(from, (from + step) % 4)),
    ]
}

/// Carries out `acts`; whatever waits moves.
async fn act(story: &Story, acts: Vec<Act>) {
    for (number, act) in acts.into_iter().enumerate() {
        match act {
            Act::Owe(to, urgent) => {
                let routes: Vec<_> = (0..4)
                    .filter(|bit| to >> bit & 1 == 1)
                    .map(|bit| (NAMES[bit], urgent >> bit & 1 == 1, NAMES[bit]))
                    .collect();
                story.owe(&number.to_string(), &routes).await;
            }
            Act::Attempt(at, settlement) => drop(story.attempt(NAMES[at], settlement).await),
            Act::Divert(from, to) => {
                let waiting = format!(
                    "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND destination = '{}'",
                    NAMES[from]
                );
                let before: usize = story.query::<i64>(&waiting).try_into().unwrap();
                let Diverted { moved, covered } = story.divert(NAMES[from], NAMES[to]).await;
                assert_eq!(moved + covered, before);
                assert_eq!(story.query::<i64>(&waiting), 0);
            }
        }
    }
}

/// A row of the store, for looking at it as a whole.
type Line = (i64, i64, String, bool, BTreeSet<String>, Option<i64>);

fn lines(story: &Story) -> Vec<Line> {
    let connection = Connection::open(story.folder.path().join("bugle.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT id, event, state, urgent, mentions, moved_to FROM deliveries ORDER BY id")
        .unwrap();
    let lines = statement.query_map(params![], |row| {
        let mentions: String = row.get(4)?;
        let mentions = serde_json::from_str(&mentions).unwrap();
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, mentions, row.get(5)?))
    });
    lines.unwrap().map(Result::unwrap).collect()
}

/// Panics if something is lost: a way that leads nowhere, or round, or to another event, or on which a mention or the
/// urgency is left behind.
fn nothing_is_lost(lines: &[Line]) {
    for line in lines {
        let mut here = line;
        for steps in 0.. {
            assert!(steps <= lines.len(), "the way from {line:?} goes round: {lines:#?}");
            let Some(next) = here.5 else { break };
            here = lines.iter().find(|other| other.0 == next).expect("it leads to a delivery");
            assert_eq!(here.1, line.1, "it is of the same event");
        }
        assert_ne!(here.2, "moved");
        if here.2 == "waiting" {
            assert!(here.3 >= line.3, "{line:?} was urgent, {here:?} is not");
            assert!(here.4.is_superset(&line.4), "{line:?} mentions whom {here:?} does not");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn however_deliveries_move_nothing_is_lost_and_nothing_doubled(
        acts in prop::collection::vec(any_act(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let story = Story::begin().await;
            act(&story, acts).await;
            nothing_is_lost(&lines(&story));
            let doubled = "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state IN ('waiting', 'delivered', 'folded')
                           GROUP BY event, destination HAVING count(*) > 1)";
            assert_eq!(story.query::<i64>(doubled), 0, "{}", story.rows());
            let Story { outbox, closing, .. } = story;
            drop(outbox);
            closing.wait();
        });
    }
}
