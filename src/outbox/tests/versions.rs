//! Stores of earlier versions: brought up to date with all that they owe.

use super::*;

/// The moment at which the stored file of the first version was made.
const V1: Moment = Moment(1_795_298_029_567);

/// The same of the second version.
const V2: Moment = Moment(1_795_309_375_294);

/// The same of the third version.
const V3: Moment = Moment(1_795_320_495_000);

/// The same of the fourth version.
const V4: Moment = Moment(1_795_333_484_267);

/// The same of the fifth version.
const V5: Moment = Moment(1_795_342_789_860);

/// The same of the sixth version.
const V6: Moment = Moment(1_795_354_768_847);

/// The newest version of the tables.
const NEWEST: i64 = 7;

/// Opens a copy of `file` a minute after it was made, changed by `change` before.
async fn bring_up_to_date(file: &[u8], made: Moment, change: &str) -> Story {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bugle.db");
    std::fs::write(&path, file).unwrap();
    Connection::open(&path).unwrap().execute_batch(change).unwrap();
    let story = Story::begin_in(folder, Clock::by_hand(made.plus(Duration::from_mins(1)))).await;
    assert_eq!(story.query::<i64>("SELECT max(version) FROM refinery_schema_history"), NEWEST);
    assert_eq!(story.query::<String>("PRAGMA integrity_check"), "ok");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    story
}

#[tokio::test]
async fn a_store_of_the_first_version_is_brought_up_to_date_with_all_that_it_owes() {
    let story = bring_up_to_date(include_bytes!("../../../tests/fixtures/store/v1.db"), V1, "").await;
    let story = story.restart().await;
    let mut owed = Vec::new();
    for destination in ["slack", "discord"] {
        let destination = DestinationName::new(destination).unwrap();
        while let Some(claim) = story.outbox.first(&room(destination.clone())).await {
            let event = claim.stored.read();
            assert_eq!(
                (claim.delivery.mentions.as_slice(), claim.delivery.simplest),
                (&["here".to_owned()][..], false)
            );
            owed.push(format!("{destination} {} {} {}", event.trigger, event.title, claim.delivery.failures));
            story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
        }
    }
    assert_eq!(
        owed,
        [
            "slack firstException Payments::GatewayTimeout 1",
            "slack feedback Paying takes forever 0",
            "discord firstException Payments::GatewayTimeout 2",
            "discord feedback Paying takes forever 0",
        ]
    );
    assert_eq!(
        story.query::<i64>("SELECT count(*) FROM attempts"),
        7,
        "three of the first version's, four of now"
    );
}

/// The second version's file, in which everything that could happen to a delivery has happened to one.
const SECOND: &[u8] = include_bytes!("../../../tests/fixtures/store/v2.db");

#[tokio::test]
async fn a_store_of_the_second_version_keeps_what_became_of_each_delivery() {
    let story = bring_up_to_date(SECOND, V2, "").await;
    let deliveries =
        "SELECT group_concat(id || destination || state || failures || simplest, ' ' ORDER BY id)
                      FROM deliveries";
    assert_eq!(
        story.query::<String>(deliveries),
        "1slackdelivered00 2discordwaiting30 3oldwaiting00 4slackdead00 5discordwaiting20 6oldwaiting00 \
         7slackwaiting31 8discordwaiting00 9oldwaiting00"
    );
    assert_eq!(
        story.query::<String>("SELECT reason || words FROM deliveries WHERE id = 4"),
        "misconfigureduser_not_found"
    );
    assert_eq!(
        story
            .query::<i64>("SELECT count(*) FROM deliveries WHERE coalesce(moved_to, instead_of) IS NOT NULL"),
        0
    );
    assert_eq!(story.query::<i64>("SELECT count(*) FROM attempts"), 12);
    assert_eq!(
        story.query::<String>(
            "SELECT group_concat(name) FROM destinations WHERE gone_since IS NOT NULL
                               AND coalesce(failing_since, diverting_since, diverted_to) IS NULL"
        ),
        "old"
    );
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'deliveries'";
    assert_eq!(story.query::<i64>(indexes), 9);
}

#[tokio::test]
async fn numbers_are_not_used_again_after_the_tables_were_written_anew() {
    let forgotten = "DELETE FROM attempts WHERE delivery > 7; DELETE FROM deliveries WHERE id > 7;";
    let everything = "DELETE FROM attempts; DELETE FROM deliveries;";
    for change in [forgotten, everything] {
        let story = bring_up_to_date(SECOND, V2, change).await;
        story.accept(event("new"), false).await;
        assert_eq!(story.query::<i64>("SELECT max(id) FROM deliveries"), 10, "{change}");
        assert_eq!(story.query::<i64>("SELECT max(id) FROM events"), 4, "{change}");
    }
}

