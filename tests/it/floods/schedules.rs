//! Any schedule: events of any kind at any time, a chat that answers anything, and kills at any moment. The sums hold all
//! along, nothing is folded into a message that nobody has seen, and in the end nothing waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::clock::Clock;
use bugle::config::{self, Environment, Secrets, Settings};
use bugle::courier::{Courier, Hold, Live, Office, Throttle, repeat_interrupted};
use bugle::destination::{Client, Destination};
use bugle::event::{Event, Identity};
use bugle::herald::Herald;
use bugle::metrics::Metrics;
use bugle::name::SourceName;
use bugle::outbox::{Closing, Offer, Outbox, RuleSetId};
use bugle::pretend::{Answer, Behaviour, Product};
use bugle::rule::{Route, Routing};
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::Connection;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ground::{Ground, everything};
use super::judge::shown;
use super::sums::judge_sums;
use super::{clock, occurrence};
use crate::bugle::PATIENCE;

/// What happens next.
#[derive(Debug, Clone)]
enum Move {
    /// So many events of an error come.
    Happen { error: u32, trigger: &'static str, urgent: bool, count: u32 },
    /// What came before comes again.
    Repeat,
    /// The chat answers so, once.
    Answer(&'static str),
    /// So many seconds pass.
    Pass(u64),
    /// The process is killed after so many microseconds of work.
    Kill(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let triggers =
        ["exception", "exception", "exception", "firstException", "projectSpiking", "comment", "reopened"];
    let happen = (0_u32..4, select(triggers.to_vec()), prop::bool::weighted(0.2), 1_u32..7)
        .prop_map(|(error, trigger, urgent, count)| Move::Happen { error, trigger, urgent, count });
    let pass = select(vec![1, 3, 10, 21, 61, 301, 1_300, 4_000]).prop_map(Move::Pass);
    let answer = select(vec!["down", "refused", "cut off", "later"]).prop_map(Move::Answer);
    let one = prop_oneof![
        8 => happen,
        1 => Just(Move::Repeat),
        5 => pass,
        2 => answer,
        3 => (0_u64..12_000).prop_map(Move::Kill),
    ];
    prop::collection::vec(one, 6..40)
}

fn behaviour(word: &str) -> Behaviour {
    match word {
        "down" => Behaviour::Answer(Answer::text(503, "down")),
        "refused" => Behaviour::Answer(Answer::text(400, "invalid_payload")),
        "later" => Behaviour::Answer(Answer::text(429, "rate_limited").with("Retry-After", "7")),
        _ => Behaviour::Close,
    }
}

/// The store and the courier of one process.
struct Life {
    outbox: Outbox,
    closing: Closing,
    rules: RuleSetId,
    work: JoinSet<()>,
}

/// A schedule in play, and what must be true of it.
struct Schedule {
    ground: Ground,
    clock: Clock,
    settings: Settings,
    life: Life,
    store: Connection,
    new: u32,
    again: u32,
}

impl Schedule {
    async fn begin() -> Self {
        let clock = clock();
        let ground = Ground::with(&clock, [("slack", Product::Slack, "")]);
        ground.configure("collapse = \"30s\"\ndigest_over = 3", &everything(&["slack"], ""));
        let path = ground.path().join("config.toml");
        let settings = config::load(&path, &Environment::default(), Secrets::Resolve).unwrap().settings;
        let life = Life::begin(&ground, &clock, &settings).await;
        let store = ground.look();
        Self { ground, clock, settings, life, store, new: 0, again: 0 }
    }

    async fn go(mut self, next: &Move) -> Self {
        match next {
            Move::Happen { error, trigger, urgent, count } => {
                for _ in 0..*count {
                    self.new += 1;
                    self.offer(self.new, *error, trigger, *urgent).await;
                }
            }
            Move::Repeat if self.new == 0 => {}
            Move::Repeat => {
                self.again += 1;
                self.offer(self.new, 0, "exception", false).await;
            }
            Move::Answer(word) => self.ground.rooms[0].chat.script([behaviour(word)]),
            Move::Pass(seconds) => self.pass(Duration::from_secs(*seconds)).await,
            Move::Kill(micros) => {
                sleep(Duration::from_micros(*micros)).await;
                self = self.restart().await;
            }
        }
        self.check();
        self
    }

    async fn offer(&self, number: u32, error: u32, trigger: &str, urgent: bool) {
        let mark = format!("x{number:06}z");
        let mut raw = occurrence(&mark, error, 0, number);
        raw["trigger"]["type"] = trigger.into();
        let source = SourceName::new("backend").unwrap();
        let mut event = Event::blank(source, "bugsnag", &raw.to_string());
        event.trigger = trigger.to_owned();
        event.error.id = format!("error-{error}");
        event.app.name = "Shop API".to_owned();
        event.identity = Identity::of(&["backend", &mark]);
        let to = self.settings.destinations[0].name.clone();
        let route = Route { urgent, mention: vec!["ann".to_owned()], ..Route::to(to) };
        let routing = Routing { matched: Vec::new(), routes: vec![route] };
        self.life.outbox.accept(self.life.rules, vec![Offer { event, routing }], ()).await.unwrap();
    }

    /// Time passes, in steps that become longer, and all that can be done meanwhile is done.
    async fn pass(&self, span: Duration) {
        let end = self.clock.now().plus(span);
        let mut step = Duration::from_millis(900);
        self.is_done().await;
        while self.clock.now() < end {
            self.clock.advance(step.min(end.since(self.clock.now())));
            step = step.mul_f64(1.6);
            self.is_done().await;
        }
    }

    async fn is_done(&self) {
        let begun = Instant::now();
        sleep(Duration::from_millis(3)).await;
        while self.ask("SELECT count(*) FROM attempts WHERE ended_at IS NULL") > 0 {
            assert!(begun.elapsed() < PATIENCE, "an attempt does not end");
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// The process ends wherever it is, and another begins.
    async fn restart(mut self) -> Self {
        let Life { outbox, closing, mut work, .. } = self.life;
        work.shutdown().await;
        drop(outbox);
        tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
        self.life = Life::begin(&self.ground, &self.clock, &self.settings).await;
        self
    }

    fn ask(&self, sql: &str) -> i64 {
        self.store.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What waits, and what for.
    fn waiting(&self) -> Vec<String> {
        let sql =
            "SELECT format('%d: due in %d ms, held = %d, told as %s, %d attempts; its leader: %d, %s', d.id,
                       d.due_at - ?1, d.held, coalesce(d.told_as, '-'),
                       (SELECT count(*) FROM attempts WHERE delivery = d.id), d.folded_into, l.state)
                   FROM deliveries d LEFT JOIN deliveries l ON l.id = d.folded_into
                   WHERE d.state = 'waiting' ORDER BY d.id";
        let mut waiting = self.store.prepare(sql).unwrap();
        waiting.query_map([self.clock.now().0], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// What holds at any moment.
    fn check(&self) {
        assert_eq!(judge_sums(&self.store), [""; 0]);
        let (new, again) = (i64::from(self.new), i64::from(self.again));
        assert_eq!(self.ask("SELECT coalesce(sum(count), 0) FROM arrivals WHERE fate = 'routed'"), new);
        assert_eq!(self.ask("SELECT coalesce(sum(count), 0) FROM arrivals WHERE fate = 'duplicate'"), again);
        assert_eq!(self.ask("SELECT coalesce(sum(count), 0) FROM tallies"), new, "all that was ever owed");
    }

    /// The chat works again, time passes, and everything is told or given up, each once.
    async fn end(&self) {
        self.ground.rooms[0].chat.recover();
        for _ in 0..60 {
            if self.waiting().is_empty() {
                break;
            }
            self.pass(Duration::from_mins(7)).await;
        }
        assert_eq!(self.waiting(), [""; 0], "nothing waits for ever");
        self.check();
        let mut faults = Vec::new();
        let seen = shown(&self.store, &self.ground.rooms[0], &mut faults);
        assert_eq!(faults, [""; 0]);
        let leaders: BTreeSet<i64> = seen.iter().map(|shown| shown.leader).collect();
        let told = "SELECT DISTINCT coalesce(folded_into, id) FROM deliveries WHERE state IN ('delivered', 'folded')";
        let mut told = self.store.prepare(told).unwrap();
        for leader in told.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(Result::unwrap) {
            assert!(leaders.contains(&leader), "the message of {leader} was never shown");
        }
        for message in seen {
            assert_eq!(message.said, message.holds, "{message:?}");
        }
    }
}

impl Life {
    async fn begin(ground: &Ground, clock: &Clock, settings: &Settings) -> Self {
        let (path, by) = (ground.path().join("bugle.db"), clock.clone());
        let metrics = Metrics::new(clock.clone());
        let counted = metrics.clone();
        let opened = tokio::task::spawn_blocking(move || Outbox::open(&path, by, counted)).await.unwrap();
        let (outbox, closing) = opened.unwrap();
        let (retry, now) = (settings.destinations[0].retry, clock.now());
        outbox.close_interrupted(move |_, unclear| repeat_interrupted(&retry, now, unclear)).await.unwrap();
        outbox.know([settings.destinations[0].name.clone()]);
        let rules = outbox.keep_rules(&settings.rules).await.unwrap();
        let mut work = JoinSet::new();
        let courier = courier(&outbox, clock, metrics, settings).await;
        work.spawn(courier.run(CancellationToken::new()));
        Self { outbox, closing, rules, work }
    }
}

async fn courier(outbox: &Outbox, clock: &Clock, metrics: Metrics, settings: &Settings) -> Courier {
    let destination: Destination = settings.destinations[0].clone();
    let live = Live {
        people: settings.people.clone(),
        templates: settings.templates.set.clone(),
        holds: Vec::new(),
    };
    let office = Office {
        outbox: outbox.clone(),
        client: Client::new(clock.clone()).unwrap(),
        live: Arc::new(arc_swap::ArcSwap::from_pointee(live)),
        metrics,
        notices: Herald::new(outbox.clone(), clock.clone()).notices(),
        clock: clock.clone(),
    };
    let throttle = Throttle::new(destination.pace, clock.clone());
    let since = clock.now().minus(throttle.memory());
    let recent = outbox.recent_attempts(&destination.pace_group, since).await.unwrap();
    throttle.prime(&recent, clock.now());
    Courier::new(office, destination, Arc::new(throttle), Hold::new(clock.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_sums_hold_and_in_the_end_everything_is_told(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut schedule = Schedule::begin().await;
            for next in &moves {
                schedule = schedule.go(next).await;
            }
            schedule.end().await;
        });
    }
}
