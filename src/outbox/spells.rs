//! How long a destination stood so that nothing, or not everything, was sent to it: written down when it begins and when it
//! ends, so that it can still be told why a message came late once all is well again.

use std::fmt;

use rusqlite::{Transaction, params};

use crate::clock::Moment;
use crate::name::DestinationName;

/// Why a destination is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spell {
    /// Its platform has asked to wait.
    AskedToWait,
    /// What is meant for it goes to its fallback.
    Diverting,
    /// It does nothing but fail.
    Failing,
    /// Its webhook is gone.
    Gone,
    /// A person has it wait.
    Suspended,
}

impl Spell {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::AskedToWait, Self::Diverting, Self::Failing, Self::Gone, Self::Suspended];

    /// The word in the store and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AskedToWait => "asked_to_wait",
            Self::Diverting => "diverting",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Suspended => "suspended",
        }
    }

    /// The one that `word` stands for.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spell| spell.as_str() == word)
    }
}

impl fmt::Display for Spell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `spell` begins at `destination`, unless it goes on already; the `words` are then those of now.
pub(super) fn begin(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    spell: Spell,
    since: Moment,
    words: &str,
) -> rusqlite::Result<()> {
    let goes_on = transaction
        .prepare_cached(
            "UPDATE spells SET words = ?3 WHERE destination = ?1 AND kind = ?2 AND until IS NULL",
        )?
        .execute(params![destination.as_str(), spell.as_str(), words])?;
    if goes_on == 0 {
        insert(transaction, destination, spell, (since, None), words)?;
    }
    Ok(())
}

/// `destination` is diverted to another than before, or from now on.
pub(super) fn divert(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    to: &DestinationName,
    now: Moment,
) -> rusqlite::Result<()> {
    let to_another = transaction
        .prepare_cached(
            "SELECT 1 FROM spells WHERE destination = ?1 AND kind = ?2 AND until IS NULL AND words <> ?3",
        )?
        .exists(params![destination.as_str(), Spell::Diverting.as_str(), to.as_str()])?;
    if to_another {
        end(transaction, destination, Spell::Diverting, now)?;
    }
    begin(transaction, destination, Spell::Diverting, now, to.as_str())
}

/// What the platform of `destination` has asked for counts no more.
pub(super) fn end_wait(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    now: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE spells SET until = max(since, ?3) WHERE destination = ?1 AND kind = ?2 AND until > ?3",
        )?
        .execute(params![destination.as_str(), Spell::AskedToWait.as_str(), now.0])?;
    Ok(())
}

/// `spell` is over at `destination`.
pub(super) fn end(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    spell: Spell,
    until: Moment,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE spells SET until = max(since, ?3) WHERE destination = ?1 AND kind = ?2 AND until IS NULL",
        )?
        .execute(params![destination.as_str(), spell.as_str(), until.0])?;
    Ok(())
}

/// The platform of `destination` has asked to wait from `since` to `until`: one spell with the one before, if that is not over.
pub(super) fn asked_to_wait(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    (since, until): (Moment, Moment),
    words: &str,
) -> rusqlite::Result<()> {
    let goes_on = transaction
        .prepare_cached(
            "UPDATE spells SET until = max(until, ?4), words = ?5
             WHERE id = (SELECT id FROM spells WHERE destination = ?1 AND kind = ?2 ORDER BY since DESC LIMIT 1)
             AND until >= ?3",
        )?
        .execute(params![destination.as_str(), Spell::AskedToWait.as_str(), since.0, until.0, words])?;
    if goes_on == 0 {
        insert(transaction, destination, Spell::AskedToWait, (since, Some(until)), words)?;
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    destination: &DestinationName,
    spell: Spell,
    (since, until): (Moment, Option<Moment>),
    words: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO spells (destination, kind, since, until, words) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![destination.as_str(), spell.as_str(), since.0, until.map(|until| until.0), words])?;
    Ok(())
}
