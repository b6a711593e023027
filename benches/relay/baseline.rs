//! The least that could do the job: an actix-web handler that reads the body; one that stores it with group commits; and
//! one whose stored bodies go on to a chat, one after the other, as they are.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::{Notify, mpsc, oneshot};

/// A change, and who waits for its commit.
type Change = (Statement, oneshot::Sender<()>);

enum Statement {
    Insert(String),
    Sent(i64),
}

#[derive(Clone)]
struct Store {
    queue: mpsc::Sender<Change>,
    wake: Arc<Notify>,
}

/// Serves as the baseline `kind` in `folder` until the process is killed.
pub(crate) fn serve(kind: &str, folder: &Path, chat: Option<&str>) {
    let store = (kind != "bare").then(|| Store::open(folder));
    actix_web::rt::System::new().block_on(async {
        let shared = store.clone();
        let server = HttpServer::new(move || {
            let service = App::new().app_data(web::PayloadConfig::new(8 << 20));
            match &shared {
                Some(store) => service.app_data(Data::new(store.clone())).default_service(web::to(durable)),
                None => service.default_service(web::to(bare)),
            }
        });
        let server = server.bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = server.addrs()[0];
        if let (Some(store), Some(chat)) = (store, chat) {
            actix_web::rt::spawn(relay(store, folder.join("baseline.db"), format!("http://{chat}/")));
        }
        eprintln!(r#"{{"message":"ready","address":"{address}"}}"#);
        server.run().await.unwrap();
    });
}

async fn bare(body: Bytes) -> HttpResponse {
    HttpResponse::Ok().body(format!("{} bytes", body.len()))
}

async fn durable(body: Bytes, store: Data<Store>) -> HttpResponse {
    let text = String::from_utf8(body.to_vec()).unwrap();
    store.change(Statement::Insert(text)).await;
    store.wake.notify_one();
    HttpResponse::Ok().body("stored")
}

impl Store {
    fn open(folder: &Path) -> Self {
        let connection = Connection::open(folder.join("baseline.db")).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        let table = "CREATE TABLE events (id INTEGER PRIMARY KEY, body TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0);
                     CREATE INDEX unsent ON events (id) WHERE sent = 0;";
        connection.execute_batch(table).unwrap();
        let (queue, mut arriving) = mpsc::channel::<Change>(4_096);
        thread::spawn(move || {
            while let Some(first) = arriving.blocking_recv() {
                let mut group = vec![first];
                while group.len() < 256
                    && let Ok(next) = arriving.try_recv()
                {
                    group.push(next);
                }
                commit(&connection, group);
            }
        });
        Self { queue, wake: Arc::default() }
    }

    async fn change(&self, statement: Statement) {
        let (done, committed) = oneshot::channel();
        assert!(self.queue.send((statement, done)).await.is_ok());
        committed.await.unwrap();
    }
}

fn commit(connection: &Connection, group: Vec<Change>) {
    let transaction = connection.unchecked_transaction().unwrap();
    for (statement, _) in &group {
        match statement {
            Statement::Insert(body) => {
                let sql = "INSERT INTO events (body) VALUES (?1)";
                transaction.prepare_cached(sql).unwrap().execute([body]).unwrap();
            }
            Statement::Sent(id) => {
                let sql = "UPDATE events SET sent = 1 WHERE id = ?1";
                transaction.prepare_cached(sql).unwrap().execute([id]).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
    for (_, done) in group {
        // Who has gone away need not know.
        done.send(()).ok();
    }
}

/// Sends what is stored, in order, each after the one before has been answered and its answer is on disk.
async fn relay(store: Store, path: std::path::PathBuf, chat: String) {
    let reader = Connection::open(path).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the baseline sends by itself")]
    let client = reqwest::Client::new();
    loop {
        let next = reader
            .prepare_cached("SELECT id, body FROM events WHERE sent = 0 ORDER BY id LIMIT 1")
            .unwrap()
            .query_row(params![], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
            .optional()
            .unwrap();
        let Some((id, body)) = next else {
            store.wake.notified().await;
            continue;
        };
        let event: serde_json::Value = serde_json::from_str(&body).unwrap();
        let mut text = String::new();
        write!(text, "{}: {}", event["error"]["exceptionClass"], event["error"]["message"]).unwrap();
        let answer = client.post(&chat).json(&serde_json::json!({ "text": text })).send().await.unwrap();
        assert!(answer.status().is_success());
        store.change(Statement::Sent(id)).await;
    }
}
