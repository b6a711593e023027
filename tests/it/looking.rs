//! Commands that only look: whatever the store is like, they leave it as it was, and keep nobody from anything.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bugle::{Place, bugsnag, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\n";

/// Every command that only looks, but for those that go on.
const LOOKING: [&[&str]; 8] = [
    &["events"],
    &["events", "--unsent", "--json"],
    &["why", "nothing of it"],
    &["why", "ABCD", "--json"],
    &["queue"],
    &["dead-letters", "list"],
    &["dead-letters", "show", "2222"],
    &["doctor"],
];

/// What is on disk: of each file its owner, mode, time and contents; of the folder the time.
fn on_disk(place: &Place) -> BTreeMap<String, (u32, u32, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let names = fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    for name in names.map(|name| name.into_string().unwrap()).chain([".".to_owned()]) {
        let path = place.path(&name);
        let file = fs::metadata(&path).unwrap();
        let bytes = if file.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
        all.insert(name, (file.uid(), file.mode(), file.mtime(), file.mtime_nsec(), bytes));
    }
    all
}

/// Runs `arguments`; the exit code, and what was written to either output.
fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let done = place.command(arguments).output().unwrap();
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap());
    (done.status.code(), said.concat())
}

/// A store with an event, of a server that has ended as `signal` has it end.
async fn left(signal: Signal) -> Place {
    let place = Place::with("", TO_SLACK);
    let mut bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({"error": {"exceptionClass": "Alpha"}}))).await;
    wait_shown(&place.slack, 1).await;
    place.until("SELECT count(*) FROM deliveries WHERE state = 'delivered'", "1").await;
    bugle.signal(signal);
    bugle.end().await;
    place
}

/// Has every command look, and compares what is on disk then with what was before; what each said.
fn look(place: &Place) -> Vec<(Option<i32>, String)> {
    let before = on_disk(place);
    let look = |arguments: &&[&str]| {
        let said = run(place, arguments);
        let after = on_disk(place);
        let names = |files: &BTreeMap<String, _>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{arguments:?}");
        for (name, file) in &after {
            assert!(*file == before[name], "{arguments:?} has changed {name}: {}", said.1);
        }
        said
    };
    LOOKING.iter().map(look).collect()
}

