//! A hundred thousand events that came before: written into the store by the rows, as bugle would have left them.

use std::time::Duration;

use super::story::Story;

const DAY: Duration = Duration::from_hours(24);

/// How many there are.
pub(super) const EVENTS: i64 = 100_000;

/// Fills the store with what came in the twenty days before, each delivered to the team. `Shop iOS` went silent two days ago.
pub(super) fn fill(story: &Story) {
    let now = story.clock.now().0;
    let (begin, end) = (story.clock.now().minus(DAY * 20).0, now - 60_000);
    let silent = story.clock.now().minus(DAY * 2).0;
    let step = (end - begin) / EVENTS;
    let rows = format!(
        r#"
        BEGIN;
        CREATE TEMP TABLE past AS
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {EVENTS} - 1)
        SELECT n, {begin} + n * {step} AS at,
               CASE WHEN n % 20 = 0 AND {begin} + n * {step} < {silent} THEN 'Shop iOS'
                    WHEN n % 3 = 0 THEN 'Shop Web' ELSE 'Shop API' END AS app
        FROM n;
        INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set, matched,
                            routing, raw, words)
        SELECT at, iif(app = 'Shop iOS', 'mobile', 'backend'), iif(app = 'Shop iOS', 'bugfender', 'bugsnag'),
               iif(app = 'Shop iOS', 'crash', 'exception'), 'error', app, 'Past::Error' || (n % 50),
               'past' || (n % 50), 'past-' || n, 1, '["all else"]', 'routed',
               json_object('trigger', json_object('type', 'exception'), 'project', json_object('name', app),
                           'error', json_object('exceptionClass', 'Past::Error' || (n % 50), 'id', 'past-' || n)),
               'something went wrong before'
        FROM past ORDER BY n;
        INSERT INTO deliveries (event, destination, rule, urgent, mentions, accepted_at, state, due_at, settled_at)
        SELECT id, 'team', 'all else', 0, '[]', received_at, 'delivered', 0, received_at + 400 FROM events WHERE title LIKE 'Past::%';
        INSERT INTO attempts (delivery, pace_group, started_at, ended_at, outcome, reason, status)
        SELECT id, 'team', accepted_at + 300, accepted_at + 400, 'delivered', 'ok', 200 FROM deliveries;
        INSERT INTO arrivals (source, fate, count)
        SELECT source, 'routed', count(*) FROM events GROUP BY source
        ON CONFLICT (source, fate) DO UPDATE SET count = count + excluded.count;
        DROP TABLE past;
        COMMIT;
        "#
    );
    story.write(&rows);
    // Else every commit would wait for whoever just reads: bugle keeps its log small, and this has made it large.
    story.write("PRAGMA wal_checkpoint(TRUNCATE)");
}
