//! Floods, by a clock that is moved by hand: the whole relay between a tracker and chats at their true limits.

mod burst;
mod schedules;
mod trouble;
mod windows;

#[path = "../floods/ground.rs"]
mod ground;
#[path = "../floods/judge.rs"]
mod judge;
#[path = "../floods/scenario.rs"]
mod scenario;
#[path = "../floods/sums.rs"]
mod sums;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::app::App;
use bugle::clock::{Clock, Moment};
use bugle::config::{self, Environment, Secrets};
use bugle::pretend::{Product, post};
use bugle::sockets::Sockets;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bugle::PATIENCE;
use ground::{Ground, Room, TOKEN};
use judge::{Shown, judge_room, shown};
use scenario::{Call, occurrence};
use sums::judge_sums;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A relay whose time is ours, and what it has accepted.
struct Flood {
    ground: Ground,
    clock: Clock,
    app: App,
    hang_up: Arc<Notify>,
    store: Connection,
    /// The marks of all events, with the time of their acceptance.
    accepted: BTreeMap<String, Duration>,
}

impl Flood {
    /// One with a destination of each platform, all as by default.
    async fn begin(rules: &str) -> Self {
        let clock = clock();
        let ground = Ground::new(&clock);
        Self::begin_on(ground, clock, "", rules).await
    }

    /// One with a destination `slack` alone, and `delivery` lines.
    async fn begin_alone(delivery: &str, more: &str) -> Self {
        let clock = clock();
        let ground = Ground::with(&clock, [("slack", Product::Slack, "")]);
        Self::begin_on(ground, clock, delivery, &ground::everything(&["slack"], more)).await
    }

    async fn begin_on(ground: Ground, clock: Clock, delivery: &str, rules: &str) -> Self {
        ground.configure(delivery, rules);
        let hang_up = Arc::<Notify>::default();
        let app = start(&ground, &clock, &hang_up).await;
        let store = ground.look();
        Self { ground, clock, app, hang_up, store, accepted: BTreeMap::new() }
    }

    /// Stops it and starts it again.
    async fn restart(self) -> Self {
        self.app.stop().await;
        let app = start(&self.ground, &self.clock, &self.hang_up).await;
        Self { app, ..self }
    }

    /// Reloads a changed configuration.
    async fn reload(&self, delivery: &str, rules: &str) {
        self.ground.configure(delivery, rules);
        self.hang_up.notify_one();
        // What it changes is seen by whoever asks; here a little of our own time is given for it.
        sleep(Duration::from_millis(300)).await;
    }

    fn now(&self) -> Duration {
        self.clock.steady()
    }

    /// Posts what must be accepted, in no order.
    async fn accept_all(&mut self, calls: impl IntoIterator<Item = (String, Value)>) {
        let (address, now) = (self.app.address(), self.now());
        let mut posts = JoinSet::new();
        for (mark, body) in calls {
            self.accepted.insert(mark, now);
            posts.spawn(async move {
                let answer = post(address, &format!("/hooks/backend/{TOKEN}"), &body).await.unwrap();
                assert_eq!(answer.0, 200, "{}", answer.1);
            });
        }
        while let Some(ended) = posts.join_next().await {
            ended.unwrap();
        }
    }

    /// Posts an event of the error of that number; its mark.
    async fn accept(&mut self, trigger: &str, error: u32) -> String {
        let (mark, body) = Self::event(trigger, error, self.accepted.len());
        self.accept_all([(mark.clone(), body)]).await;
        mark
    }

    /// The same `count` times.
    async fn accept_many(&mut self, count: usize, trigger: &str, error: u32) {
        let first = self.accepted.len();
        let events: Vec<_> =
            (first..first + count).map(|number| Self::event(trigger, error, number)).collect();
        self.accept_all(events).await;
    }

    fn event(trigger: &str, error: u32, number: usize) -> (String, Value) {
        let mark = format!("x{number:06}z");
        let mut body = occurrence(&mark, error, 0, 1);
        body["trigger"]["type"] = json!(trigger);
        body["comment"] = json!({ "id": mark, "message": format!("a remark ({mark})") });
        (mark, body)
    }

