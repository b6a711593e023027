//! What came while bugle was away, and what webhooks did not bring: asked for, told once, and said.

mod killed;
mod lateness;
mod story;
mod unwell;

use std::time::Duration;

use serde_json::{Value, json};

use crate::apis::bugfender::{CLIENT, SECRET};
use crate::apis::bugsnag::{PROJECT, error};
use crate::apis::server::Told;
use story::{EVERY, MOBILE, Story, report, single, webhook};

/// How many events were caught up.
const CAUGHT_UP: &str = "SELECT count(*) FROM events WHERE caught_up = 1";

/// What happens while nobody listens: at Bugfender 270 things, at Bugsnag 25 new errors and 5 that open again.
fn happens(story: &Story) {
    let at =
        |number: usize| story.ago(Duration::from_secs(10_200_u64.checked_sub(30 * number as u64).unwrap()));
    let mobile = (0..270).map(|number| match number {
        0..200 => single(number, "crash", "Flooding valve", &at(number)),
        200..230 => single(number, "issue", &format!("Leak {}", number % 6), &at(number)),
        230..250 => single(number, "feedback", &format!("A word from visitor {number}"), &at(number)),
        _ => single(number, "crash", &format!("Payment {number} lost"), &at(number)),
    });
    let mobile: Vec<_> = mobile.collect();
    story.bugfender.with(|known| known.singles = mobile);
    story.bugsnag.with(|known| {
        for number in 0..25 {
            let (id, at) = (format!("new-{number}"), at(number * 12));
            known.errors.push(error(&id, &at, &at, "open"));
            known.events.push(report(&id, &at));
        }
        for error in known.errors.iter_mut().filter(|error| error["status"] == "fixed") {
            error["status"] = "open".into();
            error["last_seen"] = at(100).into();
        }
    });
}

