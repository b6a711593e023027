//! What the store needs while the relay runs: somebody who notices its end, forgetting, and an eye on the room that is
//! left.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Store;
use crate::herald::Notices;
use crate::notice::{Fullness, Matter, Notice};
use crate::outbox::{Keep, Outbox, Pruned, StoreError, free_on_disk};

/// How often the store looks for something to forget.
const FORGET: Duration = Duration::from_mins(1);

/// The pause after a step of forgetting that may not have been the last: another follows soon, but not at once, since others
/// use the store, too.
const NEXT_STEP: Duration = Duration::from_millis(20);

/// Ends if the store's writer does: nothing could be accepted or settled any more.
pub(super) async fn watch(outbox: Outbox, stop: CancellationToken) {
    tokio::select! {
        () = outbox.failed() => tracing::error!("the store's writer has ended"),
        () = stop.cancelled() => {}
    }
}

/// Forgets what need not be kept any more, step by step, and says when there is little room left after that.
pub(super) async fn forget(
    outbox: Outbox,
    store: Store,
    notices: Notices,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut is_full = false;
    let mut pause = NEXT_STEP;
    loop {
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let pruned = tokio::select! {
            pruned = step(&outbox, &store, &notices) => pruned,
            () = stop.cancelled() => return,
        };
        pause = FORGET;
        if let Ok(pruned) = pruned {
            if pruned.more {
                pause = NEXT_STEP;
                continue;
            }
            is_full = look(fullness(&store, pruned).await, is_full, &notices);
        }
    }
}

async fn step(outbox: &Outbox, store: &Store, notices: &Notices) -> Result<Pruned, StoreError> {
    let Store { keep, dead_letters_keep, max_size, .. } = *store;
    let pruned = outbox.prune(Keep { history: keep, dead_letters: dead_letters_keep, max_size }).await?;
    notices.tell_of_stranded(pruned.stranded);
    Ok(pruned)
}

/// Says so if there is little room and was more before; whether there is little.
fn look(full: Option<Fullness>, was_full: bool, notices: &Notices) -> bool {
    match full {
        Some(fullness) if !was_full => {
            tracing::warn!(?fullness, "there is little room left for the store");
            notices.tell(Notice::StoreNearlyFull(fullness));
        }
        None if was_full => {
            tracing::info!("there is room for the store again");
            notices.is_over(Matter::Store);
        }
        _ => {}
    }
    full.is_some()
}

/// What there is little room in, now that all has gone that may.
async fn fullness(store: &Store, Pruned { used, .. }: Pruned) -> Option<Fullness> {
    Fullness::of(free(store.path.clone()).await, used, store.max_size)
}

async fn free(path: PathBuf) -> Option<u64> {
    tokio::task::spawn_blocking(move || free_on_disk(&path)).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::herald::Herald;
    use crate::metrics::Metrics;

    fn open(path: &Path) -> Outbox {
        Outbox::open(path, Clock::system(), Metrics::new(Clock::system())).unwrap().0
    }

    #[tokio::test]
    async fn a_store_that_fills_its_disk_or_its_size_is_nearly_full() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bugle.db");
        drop(open(&path));
        let store =
            |max_size| Store { path: path.clone(), keep: FORGET, max_size, dead_letters_keep: FORGET };
        let pruned = |used| Pruned { used, ..Pruned::default() };
        assert_eq!(fullness(&store(1_000), pruned(1_000)).await, None);
        let over = Fullness::Allowed { used: 1_001, max_size: 1_000 };
        assert_eq!(fullness(&store(1_000), pruned(1_001)).await, Some(over));
        // No disk has room for a twentieth of this.
        let on_disk = fullness(&store(u64::MAX), pruned(1)).await;
        assert!(matches!(on_disk, Some(Fullness::Disk { free }) if free > 0), "{on_disk:?}");
    }

    #[tokio::test]
    async fn what_lasts_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let herald = Herald::new(open(&folder.path().join("bugle.db")), Clock::system());
        let notices = herald.notices();
        let full = Some(Fullness::Disk { free: 1 });
        assert!(look(full, false, &notices) && look(full, true, &notices));
        assert!(!look(None, true, &notices) && !look(None, false, &notices));
        assert_eq!(notices.waiting(), 2, "one that it is so, one that it is over");
    }
}
