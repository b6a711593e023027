//! A destination that misbehaves delays no other: what it does, the others hear everything meanwhile.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bugle::pretend::{Answer, Behaviour};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::bugle::{Bugle, Place, bugsnag, visible, wait_shown};

const TO_ALL: &str = "[[rules]]\nname = \"all\"\nsend_to = [\"slack\", \"teams\", \"discord\"]\n";

/// How many events the others hear of.
const EVENTS: usize = 30;

/// A place where an attempt at Slack may take as long as it likes.
fn place() -> Place {
    let place = Place::with("", TO_ALL);
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write(
        "config.toml",
        &config.replace("[destinations.slack]", "[destinations.slack]\ntimeout = \"60s\""),
    );
    place
}

/// Sends the events and waits until Teams and Discord have shown them, in their order. How long that took.
async fn others_hear_all(place: &Place, bugle: &Bugle) -> Duration {
    let begun = Instant::now();
    for number in 0..EVENTS {
        bugle.accept("backend", bugsnag(&format!("n{number}"), json!({}))).await;
    }
    for chat in [&place.teams, &place.discord] {
        let shown = wait_shown(chat, EVENTS).await;
        for (number, received) in shown.iter().enumerate() {
            let text = visible(received.json.as_ref().unwrap());
            assert!(
                text.contains(&format!("message of n{number}\n")),
                "{}: {number}: {text}",
                chat.product()
            );
        }
    }
    begun.elapsed()
}

#[tokio::test]
async fn while_one_destination_hangs_or_drips_the_others_hear_everything() {
    let ok = || Answer::text(200, "ok");
    let usual = {
        let place = place();
        others_hear_all(&place, &place.serve()).await
    };
    for (what, behaviour) in [
        ("hangs", Behaviour::Hang),
        ("drips", Behaviour::Drip(ok(), Duration::from_millis(500))),
        ("is late", Behaviour::Late(Duration::from_mins(1))),
    ] {
        let place = place();
        place.slack.always(behaviour);
        let bugle = place.serve();
        let took = others_hear_all(&place, &bugle).await;
        println!("one {what}: {:.2} times as long", took.as_secs_f64() / usual.as_secs_f64());
        // By now the first attempt at it has not ended, whatever else has.
        let ended = "SELECT count(*) FROM attempts WHERE ended_at IS NOT NULL AND delivery IN \
                     (SELECT id FROM deliveries WHERE destination = 'slack')";
        assert_eq!((place.slack.count(), place.ask::<i64>(ended)), (1, 0), "{what}");
    }
}

#[tokio::test]
async fn while_one_destination_breaks_or_floods_the_others_hear_everything() {
    let error = || Answer::text(500, "no");
    for (what, behaviour) in [
        ("resets", Behaviour::Reset),
        ("closes", Behaviour::Close),
        ("answers by half", Behaviour::Half(error())),
        ("answers megabytes", Behaviour::Flood(error(), 8 << 20)),
    ] {
        let place = place();
        place.slack.always(behaviour);
        let bugle = place.serve();
        others_hear_all(&place, &bugle).await;
        // Six unclear attempts make a dead letter, and those are soon made here.
        let kept =
            "SELECT count(*) FROM deliveries WHERE destination = 'slack' AND state IN ('waiting', 'dead')";
        assert_eq!(place.ask::<i64>(kept), i64::try_from(EVENTS).unwrap(), "{what}");
        let longest = "SELECT max(length(words)) FROM attempts";
        assert!(place.ask::<Option<i64>>(longest).unwrap_or_default() < 2_000, "{what}");
    }
}

/// A server that answers every request with `begin` and then `more` without end, as fast as it is taken. How much was.
async fn endless(begin: &'static str, more: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let taken = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&taken);
    #[expect(clippy::disallowed_methods, reason = "a test's own server")]
    drop(tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4 << 10];
            drop(stream.read(&mut request).await);
            drop(stream.write_all(begin.as_bytes()).await);
            let more = more.repeat(1_000);
            while stream.write_all(more.as_bytes()).await.is_ok() {
                counted.fetch_add(more.len(), Ordering::Relaxed);
            }
        }
    }));
    (host, taken)
}

#[tokio::test]
async fn an_answer_whose_head_has_no_end_is_left_and_the_others_hear_everything() {
    for (what, begin, more) in [
        ("headers", "HTTP/1.1 200 OK\r\n", "x-filler: fffffffffffffffffffffffffffffffffffffff\r\n"),
        ("one header", "HTTP/1.1 200 OK\r\nx: ", "ffffffffffffffffffffffffffffffffffffffffffff"),
    ] {
        let (host, taken) = endless(begin, more).await;
        let place = place();
        let config = fs::read_to_string(place.path("config.toml")).unwrap();
        place.write(
            "config.toml",
            &config.replace("allowed_hosts = [", &format!("allowed_hosts = [\"{host}\", ")),
        );
        place.write("slack.url", &format!("http://{host}/services/T000/B000/secret"));
        let bugle = place.serve();
        others_hear_all(&place, &bugle).await;
        let tried = "SELECT count(*) > 0 FROM attempts WHERE outcome = 'unclear' AND delivery IN \
                     (SELECT id FROM deliveries WHERE destination = 'slack')";
        place.until(tried, "1").await;
        let attempts: i64 = place.ask("SELECT count(*) FROM attempts");
        // What the kernels of both sides hold is written, too.
        let most = usize::try_from(attempts).unwrap() * (16 << 20);
        assert!(taken.load(Ordering::Relaxed) < most, "{what}");
    }
}