    /// Lets the calls come at their times.
    async fn play(&mut self, calls: &[Call]) {
        const TICK: Duration = Duration::from_millis(200);
        let begun = self.now().saturating_sub(calls.first().map_or(Duration::ZERO, |call| call.at));
        let mut calls = calls.iter().peekable();
        while calls.peek().is_some() {
            let passed = self.now().saturating_sub(begun);
            let now = std::iter::from_fn(|| calls.next_if(|call| call.at <= passed));
            let now: Vec<_> = now.map(|call| (call.mark.clone(), call.body.clone())).collect();
            self.accept_all(now).await;
            self.all_is_done().await;
            self.clock.advance(TICK);
        }
    }

    fn ask(&self, sql: &str) -> i64 {
        self.store.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Waits, in our own time, until nothing is under way, and a little more for whoever was just woken. An urgent one that is
    /// alone, and a window that is over, are given more time, since their haste is measured.
    async fn all_is_done(&self) {
        let open = "SELECT count(*) FROM attempts WHERE ended_at IS NULL";
        let now = self.clock.now().0;
        let hasty = format!(
            "SELECT EXISTS (SELECT 1 FROM windows WHERE held > 0 AND ends_at <= {now})
                    OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'waiting' AND urgent = 1 AND held = 0
                               GROUP BY destination HAVING count(*) = 1)"
        );
        let begun = Instant::now();
        sleep(Duration::from_millis(3)).await;
        while self.ask(open) > 0 || (begun.elapsed() < Duration::from_millis(80) && self.ask(&hasty) > 0) {
            assert!(begun.elapsed() < PATIENCE, "an attempt does not end");
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Lets `span` pass, a `step` at a time.
    async fn pass(&self, span: Duration, step: Duration) {
        let end = self.now() + span;
        self.all_is_done().await;
        while self.now() < end {
            self.clock.advance(step.min(end.saturating_sub(self.now())));
            self.all_is_done().await;
        }
    }

    /// Lets time pass, a `step` at a time, until the room has shown `count` messages, which must be before `most` has
    /// passed; all that it has shown then.
    async fn until_shown(&self, room: &str, count: usize, most: Duration, step: Duration) -> Vec<Shown> {
        let end = self.now() + most;
        loop {
            self.all_is_done().await;
            let shown = self.shown(room);
            if shown.len() >= count {
                return shown;
            }
            assert!(self.now() < end, "no {count} messages in {most:?}: {shown:#?}");
            self.clock.advance(step);
        }
    }

    fn room(&self, name: &str) -> &Room {
        self.ground.rooms.iter().find(|room| room.name == name).unwrap()
    }

    fn shown(&self, room: &str) -> Vec<Shown> {
        let mut faults = Vec::new();
        let shown = shown(&self.store, self.room(room), &mut faults);
        assert_eq!(faults, [""; 0]);
        shown
    }

    /// Everything is told, once, and all sums are right.
    fn judge(&self) {
        let marks: BTreeSet<String> = self.accepted.keys().cloned().collect();
        let faults = self.ground.rooms.iter().flat_map(|room| judge_room(&self.store, room, &marks, false));
        let faults: Vec<String> = faults.chain(judge_sums(&self.store)).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

fn clock() -> Clock {
    Clock::by_hand(Moment(1_800_000_000_000))
}

async fn start(ground: &Ground, clock: &Clock, hang_up: &Arc<Notify>) -> App {
    let config = ground.path().join("config.toml");
    let loaded = config::load(&config, &Environment::default(), Secrets::Resolve).unwrap();
    App::start(loaded, Sockets::default(), Arc::clone(hang_up), clock.clone()).await.unwrap()
}

fn titles(shown: &[Shown]) -> Vec<&str> {
    shown.iter().map(|shown| shown.title.as_str()).collect()
}
