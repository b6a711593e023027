//! The server's own look at what is subscribed: by a clock that is moved by hand, at a pretend Bugfender.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::api::{Api, CatchUp, Session};
use bugle::clock::{Clock, Moment};
use bugle::herald::Herald;
use bugle::metrics::Metrics;
use bugle::name::DestinationName;
use bugle::order::{Hook, HookKey, Order};
use bugle::outbox::{HookRecord, Outbox, Records};
use bugle::subscription::{EVERY, watch};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::apis::bugfender::{APP, Bugfender};
use crate::apis::server::Told;
use crate::bugle::PATIENCE;

struct Story {
    folder: tempfile::TempDir,
    bugfender: Bugfender,
    clock: Clock,
    outbox: Outbox,
    watching: Task,
    telling: Task,
}

/// A task, and how it is told to stop.
struct Task(CancellationToken, JoinHandle<()>);

impl Task {
    fn begin<F: Future<Output = ()> + Send + 'static>(begin: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "a test's own tasks")]
        let task = tokio::spawn(begin(stop.clone()));
        Self(stop, task)
    }

    async fn end(&mut self) {
        self.0.cancel();
        (&mut self.1).await.unwrap();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.1.abort();
    }
}

impl Story {
    /// A server's watch over one webhook, which the tracker tells of or not.
    async fn begin(tells: bool) -> Self {
        Self::with(tells, None).await
    }

    async fn with(tells: bool, catch_up: Option<CatchUp>) -> Self {
        let (folder, bugfender) = (tempfile::tempdir().unwrap(), Bugfender::start());
        let clock = Clock::by_hand(Moment(1_790_000_000_000));
        let path = folder.path().join("bugle.db");
        let (outbox, _closing) = Outbox::open(&path, clock.clone(), Metrics::new(clock.clone())).unwrap();
        let herald = Herald::new(outbox.clone(), clock.clone());
        let notices = herald.notices();
        notices.send_to(Some(DestinationName::new("team").unwrap()));
        let api = Api { catch_up, ..bugfender.api() };
        let session = Arc::new(Session::new(&api, clock.clone()).unwrap());
        let watching = Task::begin(|stop| watch(session, api, outbox.clone(), notices, clock.clone(), stop));
        let telling = Task::begin(|stop| herald.run(stop));
        let story = Self { folder, bugfender, clock, outbox, watching, telling };
        story.keep(&key(CRASH, "21"), tells).await;
        story.make(21, CRASH);
        story
    }

    async fn keep(&self, key: &HookKey, tells: bool) {
        let order = Order::KeepHook { hook: Hook { key: key.clone(), target: [1; 32], tells } };
        self.outbox.carry_out(&order, None).await.unwrap();
    }

    fn make(&self, id: u64, event: &str) {
        let hook = (id, event.to_owned(), "https://bugle.example.com".to_owned(), APP);
        self.bugfender.with(|known| known.hooks.push(hook));
    }

    fn hooks(&self) -> Vec<HookRecord> {
        let look = |records: &Records| Ok::<_, anyhow::Error>(records.hooks()?);
        Records::look(&self.folder.path().join("bugle.db"), look).unwrap().unwrap()
    }

    /// Those that are known to be gone.
    fn gone(&self) -> Vec<String> {
        let gone = self.hooks().into_iter().filter(|hook| hook.gone_at.is_some());
        gone.map(|hook| hook.key.hook).collect()
    }

    /// Lets time go on until it is so.
    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            self.clock.advance(EVERY / 4);
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(begun.elapsed() < PATIENCE, "{what}");
        }
    }

    /// Lets time go on until it has written down once more what it has seen of `ids`.
    async fn looks(&self, ids: &[&str]) {
        let noted = || {
            let ours = self.hooks().into_iter().filter(|hook| ids.contains(&hook.key.hook.as_str()));
            ours.map(|hook| (hook.key.hook, hook.checked_at)).collect::<Vec<_>>()
        };
        let before = noted();
        assert_eq!(before.len(), ids.len());
        let is_noted = || noted().iter().zip(&before).all(|(now, before)| now.1 > before.1);
        self.until("nothing is written down", is_noted).await;
    }

    /// Lets time go on until so many more requests have come: all before the last have been judged by then.
    async fn asks(&self, times: usize) {
        let count =
            || self.bugfender.server.lines().iter().filter(|line| line.starts_with("GET /api/hook/")).count();
        let before = count();
        self.until("nobody asks", || count() >= before + times).await;
    }

    fn told(&self, trigger: &str) -> usize {
        let store = rusqlite::Connection::open(self.folder.path().join("bugle.db")).unwrap();
        let sql = "SELECT count(*) FROM events WHERE source = 'bugle' AND trigger = ?1";
        let count: i64 = store.query_row(sql, [trigger], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    async fn until_told(&self, trigger: &str, count: usize) {
        self.until("it is not told", || self.told(trigger) >= count).await;
    }

    /// How often it was told once everything is that anybody meant to tell.
    async fn told_in_all(mut self, trigger: &str) -> usize {
        self.watching.end().await;
        // Whatever waits for its hour may be told then.
        self.clock.advance(Duration::from_hours(2));
        self.telling.end().await;
        self.told(trigger)
    }
}

const CRASH: &str = "new_crash";
const FEEDBACK: &str = "new_user_feedback";
const GONE: &str = "hookGone";
const FAILING: &str = "catchUpFailing";

fn key(event: &str, id: &str) -> HookKey {
    let source = "mobile".to_owned().try_into().unwrap();
    HookKey { source, subject: APP.to_string(), event: event.to_owned(), hook: id.to_owned() }
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_told_once_and_again_only_if_it_was_there_meanwhile() {
    let story = Story::begin(true).await;
    story.looks(&["21"]).await;
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), [""; 0]);
    story.bugfender.with(|known| known.hooks.clear());
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), ["21"]);
    story.until_told(GONE, 1).await;
    for _ in 0..3 {
        story.looks(&["21"]).await;
    }
    story.make(21, CRASH);
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), [""; 0]);
    story.bugfender.with(|known| known.hooks.clear());
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), ["21"]);
    story.until_told(GONE, 2).await;
    story.looks(&["21"]).await;
    assert_eq!(story.told_in_all(GONE).await, 2);
}

