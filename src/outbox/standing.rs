//! How each destination stands: until when it is left alone, whether it is gone or fails, and who hears of things instead.
//!
//! What a courier has learnt of its destination is here for whoever takes its place, after a restart or a reload.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::clock::Moment;
use crate::delivery::{Outcome, Reason, Shown, Verdict};
use crate::name::DestinationName;
use crate::outbox::spells::{self, Spell};
use crate::outbox::{Durability, Outbox, StoreError};

/// No pause is longer: a moment further ahead comes from a clock that has been set back since, and counts as now.
pub(super) const FARTHEST: Duration = Duration::from_hours(25);

/// How a destination stood when the process or the courier before ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Nothing may be sent before this moment: its platform has asked for it.
    pub hold_until: Option<Moment>,
    /// While its webhook is gone: it is not tried before this moment, unless a person says so.
    pub rests_until: Option<Moment>,
    /// Since when a person has had it wait.
    pub suspended_since: Option<Moment>,
    /// When a person last said to try it at once.
    pub resumed_at: Option<Moment>,
    /// Since when its webhook is gone.
    pub gone_since: Option<Moment>,
    /// Since when it has done nothing but fail.
    pub failing_since: Option<Moment>,
    /// Since when what is meant for it has gone to its fallback.
    pub diverting_since: Option<Moment>,
    /// To whom it went last; until the destination works again, even if its address has been mended meanwhile.
    pub diverted_to: Option<DestinationName>,
    /// Since when it had been gone, or failing for so long that a fallback heard of things, at the address that it had
    /// until now.
    pub mended: Option<Moment>,
}

impl Outbox {
    /// How `destination` stood when its courier before ended. If its address has changed since, it starts afresh, but for
    /// the hold of a platform that has shut us out, whichever of its addresses we call.
    pub async fn standing(
        &self,
        destination: &DestinationName,
        fingerprint: [u8; 32],
    ) -> Result<Standing, StoreError> {
        let (destination, now) = (destination.clone(), self.clock.now());
        let standing =
            move |transaction: &Transaction<'_>| standing(transaction, &destination, fingerprint, now);
        self.writer.write(Durability::Flushed, standing).await
    }

    /// Which destinations' platforms have shut us out, and until when.
    pub async fn shut_out(&self) -> Result<Vec<(DestinationName, Moment)>, StoreError> {
        let until = self.clock.now().plus(FARTHEST);
        self.read(move |connection| {
            let mut statement = connection.prepare(
                "SELECT name, hold_until FROM destinations WHERE hold_reason = ?1 AND hold_until <= ?2",
            )?;
            let rows = statement.query_map(params![Reason::Banned.as_str(), until.0], |row| {
                Ok((row.get::<_, String>(0)?, Moment(row.get(1)?)))
            })?;
            // We wrote the names ourselves; one that somebody edited by hand holds nothing.
            rows.filter_map(|row| {
                row.map(|(name, until)| Some((DestinationName::new(&name).ok()?, until))).transpose()
            })
            .collect()
        })
        .await
    }
}

fn standing(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    fingerprint: [u8; 32],
    now: Moment,
) -> rusqlite::Result<Standing> {
    let mended: Option<Option<i64>> = transaction
        .query_row(
            "SELECT coalesce(gone_since, iif(diverting_since IS NULL, NULL, failing_since)) FROM destinations
             WHERE name = ?1 AND fingerprint <> ?2",
            params![destination.as_str(), fingerprint],
            |row| row.get(0),
        )
        .optional()?;
    let starts_afresh = transaction.execute(
        "INSERT INTO destinations (name, fingerprint) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET fingerprint = ?2, gone_since = NULL, gone_words = NULL, failing_since = NULL,
                                          diverting_since = NULL, rests_until = NULL,
                                          hold_until = iif(hold_reason = ?3, hold_until, NULL),
                                          hold_reason = iif(hold_reason = ?3, hold_reason, NULL)
         WHERE fingerprint <> ?2",
        params![destination.as_str(), fingerprint, Reason::Banned.as_str()],
    )?;
    if starts_afresh > 0 {
        for spell in [Spell::Gone, Spell::Failing, Spell::Diverting] {
            spells::end(transaction, destination, spell, now)?;
        }
    }
    let holds = "SELECT 1 FROM destinations WHERE name = ?1 AND hold_until > ?2 AND hold_until <= ?3";
    if !transaction.prepare_cached(holds)?.exists(params![
        destination.as_str(),
        now.0,
        now.plus(FARTHEST).0
    ])? {
        spells::end_wait(transaction, destination, now)?;
    }
    // Left by a clock that has been set back since.
    transaction.execute(
        "UPDATE destinations SET hold_until = NULL WHERE name = ?1 AND hold_until > ?2",
        params![destination.as_str(), now.plus(FARTHEST).0],
    )?;
    // Of a pause after failures nobody has told whoever takes it up now; and that clock again.
    transaction.execute(
        "UPDATE destinations SET rests_until = NULL
         WHERE name = ?1 AND rests_until IS NOT NULL AND (gone_since IS NULL OR rests_until > ?2)",
        params![destination.as_str(), now.plus(FARTHEST).0],
    )?;
    transaction.query_row(
        "SELECT hold_until, gone_since, failing_since, diverting_since, diverted_to, rests_until, suspended_since,
                resumed_at
         FROM destinations WHERE name = ?1",
        [destination.as_str()],
        |row| {
            let moment = |place| row.get::<_, Option<i64>>(place).map(|at| at.map(Moment));
            let diverted_to: Option<String> = row.get(4)?;
            Ok(Standing {
                hold_until: moment(0)?,
                rests_until: moment(5)?,
                suspended_since: moment(6)?,
                resumed_at: moment(7)?,
                gone_since: moment(1)?,
                // A clock that has been set back since must not make it wait.
                failing_since: moment(2)?.map(|since| since.min(now)),
                diverting_since: moment(3)?,
                // We wrote the name ourselves; one that somebody edited by hand is told nothing.
                diverted_to: diverted_to.and_then(|name| DestinationName::new(&name).ok()),
                mended: mended.flatten().map(Moment),
            })
        },
    )
}

