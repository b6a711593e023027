//! The judge is tried itself: after a story in which nothing broke, a fault is planted, and the judge must see it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rusqlite::Connection;

use crate::ledger::{Answer, Circle, Mark, Posted, marks_in};
use crate::stage::Stage;
use crate::tracker::Way;

/// One that no tracker has posted.
const FALSE: Mark = Mark(900_001);

type Plant = fn(&Stage, &Connection);

/// The faults: what the judge must say, and how each is made.
const PLANTS: &[(&str, Plant)] = &[
    ("is not in the store", |stage, _| claim_accepted(stage)),
    ("it is waiting at", |_, store| {
        change(store, "UPDATE deliveries SET state = 'waiting', settled_at = NULL WHERE id = 1");
    }),
    ("nothing is owed to", |_, store| {
        change(store, "UPDATE deliveries SET destination = 'nobody' WHERE id = 1");
    }),
    ("is stored 2 times", |_, store| copy_first_event(store, "")),
    ("delivered, and not shown", |stage, store| {
        let raw: String =
            store.query_row("SELECT raw FROM events ORDER BY id LIMIT 1", [], |row| row.get(0)).unwrap();
        let first = marks_in(&raw)[0];
        claim_accepted(stage);
        copy_first_event(store, &format!(", raw = replace(raw, '{first}', '{FALSE}')"));
        for room in Circle::Pair.owed() {
            let copy = "CREATE TEMP TABLE copies AS SELECT * FROM deliveries WHERE id = 1;";
            let renamed = format!(
                "UPDATE copies SET destination = '{room}', event = 900001, id = 900001 + random() % 100000;"
            );
            let back = "INSERT INTO deliveries SELECT * FROM copies; DROP TABLE copies;";
            store.execute_batch(&[copy, &renamed, back].concat()).unwrap();
        }
    }),
    ("DOUBLED", |stage, _| show_again(stage)),
    ("folded into a message that was never delivered", |_, store| {
        change(store, "UPDATE deliveries SET state = 'folded', folded_into = 900001 WHERE id = 1");
    }),
    ("told alone and with others", |_, store| {
        change(store, "UPDATE deliveries SET state = 'folded', folded_into = 2 WHERE id = 1");
    }),
    ("tallies that do not agree", |_, store| {
        change(
            store,
            "UPDATE tallies SET count = count + 1 WHERE destination = 'teams' AND state = 'delivered'",
        );
    }),
    ("attempts are open", |_, store| change(store, "UPDATE attempts SET ended_at = NULL WHERE id = 1")),
];

pub(crate) async fn for_the_judge(stage: &mut Stage) {
    stage.start().await;
    stage.load(3, 2, Duration::from_millis(20), &[Way::Whole]).ends().await;
    stage.settle().await;
    stage.stop().await;
    let store = stage.ground.look().unwrap();
    store.pragma_update(None, "foreign_keys", false).unwrap();
    let (words, plant) = PLANTS[stage.dice.usize(..PLANTS.len())];
    plant(stage, &store);
    stage.planted = Some(words);
}

fn claim_accepted(stage: &Stage) {
    stage.ledger.note(Posted { events: vec![(FALSE, Circle::Pair)], answer: Answer::Accepted, sent: None });
}

/// Posts what a chat has shown once more, in bugle's name.
fn show_again(stage: &Stage) {
    let (chat, received) = stage
        .ground
        .chats
        .iter()
        .find_map(|chat| Some((chat, chat.received().into_iter().find(|received| received.is_shown())?)))
        .unwrap();
    chat.keep_rates(false);
    let request = &received.request;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: chat\r\nUser-Agent: bugle\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        request.target(),
        request.body.len()
    );
    let mut stream = TcpStream::connect(chat.host()).unwrap();
    stream.write_all(&[head.as_bytes(), &request.body].concat()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

fn copy_first_event(store: &Connection, change: &str) {
    let sql = format!(
        "CREATE TEMP TABLE copied AS SELECT * FROM events ORDER BY id LIMIT 1;
         UPDATE copied SET id = 900001{change};
         INSERT INTO events SELECT * FROM copied;"
    );
    store.execute_batch(&sql).unwrap();
}

fn change(store: &Connection, sql: &str) {
    assert_eq!(store.execute(sql, []).unwrap(), 1, "there is something to change");
}