/// Errors that were dealt with long ago.
fn are_fixed(story: &Story, count: usize) {
    let long_ago = story.ago(Duration::from_hours(1_000));
    story.bugsnag.with(|known| {
        let fixed = (0..count).map(|number| error(&format!("old-{number}"), &long_ago, &long_ago, "fixed"));
        known.errors.extend(fixed);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_while_nobody_listens_reaches_the_chat_once_with_what_is_urgent_first() {
    let mut story = Story::begin(EVERY).await;
    are_fixed(&story, 5);
    story.asks_again().await;
    assert_eq!(story.ask::<i64>("SELECT count(*) FROM error_states"), 5);
    story.stop().await;
    story.pass_by(Duration::from_hours(3)).await;
    happens(&story);
    let begun = story.clock.now();
    story.start().await;
    story.is_asked("backend", begun).await;
    story.is_asked("mobile", begun).await;
    assert_eq!(story.ask::<i64>(CAUGHT_UP), 300);
    let distinct = "SELECT count(DISTINCT trigger || error_id || tracker_id) FROM events WHERE caught_up = 1";
    assert_eq!(story.ask::<i64>(distinct), 300);
    story.is_told().await;
    each_is_told_once(&story);

    people_see_it(&story).await;

    // What webhooks bring late is here already.
    let singles = story.bugfender.with(|known| known.singles.clone());
    let late: Vec<Value> = singles.iter().map(|(_, single)| webhook(single)).collect();
    let answer = story.accept("mobile", &json!(late)).await;
    assert_eq!((&answer["new"], &answer["duplicates"]), (&json!(0), &json!(270)), "{answer}");
    let first = json!({
        "trigger": {"type": "firstException"}, "project": {"id": PROJECT, "name": "Harbor Checkout"},
        "error": {"id": "event-of-new-3", "errorId": "new-3", "exceptionClass": "TypeError"},
    });
    let answer = story.accept("backend", &first).await;
    assert_eq!((&answer["new"], &answer["duplicates"]), (&json!(0), &json!(1)), "{answer}");

    // Whichever was heard of first is told first, unless both are told together.
    let apart = ["Caught up with 30 events of \"backend\"", "Caught up with 270 events of \"mobile\""];
    let together =
        ["Caught up with 300 events of 2 sources", "270 events, none of which a webhook should have brought"];
    let notices = story.is_noticed([&apart, &together]).await;
    assert!(!notices.contains("No webhook brought"), "{notices}");

    // Whoever asks again finds nothing, however often, and after an end that came before it was noted how far was asked.
    story.asks_again().await;
    assert_eq!(story.ask::<i64>(CAUGHT_UP), 300);
    story.stop().await;
    let long_ago = begun.minus(Duration::from_mins(175)).0;
    story.write(&format!(
        "UPDATE catch_ups SET up_to = {long_ago}, done_at = {long_ago}, found = 0, found_at = NULL"
    ));
    story.write(
        "INSERT OR REPLACE INTO error_states (source, subject, error_id, status, at) \
                 SELECT 'backend', subject, 'old-1', 'fixed', up_to FROM catch_ups WHERE source = 'backend'",
    );
    let begun = story.clock.now();
    story.start().await;
    story.is_asked("backend", begun).await;
    story.is_asked("mobile", begun).await;
    assert_eq!(story.ask::<i64>(CAUGHT_UP), 300);
    // What was stored by then and not noted is noted now.
    let noted = "SELECT group_concat(found || '/' || missed) FROM catch_ups WHERE source = 'mobile'";
    assert_eq!(story.ask::<String>(noted), "270/0");
    story.is_told().await;
    each_is_told_once(&story);
}

/// What commands say of it, beside who serves.
async fn people_see_it(story: &Story) {
    let listed = story.command(&["events", "--caught-up", "--limit", "500", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let events = listed["events"].as_array().unwrap();
    assert_eq!(events.len(), 300);
    assert!(events.iter().all(|event| event["caught_up"] == true));
    let said = story.command(&["why", events[0]["id"].as_str().unwrap()]).await;
    assert!(said.contains("by catch-up: no webhook had brought it"), "{said}");
    let said = story.command(&["why", "nothing of the kind"]).await;
    assert!(said.contains("and told of 270 events that no webhook had brought"), "{said}");
    let said = story.command(&["doctor"]).await;
    let expected = "; found 270 events since";
    assert!(said.contains(expected) && said.contains("mobile, catch-up of 48213: asked"), "{said}");
}

/// Each of the three hundred is told once: in a message of its own, or counted in one that stands for many.
fn each_is_told_once(story: &Story) {
    let all =
        "SELECT count(*) FROM deliveries WHERE destination = 'team' AND state IN ('delivered', 'folded')";
    assert_eq!(story.ask::<i64>(all), 300);
    let told = Story::told(&story.team);
    assert!(told.len() < 30, "that is a flood: {}", told.len());
    let attempts =
        "SELECT count(*) FROM attempts JOIN deliveries d ON d.id = delivery WHERE destination = 'team'";
    assert_eq!(usize::try_from(story.ask::<i64>(attempts)).unwrap(), told.len(), "nothing is posted twice");
    assert!(told.iter().all(|message| message.contains("caught up")), "{told:#?}");
    let counts: Vec<usize> = told.iter().map(|message| counted(message)).collect();
    assert_eq!(counts.iter().sum::<usize>(), 300, "{counts:?}");
    assert!(counts.iter().any(|count| *count >= 200), "the flood is one message: {counts:?}");
    let is_urgent = |message: &String| message.contains("Payment");
    let urgent = told.iter().filter(|message| is_urgent(message)).count();
    let of_backend = told.iter().position(|message| message.contains("Harbor Checkout"));
    let ahead = told.iter().filter(|message| !message.contains("Harbor Checkout")).take(urgent);
    assert!(urgent > 0 && ahead.clone().all(is_urgent), "{of_backend:?} {told:#?}");
}

/// How many events a message tells of.
fn counted(message: &str) -> usize {
    let title = message.lines().rev().find(|line| line.contains(" events"));
    let words = title.unwrap_or("1 events").split(" events").next().unwrap_or_default();
    words.rsplit(' ').next().and_then(|count| count.replace(',', "").parse().ok()).unwrap_or(1)
}

/// Each way in which a tracker does not tell: how it answers, and what is said of it.
fn refusals() -> Vec<(&'static str, Told, &'static str)> {
    let json = |status, body: Value| Told::json(status, &body);
    vec![
        ("/issues", json(403, json!({"message": "no"})), "the credentials have no right to that"),
        ("/api/app", json(404, json!({"message": "no"})), "the tracker knows no such application"),
        ("/issues", json(400, json!({"message": "odd"})), "did not understand the request"),
        ("/issues", json(200, json!({"things": []})), "answers in an unknown way"),
        ("/issues", Told::text(200, "<html>a proxy</html>"), "answers in an unknown way"),
        ("/auth/token", json(401, json!({"error": "invalid_client"})), "does not know these credentials"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracker_that_does_not_tell_is_said_once_and_asked_ever_more_rarely_until_it_does() {
    for (part, told, words) in refusals() {
        let mut story = Story::begin("").await;
        story.stop().await;
        story.configure(MOBILE, SECRET);
        story.bugfender.server.always(part, told);
        story.start().await;
        story.until("SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NOT NULL").await;
        let before = story.bugfender.server.asked().len();
        story.pass_by(Duration::from_hours(5)).await;
        let askings = story.bugfender.server.asked().len() - before;
        assert!((2..=24).contains(&askings), "{words}: {askings}");
        let said: String = story.ask("SELECT words FROM catch_ups");
        assert!(said.contains(words) && said.contains("sources.mobile.api."), "{said}");
        assert!(!said.contains(SECRET) && !said.contains(CLIENT), "{said}");
        story.is_told().await;
        let notices = Story::told(&story.notices);
        assert_eq!(notices.len(), 1, "{words}: {notices:#?}");
        assert!(
            notices[0].contains("The tracker of \"mobile\" cannot be asked") && notices[0].contains(words)
        );

        // Nobody who calls notices.
        let (_, at_work) = single(1, "crash", "Meanwhile", &story.ago(Duration::from_mins(1)));
        assert_eq!(story.accept("mobile", &json!([webhook(&at_work)])).await["new"], 1);
        // What has happened meanwhile is asked for as soon as it works again.
        let missed = single(2, "crash", "Missed", &story.ago(Duration::from_hours(4)));
        story.bugfender.with(|known| known.singles = vec![(1, at_work), missed]);
        story.bugfender.server.recover();
        story.pass_by(Duration::from_hours(6)).await;
        story.until("SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NULL AND words = ''").await;
        let caught_up = "SELECT group_concat(title) FROM events WHERE caught_up = 1";
        assert_eq!(story.ask::<String>(caught_up), "Missed", "{words}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_by_itself_is_told_only_when_it_lasts_and_leaves_no_gap() {
    for told in [
        Told::text(503, "down"),
        Told::text(429, "").with("Retry-After", "3000"),
        Told::json(200, &json!({"issues": []})).breaking(),
    ] {
        let status = told.status;
        let story = Story::begin(MOBILE).await;
        story.until("SELECT count(*) = 1 FROM catch_ups WHERE up_to IS NOT NULL").await;
        story.bugfender.server.always("/api/app", told);
        let missed = single(1, "feedback", "Missed", &story.clock.now().to_string());
        story.bugfender.with(|known| known.singles = vec![missed]);
        story.pass(Duration::from_mins(40)).await;
        story.until("SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NOT NULL").await;
        assert_eq!(story.ask::<i64>("SELECT count(*) FROM events"), 0, "{status}");
        story.bugfender.server.recover();
        story.pass_by(Duration::from_hours(3)).await;
        story.until("SELECT count(*) = 1 FROM events WHERE caught_up = 1 AND title = 'Missed'").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_begins_it_ends_it_and_tries_mended_credentials_at_once() {
    // An earlier run was long ago, and did not ask.
    let mut story = Story::begin("").await;
    story.stop().await;
    story.pass_by(Duration::from_hours(50)).await;
    story.start().await;
    story.pass(Duration::from_mins(30)).await;
    assert!(story.bugfender.server.asked().is_empty() && story.bugsnag.server.asked().is_empty());
    let before = single(1, "crash", "Before anybody asked", &story.ago(Duration::from_mins(10)));
    story.bugfender.with(|known| known.singles = vec![before]);

    story.reload(MOBILE, "not the secret").await;
    story
        .until("SELECT count(*) = 1 FROM catch_ups WHERE words LIKE '%does not know these credentials%'")
        .await;
    let missed = single(2, "crash", "Missed", &story.clock.now().to_string());
    story.bugfender.with(|known| known.singles.push(missed));
    story.pass(Duration::from_mins(5)).await;
    story.reload(MOBILE, SECRET).await;
    story.until("SELECT count(*) = 1 FROM catch_ups WHERE failing_since IS NULL").await;
    assert_eq!(story.ask::<String>("SELECT group_concat(title) FROM events WHERE caught_up = 1"), "Missed");

    story.reload("", SECRET).await;
    let before = story.bugfender.server.asked().len();
    story.pass_by(Duration::from_hours(2)).await;
    assert_eq!(story.bugfender.server.asked().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_webhook_has_brought_is_left_alone_and_what_none_has_is_a_warning() {
    let story = Story::begin(EVERY).await;
    story.asks_again().await;
    let at = story.clock.now().to_string();
    let singles: Vec<_> =
        (0..4).map(|number| single(number, "issue", &format!("Leak {number}"), &at)).collect();
    story.accept("mobile", &json!([webhook(&singles[0].1), webhook(&singles[1].1)])).await;
    story.bugfender.with(|known| known.singles = singles);
    let first = |id: &str| {
        json!({
            "trigger": {"type": "firstException"}, "project": {"id": PROJECT, "name": "Harbor Checkout"},
            "error": {"id": format!("event-of-{id}"), "errorId": id, "exceptionClass": "TypeError"},
        })
    };
    story.accept("backend", &first("new-0")).await;
    story.bugsnag.with(|known| {
        known.errors = ["new-0", "new-1"].map(|id| error(id, &at, &at, "open")).to_vec();
        known.events = ["new-0", "new-1"].map(|id| report(id, &at)).to_vec();
    });
    story.asks_again().await;
    let found = "SELECT group_concat(what) FROM (
                     SELECT iif(source = 'mobile', title, error_id) AS what FROM events WHERE caught_up = 1 ORDER BY 1)";
    assert_eq!(story.ask::<String>(found), "Leak 2,Leak 3,new-1");
    assert_eq!(story.ask::<String>("SELECT group_concat(found || '/' || missed) FROM catch_ups"), "1/1,2/2");
    let apart = ["No webhook brought one event of \"backend\"", "No webhook brought 2 events of \"mobile\""];
    let together = ["Caught up with 3 events of 2 sources", "No webhook had brought them"];
    story.is_noticed([&apart, &together]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_say_when_it_happened_is_told_and_no_webhook_is_blamed_for_it() {
    let story = Story::begin(EVERY).await;
    story.asks_again().await;
    let at = story.clock.now().to_string();
    let brought = single(0, "issue", "Brought", &at);
    story.accept("mobile", &json!([webhook(&brought.1)])).await;
    story.bugfender.with(|known| known.singles = vec![brought, single(1, "issue", "Timeless", "some day")]);
    story.asks_again().await;
    assert_eq!(story.ask::<String>("SELECT group_concat(title) FROM events WHERE caught_up = 1"), "Timeless");
    let counted = "SELECT found || '/' || missed FROM catch_ups WHERE source = 'mobile'";
    assert_eq!(story.ask::<String>(counted), "1/0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_used_to_speak_is_said_to_be_silent_once_and_speaks_again() {
    let mut story = Story::begin("").await;
    story.accept("mobile", &json!([webhook(&single(0, "crash", "Valve", "").1)])).await;
    // One every six hours for two weeks, the last of them just now.
    story.write(
        "INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set,
                             matched, routing, raw, words)
         WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < 56)
         SELECT received_at - n * 6 * 3600000, source, product, trigger, severity, app, title, error_id, '', rule_set,
                matched, routing, raw, words
         FROM events, past",
    );
    // And a flood in the minute before that.
    story.write(
        "INSERT INTO events (received_at, source, product, trigger, severity, app, title, error_id, tracker_id, rule_set,
                             matched, routing, raw, words)
         WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < 1500)
         SELECT received_at - n, source, product, trigger, severity, app, title, error_id, '', rule_set,
                matched, routing, raw, words
         FROM (SELECT * FROM events WHERE source = 'mobile' ORDER BY received_at DESC LIMIT 1), past",
    );
    story.is_told().await;
    story.pass_by(Duration::from_hours(11)).await;
    assert!(Story::told(&story.notices).is_empty());
    story.pass_by(Duration::from_hours(2)).await;
    story.until("SELECT count(*) = 1 FROM silences WHERE source = 'mobile'").await;
    story.is_told().await;
    let notices = Story::told(&story.notices);
    assert_eq!(notices.len(), 1, "{notices:#?}");
    for said in ["Nothing has come from \"mobile\" for much longer than usual", "more than 6 hours apart"] {
        assert!(notices[0].contains(said), "{notices:#?}");
    }
    // Neither days nor a restart say it again.
    story.pass_by(Duration::from_hours(10)).await;
    story.stop().await;
    story.start().await;
    story.pass_by(Duration::from_hours(13)).await;
    story.is_told().await;
    assert_eq!(Story::told(&story.notices).len(), 1);
    story.accept("mobile", &json!([webhook(&single(1, "crash", "Valve", "").1)])).await;
    story.pass_by(Duration::from_hours(80)).await;
    story.until("SELECT count(*) = 1 FROM silences WHERE last_at = (SELECT max(received_at) FROM events WHERE source = 'mobile')").await;
    story.is_told().await;
    assert_eq!(Story::told(&story.notices).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_told_again_when_it_was_seen_again_and_not_before() {
    let story = Story::begin(MOBILE).await;
    story.until("SELECT count(*) = 1 FROM catch_ups").await;
    let group = |first: &str, last: &str| {
        (1, json!({"hash": "5f1c", "title": "Flooding valve", "first_seen": first, "last_seen": last}))
    };
    let first = story.clock.now().to_string();
    // A group that is new to the tracker, too, counts as one for as long as its beginning is asked for again.
    for (hours, times, told) in [(0, 1, 1), (0, 0, 1), (0, 1, 1), (2, 0, 2), (0, 1, 3), (0, 0, 3)] {
        story.pass_by(Duration::from_hours(hours)).await;
        if times > 0 {
            let seen = group(&first, &story.clock.now().to_string());
            story.bugfender.with(|known| known.groups = vec![seen]);
        }
        let since = story.clock.now().plus(Duration::from_mins(2));
        story.pass(Duration::from_mins(18)).await;
        story.is_asked("mobile", since).await;
        assert_eq!(story.ask::<i64>(CAUGHT_UP), told, "{hours} {times}");
    }
}
