//! Webhooks at a tracker: whatever is remembered and forgotten, in whichever order and however often.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::order::{Done, Hook, HookKey, Order};
use crate::outbox::{HookSeen, Records};

fn key(event: &str, id: &str) -> HookKey {
    let (source, subject) = (SourceName::new("mobile").unwrap(), "1234".to_owned());
    HookKey { source, subject, event: event.to_owned(), hook: id.to_owned() }
}

fn keep(event: &str, id: &str) -> Order {
    Order::KeepHook { hook: Hook { key: key(event, id), target: [7; 32], tells: !id.is_empty() } }
}

fn forget(event: &str, id: &str) -> Order {
    Order::ForgetHook { key: key(event, id) }
}

impl Story {
    async fn order(&self, order: &Order) -> Done {
        self.outbox.carry_out(order, None).await.unwrap()
    }

    /// What is remembered, as a command finds it.
    fn hooks(&self) -> Vec<HookRecord> {
        let path = self.folder.path().join("bugle.db");
        Records::look(&path, |records| Ok::<_, anyhow::Error>(records.hooks()?)).unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_mark_that_one_is_about_to_be_made_goes_when_it_is_there() {
    let story = Story::begin().await;
    assert!(!story.order(&keep("new_crash", "")).await.was_so);
    assert!(story.order(&keep("new_crash", "")).await.was_so, "cut off, and begun again");
    assert!(!story.order(&keep("new_issue_separate", "")).await.was_so);
    assert!(!story.order(&keep("new_crash", "21")).await.was_so);
    let keys: Vec<_> = story.hooks().into_iter().map(|hook| hook.key).collect();
    assert_eq!(keys, [key("new_crash", "21"), key("new_issue_separate", "")]);
    assert_eq!(story.outbox.hooks("mobile").await.unwrap(), story.hooks());
    assert_eq!(story.outbox.hooks("backend").await.unwrap(), []);
    let story = story.restart().await;
    assert!(!story.order(&forget("new_crash", "21")).await.was_so);
    assert!(story.order(&forget("new_crash", "21")).await.was_so);
    assert_eq!(story.hooks().len(), 1);
}

#[tokio::test]
async fn since_when_one_is_gone_is_kept_until_it_is_there_again_and_nothing_is_made_up() {
    let story = Story::begin().await;
    story.order(&keep("new_crash", "21")).await;
    let state = || {
        let hook = story.hooks().remove(0);
        (hook.tells, hook.checked_at, hook.gone_at)
    };
    assert_eq!(state(), (true, None, None));
    let begun = story.clock.now();
    let mut gone_at = None;
    for (seen, tells, is_gone) in [
        (HookSeen::There, true, false),
        (HookSeen::Gone, true, true),
        (HookSeen::Gone, true, true),
        // One odd answer takes no faith away.
        (HookSeen::Untold, true, true),
        (HookSeen::There, true, false),
        (HookSeen::Gone, true, true),
    ] {
        story.clock.advance(Duration::from_hours(1));
        let now = story.clock.now();
        story.outbox.note_hook(key("new_crash", "21"), seen).await.unwrap();
        gone_at = is_gone.then(|| gone_at.unwrap_or(now));
        assert_eq!(state(), (tells, Some(now), gone_at), "{seen:?}");
    }
    assert_eq!(story.hooks()[0].made_at, begun);
    // What is kept anew is there; what was forgotten meanwhile stays so.
    story.order(&keep("new_crash", "21")).await;
    assert_eq!(state(), (true, None, None));
    story.order(&forget("new_crash", "21")).await;
    story.outbox.note_hook(key("new_crash", "21"), HookSeen::There).await.unwrap();
    assert_eq!(story.hooks(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn what_is_remembered_is_what_was_kept_last_however_often_it_is_ordered(
        orders in prop::collection::vec((any::<bool>(), 0_usize..2, 0_usize..3, 1_usize..3), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let story = Story::begin().await;
            let mut model = BTreeSet::new();
            for (keeps, event, id, times) in orders {
                let (event, id) = (["new_crash", "new_user_feedback"][event], ["", "21", "22"][id]);
                let order = if keeps { keep(event, id) } else { forget(event, id) };
                for _ in 0..times {
                    story.order(&order).await;
                }
                model.remove(&key(event, id));
                if keeps {
                    model.remove(&key(event, ""));
                    model.insert(key(event, id));
                }
            }
            let mut found: Vec<_> = story.hooks().into_iter().map(|hook| hook.key).collect();
            found.sort();
            assert_eq!(found, model.into_iter().collect::<Vec<_>>());
        });
    }
}
