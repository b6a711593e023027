//! Carrying out what a person orders, in steps so small that nobody waits for them.
//!
//! Which deliveries an order is about is read beside the writer; each step then looks at its own once more within the
//! commit, so that whatever has happened to one meanwhile, it is not done twice.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::name::{DestinationName, nearest};
use crate::order::{Done, Letters, Objection, Order, Rest};
use crate::outbox::divert::{self, Way};
use crate::outbox::spells::{self, Spell};
use crate::outbox::{Diverted, Durability, Outbox, StoreError, hooks, records, standing};

/// Dead letters that are dealt with in one commit, at most.
const CHUNK: usize = 200;

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It cannot be.
    #[error(transparent)]
    Objection(#[from] Objection),
    /// The store does not let it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Outbox {
    /// Takes the first step of `order`, or the one that `rest` says. When this returns it is on disk. What the answer
    /// leaves to do is to be asked for again.
    pub async fn carry_out(&self, order: &Order, rest: Option<Rest>) -> Result<Done, OrderError> {
        self.check(order, rest).await?;
        let done = match order {
            Order::Redrive { letters, to } => {
                let (ids, rest) = self.next_letters(letters, rest).await?;
                self.redrive(ids, to.clone(), rest).await?
            }
            Order::Discard { letters } => {
                let (ids, rest) = self.next_letters(letters, rest).await?;
                self.discard(ids, rest).await?
            }
            Order::Suspend { destination } => self.suspend(destination).await?,
            Order::Resume { destination } => self.resume(destination).await?,
            Order::Move { from, to } => self.move_by_hand(from, to, rest).await?,
            Order::KeepHook { hook } => {
                let hook = hook.clone();
                self.change_hooks(move |transaction, now| hooks::keep(transaction, &hook, now)).await?
            }
            Order::ForgetHook { key } => {
                let key = key.clone();
                // Whether it was forgotten already.
                self.change_hooks(move |transaction, _| Ok(!hooks::forget(transaction, &key)?)).await?
            }
        };
        Ok(done)
    }

    /// Whether the destinations are there that `order` needs: at each step, since the configuration may change between two.
    async fn check(&self, order: &Order, rest: Option<Rest>) -> Result<(), OrderError> {
        match order {
            Order::Redrive { to: Some(to), .. } => self.expect_configured(to)?,
            // Whose they are takes a while to find, and was found at the first step.
            Order::Redrive { to: None, .. } if rest.is_some() => {}
            Order::Redrive { letters, to: None } => {
                let all = {
                    let letters = letters.clone();
                    self.read_aside(move |connection| records::owners(connection, &letters)).await?
                };
                let known = self.known();
                if let Some(name) = all.into_iter().find(|name| !known.contains(name)) {
                    let near = near(&name, &known);
                    return Err(Objection::Left { name, near, known }.into());
                }
            }
            Order::Discard { .. } | Order::KeepHook { .. } | Order::ForgetHook { .. } => {}
            Order::Suspend { destination } => self.expect_configured(destination)?,
            Order::Resume { destination } => {
                let name = destination.clone();
                if !self.read(move |connection| standing::is_suspended(connection, &name)).await? {
                    self.expect_configured(destination)?;
                }
            }
            Order::Move { from, to } => {
                self.expect_configured(to)?;
                if from == to {
                    return Err(Objection::Same(to.to_string()).into());
                }
                let mut known = self.known();
                known.extend(self.read(records::names).await?);
                known.sort_unstable();
                known.dedup();
                expect(from, known)?;
            }
        }
        Ok(())
    }

    fn known(&self) -> Vec<String> {
        let mut known: Vec<String> = self.wakes.load().keys().map(ToString::to_string).collect();
        known.sort_unstable();
        known
    }

    fn expect_configured(&self, name: &DestinationName) -> Result<(), Objection> {
        expect(name, self.known())
    }

    /// The numbers of the dead letters that are next, and what is left after them.
    async fn next_letters(
        &self,
        letters: &Letters,
        rest: Option<Rest>,
    ) -> Result<(Vec<i64>, Option<Rest>), StoreError> {
        let letters = letters.clone();
        // Beside the reader that every courier looks with: among very many dead letters this takes a while.
        self.read_aside(move |connection| {
            let Rest { after, up_to } = rest.map_or_else(|| all(connection), Ok)?;
            let ids = records::next_letters(connection, &letters, after, up_to, CHUNK)?;
            let last = ids.last().filter(|_| ids.len() == CHUNK).copied();
            Ok((ids, last.map(|after| Rest { after, up_to })))
        })
        .await
    }

    async fn redrive(
        &self,
        ids: Vec<i64>,
        to: Option<DestinationName>,
        rest: Option<Rest>,
    ) -> Result<Done, StoreError> {
        let now = self.clock.now();
        let redrive = move |transaction: &Transaction<'_>| {
            let mut all = Vec::with_capacity(ids.len());
            for id in &ids {
                all.extend(divert::redrive(transaction, *id, to.as_ref(), now)?);
            }
            let mut is_suspended = false;
            for (_, to, _) in &all {
                is_suspended = is_suspended || standing::is_suspended(transaction, to)?;
            }
            Ok((all, is_suspended))
        };
        let (all, is_suspended) = self.writer.write(Durability::Flushed, redrive).await?;
        let mut done = Done { is_suspended, rest, ..Done::default() };
        for (from, to, goes) in &all {
            self.metrics.diverted(from, Reason::Redriven, usize::from(*goes), usize::from(!*goes));
            if *goes {
                done.sent += 1;
                self.wake(to).notify_one();
            } else {
                done.covered += 1;
            }
        }
        Ok(done)
    }

    async fn discard(&self, ids: Vec<i64>, rest: Option<Rest>) -> Result<Done, StoreError> {
        let now = self.clock.now();
        let discard = move |transaction: &Transaction<'_>| {
            let mut all = Vec::with_capacity(ids.len());
            for id in &ids {
                all.extend(discard(transaction, *id, now)?);
            }
            Ok(all)
        };
        let all = self.writer.write(Durability::Flushed, discard).await?;
        for name in all.iter().filter_map(|name| DestinationName::new(name).ok()) {
            self.metrics.discarded(&name);
        }
        Ok(Done { discarded: all.len() as u64, rest, ..Done::default() })
    }

    async fn suspend(&self, destination: &DestinationName) -> Result<Done, StoreError> {
        let (name, now) = (destination.clone(), self.clock.now());
        let suspend = move |transaction: &Transaction<'_>| {
            let was_so = standing::is_suspended(transaction, &name)?;
            // It may be one that no courier has taken up yet; its address is learnt then.
            transaction.execute(
                "INSERT INTO destinations (name, fingerprint, suspended_since) VALUES (?1, x'', ?2)
                 ON CONFLICT (name) DO UPDATE SET suspended_since = coalesce(suspended_since, ?2)",
                params![name.as_str(), now.0],
            )?;
            spells::begin(transaction, &name, Spell::Suspended, now, "")?;
            Ok(Done { was_so, waiting: waiting(transaction, &name)?, ..Done::default() })
        };
        let done = self.writer.write(Durability::Flushed, suspend).await?;
        self.wake(destination).notify_one();
        Ok(done)
    }

    async fn resume(&self, destination: &DestinationName) -> Result<Done, StoreError> {
        let (name, now) = (destination.clone(), self.clock.now());
        let resume = move |transaction: &Transaction<'_>| resume(transaction, &name, now);
        let done = self.writer.write(Durability::Flushed, resume).await?;
        self.wake(destination).notify_one();
        Ok(done)
    }

    async fn change_hooks(
        &self,
        change: impl Fn(&Transaction<'_>, Moment) -> rusqlite::Result<bool> + Send + 'static,
    ) -> Result<Done, StoreError> {
        let now = self.clock.now();
        let change = move |transaction: &Transaction<'_>| change(transaction, now);
        let was_so = self.writer.write(Durability::Flushed, change).await?;
        Ok(Done { was_so, ..Done::default() })
    }

    async fn move_by_hand(
        &self,
        from: &DestinationName,
        to: &DestinationName,
        rest: Option<Rest>,
    ) -> Result<Done, StoreError> {
        let Rest { up_to, after } = match rest {
            Some(rest) => rest,
            None => self.read(all).await?,
        };
        let now = self.clock.now();
        let way = Way { from: from.clone(), to: to.clone(), why: Reason::MovedByHand, now, up_to };
        let divert = move |transaction: &Transaction<'_>| {
            let some = divert::divert(transaction, &way)?;
            let in_hand = if some.is_nothing() { in_hand(transaction, &way.from, up_to)? } else { 0 };
            Ok((some, in_hand, standing::is_suspended(transaction, &way.to)?))
        };
        let (some, in_hand, is_suspended) = self.writer.write(Durability::Flushed, divert).await?;
        let Diverted { moved, covered } = some;
        self.metrics.diverted(from, Reason::MovedByHand, moved, covered);
        self.wake(to).notify_one();
        let rest = (!some.is_nothing()).then_some(Rest { after, up_to });
        let (sent, covered) = (moved as u64, covered as u64);
        Ok(Done { sent, covered, in_hand, is_suspended, rest, ..Done::default() })
    }
}

