//! A flood in play: who posts, when the relay is killed, how long is watched, and what must have come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::clock::Clock;
use bugle::pretend::post;
use nix::sys::signal::Signal;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ground::{Ground, TOKEN, everything, one_is_urgent};
use super::judge::{Shown, delay, judge_room, shown};
use super::relay::{Door, Relay};
use super::report;
use super::scenario::{BAD_DEPLOY, Call, Deploy};
use super::sums::judge_sums;

const ROOMS: [&str; 3] = ["slack", "teams", "discord"];

/// Longer than a start takes, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// A story, and what is allowed in a channel.
#[derive(Debug, Clone, Copy)]
struct Story {
    name: &'static str,
    all_urgent: bool,
    /// Within which time messages are counted, and how many there may be.
    counted: Duration,
    most: usize,
    /// How many of them may mention somebody.
    most_mentions: usize,
}

const STORIES: [Story; 2] = [
    Story {
        name: "bad_deploy",
        all_urgent: false,
        counted: Duration::from_mins(5),
        most: 12,
        most_mentions: 1,
    },
    Story { name: "all_urgent", all_urgent: true, counted: Duration::MAX, most: 10, most_mentions: 6 },
];

/// How long, and how much.
#[derive(Debug, Clone, Copy)]
struct Length {
    deploy: Deploy,
    /// Lines of the configuration.
    delivery: &'static str,
    /// The longest until nothing waits any more.
    watched: Duration,
}

const FULL: Length = Length { deploy: BAD_DEPLOY, delivery: "", watched: Duration::from_mins(25) };

const SHORT: Length = Length {
    deploy: Deploy { events: 1_000, errors: 30, span: Duration::from_secs(12) },
    delivery: "collapse = \"20s\"",
    watched: Duration::from_mins(3),
};

pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    if has("--list") {
        for Story { name, .. } in STORIES {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(&**filter));
    if has("--ignored") {
        return ExitCode::SUCCESS;
    }
    let length = if has("--full") { FULL } else { SHORT };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let wrong = runtime.block_on(async {
        let mut playing = JoinSet::new();
        for story in STORIES.into_iter().filter(|story| is_wanted(story.name)) {
            playing.spawn(tell(story, length));
        }
        let mut wrong = 0;
        while let Some(ended) = playing.join_next().await {
            wrong += ended.unwrap();
        }
        wrong
    });
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays a story, tells what came of it and how much of that is wrong.
async fn tell(story: Story, length: Length) -> usize {
    let clock = Clock::system();
    let ground = Ground::new(&clock);
    let rules = if story.all_urgent {
        everything(&ROOMS, "urgent = true\nmention = [\"ann\"]")
    } else {
        one_is_urgent(&ROOMS)
    };
    ground.configure(length.delivery, &rules);
    let calls = length.deploy.calls();
    let mut faults = Vec::new();
    let played = play(&ground, &clock, &calls, length, &mut faults).await;
    let look = ground.look();
    let marks: BTreeSet<String> = played.accepted.keys().cloned().collect();
    if marks.len() != calls.len() {
        faults.push(format!("{} of {} were accepted", marks.len(), calls.len()));
    }
    let mut out = stdout().lock();
    let Deploy { events, errors, span } = length.deploy;
    let (name, memory) = (story.name, played.memory_kib);
    writeln!(
        out,
        "\n== {name}: {events} events, {errors} errors, in {span:?}; killed once; at most {memory} KiB"
    )
    .unwrap();
    for room in &ground.rooms {
        let all = shown(&look, room, &mut faults);
        report::room(&mut out, room.name, &all, played.begun).unwrap();
        faults.extend(
            judge_haste(&mut out, story, &calls, &played, &all)
                .into_iter()
                .map(|words| format!("{}: {words}", room.name)),
        );
        faults.extend(judge_room(&look, room, &marks, true));
    }
    faults.extend(judge_sums(&look));
    report::sums(&mut out, &look).unwrap();
    for fault in &faults {
        writeln!(out, "WRONG {fault}").unwrap();
    }
    if !faults.is_empty() {
        writeln!(out, "see {}", ground.folder.keep().display()).unwrap();
    }
    faults.len()
}

/// What is wrong with how many messages there were, and with how soon the urgent one came.
fn judge_haste(
    out: &mut impl Write,
    story: Story,
    calls: &[Call],
    played: &Played,
    all: &[Shown],
) -> Vec<String> {
    let mut faults = Vec::new();
    let counted: Vec<&Shown> =
        all.iter().filter(|shown| shown.at.saturating_sub(played.begun) < story.counted).collect();
    let mentions = counted.iter().filter(|shown| !shown.pings.is_empty()).count();
    if counted.len() > story.most || mentions > story.most_mentions {
        faults.push(format!("{} messages, {mentions} mentions", counted.len()));
    }
    for urgent in calls.iter().filter(|call| call.is_urgent && !story.all_urgent) {
        let waited = played.accepted.get(&urgent.mark).and_then(|at| delay(all, &urgent.mark, *at));
        let seconds = waited.unwrap_or_default().as_secs_f64();
        writeln!(out, "  the urgent one was there after {seconds:.1} s").unwrap();
        if waited.is_none_or(|waited| waited > Duration::from_secs(3)) {
            faults.push(format!("the urgent one came after {waited:?}"));
        }
    }
    faults
}

/// What came of it: when it began, when each event was accepted, the most memory.
struct Played {
    begun: Duration,
    accepted: BTreeMap<String, Duration>,
    memory_kib: u64,
}

async fn play(
    ground: &Ground,
    clock: &Clock,
    calls: &[Call],
    length: Length,
    faults: &mut Vec<String>,
) -> Played {
    let door: Door = watch::Sender::new(None);
    let mut relay = Relay::start(ground.path(), &door);
    if !is_ready(&door).await {
        faults.push("bugle did not start".to_owned());
    }
    let begun = clock.steady();
    let mut posts = JoinSet::new();
    for call in calls {
        posts.spawn(insist(call.clone(), door.subscribe(), clock.clone(), begun));
    }
    // A little before the urgent one.
    sleep(length.deploy.span.mul_f64(0.4)).await;
    let mut memory_kib = memory(&relay);
    relay.signal(Signal::SIGKILL);
    relay.ends(PATIENCE).await;
    door.send_replace(None);
    let mut relay = Relay::start(ground.path(), &door);
    let mut accepted = BTreeMap::new();
    while let Some(ended) = posts.join_next().await {
        let (mark, at) = ended.unwrap();
        accepted.insert(mark, at);
    }
    let store = ground.look();
    let watched = Instant::now();
    loop {
        let wrong = judge_sums(&store);
        let waiting: i64 = store
            .query_row("SELECT count(*) FROM deliveries WHERE state = 'waiting'", [], |row| row.get(0))
            .unwrap();
        if !wrong.is_empty() || waiting == 0 {
            break;
        }
        if watched.elapsed() > length.watched {
            faults.push(format!("{waiting} deliveries wait for ever"));
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    memory_kib = memory_kib.max(memory(&relay));
    relay.signal(Signal::SIGTERM);
    if relay.ends(PATIENCE).await.is_none_or(|status| !status.success()) {
        faults.push("a stop did not go well".to_owned());
    }
    Played { begun, accepted, memory_kib }
}

async fn is_ready(door: &Door) -> bool {
    let mut ready = door.subscribe();
    let waited = tokio::time::timeout(PATIENCE, ready.wait_for(Option::is_some)).await;
    matches!(waited, Ok(Ok(_)))
}

/// Posts at its time, again and again until it is accepted; when that was.
async fn insist(
    call: Call,
    door: watch::Receiver<Option<std::net::SocketAddr>>,
    clock: Clock,
    begun: Duration,
) -> (String, Duration) {
    let path: Arc<str> = format!("/hooks/backend/{TOKEN}").into();
    sleep(call.at.saturating_sub(clock.steady().saturating_sub(begun))).await;
    loop {
        let address = *door.borrow();
        if let Some(address) = address
            && let Ok((200, _)) = post(address, &path, &call.body).await
        {
            return (call.mark, clock.steady());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The most memory that the relay has had so far.
fn memory(relay: &Relay) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