/// The third version's file, in which deliveries have moved.
const THIRD: &[u8] = include_bytes!("../../../tests/fixtures/store/v3.db");

#[tokio::test]
async fn a_store_of_the_third_version_keeps_what_has_moved_and_how_each_destination_stands() {
    let story = bring_up_to_date(THIRD, V3, "").await;
    let states = "SELECT group_concat(state || ' ' || n, ', ' ORDER BY state)
                  FROM (SELECT state, count(*) AS n FROM deliveries GROUP BY state)";
    assert_eq!(story.query::<String>(states), "dead 1, delivered 8, moved 6, waiting 12");
    let moved = "SELECT group_concat(id || '>' || moved_to || reason, ' ' ORDER BY id) FROM deliveries WHERE state = 'moved'";
    assert_eq!(
        story.query::<String>(moved),
        "2>9gone 3>1covered 13>14covered 15>12covered 21>27gone 22>20covered"
    );
    let instead =
        "SELECT group_concat(id || instead_of, ' ' ORDER BY id) FROM deliveries WHERE instead_of IS NOT NULL";
    assert_eq!(story.query::<String>(instead), "9old 27old");
    let standing = |condition: &str| {
        story.query::<String>(&format!(
            "SELECT coalesce(group_concat(name, ' ' ORDER BY name), '') FROM destinations WHERE {condition}"
        ))
    };
    assert_eq!(standing("gone_since IS NOT NULL"), "gone old");
    assert_eq!(standing("failing_since IS NOT NULL"), "down lame mute");
    assert_eq!(standing("diverted_to IS NOT NULL AND diverting_since IS NOT NULL"), "lame old");
    assert_eq!(standing("hold_reason = 'rate_limited' AND hold_until > 1795320495000"), "held");
    assert_eq!(standing("coalesce(suspended_since, resumed_at, rests_until) IS NOT NULL"), "");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM attempts"), 23);
    assert_eq!(story.query::<i64>("SELECT count(*) FROM events WHERE product = 'bugle'"), 3);
    let examined = examine(&story.folder.path().join("bugle.db")).unwrap();
    assert!(examined.is_in_order(), "{examined:?}");
    // What waits is claimed as it was left.
    let down = DestinationName::new("down").unwrap();
    let claim = story.outbox.first(&room(down)).await.unwrap();
    assert_eq!((claim.delivery.id.0, claim.delivery.failures), (6, 3));
}

/// The fourth version's file, before anything was counted for ever.
const FOURTH: &[u8] = include_bytes!("../../../tests/fixtures/store/v4.db");

#[tokio::test]
async fn a_store_of_the_fourth_version_is_counted_and_its_queue_waits_for_no_window() {
    let story = bring_up_to_date(FOURTH, V4, "").await;
    let tallies =
        "SELECT group_concat(destination || ' ' || state || ' ' || count, ', ' ORDER BY destination, state)
                   FROM tallies";
    assert_eq!(
        story.query::<String>(tallies),
        "down waiting 6, gone moved 6, held waiting 6, team dead 1, team delivered 7, team discarded 1, team moved 1"
    );
    let arrivals = "SELECT group_concat(source || ' ' || fate || ' ' || count, ', ' ORDER BY source, fate) FROM arrivals";
    assert_eq!(
        story.query::<String>(arrivals),
        "backend dropped 1, backend duplicate 3, backend routed 6, backend unmatched 1, mobile routed 1, mobile unmatched 2"
    );
    let held =
        "SELECT count(*) FROM deliveries WHERE held <> 0 OR error_key IS NOT NULL OR told_as IS NOT NULL";
    assert_eq!(story.query::<i64>(held), 0);
    assert_eq!(story.query::<i64>("SELECT count(*) FROM windows"), 0);
    assert_eq!(story.query::<i64>("SELECT sum(digests + urgent_digests) FROM destinations"), 0);
    let examined = examine(&story.folder.path().join("bugle.db")).unwrap();
    assert!(examined.is_in_order(), "{examined:?}");
    // What is settled and forgotten stays counted, and what waits is told.
    let held = DestinationName::new("held").unwrap();
    let mut told = 0;
    while let Some(claim) = story.outbox.first(&room(held.clone())).await {
        story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
        told += 1;
    }
    assert_eq!(told, 6);
    let stock = story.outbox.stock(()).await.unwrap();
    let queue = stock.queues.iter().find(|queue| queue.destination == "held").unwrap();
    assert_eq!((queue.waiting, queue.settled.get("delivered"), queue.oldest), (0, Some(&6), None));
    assert_eq!(stock.arrivals["backend"]["duplicate"], 3);
}