fn expect(name: &DestinationName, known: Vec<String>) -> Result<(), Objection> {
    let name = name.to_string();
    if known.contains(&name) {
        return Ok(());
    }
    let near = near(&name, &known);
    Err(Objection::Unknown { name, near, known })
}

fn near(name: &str, known: &[String]) -> Option<String> {
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}

/// Everything that there is by now, and nothing that comes later.
fn all(connection: &Connection) -> rusqlite::Result<Rest> {
    let up_to = connection.query_row("SELECT coalesce(max(id), 0) FROM deliveries", [], |row| row.get(0))?;
    Ok(Rest { after: 0, up_to })
}

/// Discards the dead letter `id`; whose it was, if it is one (still).
fn discard(transaction: &Transaction<'_>, id: i64, now: Moment) -> rusqlite::Result<Option<String>> {
    transaction
        .prepare_cached(
            "UPDATE deliveries SET state = 'discarded', settled_at = ?2 WHERE id = ?1 AND state = 'dead'
             RETURNING destination",
        )?
        .query_row(params![id, now.0], |row| row.get(0))
        .optional()
}

fn resume(transaction: &Transaction<'_>, name: &DestinationName, now: Moment) -> rusqlite::Result<Done> {
    let was_so = !standing::is_suspended(transaction, name)?;
    transaction.execute(
        "UPDATE destinations SET suspended_since = NULL, resumed_at = ?2, rests_until = NULL WHERE name = ?1",
        params![name.as_str(), now.0],
    )?;
    spells::end(transaction, name, Spell::Suspended, now)?;
    transaction.execute(
        // Not what may be there already, which is repeated slowly.
        "UPDATE deliveries SET due_at = 0
         WHERE destination = ?1 AND state = 'waiting' AND due_at > ?2 AND unclear = 0",
        params![name.as_str(), now.0],
    )?;
    let held = transaction
        .query_row(
            "SELECT hold_until, coalesce(hold_reason, '') FROM destinations WHERE name = ?1 AND hold_until > ?2",
            params![name.as_str(), now.0],
            |row: &Row<'_>| Ok((Moment(row.get(0)?), row.get(1)?)),
        )
        .optional()?;
    Ok(Done { was_so, waiting: waiting(transaction, name)?, held, ..Done::default() })
}

fn waiting(connection: &Connection, name: &DestinationName) -> rusqlite::Result<u64> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM deliveries WHERE destination = ?1 AND state = 'waiting'")?
        .query_row([name.as_str()], |row| row.get::<_, i64>(0))?;
    Ok(count.unsigned_abs())
}

/// How many deliveries for `from` up to that number are being sent just now.
fn in_hand(connection: &Connection, from: &DestinationName, up_to: i64) -> rusqlite::Result<u64> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM attempts a INDEXED BY attempts_open JOIN deliveries d ON d.id = a.delivery
             WHERE a.ended_at IS NULL AND d.destination = ?1 AND d.state = 'waiting' AND d.id <= ?2",
        )?
        .query_row(params![from.as_str(), up_to], |row| row.get::<_, i64>(0))?;
    Ok(count.unsigned_abs())
}
