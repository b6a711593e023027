//! The figures: what is measured, against what, and what is wanted.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::load::{Tracker, at_rate, flat_out};
use crate::process::{Server, Setting};
use crate::sink::Sink;

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    turns: usize,
    span: Duration,
    deliveries: usize,
    history: u32,
}

impl Manner {
    pub(crate) const FULL: Self =
        Self { turns: 5, span: Duration::from_secs(4), deliveries: 3_000, history: 1_000_000 };
    pub(crate) const SHORT: Self =
        Self { turns: 2, span: Duration::from_secs(1), deliveries: 300, history: 50_000 };
}

type Measure = for<'a> fn(Manner, &'a mut Report) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// All of them, by the names that the command line takes.
pub(crate) const ALL: [(&str, Measure); 6] = [
    ("intake", |manner, report| Box::pin(intake(manner, report))),
    ("answers", |manner, report| Box::pin(answers(manner, report))),
    ("delivery", |manner, report| Box::pin(delivery(manner, report))),
    ("rules", |manner, report| Box::pin(rules(manner, report))),
    ("history", |manner, report| Box::pin(history(manner, report))),
    ("idle", |manner, report| Box::pin(idle(manner, report))),
];

/// What was measured, in the order of the measuring.
#[derive(Default)]
pub(crate) struct Report(Vec<[String; 5]>);

impl Report {
    fn line(&mut self, figure: &str, bugle: String, baseline: String, ratio: String, wanted: &str) {
        println!("{figure}: {bugle}, against {baseline}: {ratio}, wanted {wanted}");
        self.0.push([figure.to_owned(), bugle, baseline, ratio, wanted.to_owned()]);
    }

    pub(crate) fn print(&self) {
        println!("\n| figure | bugle | baseline | ratio | wanted |\n|---|---|---|---|---|");
        for line in &self.0 {
            println!("| {} |", line.join(" | "));
        }
    }
}

const CONNECTIONS: usize = 64;
const PER_SECOND: u32 = 500;

