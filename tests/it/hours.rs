//! Hours and days, by a clock that is moved by hand: the whole relay, with real HTTP and a real store.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::app::App;
use bugle::clock::{Clock, Moment};
use bugle::config::{self, Environment, Secrets};
use bugle::pretend::{Answer, Behaviour, Pretend, post};
use bugle::sockets::Sockets;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::bugle::{PATIENCE, Place, TOKEN, bugsnag, shown, visible};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A relay whose time is ours.
struct Hours {
    place: Place,
    clock: Clock,
    app: App,
}

impl Hours {
    /// One with the retries that are the default, where `rules` say who hears of what; `more` comes before them.
    async fn begin(rules: &str) -> Self {
        let place = Place::with("", rules);
        let written = std::fs::read_to_string(place.path("config.toml")).unwrap();
        let defaults: String = written
            .replace(", { env = \"SECOND_TOKEN\" }", "")
            .lines()
            .filter(|line| !line.starts_with("retry"))
            .flat_map(|line| [line, "\n"])
            .collect();
        place.write("config.toml", &defaults);
        let clock = Clock::by_hand(Moment(1_800_000_000_000));
        let app = start(&place, &clock).await;
        Self { place, clock, app }
    }

    /// Stops it and starts it again at the same moment.
    async fn restart(self) -> Self {
        let Self { place, clock, app } = self;
        app.stop().await;
        let clock = Clock::by_hand(clock.now());
        let app = start(&place, &clock).await;
        Self { place, clock, app }
    }

    async fn accept(&self, id: &str, extra: Value) {
        let path = format!("/hooks/backend/{TOKEN}");
        let body = serde_json::from_str(&bugsnag(id, extra)).unwrap();
        assert_eq!(post(self.app.address(), &path, &body).await.unwrap().0, 200);
    }

    fn ask(&self, sql: &str) -> i64 {
        self.place.ask(sql)
    }

    /// Waits, in our own time, until everything has been done that can be done now. Where it is the pace that something
    /// waits for, a moment passes; and a little more where a courier lay down to sleep just when we moved the clock.
    async fn all_is_quiet(&self) {
        let begun = Instant::now();
        let mut moment = Duration::from_millis(2);
        while self.is_busy() {
            assert!(begun.elapsed() < PATIENCE, "something is due and is not tried");
            sleep(Duration::from_millis(2)).await;
            self.clock.advance(moment);
            moment = moment.mul_f64(1.1).min(Duration::from_secs(1));
        }
    }

    fn is_busy(&self) -> bool {
        let now = self.clock.now().0;
        let under_way = "SELECT count(*) FROM attempts WHERE ended_at IS NULL";
        let due = format!(
            "SELECT count(*) FROM deliveries WHERE state = 'waiting' AND due_at <= {now} AND destination NOT IN (
                 SELECT name FROM destinations WHERE hold_until > {now} OR rests_until > {now})"
        );
        self.ask(under_way) + self.ask(&due) > 0
    }

    /// Lets `span` pass, a `step` at a time.
    async fn pass(&self, span: Duration, step: Duration) {
        let end = self.clock.now().plus(span);
        self.all_is_quiet().await;
        while self.clock.now() < end {
            self.clock.advance(step.min(end.since(self.clock.now())));
            self.all_is_quiet().await;
        }
    }

    /// Lets time pass, a `step` at a time, until `is_done`, which must be before `most` has passed.
    async fn pass_until(&self, step: Duration, most: Duration, is_done: impl Fn(&Self) -> bool) {
        let (begun, end) = (Instant::now(), self.clock.now().plus(most));
        while !is_done(self) {
            // At the end time stands still, for whoever has not had ours to do what was due long ago.
            assert!(begun.elapsed() < PATIENCE, "it does not come to that in {most:?}");
            self.clock.advance(step.min(end.since(self.clock.now())));
            sleep(Duration::from_millis(3)).await;
        }
    }
}