/// Leaves `destination` alone until then, or for longer if it is to be left alone for longer already.
pub(super) fn hold(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    (now, until): (Moment, Moment),
    verdict: &Verdict,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE destinations SET hold_until = ?2, hold_reason = ?3 WHERE name = ?1 AND ?2 >= coalesce(hold_until, 0)",
        )?
        .execute(params![destination.as_str(), until.0, verdict.reason.as_str()])?;
    spells::asked_to_wait(transaction, destination, (now, until), verdict.reason.as_str())
}

/// Until when `destination` is left alone after failures, if it is; and, if this was a success, when it was.
pub(super) fn rest(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    until: Option<Moment>,
    delivered_at: Option<Moment>,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE destinations SET rests_until = ?2, delivered_at = coalesce(?3, delivered_at)
             WHERE name = ?1 AND (rests_until IS NOT ?2 OR ?3 IS NOT NULL)",
        )?
        .execute(params![
            destination.as_str(),
            until.map(|until| until.0),
            delivered_at.map(|delivered_at| delivered_at.0)
        ])?;
    Ok(())
}

/// Whether a person has had `destination` wait.
pub(super) fn is_suspended(connection: &Connection, destination: &DestinationName) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM destinations WHERE name = ?1 AND suspended_since IS NOT NULL")?
        .exists([destination.as_str()])
}

/// What is meant for `destination` goes to `to` from now on, if it did not before.
pub(super) fn divert(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    to: &DestinationName,
    now: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE destinations SET diverting_since = coalesce(diverting_since, ?3), diverted_to = ?2
             WHERE name = ?1 AND (diverting_since IS NULL OR diverted_to IS NOT ?2)",
        )?
        .execute(params![destination.as_str(), to.as_str(), now.0])?;
    spells::divert(transaction, destination, to, now)
}

/// Writes down what an answer shows of `destination`.
pub(super) fn mark(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    verdict: &Verdict,
    now: Moment,
) -> rusqlite::Result<()> {
    mark_gone(transaction, destination, verdict, now)?;
    mark_failing(transaction, destination, verdict, now)?;
    if verdict.shows() == Some(Shown::Works) {
        let is_back = transaction
            .prepare_cached(
                "UPDATE destinations SET diverting_since = NULL, diverted_to = NULL
                 WHERE name = ?1 AND gone_since IS NULL AND diverted_to IS NOT NULL",
            )?
            .execute([destination.as_str()])?;
        if is_back > 0 {
            spells::end(transaction, destination, Spell::Diverting, now)?;
        }
    }
    Ok(())
}

/// Gone since the first answer that says so; back with the first message that it takes.
fn mark_gone(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    verdict: &Verdict,
    now: Moment,
) -> rusqlite::Result<()> {
    match verdict.outcome {
        Outcome::Gone => {
            transaction
                .prepare_cached(
                    "UPDATE destinations SET gone_since = coalesce(gone_since, ?2), gone_words = ?3 WHERE name = ?1",
                )?
                .execute(params![destination.as_str(), now.0, verdict.words])?;
            spells::begin(transaction, destination, Spell::Gone, now, &verdict.words)
        }
        Outcome::Delivered => {
            let is_back = transaction
                .prepare_cached(
                    "UPDATE destinations SET gone_since = NULL, gone_words = NULL
                     WHERE name = ?1 AND gone_since IS NOT NULL",
                )?
                .execute([destination.as_str()])?;
            if is_back > 0 { spells::end(transaction, destination, Spell::Gone, now) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// Failing since the first failure after the last answer that was none. A platform that asks to wait has not failed;
/// but it has not taken anything either.
fn mark_failing(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    verdict: &Verdict,
    now: Moment,
) -> rusqlite::Result<()> {
    match verdict.shows() {
        Some(Shown::Fails) => {
            transaction
                .prepare_cached(
                    "UPDATE destinations SET failing_since = min(?2, coalesce(failing_since, ?2)) WHERE name = ?1",
                )?
                .execute(params![destination.as_str(), now.0])?;
            spells::begin(transaction, destination, Spell::Failing, now, &verdict.words)
        }
        Some(Shown::Works) => {
            let is_back = transaction
                .prepare_cached(
                    "UPDATE destinations SET failing_since = NULL WHERE name = ?1 AND failing_since IS NOT NULL",
                )?
                .execute([destination.as_str()])?;
            if is_back > 0 { spells::end(transaction, destination, Spell::Failing, now) } else { Ok(()) }
        }
        None => Ok(()),
    }
}
