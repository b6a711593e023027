//! The sums of a store: how many deliveries were owed and what became of them, and how many events came. Each must agree with
//! what is in it, at any moment.

use rusqlite::Connection;

/// Sums of the store, and sentences about what they find; each must hold at any moment.
const SUMS: &[(&str, &str)] = &[
    (
        "tallies that do not agree with the deliveries",
        "SELECT count(*) FROM (
             SELECT destination, state, count FROM tallies WHERE count > 0
             EXCEPT SELECT destination, state, count(*) FROM deliveries GROUP BY destination, state)",
    ),
    (
        "deliveries that no tally counts",
        "SELECT count(*) FROM (
             SELECT destination, state, count(*) FROM deliveries GROUP BY destination, state
             EXCEPT SELECT destination, state, count FROM tallies)",
    ),
    (
        "arrivals that do not agree with the events",
        "SELECT count(*) FROM (
             SELECT source, fate, count FROM arrivals WHERE fate <> 'duplicate' AND count > 0
             EXCEPT SELECT source, routing, count(*) FROM events WHERE product <> 'bugle' GROUP BY source, routing)",
    ),
    (
        "events that no arrival counts",
        "SELECT count(*) FROM (
             SELECT source, routing, count(*) FROM events WHERE product <> 'bugle' GROUP BY source, routing
             EXCEPT SELECT source, fate, count FROM arrivals)",
    ),
    (
        "second arrivals that are not counted",
        "SELECT abs((SELECT coalesce(sum(count), 0) FROM arrivals WHERE fate = 'duplicate')
                    - (SELECT count(*) FROM duplicates))",
    ),
    (
        "deliveries that are folded into a message that was never delivered",
        "SELECT count(*) FROM deliveries m WHERE m.state = 'folded' AND NOT EXISTS (
             SELECT 1 FROM deliveries l WHERE l.id = m.folded_into AND l.state = 'delivered'
             AND l.told_as IS NOT NULL AND l.folded_into IS NULL AND l.destination = m.destination)",
    ),
    (
        "windows that hold another number than they say",
        "SELECT count(*) FROM windows w WHERE held <> (
             SELECT count(*) FROM deliveries d WHERE d.destination = w.destination AND d.error_key = w.error_key
             AND d.held = 1 AND d.state = 'waiting')",
    ),
    (
        "deliveries that a window holds which is not there",
        "SELECT count(*) FROM deliveries d WHERE d.held = 1 AND d.state = 'waiting' AND NOT EXISTS (
             SELECT 1 FROM windows w WHERE w.destination = d.destination AND w.error_key = d.error_key)",
    ),
    (
        "members of nothing",
        "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND (held = 2) <> (folded_into IS NOT NULL)",
    ),
];

/// What is wrong with the sums of a store in which nothing was forgotten yet.
pub(crate) fn judge_sums(store: &Connection) -> Vec<String> {
    let snapshot = store.unchecked_transaction().unwrap();
    let wrong = SUMS.iter().map(|(words, sql)| {
        let count: i64 = snapshot.query_row(sql, [], |row| row.get(0)).unwrap();
        (count, words)
    });
    wrong.filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect()
}