/// Events taken a second, flushed to disk.
async fn intake(manner: Manner, report: &mut Report) {
    let setting = Setting::default();
    let (mut bugle, mut durable, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..manner.turns {
        for (kind, figures) in [("bugle", &mut bugle), ("durable", &mut durable), ("bare", &mut bare)] {
            let server = serve(kind, &setting);
            figures.push(flat_out(server.address, CONNECTIONS, manner.span).await);
        }
    }
    let (bugle, durable, bare) = (median(bugle), median(durable), median(bare));
    let per_second = |figure: f64| format!("{figure:.0}/s");
    let ratio = |part: f64| format!("{:.2}", bugle / part);
    report.line(
        "durable intake",
        per_second(bugle),
        format!("{} durable", per_second(durable)),
        ratio(durable),
        "≥ 0.80",
    );
    report.line(
        "intake, nothing stored by the other",
        per_second(bugle),
        format!("{} bare", per_second(bare)),
        ratio(bare),
        "-",
    );
}

/// How long an answer takes at a fixed rate.
async fn answers(manner: Manner, report: &mut Report) {
    let setting = Setting::default();
    let (mut bugle, mut durable) = (Vec::new(), Vec::new());
    for _ in 0..manner.turns {
        for (kind, figures) in [("bugle", &mut bugle), ("durable", &mut durable)] {
            let server = serve(kind, &setting);
            figures.extend(at_rate(server.address, PER_SECOND, manner.span).await);
        }
    }
    for part in [0.5, 0.99] {
        let (bugle, durable) = (part_of(&mut bugle, part), part_of(&mut durable, part));
        let wanted = if part > 0.9 { "≤ 1.50" } else { "-" };
        let name = format!("answer at {PER_SECOND}/s, p{:.0}", part * 100.0);
        report.line(
            &name,
            millis(bugle),
            format!("{} durable", millis(durable)),
            over(bugle, durable),
            wanted,
        );
    }
}

/// From the tracker to the chat: many at once, and one at a time.
async fn delivery(manner: Manner, report: &mut Report) {
    let (mut rates, mut spans) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..manner.turns {
        for (place, kind) in ["bugle", "relay"].into_iter().enumerate() {
            let sink = Sink::open().await;
            let server = serve(kind, &Setting { chat: Some(sink.address), ..Setting::default() });
            let begun = Instant::now();
            let mut tracker = Tracker::connect(server.address).await;
            let mut others = Vec::new();
            for _ in 0..7 {
                others.push(Tracker::connect(server.address).await);
            }
            for _ in 0..manner.deliveries / 8 {
                let posts = others.iter_mut().map(Tracker::post);
                futures_util::future::join(tracker.post(), futures_util::future::join_all(posts)).await;
            }
            sink.wait(manner.deliveries / 8 * 8).await;
            rates[place].push(sink.count() as f64 / begun.elapsed().as_secs_f64());
            for _ in 0..manner.deliveries / 10 {
                let number = tracker.post().await;
                let answered = Instant::now();
                while sink.at(number).is_none() {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
                spans[place].push(sink.at(number).unwrap().saturating_duration_since(answered));
            }
        }
    }
    let [bugle, relay] = rates.map(median);
    report.line(
        "delivered",
        format!("{bugle:.0}/s"),
        format!("{relay:.0}/s bare relay"),
        format!("{:.2}", bugle / relay),
        "≥ 1.00",
    );
    let [mut bugle, mut relay] = spans;
    let (bugle, relay) = (part_of(&mut bugle, 0.99), part_of(&mut relay, 0.99));
    report.line(
        "from answer to chat, p99",
        millis(bugle),
        format!("{} bare relay", millis(relay)),
        over(bugle, relay),
        "≤ 1.30",
    );
}

/// A thousand rules against ten.
async fn rules(manner: Manner, report: &mut Report) {
    let (mut many, mut few) = (Vec::new(), Vec::new());
    for _ in 0..manner.turns {
        for (rules, figures) in [(1_000, &mut many), (10, &mut few)] {
            let server = Server::bugle(&Setting { rules, ..Setting::default() });
            figures.push(flat_out(server.address, CONNECTIONS, manner.span).await);
        }
    }
    let (many, few) = (median(many), median(few));
    report.line(
        "1,000 rules",
        format!("{many:.0}/s"),
        format!("{few:.0}/s with ten"),
        format!("{:.2}", few / many),
        "≤ 1.20",
    );
}

/// A store full of history against an empty one.
async fn history(manner: Manner, report: &mut Report) {
    let folder = tempfile::tempdir().unwrap();
    let store = grown(folder.path().join("grown.db"), manner.history);
    let (mut full, mut empty, mut starts) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..manner.turns {
        for (place, store, figures) in [(0, Some(store.clone()), &mut full), (1, None, &mut empty)] {
            let server = Server::bugle(&Setting { store, ..Setting::default() });
            starts[place].push(server.started_in.as_secs_f64() * 1_000.0);
            figures.push(flat_out(server.address, CONNECTIONS, manner.span).await);
        }
    }
    let (full, empty, [start_full, start_empty]) = (median(full), median(empty), starts.map(median));
    let name = format!("{} events of history", manner.history);
    report.line(
        &name,
        format!("{full:.0}/s"),
        format!("{empty:.0}/s with none"),
        format!("{:.2}", empty / full),
        "≤ 1.10",
    );
    report.line(
        "from start to ready",
        format!("{start_full:.0} ms with it"),
        format!("{start_empty:.0} ms empty"),
        String::from("-"),
        "200 ms, 50 ms",
    );
}

/// What it takes when there is nothing to do.
async fn idle(_: Manner, report: &mut Report) {
    let servers = ["bugle", "durable"].map(|kind| serve(kind, &Setting::default()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let figures = servers.each_ref().map(|server| server.memory_kib().map(|kib| kib as f64 / 1_024.0));
    if let [Some(bugle), Some(durable)] = figures {
        report.line(
            "idle memory (PSS)",
            format!("{bugle:.1} MiB"),
            format!("{durable:.1} MiB durable"),
            format!("{:.2}", bugle / durable),
            "15 MiB",
        );
    }
}

fn serve(kind: &str, setting: &Setting) -> Server {
    match kind {
        "bugle" => Server::bugle(setting),
        other => Server::baseline(other, setting),
    }
}

/// A store in which bugle has taken one event, and has `count` like it.
fn grown(path: PathBuf, count: u32) -> PathBuf {
    let server = Server::bugle(&Setting::default());
    let runtime = std::thread::spawn({
        let address = server.address;
        move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async { Tracker::connect(address).await.post().await });
        }
    });
    runtime.join().unwrap();
    let from = Connection::open(server.folder.path().join("bugle.db")).unwrap();
    from.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
    drop(server);
    let store = Connection::open(&path).unwrap();
    store.pragma_update(None, "synchronous", "OFF").unwrap();
    let columns = "received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set, matched, routing, raw";
    let mut have = 1;
    while have < count {
        let more = (count - have).min(have);
        let sql =
            format!("INSERT INTO events ({columns}) SELECT {columns} FROM events ORDER BY id LIMIT {more}");
        store.execute(&sql, []).unwrap();
        have += more;
    }
    let remember =
        "INSERT INTO identities (digest, event, seen_at) SELECT randomblob(32), id, received_at FROM events";
    store.execute(remember, []).unwrap();
    path
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The value below which `part` of all lie.
fn part_of(all: &mut [Duration], part: f64) -> Duration {
    all.sort();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
    let place = (all.len() as f64 * part) as usize;
    all[place.min(all.len() - 1)]
}

fn millis(span: Duration) -> String {
    format!("{:.2} ms", span.as_secs_f64() * 1_000.0)
}

fn over(one: Duration, other: Duration) -> String {
    format!("{:.2}", one.as_secs_f64() / other.as_secs_f64())
}