#[tokio::test]
async fn where_bugfender_does_not_tell_or_is_down_nothing_is_taken_for_gone() {
    let story = Story::begin(false).await;
    story.bugfender.with(|known| known.hooks.clear());
    story.looks(&["21"]).await;
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), [""; 0]);
    assert_eq!(story.told_in_all(GONE).await, 0);

    let story = Story::begin(true).await;
    for answer in [
        Told::text(500, ""),
        Told::text(401, ""),
        Told::text(200, "").breaking(),
        Told::text(403, ""),
        // A proxy, while what is behind it is exchanged.
        Told::text(404, "<html><body>404 page not found</body></html>").with("Content-Type", "text/html"),
    ] {
        story.bugfender.server.always("/api/hook/", answer);
        story.asks(2).await;
    }
    story.bugfender.server.recover();
    story.looks(&["21"]).await;
    assert_eq!(story.gone(), [""; 0]);
    assert_eq!(story.told_in_all(GONE).await, 0);
}

#[tokio::test]
async fn one_odd_answer_does_not_end_the_watch() {
    for status in [400, 405, 501] {
        let story = Story::begin(true).await;
        story.bugfender.server.next("/api/hook/", Told::text(status, ""));
        story.looks(&["21"]).await;
        story.bugfender.with(|known| known.hooks.clear());
        story.looks(&["21"]).await;
        assert_eq!(story.gone(), ["21"], "{status}");
        assert_eq!(story.told_in_all(GONE).await, 1, "{status}");
    }
}

#[tokio::test]
async fn one_whose_place_another_has_taken_is_not_missed() {
    let story = Story::begin(true).await;
    story.clock.advance(Duration::from_secs(1));
    story.keep(&key(CRASH, "22"), true).await;
    story.bugfender.with(|known| known.hooks.clear());
    story.make(22, CRASH);
    for _ in 0..3 {
        story.looks(&["21", "22"]).await;
    }
    assert_eq!(story.gone(), ["21"]);
    // The other one is.
    story.bugfender.with(|known| known.hooks.clear());
    story.looks(&["21", "22"]).await;
    assert_eq!(story.gone(), ["21", "22"]);
    assert_eq!(story.told_in_all(GONE).await, 1);
}

#[tokio::test]
async fn what_is_refused_of_one_keeps_nobody_from_looking_at_the_others() {
    let story = Story::begin(true).await;
    story.keep(&key(FEEDBACK, "22"), true).await;
    story.bugfender.server.always("/api/hook/21/", Told::json(403, &json!({})));
    story.looks(&["22"]).await;
    // The words of the one that was refused are told; they are not those of a webhook that is gone.
    story.until_told(FAILING, 1).await;
    assert_eq!(story.gone(), ["22"]);
    assert_eq!(story.told_in_all(GONE).await, 1);
}

#[tokio::test]
async fn an_application_that_has_left_the_configuration_is_not_missed() {
    let story = Story::begin(true).await;
    let left = HookKey { subject: "99".to_owned(), ..key(CRASH, "22") };
    story.keep(&left, true).await;
    story.looks(&["21"]).await;
    story.looks(&["21"]).await;
    assert_eq!(story.hooks().into_iter().find(|hook| hook.key == left).unwrap().checked_at, None);
    assert!(story.bugfender.server.lines().iter().all(|line| !line.contains("/22/")));
    assert_eq!(story.told_in_all(GONE).await, 0);
}

#[tokio::test]
async fn credentials_that_do_not_count_are_told_by_whoever_asks() {
    let catch_up = CatchUp { every: Duration::from_hours(1), triggers: vec!["issue"] };
    for (catch_up, count) in [(None, 1), (Some(catch_up), 0)] {
        let story = Story::with(true, catch_up).await;
        story.bugfender.server.always("/api/hook/", Told::text(401, ""));
        if count > 0 {
            story.until_told(FAILING, count).await;
        }
        story.asks(5).await;
        assert_eq!(story.told_in_all(FAILING).await, count);
    }
}
