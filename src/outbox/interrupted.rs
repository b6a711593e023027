//! What a start finds under way: attempts of which nobody knows what came, and messages that were settled while those that they
//! tell of were not.

use rusqlite::Transaction;

use crate::clock::Moment;
use crate::delivery::{DeliveryId, Outcome, Reason, Settlement, Verdict};
use crate::name::DestinationName;
use crate::outbox::attempt::{end_attempt, write_settlement};
use crate::outbox::{Durability, Outbox, StoreError};

/// What was found under way at the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interrupted {
    /// Attempts that are repeated.
    pub repeated: usize,
    /// Deliveries that are dead letters now: repeated too often.
    pub buried: usize,
}

impl Outbox {
    /// Closes attempts that were under way when the process before ended: nobody knows what came of them. `again_at`
    /// says for a destination, from the count of unclear results, when to repeat; nothing: never. Then settles what waits for
    /// a message that is settled itself, since a kill may have come between the two, and nobody else ever looks for it.
    pub async fn close_interrupted(
        &self,
        again_at: impl Fn(&str, u32) -> Option<Moment> + Send + 'static,
    ) -> Result<Interrupted, StoreError> {
        let now = self.clock.now();
        let close = move |transaction: &Transaction<'_>| close_interrupted(transaction, now, &again_at);
        let ends = self.writer.write(Durability::Flushed, close).await?;
        let mut interrupted = Interrupted::default();
        for (destination, settlement) in ends {
            self.metrics.interrupted(&destination);
            if let Settlement::Dead(reason) = settlement {
                self.metrics.buried(&destination, reason, 1);
                interrupted.buried += 1;
            } else {
                interrupted.repeated += 1;
            }
        }
        self.fold_all().await?;
        Ok(interrupted)
    }
}

fn close_interrupted(
    transaction: &Transaction<'_>,
    now: Moment,
    again_at: &impl Fn(&str, u32) -> Option<Moment>,
) -> rusqlite::Result<Vec<(DestinationName, Settlement)>> {
    let open: Vec<(i64, DeliveryId, u32, u32, String)> = transaction
        .prepare(
            "SELECT a.id, d.id, d.failures, d.unclear, d.destination
             FROM attempts a INDEXED BY attempts_open CROSS JOIN deliveries d ON d.id = a.delivery
             WHERE a.ended_at IS NULL AND d.state = 'waiting'",
        )?
        .query_map([], |row| {
            Ok((row.get(0)?, DeliveryId(row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    let words = "bugle was stopped while this was being sent";
    let verdict = Verdict::new(Outcome::Unclear, Reason::Interrupted, words);
    let mut ends = Vec::new();
    for (attempt, delivery, failures, unclear, destination) in &open {
        let (failures, unclear) = (*failures, unclear + 1);
        let settlement = match again_at(destination, unclear) {
            Some(at) => Settlement::Again { at, failures, unclear },
            None => Settlement::Dead(Reason::UnclearTooOften),
        };
        end_attempt(transaction, *attempt, &verdict, settlement.again_at(), now)?;
        write_settlement(transaction, *delivery, &verdict, settlement, now)?;
        // We wrote the name ourselves; one that somebody edited by hand is counted nowhere.
        ends.extend(DestinationName::new(destination).ok().map(|destination| (destination, settlement)));
    }
    Ok(ends)
}