#[tokio::test]
async fn a_store_that_a_server_has_left_is_as_it_was_after_every_look() {
    for (signal, has_log) in [(Signal::SIGTERM, false), (Signal::SIGKILL, true)] {
        let place = left(signal).await;
        // Nobody needs it, and nobody makes it.
        fs::remove_file(place.path("bugle.db.lock")).unwrap();
        let log = fs::metadata(place.path("bugle.db-wal")).map_or(0, |file| file.len());
        assert_eq!(log > 0, has_log);
        let said = look(&place);
        assert!(said[0].1.contains("Alpha") && said[0].0 == Some(0), "{said:?}");
        assert!(said[4].1.contains("No bugle serves from this store"), "{said:?}");
        let before = on_disk(&place);
        let mut tail =
            place.command(&["tail", "--json", "--last", "100"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(tail.stdout.take().unwrap()), &mut line)
            .unwrap();
        tail.kill().unwrap();
        tail.wait().unwrap();
        assert!(line.contains("started"), "{line}");
        assert!(on_disk(&place) == before);
    }
}

#[tokio::test]
async fn what_is_no_store_or_none_of_now_is_said_and_left_alone() {
    let place = left(Signal::SIGTERM).await;
    let whole = fs::read(place.path("bugle.db")).unwrap();
    fs::remove_file(place.path("bugle.db")).unwrap();
    fs::remove_file(place.path("bugle.db.lock")).unwrap();
    // Behind the first page, which has the table of tables.
    let mut damaged = whole;
    damaged[4096..].fill(0xAB);
    let other = place.path("other");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE letters (words)").unwrap();
    let foreign = fs::read(&other).unwrap();
    let sixth = include_bytes!("../fixtures/store/v6.db").to_vec();
    for (what, file, expected) in [
        ("missing", None, "there is no store at"),
        ("empty", Some(Vec::new()), "there is no store at"),
        ("older", Some(sixth), "is of an older bugle: start `bugle serve` once"),
        ("damaged", Some(damaged), "damaged"),
        ("foreign", Some(foreign), "belongs to another program"),
        ("a letter", Some(b"dear grandmother, ".repeat(500)), "is no SQLite database"),
    ] {
        if let Some(file) = file {
            fs::write(place.path("bugle.db"), file).unwrap();
        }
        let said = look(&place);
        for (arguments, (code, words)) in LOOKING.iter().zip(&said).filter(|(name, _)| name[0] != "doctor") {
            assert!(words.contains(expected), "{what} {arguments:?}: {words}");
            // What lists what is kept lists that nothing is.
            let lists = what == "missing" || what == "empty";
            let lists = lists && matches!(arguments, ["queue"] | ["dead-letters", "list"]);
            assert_eq!(*code, Some(i32::from(!lists)), "{what} {arguments:?}: {words}");
        }
        let (_, words) = run(&place, &["tail"]);
        assert!(words.contains(expected), "{what}: {words}");
    }
}

#[tokio::test]
async fn many_who_look_at_once_take_nobody_for_a_server_and_keep_none_from_starting() {
    let place = left(Signal::SIGTERM).await;
    let all: Vec<_> =
        (0..8).map(|_| place.command(&["queue", "--json"]).stdout(Stdio::piped()).spawn().unwrap()).collect();
    for looked in all {
        let done = looked.wait_with_output().unwrap();
        let queue: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((done.status.code(), &queue["serving"]), (Some(0), &json!(false)));
    }
    // A server starts and ends while they look.
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for arguments in [&["events"][..], &["why", "Alpha"], &["queue"]] {
            let (place, is_over) = (&place, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let (code, words) = run(place, arguments);
                    assert_eq!(code, Some(0), "{arguments:?}: {words}");
                }
            });
        }
        for _ in 0..3 {
            let bugle = place.serve();
            bugle.signal(Signal::SIGTERM);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ended =
                thread::spawn(move || runtime.block_on(async { { bugle }.end().await })).join().unwrap();
            assert!(ended.success());
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[tokio::test]
async fn who_may_not_read_the_store_is_told_whose_it_is() {
    let place = left(Signal::SIGTERM).await;
    let store = fs::metadata(place.path("bugle.db")).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mode =
        |name: &str, mode| fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    for name in ["config.toml", "slack.url", "teams.url", "discord.url", "token"] {
        mode(name, 0o644);
    }
    mode(".", 0o755);
    mode("bugle.db", if is_root { 0o600 } else { 0 });
    let expected = if is_root {
        format!("({}): run this as that user", store.uid())
    } else {
        "look at the modes".to_owned()
    };
    let mut commands: Vec<&[&str]> = LOOKING.to_vec();
    commands.push(&["tail"]);
    for arguments in commands {
        let mut command = place.command(arguments);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        let done = command.output().unwrap();
        let words = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        assert!(words.contains("cannot be read") && words.contains(&expected), "{arguments:?}: {words}");
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {words}");
    }
    mode("bugle.db", 0o600);
}

#[tokio::test]
async fn what_root_changes_beside_another_s_store_stays_that_user_s() {
    let place = left(Signal::SIGTERM).await;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    fs::remove_file(place.path("bugle.db.lock")).unwrap();
    chown(place.path("bugle.db"), Some(65_534), Some(65_534)).unwrap();
    let (code, words) = run(&place, &["suspend", "slack"]);
    assert_eq!(code, Some(0), "{words}");
    let owner = |name: &str| fs::metadata(place.path(name)).unwrap().uid();
    assert_eq!((owner("bugle.db"), owner("bugle.db.lock")), (65_534, 65_534));
}