async fn start(place: &Place, clock: &Clock) -> App {
    let loaded = config::load(&place.path("config.toml"), &Environment::default(), Secrets::Resolve).unwrap();
    App::start(loaded, Sockets::default(), Arc::<Notify>::default(), clock.clone()).await.unwrap()
}

fn rule(send_to: &str) -> String {
    format!("[[rules]]\nname = \"r\"\nsend_to = {send_to}\n")
}

fn down() -> Behaviour {
    Behaviour::Answer(Answer::text(503, "down"))
}

fn titles(chat: &Pretend) -> Vec<String> {
    let seen = shown(chat).into_iter().map(|received| visible(received.json.as_ref().unwrap()));
    seen.map(|text| text.split("message of ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_is_down_for_days_is_tried_at_least_every_ten_minutes_and_then_given_up() {
    let hours = Hours::begin(&rule("\"slack\"")).await;
    hours.place.slack.always(down());
    hours.accept("one", json!({})).await;
    hours.pass(12 * HOUR, 2 * MINUTE).await;
    let longest = "SELECT max(gap) FROM (
                       SELECT started_at - lag(ended_at) OVER (ORDER BY id) AS gap FROM attempts)";
    let longest = Duration::from_millis(hours.ask(longest).unsigned_abs());
    assert!(longest > 8 * MINUTE, "it comes to be tried rarely: {longest:?}");
    // Ten minutes, and a step of ours in which nobody sees that they are over.
    assert!(longest <= 12 * MINUTE, "{longest:?}");
    assert!(hours.place.slack.count() > 60, "{}", hours.place.slack.count());
    hours.pass(59 * HOUR, HOUR / 2).await;
    assert_eq!(hours.ask("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 1);
    hours.pass(HOUR + 12 * MINUTE, 2 * MINUTE).await;
    assert_eq!(
        hours.place.ask::<String>("SELECT state || ':' || reason FROM deliveries"),
        "dead:gave_up",
        "a person can see it, and send it again"
    );
    let lived = Duration::from_millis(
        hours.ask("SELECT settled_at - accepted_at FROM deliveries WHERE id = 1").unsigned_abs(),
    );
    assert!(lived >= 3 * DAY && lived <= 3 * DAY + 12 * MINUTE, "{lived:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_is_back_after_days_gets_everything_within_minutes() {
    let hours = Hours::begin(&rule("\"slack\"")).await;
    hours.place.slack.always(down());
    let ids: Vec<String> = (0..12).map(|number| format!("event-{number:02}")).collect();
    for id in &ids {
        hours.accept(id, json!({})).await;
        hours.pass_until(HOUR, 5 * HOUR, |hours| hours.place.slack.count() > 0).await;
    }
    let before = hours.place.slack.count();
    hours.pass_until(10 * MINUTE, 2 * DAY, |hours| hours.place.slack.count() > before + 12).await;
    assert_eq!(hours.ask("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 12);
    // Slowly enough that no courier sees an hour go by while it posts: by now several have been tried, one by one.
    let step = Duration::from_secs(5);
    let several = "SELECT count(*) > 1 FROM deliveries WHERE failures > 0";
    hours.pass_until(step, 5 * HOUR, |hours| hours.ask(several) == 1).await;
    hours.place.slack.recover();
    hours.pass_until(step, 30 * MINUTE, |hours| !shown(&hours.place.slack).is_empty()).await;
    // Whoever waits for a chat that works waits for its pace alone.
    let all = |hours: &Hours| shown(&hours.place.slack).len() == 12;
    hours.pass_until(Duration::from_secs(1), 2 * MINUTE, all).await;
    let mut seen = titles(&hours.place.slack);
    // The one that showed that the chat is back was whichever was due; behind it order is kept.
    let first = seen.remove(0);
    let expected: Vec<_> = ids.into_iter().filter(|id| *id != first).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_gone_for_hours_is_tried_once_an_hour_and_found_when_it_is_back() {
    let hours = Hours::begin(&rule("\"slack\"")).await;
    hours.place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    hours.accept("one", json!({})).await;
    hours.accept("two", json!({})).await;
    hours.pass(5 * HOUR + 30 * MINUTE, 5 * MINUTE).await;
    assert_eq!(hours.place.slack.count(), 6, "the first, and one an hour");
    assert_eq!(hours.ask("SELECT count(*) FROM deliveries WHERE state = 'waiting' AND failures = 0"), 2);
    hours.place.slack.recover();
    hours.pass(HOUR, 5 * MINUTE).await;
    assert_eq!(titles(&hours.place.slack), ["one", "two"]);
    assert_eq!(hours.ask("SELECT count(*) FROM destinations WHERE gone_since IS NOT NULL"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_of_a_day_outlives_a_restart() {
    let hours = Hours::begin(&rule("[\"slack\", \"teams\"]")).await;
    let wait = Answer::text(429, "rate_limited").with("Retry-After", "86400");
    hours.place.slack.script([Behaviour::Answer(wait)]);
    hours.accept("one", json!({})).await;
    hours.pass(HOUR, HOUR).await;
    let hours = hours.restart().await;
    hours.pass(22 * HOUR, HOUR).await;
    hours.accept("two", json!({})).await;
    hours.pass(MINUTE, MINUTE).await;
    assert_eq!(titles(&hours.place.teams), ["one", "two"], "the other is held up by nothing");
    assert_eq!(hours.place.slack.count(), 1, "asked once, and left alone since");
    hours.pass(HOUR, 5 * MINUTE).await;
    assert_eq!(titles(&hours.place.slack), ["one", "two"]);
    assert_eq!(hours.ask("SELECT sum(failures + unclear) FROM deliveries"), 0, "a wait uses up no attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discords_edge_shuts_out_every_room_there_for_ten_minutes() {
    let second = Pretend::start(bugle::pretend::Product::Discord).unwrap();
    let rules = format!(
        "[destinations.second]\ntype = \"discord\"\nurl = \"{}\"\nrate = \"50/s\"\nallowed_hosts = [\"{}\"]\n{}",
        second.url(),
        second.host(),
        rule("[\"discord\", \"second\", \"slack\"]")
    );
    let hours = Hours::begin(&rules).await;
    let ban = Answer::text(429, "<html>You are being blocked</html>");
    for chat in [&hours.place.discord, &second] {
        chat.script([Behaviour::Answer(ban.clone()), Behaviour::Answer(ban.clone())]);
    }
    hours.accept("one", json!({})).await;
    hours.pass(Duration::from_secs(5), Duration::from_secs(1)).await;
    hours.accept("two", json!({})).await;
    hours.pass(9 * MINUTE, MINUTE).await;
    assert_eq!(titles(&hours.place.slack), ["one", "two"]);
    let asked = hours.place.discord.count() + second.count();
    assert!((1..=2).contains(&asked), "each asks at most once, before it hears of the other's ban: {asked}");
    second.recover();
    hours.place.discord.recover();
    hours.pass(3 * MINUTE, MINUTE).await;
    assert_eq!(titles(&hours.place.discord), ["one", "two"]);
    assert_eq!(titles(&second), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_mends_for_a_month_becomes_a_dead_letter_and_is_forgotten_three_months_later() {
    let hours = Hours::begin(&rule("[\"slack\", \"teams\"]")).await;
    hours.place.slack.always(Behaviour::Answer(Answer::text(404, "no_service")));
    hours.accept("one", json!({})).await;
    hours.pass(29 * DAY, 12 * HOUR).await;
    assert_eq!(hours.ask("SELECT count(*) FROM deliveries WHERE state = 'waiting'"), 1);
    let dead = "SELECT count(*) FROM deliveries WHERE state = 'dead' AND reason = 'stranded'";
    hours.pass_until(HOUR, 2 * DAY, |hours| hours.ask(dead) == 1).await;
    hours.pass(88 * DAY, DAY).await;
    assert_eq!(hours.ask(dead), 1, "dead letters are kept for ninety days");
    hours.pass_until(HOUR, 4 * DAY, |hours| hours.ask("SELECT count(*) FROM events") == 0).await;
}
