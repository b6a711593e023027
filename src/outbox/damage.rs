//! A damaged file: told from trouble that passes, and said once.
//!
//! Damage is rarely everywhere. What can still be committed is accepted, and is on disk as promised; whoever meets the
//! damaged part is told so each time, the log only the first time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Error, ErrorCode};

use crate::metrics::Metrics;

/// Whether the store's file has shown damage since it was opened. Cloning it gives another handle on the same.
#[derive(Debug, Clone)]
pub(super) struct Damage {
    is_found: Arc<AtomicBool>,
    metrics: Metrics,
}

impl Damage {
    /// None has been found yet.
    pub(super) fn none(metrics: Metrics) -> Self {
        Self { is_found: Arc::default(), metrics }
    }

    /// Whether some has been found.
    pub(super) fn is_found(&self) -> bool {
        self.is_found.load(Ordering::Relaxed)
    }

    /// Whether `error` shows some. The first time a person is told what to do.
    pub(super) fn shows_in(&self, error: &Error) -> bool {
        let is_damage = is_damage(error);
        if is_damage && !self.is_found.swap(true, Ordering::Relaxed) {
            self.metrics.store_in_trouble(true);
            tracing::error!(
                %error,
                "the store's file is damaged, and what is in the damaged part can be neither read nor written; stop bugle, \
                 look at it with `bugle check-store`, then restore a backup or save what can be read with `sqlite3 bugle.db \
                 .recover`"
            );
        }
        is_damage
    }
}

/// Whether `error` lies in what the file holds, which nothing but a person changes.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
