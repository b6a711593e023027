//! Trackers whose API is configured: whether they let themselves be asked, beside what is known of the last time.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use bugle::clock::Clock;
use serde_json::json;

use super::{TO_SLACK, about, ask, complaints, edit, says, stop, tidy_place};
use crate::apis::bugfender::{self, APP, Bugfender};
use crate::apis::bugsnag::{self, Bugsnag, PROJECT};
use crate::apis::server::Told;
use crate::bugle::Place;

const BEARER: &str = "bearer-0123456789";

/// A place whose trackers are these.
fn place(backend: &str, mobile: &str) -> Place {
    let apis = format!(
        "[sources.backend.api]\nurl = \"{backend}\"\ntoken = {{ file = \"backend.api\" }}\nprojects = [\"{PROJECT}\"]\n\
         [sources.mobile.api]\nurl = \"{mobile}\"\ntoken = {{ file = \"mobile.api\" }}\n\
         apps = [{{ number = {APP}, name = \"{}\" }}]\n{TO_SLACK}",
        bugfender::NAME
    );
    let (place, _) = tidy_place(&apis);
    for (file, secret) in [("backend.api", bugsnag::TOKEN), ("mobile.api", BEARER)] {
        place.write(file, secret);
        fs::set_permissions(place.path(file), Permissions::from_mode(0o600)).unwrap();
    }
    place
}

fn knowing() -> Bugfender {
    let bugfender = Bugfender::start();
    bugfender.with(|known| known.tokens.push(BEARER.to_owned()));
    bugfender
}

#[test]
fn trackers_are_asked_whether_the_credentials_count_before_anything_is_missed() {
    let (bugsnag, bugfender) = (Bugsnag::start(), knowing());
    let place = place(&bugsnag.server.base(), &bugfender.server.base());
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0);
    says(&report, "sources", "backend, API", "ok", "answers, and lets 1 project be asked about", "");
    says(&report, "sources", "mobile, API", "ok", "answers, and lets 1 application be asked about", "");
    assert_eq!(bugsnag.server.lines(), [format!("GET /projects/{PROJECT}")], "one cheap question");
    assert_eq!(bugfender.server.lines(), [format!("GET /api/app/{APP}")]);

    // Wrong credentials, and what may not be asked about.
    place.write("backend.api", "another-token-0123456789");
    bugfender.server.always("/api/app/", Told::json(403, &json!({"message": "no"})));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "nothing mends that by itself: {report:#}");
    let words = "does not know these credentials";
    says(&report, "sources", "backend, API", "broken", words, "`sources.backend.api.token`");
    let of_it = format!("mobile, API of {}", bugfender::NAME);
    says(&report, "sources", &of_it, "broken", "have no right to that", "sources.mobile.api");
    assert!(complaints(&report).len() >= 2);

    // Another project is another question.
    place.write("backend.api", bugsnag::TOKEN);
    edit(&place, PROJECT, "50baee27a43ccdf778000009");
    bugfender.server.recover();
    let (_, report) = ask(&place, &[]);
    let of_it = "backend, API of 50baee27a43ccdf778000009";
    says(&report, "sources", of_it, "warning", "knows no such project", "sources.backend.api");
    says(&report, "sources", "mobile, API", "ok", "answers", "");
}

#[test]
fn a_tracker_that_says_nothing_or_asks_to_wait_holds_nothing_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let bugfender = knowing();
    let place = place(&format!("http://{}", silent.local_addr().unwrap()), &bugfender.server.base());
    bugfender.server.always("/api/app/", Told::text(429, "").with("Retry-After", "120"));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0);
    let help = "`sources.backend.api.url` can be reached";
    says(&report, "sources", "backend, API", "unknown", "no answer to all that was asked within 10 s", help);
    says(&report, "sources", "mobile, API", "unknown", "asks to wait", "");
    says(&report, "configuration", "config.toml", "ok", "in order", "");
}

#[tokio::test]
async fn credentials_that_were_refused_are_broken_and_what_was_not_asked_yet_is_waited_for() {
    let (bugsnag, bugfender) = (Bugsnag::start(), knowing());
    let place = place(&bugsnag.server.base(), &bugfender.server.base());
    edit(&place, "[sources.mobile.api]", "[sources.mobile.catch_up]\nevery = \"1h\"\n[sources.mobile.api]");
    let about_it = format!("mobile, catch-up of {APP}");
    let (_, report) = ask(&place, &[]);
    says(&report, "sources", &about_it, "unknown", "not asked yet", "once it serves");
    let bugle = place.serve();
    place.until("SELECT count(*) FROM catch_ups WHERE failing_since IS NULL", "1").await;
    let change = |sql: &str, words: &str| {
        let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
        store.execute(sql, [words]).unwrap();
    };
    for (words, verdict, code) in [
        ("the tracker does not know these credentials; see …", "broken", 1),
        ("the credentials have no right to that; see …", "broken", 1),
        ("the tracker could not be asked: it answers 500; see …", "warning", 0),
    ] {
        change("UPDATE catch_ups SET failing_since = asked_at, words = ?1", words);
        let (found, report) = ask(&place, &[]);
        assert_eq!(found, code, "{words}: {report:#}");
        says(&report, "sources", &about_it, verdict, words, "");
    }
    change("DELETE FROM catch_ups WHERE ?1 = ''", "");
    let (_, report) = ask(&place, &[]);
    let words = "not asked yet: bugle asks at its start and after a reload, which can take some minutes";
    says(&report, "sources", &about_it, "unknown", words, "look again later");
    stop(bugle).await;
}

#[tokio::test]
async fn who_has_not_been_asked_for_long_is_said_whatever_was_found_before() {
    let (bugsnag, bugfender) = (Bugsnag::start(), knowing());
    let place = place(&bugsnag.server.base(), &bugfender.server.base());
    edit(&place, "[sources.mobile.api]", "[sources.mobile.catch_up]\nevery = \"1h\"\n[sources.mobile.api]");
    let bugle = place.serve();
    place.until("SELECT count(*) FROM catch_ups WHERE failing_since IS NULL", "1").await;
    let about_it = format!("mobile, catch-up of {APP}");
    let verdicts = |report: &serde_json::Value| {
        about(report, "sources", &about_it)
            .iter()
            .map(|(verdict, ..)| (*verdict).to_owned())
            .collect::<Vec<_>>()
    };
    let (_, report) = ask(&place, &[]);
    assert_eq!(verdicts(&report), ["ok"], "{report:#}");
    let hour = 3_600_000;
    let now = Clock::system().now().0;
    let change = |sql: &str, times: [i64; 2]| {
        let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
        store.execute(sql, times).unwrap();
    };
    change(
        "UPDATE catch_ups SET asked_at = ?1, found = 12, missed = 12, found_at = ?2, found_since = ?2",
        [now - 10 * hour, now - 11 * hour],
    );
    let (_, report) = ask(&place, &[]);
    says(
        &report,
        "sources",
        &about_it,
        "warning",
        "asked 10 h ago, which is long ago",
        "a restart or a reload",
    );
    says(&report, "sources", &about_it, "warning", "12 of which a webhook should have brought", "");
    // Who is answered badly is asked more rarely, which is no riddle.
    change("UPDATE catch_ups SET failing_since = ?1, words = ?2", [now - 10 * hour, 0]);
    let (_, report) = ask(&place, &[]);
    assert_eq!(verdicts(&report), ["warning"]);
    says(
        &report,
        "sources",
        &about_it,
        "warning",
        "in vain since",
        "After many failures it is asked more rarely",
    );
    stop(bugle).await;
}
