//! What is decided when a message that tells of many is first sent: whom it mentions, in whose place it speaks, and which burst
//! it belongs to.

use std::collections::BTreeSet;

use rusqlite::{Params, Transaction, params};

use crate::clock::Moment;
use crate::flood::{Told, URGENT_WITHIN};
use crate::outbox::look::{Burst, Room};

/// Whom the message of `leader` mentions: decided when it is first sent. A digest mentions whom its members would have, but
/// for those whom another has mentioned of late; a line that there is more mentions nobody.
pub(super) fn mentioned(
    transaction: &Transaction<'_>,
    room: &Room,
    leader: i64,
    told: Told,
    now: Moment,
) -> rusqlite::Result<Vec<String>> {
    let decided: Option<String> = transaction
        .prepare_cached("SELECT mentioned FROM deliveries WHERE id = ?1")?
        .query_row([leader], |row| row.get(0))?;
    if let Some(decided) = decided {
        return Ok(names(&decided));
    }
    let mentioned = match told {
        Told::More => Vec::new(),
        Told::Digest => {
            count_digest(transaction, room, leader, now)?;
            let of_late = mentioned_of_late(transaction, room, now)?;
            let all = lists(
                transaction,
                "SELECT DISTINCT mentions FROM (SELECT mentions FROM deliveries WHERE id = ?1
                 UNION ALL SELECT mentions FROM deliveries WHERE folded_into = ?1 AND state = 'waiting')",
                params![leader],
            )?;
            all.into_iter().filter(|name| !of_late.contains(name)).collect()
        }
    };
    transaction
        .prepare_cached("UPDATE deliveries SET mentioned = ?2 WHERE id = ?1")?
        .execute(params![leader, serde_json::json!(mentioned).to_string()])?;
    Ok(mentioned)
}

/// Whether a member of `leader` was tried elsewhere and may have been posted there.
pub(super) fn tells_again(transaction: &Transaction<'_>, leader: i64) -> rusqlite::Result<bool> {
    transaction
        .prepare_cached(
            "SELECT 1 FROM deliveries WHERE folded_into = ?1 AND state = 'waiting' AND unclear > 0",
        )?
        .exists([leader])
}

/// The destinations that what `leader` tells of was first meant for, in words; nothing, if all of it was meant for this one.
pub(super) fn instead_of(transaction: &Transaction<'_>, leader: i64) -> rusqlite::Result<Option<String>> {
    let all: Vec<Option<String>> = transaction
        .prepare_cached(
            "SELECT DISTINCT instead_of FROM (SELECT instead_of FROM deliveries WHERE id = ?1
             UNION ALL SELECT instead_of FROM deliveries WHERE folded_into = ?1 AND state = 'waiting')
             ORDER BY instead_of",
        )?
        .query_map([leader], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let in_part = if all.contains(&None) { ", in part" } else { "" };
    let names: Vec<String> = all.into_iter().flatten().collect();
    Ok((!names.is_empty()).then(|| format!("{}{in_part}", names.join(" and "))))
}

/// Whom digests have mentioned of late at this destination.
fn mentioned_of_late(
    transaction: &Transaction<'_>,
    room: &Room,
    now: Moment,
) -> rusqlite::Result<BTreeSet<String>> {
    lists(
        transaction,
        "SELECT d.mentioned FROM attempts a JOIN deliveries d ON d.id = a.delivery
         WHERE a.pace_group = ?1 AND a.started_at > ?2 AND a.started_at <= ?4 AND a.outcome IN ('delivered', 'unclear')
         AND d.destination = ?3 AND d.told_as = 'digest'",
        params![room.pace_group, now.minus(URGENT_WITHIN).0, room.name.as_str(), now.0],
    )
}

fn lists(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: impl Params,
) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = transaction.prepare_cached(sql)?;
    let lists = statement.query_map(parameters, |row| row.get::<_, Option<String>>(0))?;
    let mut all = BTreeSet::new();
    for list in lists {
        all.extend(list?.iter().flat_map(|list| names(list)));
    }
    Ok(all)
}

/// We wrote such lists ourselves; a store that somebody edited by hand costs the mentions, not the message.
fn names(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_default()
}

/// Counts a digest of the burst that it belongs to. After one that tells of no more than would have gone one by
/// one, the next need not wait for long.
fn count_digest(
    transaction: &Transaction<'_>,
    room: &Room,
    leader: i64,
    now: Moment,
) -> rusqlite::Result<()> {
    let (urgent, members): (bool, u32) = transaction
        .prepare_cached(
            "SELECT urgent, (SELECT count(*) FROM deliveries WHERE folded_into = ?1 AND state = 'waiting')
             FROM deliveries WHERE id = ?1",
        )?
        .query_row([leader], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let burst = Burst::read(transaction, &room.name, urgent)?;
    let goes_on = burst.goes_on(now, urgent);
    let is_last = !urgent && room.flood.digest_over.is_none_or(|over| members < over);
    let digests = if goes_on && !is_last { burst.digests.saturating_add(1) } else { 1 };
    let sql = if urgent {
        "UPDATE destinations SET urgent_digests = ?2, urgent_digest_at = ?3 WHERE name = ?1"
    } else {
        "UPDATE destinations SET digests = ?2, digest_at = ?3 WHERE name = ?1"
    };
    transaction.prepare_cached(sql)?.execute(params![room.name.as_str(), digests, now.0])?;
    Ok(())
}