/// The fifth version's file, before anything was written down of bugle itself.
const FIFTH: &[u8] = include_bytes!("../../../tests/fixtures/store/v5.db");

#[tokio::test]
async fn a_store_of_the_fifth_version_knows_how_each_destination_stood_then_and_how_it_goes_on() {
    let story = bring_up_to_date(FIFTH, V5, "").await;
    let spells = "SELECT group_concat(destination || ' ' || kind || ' ' || words, ', ' ORDER BY destination, kind) FROM spells
                  WHERE until IS NULL";
    assert_eq!(story.query::<String>(spells), "down failing , down suspended , gone gone no_service");
    assert_eq!(story.query::<i64>("SELECT count(*) FROM events WHERE words <> ''"), 0);
    let plain = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM configurations) + (SELECT count(*) FROM refusals)";
    assert_eq!(story.query::<i64>(plain), 0);
    let examined = examine(&story.folder.path().join("bugle.db")).unwrap();
    assert!(examined.is_in_order(), "{examined:?}");
    // What is over is closed where it was opened by the version before.
    let gone = DestinationName::new("gone").unwrap();
    let claim = story.outbox.first(&room(gone)).await.unwrap();
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    assert_eq!(story.query::<i64>("SELECT count(*) FROM spells WHERE kind = 'gone' AND until >= since"), 1);
    assert_eq!(story.query::<i64>("SELECT count(*) FROM spells WHERE until IS NULL"), 2);
    story.accept(event("new"), false).await;
    assert_eq!(story.query::<String>("SELECT words FROM events ORDER BY id DESC LIMIT 1"), "");
}

/// The sixth version's file, before a tracker was asked for anything.
const SIXTH: &[u8] = include_bytes!("../../../tests/fixtures/store/v6.db");

#[tokio::test]
async fn a_store_of_the_sixth_version_keeps_what_it_knew_of_itself_and_has_asked_no_tracker() {
    let story = bring_up_to_date(SIXTH, V6, "").await;
    assert_eq!(story.query::<i64>("SELECT count(*) FROM events WHERE caught_up <> 0"), 0);
    for table in ["catch_ups", "error_states", "hooks", "silences"] {
        assert_eq!(story.query::<i64>(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let spells = "SELECT group_concat(destination || ' ' || kind || ' ' || words, ', ' ORDER BY destination, kind) FROM spells
                  WHERE until IS NULL";
    assert_eq!(
        story.query::<String>(spells),
        "down failing down, gone diverting team, gone gone no_service, lame suspended "
    );
    let runs = "SELECT group_concat(version || ' ' || (stopped_at IS NULL), ', ' ORDER BY id) FROM runs";
    assert_eq!(story.query::<String>(runs), "0.1.0 0, 0.1.0 1");
    let refusals =
        "SELECT group_concat(source || ' ' || reason || ' ' || count, ', ' ORDER BY source) FROM refusals";
    assert_eq!(story.query::<String>(refusals), " unknown_source 2, backend unauthorized 2");
    let read = "SELECT group_concat(how, ' ' ORDER BY id) FROM configurations";
    assert_eq!(story.query::<String>(read), "start start reload refused");
    let states = "SELECT group_concat(state || ' ' || n, ', ' ORDER BY state)
                  FROM (SELECT state, count(*) AS n FROM deliveries GROUP BY state)";
    assert_eq!(
        story.query::<String>(states),
        "dead 6, delivered 5, discarded 1, folded 6, moved 7, waiting 14"
    );
    let examined = examine(&story.folder.path().join("bugle.db")).unwrap();
    assert!(examined.is_in_order(), "{examined:?}");
    // Whoever comes next finds the columns of now.
    story.accept(event("new"), false).await;
    assert_eq!(story.query::<i64>("SELECT caught_up FROM events ORDER BY id DESC LIMIT 1"), 0);
    let down = DestinationName::new("down").unwrap();
    let claim = story.outbox.first(&room(down)).await.unwrap();
    assert_eq!(claim.stored.read().trigger, "firstException");
}
