//! What a person does after a failure, with the built binary: with a server on the store, and without one.

mod door;
mod queue;

use std::fs;
use std::net::TcpListener;
use std::process::Output;

use bugle::pretend::{Answer, Behaviour};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bugle::{Bugle, Place, bugsnag, visible, wait_shown};

const TO_SLACK: &str = "[[rules]]\nname = \"r\"\nsend_to = \"slack\"\nmention = \"here\"\n";

/// A place whose admin address is known beforehand.
fn place(rules: &str) -> Place {
    let place = Place::with("", rules);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    edit(&place, "[admin]\nlisten = \"127.0.0.1:0\"", &format!("[admin]\nlisten = \"127.0.0.1:{port}\""));
    place
}

fn edit(place: &Place, from: &str, to: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    assert!(config.contains(from), "{from}");
    place.write("config.toml", &config.replacen(from, to, 1));
}

/// What the binary writes; whether it went well.
fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = place.command(arguments).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn well(place: &Place, arguments: &[&str]) -> String {
    let (code, words) = run(place, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {words}");
    words
}

fn as_json(place: &Place, arguments: &[&str]) -> Value {
    serde_json::from_str(&well(place, &[arguments, &["--json"]].concat())).unwrap()
}

fn fails(place: &Place, arguments: &[&str], expected: &str) {
    let (code, words) = run(place, arguments);
    assert_ne!(code, Some(0), "{arguments:?}: {words}");
    assert!(words.contains(expected), "{arguments:?}: {words}");
}

async fn stop(mut bugle: Bugle) {
    bugle.signal(Signal::SIGTERM);
    assert!(bugle.end().await.success());
}

fn refusal() -> Behaviour {
    Behaviour::Answer(Answer::text(400, "user_not_found"))
}

/// A dead letter for each of `ids`, in a store that a server is at work on; their short ids.
async fn dead_letters(place: &Place, bugle: &Bugle, ids: &[&str]) -> Vec<String> {
    place.slack.script(ids.iter().map(|_| refusal()));
    let mut short = Vec::new();
    for id in ids {
        short.extend(bugle.accept("backend", bugsnag(id, json!({}))).await);
    }
    place.until("SELECT count(*) FROM deliveries WHERE state = 'dead'", &ids.len().to_string()).await;
    short
}

/// Does it with a server on the store, and then once more without one.
async fn both_ways(story: impl AsyncFn(&Place, Vec<String>, bool)) {
    for served in [true, false] {
        let place = place(TO_SLACK);
        let bugle = place.serve();
        let ids = dead_letters(&place, &bugle, &["one", "two", "three"]).await;
        if served {
            story(&place, ids, true).await;
            drop(bugle);
        } else {
            stop(bugle).await;
            story(&place, ids, false).await;
        }
    }
}

#[tokio::test]
async fn dead_letters_are_listed_and_shown_with_everything_that_is_known_of_them() {
    both_ways(async |place, ids, _| {
        let list = well(place, &["dead-letters", "list"]);
        assert_eq!(list.lines().count(), 4, "{list}");
        assert!(list.lines().nth(1).unwrap().starts_with(&ids[2]), "the latest first: {list}");
        for words in ["slack", "misconfigured", "user_not_found", "Timeout"] {
            assert_eq!(list.matches(words).count(), 3, "{list}");
        }
        let list = well(place, &["dead-letters", "list", "--limit", "2"]);
        assert!(list.contains("… and 1 more"), "{list}");
        let found = as_json(place, &["dead-letters", "list", &ids[1].to_uppercase()]);
        assert_eq!((&found["total"], &found["dead_letters"][0]["id"]), (&json!(1), &json!(ids[1])));
        for (filter, count) in [
            (&["--destination", "slack"][..], 3),
            (&["--reason", "misconfigured"], 3),
            (&["--reason", "gave_up"], 0),
            (&["--destination", "teams"], 0),
            (&["--since", "1h"], 3),
            (&["--until", "1h"], 0),
            (&["--since", "2020-01-01", "--until", "2999-01-01T00:00Z"], 3),
            (&["--since", "2999-01-01"], 0),
        ] {
            let found = as_json(place, &[&["dead-letters", "list"], filter].concat());
            assert_eq!(found["total"], count, "{filter:?}: {found}");
        }
        let shown = well(place, &["dead-letters", "show", &ids[0]]);
        for words in [
            "Timeout",
            "through backend",
            "firstException (error)",
            "slack: given up",
            "(misconfigured)",
            "1 attempt\n",
            "refused (misconfigured)  400 ",
            "rule        r",
        ] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(
            !shown.contains("larkspur"),
            "what the tracker has sent is shown if it is asked for: {shown}"
        );
        assert!(well(place, &["dead-letters", "show", &ids[0], "--raw"]).contains("larkspur"));
        let shown = as_json(place, &["dead-letters", "show", &ids[0], "--raw"]);
        assert_eq!(shown["raw"]["error"]["id"], "one");
        assert_eq!(shown["deliveries"][0]["attempts"][0]["status"], 400);
        assert_eq!(as_json(place, &["dead-letters", "show", &ids[0]]).get("raw"), None);
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_that_is_sent_again_uses_the_template_that_was_mended() {
    for served in [true, false] {
        let place = place(TO_SLACK);
        edit(&place, "[sources.backend]", "[templates]\nfolder = \"templates\"\n\n[sources.backend]");
        fs::create_dir(place.path("templates")).unwrap();
        place.write("templates/firstException.hbs", "# before the mending {{title}}\n");
        let mut bugle = Some(place.serve());
        let ids = dead_letters(&place, bugle.as_ref().unwrap(), &["one", "two"]).await;
        place.write("templates/firstException.hbs", "# after the mending {{title}}\n");
        if served {
            bugle.as_ref().unwrap().says("the new configuration is in force", 1).await;
        } else {
            stop(bugle.take().unwrap()).await;
        }
        let words = well(&place, &["dead-letters", "redrive", &ids[0]]);
        assert!(words.contains("1 dead letter: on their way again."), "{words}");
        assert_eq!(words.contains("No bugle serves"), !served, "{words}");
        assert_eq!(well(&place, &["dead-letters", "redrive", &ids[0]]), "There are no such dead letters.\n");
        let bugle = bugle.unwrap_or_else(|| place.serve());
        let messages = wait_shown(&place.slack, 1).await;
        let text = visible(messages[0].json.as_ref().unwrap());
        assert!(text.contains("after the mending") && text.contains(&ids[0]), "{text}");
        assert_eq!(messages[0].pings, ["<!here>"]);
        let shown = well(&place, &["dead-letters", "show", &ids[0]]);
        assert!(shown.contains("slack: sent again") && shown.contains("slack: delivered"), "{shown}");
        let done = as_json(&place, &["dead-letters", "redrive", "--all"]);
        assert_eq!((&done["sent"], &done["by"]), (&json!(1), &json!("server")));
        wait_shown(&place.slack, 2).await;
        place
            .until(
                "SELECT group_concat(state, ' ' ORDER BY id) FROM deliveries",
                "moved moved delivered delivered",
            )
            .await;
        if served {
            assert!(bugle.log().contains("a person's order was carried out"));
        }
    }
}

#[tokio::test]
async fn dead_letters_go_to_another_destination_or_are_done_with() {
    both_ways(async |place, ids, served| {
        let arguments = ["dead-letters", "redrive", &ids[0], "--to", "discord"];
        assert_eq!(as_json(place, &arguments)["by"], if served { "server" } else { "command" });
        let words = well(place, &["dead-letters", "discard", &ids[1], &ids[1], "--reason", "misconfigured"]);
        assert_eq!(words, "1 dead letter: discarded.\n");
        assert_eq!(well(place, &["dead-letters", "discard", &ids[1]]), "There are no such dead letters.\n");
        let shown = well(place, &["dead-letters", "show", &ids[1]]);
        assert!(shown.contains("slack: discarded") && shown.contains("user_not_found"), "{shown}");
        let _bugle = (!served).then(|| place.serve());
        let messages = wait_shown(&place.discord, 1).await;
        let text = visible(messages[0].json.as_ref().unwrap());
        assert!(text.contains("instead of slack"), "{text}");
        place
            .until(
                "SELECT group_concat(destination || ' ' || state, ', ' ORDER BY id) FROM deliveries",
                "slack moved, slack discarded, slack dead, discord delivered",
            )
            .await;
    })
    .await;
}

#[tokio::test]
async fn more_dead_letters_than_one_step_takes_are_all_sent_again_once() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    dead_letters(&place, &bugle, &["one"]).await;
    stop(bugle).await;
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let more = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 449)";
    for sql in [
        "INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set,
                             matched, routing, raw)
         SELECT received_at, source, product, trigger, severity, app, title, error_id, tracker_id || i, rule_set, matched,
                routing, raw FROM events, n WHERE id = 1",
        "INSERT INTO deliveries (event, destination, urgent, mentions, accepted_at, state, due_at, settled_at, reason)
         SELECT i + 1, destination, urgent, mentions, accepted_at, state, due_at, settled_at, reason
         FROM deliveries, n WHERE id = 1",
    ] {
        store.execute(&format!("{more} {sql}"), []).unwrap();
    }
    drop(store);
    // Whatever is sent again dies again at once: it is no part of the order that has sent it.
    place.slack.always(refusal());
    let bugle = place.serve();
    assert_eq!(as_json(&place, &["dead-letters", "redrive", "--all"])["sent"], 450);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries"), 900);
    stop(bugle).await;
    assert_eq!(as_json(&place, &["dead-letters", "discard", "--until", "2999-01-01"])["covered"], 0);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries WHERE state = 'dead'"), 0);
}

#[test]
fn what_is_asked_for_must_be_there_and_be_meant() {
    let place = place(TO_SLACK);
    fails(&place, &["dead-letters", "redrive"], "required");
    fails(&place, &["dead-letters", "discard"], "required");
    fails(&place, &["dead-letters", "list", "--reason", "gaveup"], "did you mean \"gave_up\"?");
    fails(&place, &["dead-letters", "list", "--since", "yesterday"], "how long ago");
    fails(&place, &["dead-letters", "show", "oil"], "a short id has four or more");
    fails(&place, &["dead-letters", "show", "2222"], "there is no event 2222");
    fails(&place, &["suspend", "slack"], "has never run there");
    // What lists what is kept lists that nothing is, and says beside it why.
    for (arguments, expected) in [
        (&["dead-letters", "list", "--json"][..], json!({"dead_letters": [], "total": 0})),
        (&["queue", "--json"], json!(false)),
    ] {
        let done = place.command(arguments).output().unwrap();
        let mut listed: Value = serde_json::from_slice(&done.stdout).unwrap();
        let listed = if arguments.len() == 2 { listed["serving"].take() } else { listed };
        assert_eq!((done.status.code(), listed), (Some(0), expected));
        assert!(String::from_utf8_lossy(&done.stderr).contains("has never run there"), "{done:?}");
    }
    let _bugle = place.serve();
    fails(&place, &["suspend", "slak"], "there is no destination \"slak\", did you mean \"slack\"?");
    fails(&place, &["move", "slack", "slack"], "already");
    fails(&place, &["move", "teems", "slack"], "did you mean \"teams\"?");
    fails(&place, &["dead-letters", "redrive", "--all", "--to", "discrd"], "did you mean \"discord\"?");
    fails(&place, &["dead-letters", "list", "--destination", "slak"], "did you mean \"slack\"?");
    edit(&place, "[store]", "[stor]");
    let (code, words) = run(&place, &["queue"]);
    assert_eq!(code, Some(0), "what is wrong elsewhere does not matter: {words}");
}

#[tokio::test]
async fn what_was_given_up_for_a_destination_that_has_left_goes_where_a_person_says() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    let ids = dead_letters(&place, &bugle, &["one"]).await;
    stop(bugle).await;
    edit(&place, "[destinations.slack]", "[destinations.slick]");
    edit(&place, "send_to = \"slack\"", "send_to = \"slick\"");
    for _ in 0..2 {
        fails(
            &place,
            &["dead-letters", "redrive", &ids[0]],
            "\"slack\", for which some of them were given up, is not \
            configured any more, did you mean \"slick\"?",
        );
    }
    let _bugle = place.serve();
    fails(&place, &["dead-letters", "redrive", "--all"], "did you mean \"slick\"?");
    well(&place, &["dead-letters", "redrive", "--all", "--to", "slick"]);
    wait_shown(&place.slack, 1).await;
}
