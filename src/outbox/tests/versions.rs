//! Stores of earlier versions: brought up to date with all that they owe.

use super::*;

/// The moment at which the stored file of the first version was made.
const V1: Moment = Moment(1_795_298_029_567);

/// The same of the second version.
const V2: Moment = Moment(1_795_309_375_294);

/// The newest version of the tables.
const NEWEST: i64 = 4;

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
        while let Some(claim) = story.outbox.claim(&destination, "pace").await.unwrap() {
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
    assert_eq!(story.query::<i64>(indexes), 4);
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
