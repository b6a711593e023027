//! What the store knows that bugle tells of itself.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::name::DestinationName;
use crate::outbox::{Outbox, StoreError};
use crate::source::OWN;

/// The bytes that are left for us on the disk that `path` is on; nothing where nobody can tell.
pub fn free_on_disk(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

impl Outbox {
    /// When an event with the identity `digest` came last.
    pub async fn last_seen(&self, digest: [u8; 32]) -> Result<Option<Moment>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare_cached("SELECT seen_at FROM identities WHERE digest = ?1")?
                .query_row([digest], |row| row.get(0).map(Moment))
                .optional()
        })
        .await
    }

    /// Since when the webhook of `destination` is gone, and what its platform said; nothing if it is not, or has got
    /// another address since.
    pub async fn gone(
        &self,
        destination: &DestinationName,
        fingerprint: [u8; 32],
    ) -> Result<Option<(Moment, String)>, StoreError> {
        let destination = destination.clone();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT gone_since, coalesce(gone_words, '') FROM destinations
                     WHERE name = ?1 AND fingerprint = ?2 AND gone_since IS NOT NULL",
                )?
                .query_row(params![destination.as_str(), fingerprint], |row| {
                    Ok((Moment(row.get(0)?), row.get(1)?))
                })
                .optional()
        })
        .await
    }

    /// How many deliveries wait for `destination`.
    pub async fn waiting(&self, destination: &DestinationName) -> Result<u64, StoreError> {
        let destination = destination.clone();
        self.read(move |connection| {
            let count = connection
                .prepare_cached(
                    "SELECT count(*) FROM deliveries WHERE destination = ?1 AND state = 'waiting'",
                )?
                .query_row([destination.as_str()], |row| row.get::<_, i64>(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    /// The dead letters since `since`, but for those of bugle's own events: destination, reason, how many.
    pub async fn dead_since(
        &self,
        since: Moment,
    ) -> Result<Vec<(Option<DestinationName>, Reason, u64)>, StoreError> {
        self.read(move |connection| {
            connection
                .prepare(
                    "SELECT d.destination, d.reason, count(*) FROM deliveries d JOIN events e ON e.id = d.event
                     WHERE d.state = 'dead' AND d.settled_at > ?1 AND e.product <> ?2
                     GROUP BY d.destination, d.reason ORDER BY min(d.id)",
                )?
                .query_map(params![since.0, OWN], |row| {
                    let (name, reason): (String, Option<String>) = (row.get(0)?, row.get(1)?);
                    let reason = reason.as_deref().and_then(Reason::read).unwrap_or(Reason::Internal);
                    let count: i64 = row.get(2)?;
                    Ok((DestinationName::new(&name).ok(), reason, u64::try_from(count).unwrap_or(0)))
                })?
                .collect()
        })
        .await
    }
}
