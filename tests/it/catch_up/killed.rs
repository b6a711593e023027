//! The process is killed while it catches up, at any moment: nothing is lost, and nothing is told twice.

use std::collections::BTreeMap;
use std::time::Duration;

use bugle::clock::Clock;

use super::story::single;
use crate::apis::bugfender::{APP, Bugfender, CLIENT, SECRET};
use crate::bugle::{Place, shown, visible};

const EVENTS: usize = 300;
const KILLS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_while_it_catches_up_leaves_nothing_out_and_nothing_double() {
    let bugfender = Bugfender::start();
    let (base, name) = (bugfender.server.base(), "Harbor Companion");
    let rules = format!(
        "[[rules]]\nname = \"everything\"\nsend_to = \"slack\"\n\
         [sources.mobile.api]\nurl = \"{base}\"\nclient_id = {{ file = \"id\" }}\nclient_secret = {{ file = \"secret\" }}\n\
         apps = [{{ number = {APP}, name = \"{name}\" }}]\n[sources.mobile.catch_up]\nevery = \"15m\"\n"
    );
    let place = Place::with("", &rules);
    place.write("id", CLIENT);
    place.write("secret", SECRET);
    let bugle = place.serve();
    place.until("SELECT count(*) FROM catch_ups WHERE done_at IS NOT NULL", "1").await;
    bugle.kill().await;

    // That was long ago.
    let now = Clock::system().now();
    let long_ago = now.minus(Duration::from_hours(3)).0;
    let store = rusqlite::Connection::open(place.path("bugle.db")).unwrap();
    let sql =
        format!("UPDATE catch_ups SET begins_at = {long_ago}, up_to = {long_ago}, done_at = {long_ago}");
    store.execute_batch(&sql).unwrap();
    let at = |number: usize| now.minus(Duration::from_secs(9_000 - 20 * number as u64)).to_string();
    let happened =
        (0..EVENTS).map(|number| single(number, "crash", &format!("Crash-{number}."), &at(number)));
    let happened: Vec<_> = happened.collect();
    bugfender.with(|known| known.singles = happened);
    bugfender.server.slow_down("/issues", Duration::from_millis(20));
    let mut moments = Vec::new();
    for _ in 0..KILLS {
        let bugle = place.serve();
        let moment = fastrand::u64(0..700);
        moments.push(moment);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        bugle.kill().await;
    }
    let before = Clock::system().now().0;
    let bugle = place.serve();
    place.until(&format!("SELECT count(*) FROM catch_ups WHERE done_at >= {before}"), "1").await;
    place.until("SELECT count(*) FROM deliveries WHERE state <> 'delivered'", "0").await;
    bugle.kill().await;

    let count = EVENTS.to_string();
    for all in [
        "SELECT count(*) FROM events",
        "SELECT count(DISTINCT title) FROM events WHERE caught_up = 1",
        "SELECT count(DISTINCT event) FROM deliveries",
        "SELECT count(*) FROM deliveries",
    ] {
        assert_eq!(place.ask::<i64>(all).to_string(), count, "{all} {moments:?}");
    }
    let mut told = BTreeMap::<usize, usize>::new();
    for message in shown(&place.slack) {
        let text = visible(message.json.as_ref().unwrap());
        let number = text.split("Crash-").nth(1).and_then(|rest| rest.split('.').next()).unwrap();
        *told.entry(number.parse().unwrap()).or_default() += 1;
    }
    assert_eq!(told.len(), EVENTS, "{moments:?}");
    // What was on the way when it was killed is repeated, and says so.
    let twice = told.values().filter(|times| **times > 1).count();
    assert!(twice <= KILLS, "{twice} {moments:?}");
}
