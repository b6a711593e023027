//! Restarts that nobody notices: sockets that outlive the process, connections that are ended in good order, and what
//! systemd is told meanwhile.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bugle::pretend::post;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bugle::{Bugle, PATIENCE, Place, SECOND_TOKEN, TOKEN, bugsnag};

/// `bugle serve` by way of a shell that does what systemd does: `as_passed` turns its standard input into the third file,
/// or its output, too, into the fourth, and says so in the variables.
fn by_systemd(place: &Place, as_passed: &str) -> Command {
    let (variables, files) = as_passed.split_once(';').unwrap();
    let script = format!("{variables} LISTEN_PID=$$ exec \"$0\" serve {files}");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_bugle")])
        .current_dir(place.folder.path())
        .env("SECOND_TOKEN", SECOND_TOKEN)
        .env("RUST_LOG", "info");
    command
}

/// `bugle serve` to which `socket` is passed.
fn passing(place: &Place, socket: impl Into<OwnedFd>) -> Command {
    let mut command = by_systemd(place, "LISTEN_FDS=1;3<&0 0</dev/null");
    command.stdin(socket.into());
    command
}

fn serve(place: &Place, listener: &TcpListener) -> Bugle {
    Bugle::start(passing(place, listener.try_clone().unwrap()))
}

/// A connection that is kept for as long as the server keeps it.
struct Kept {
    stream: BufReader<TcpStream>,
}

impl Kept {
    async fn connect(address: SocketAddr) -> Self {
        Self { stream: BufReader::new(TcpStream::connect(address).await.unwrap()) }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The status of an answer, and whether the server closes the connection after it.
    async fn answer(&mut self) -> (u16, bool) {
        timeout(PATIENCE, self.read()).await.unwrap()
    }

    async fn read(&mut self) -> (u16, bool) {
        let (mut status, mut length, mut closes) = (0, 0, false);
        loop {
            let mut line = String::new();
            assert_ne!(self.stream.read_line(&mut line).await.unwrap(), 0, "a request went unanswered");
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("connection", value)) => closes = value == "close",
                Some(_) => {}
                None if line.is_empty() => break,
                None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        (status, closes)
    }
}

fn request(body: &str) -> String {
    let length = body.len();
    format!("POST /hooks/backend/{TOKEN} HTTP/1.1\r\nHost: bugle\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Posts until told to stop, each time on a connection of its own.
async fn post_anew(address: SocketAddr, name: String, posted: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let body: Value = serde_json::from_str(&bugsnag(&format!("{name}-{number}"), json!({}))).unwrap();
        let path = format!("/hooks/backend/{TOKEN}");
        let (status, answer) = timeout(PATIENCE, post(address, &path, &body)).await.unwrap().unwrap();
        assert_eq!(status, 200, "{answer}");
        posted.fetch_add(1, Ordering::SeqCst);
    }
}

/// Posts until told to stop, on a connection for as long as the server keeps it.
async fn post_on(address: SocketAddr, name: String, posted: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut kept = Kept::connect(address).await;
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        kept.send(&request(&bugsnag(&format!("{name}-{number}"), json!({})))).await;
        let (status, closes) = kept.answer().await;
        assert_eq!(status, 200);
        posted.fetch_add(1, Ordering::SeqCst);
        if closes {
            kept = Kept::connect(address).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_restarts_refuse_nobody_and_store_everything_once() {
    let place = Place::with("", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (posted, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let mut bugle = serve(&place, &listener);
    assert_eq!(bugle.address, address.to_string());
    assert!(bugle.log().contains("listening on what was passed"), "{}", bugle.log());
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..3 {
        clients.spawn(post_anew(address, format!("anew{number}"), Arc::clone(&posted), Arc::clone(&stop)));
        clients.spawn(post_on(address, format!("kept{number}"), Arc::clone(&posted), Arc::clone(&stop)));
    }
    for _ in 0..20 {
        let before = posted.load(Ordering::SeqCst);
        while posted.load(Ordering::SeqCst) < before + 20 {
            assert!(clients.try_join_next().is_none(), "a client has failed");
            tokio::task::yield_now().await;
        }
        bugle.signal(Signal::SIGTERM);
        assert_eq!(bugle.end().await.code(), Some(0), "{}", bugle.log());
        bugle = serve(&place, &listener);
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let posted = i64::try_from(posted.load(Ordering::SeqCst)).unwrap();
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), posted);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM identities"), posted);
}

#[tokio::test]
async fn what_has_begun_when_the_stop_comes_is_answered_with_a_goodbye() {
    let place = Place::with("", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut bugle = serve(&place, &listener);
    let mut silent = Kept::connect(address).await;
    let mut halfway = Kept::connect(address).await;
    let body = request(&bugsnag("half", json!({})));
    let (first, second) = body.split_at(body.len() / 2);
    halfway.send(first).await;
    // A third connection has its answer: so the two before it have been accepted.
    let mut settled = Kept::connect(address).await;
    settled.send(&request(&bugsnag("settled", json!({})))).await;
    assert_eq!(settled.answer().await, (200, false));
    bugle.signal(Signal::SIGTERM);
    bugle.says("stopping", 1).await;
    silent.send(&request(&bugsnag("silent", json!({})))).await;
    assert_eq!(silent.answer().await, (200, true));
    settled.send(&request(&bugsnag("again", json!({})))).await;
    assert_eq!(settled.answer().await, (200, true));
    halfway.send(second).await;
    assert_eq!(halfway.answer().await, (200, true));
    assert_eq!(bugle.end().await.code(), Some(0), "{}", bugle.log());
    // Nobody is there, and yet nobody is refused: the next process answers.
    let mut waiting = Kept::connect(address).await;
    waiting.send(&request(&bugsnag("waiting", json!({})))).await;
    let _next = serve(&place, &listener);
    assert_eq!(waiting.answer().await, (200, false));
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 5);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_stop() {
    let place = Place::with("", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bugle = serve(&place, &listener);
    let mut idle = Kept::connect(listener.local_addr().unwrap()).await;
    idle.send(&request(&bugsnag("one", json!({})))).await;
    assert_eq!(idle.answer().await, (200, false));
    bugle.signal(Signal::SIGTERM);
    assert_eq!(bugle.end().await.code(), Some(0), "{}", bugle.log());
    let mut rest = Vec::new();
    assert_eq!(idle.stream.read_to_end(&mut rest).await.unwrap(), 0, "closed in good order");
}

#[tokio::test]
async fn a_socket_by_the_name_of_admin_takes_the_place_of_the_admin_address() {
    let place = Place::with("", "");
    let [webhooks, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [hooks_at, admin_at] = [&webhooks, &admin].map(|socket| socket.local_addr().unwrap().to_string());
    let names = "LISTEN_FDS=2 LISTEN_FDNAMES=bugle.socket:admin;3<&0 4<&1 0</dev/null 1>/dev/null";
    let mut command = by_systemd(&place, names);
    command.stdin(OwnedFd::from(webhooks)).stdout(OwnedFd::from(admin));
    let bugle = Bugle::start(command);
    assert_eq!((bugle.address.clone(), bugle.admin.clone()), (hooks_at, admin_at));
    let metrics = bugle.admin_request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(metrics.status().as_u16(), 200);
}

#[test]
fn an_admin_socket_that_others_reach_needs_a_token() {
    let place = Place::with("", "");
    let public = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut command = by_systemd(&place, "LISTEN_FDS=1 LISTEN_FDNAMES=admin;3<&0 0</dev/null");
    command.stdin(OwnedFd::from(public));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("so `admin.token` must be set"), "{words}");
}

#[tokio::test]
async fn a_reload_cannot_take_the_token_from_an_admin_socket_that_others_reach() {
    let place = Place::with("", "");
    let open = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &open.replace("[admin]", "[admin]\ntoken = { file = \"token\" }"));
    let mut command = by_systemd(&place, "LISTEN_FDS=1 LISTEN_FDNAMES=admin;3<&0 0</dev/null");
    command.stdin(OwnedFd::from(TcpListener::bind("0.0.0.0:0").unwrap()));
    let bugle = Bugle::start(command);
    place.write("config.toml", &open);
    bugle.says("so `admin.token` must be set", 1).await;
    assert!(bugle.log().contains("the one before stays in force"), "{}", bugle.log());
}

#[test]
fn what_is_no_socket_is_refused_in_words() {
    let place = Place::with("", "");
    let output = passing(&place, File::open(place.path("config.toml")).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("the socket number 1 that was passed"), "{words}");
}

/// What systemd hears next.
fn heard(systemd: &UnixDatagram) -> String {
    let mut buffer = [0; 4_096];
    let length = systemd.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// What systemd hears next that is no sign of life.
fn heard_news(systemd: &UnixDatagram) -> String {
    loop {
        let words = heard(systemd);
        if words != "WATCHDOG=1\n" {
            return words;
        }
    }
}

#[tokio::test]
async fn systemd_is_told_what_it_asks_for() {
    let place = Place::with("", "");
    let systemd = UnixDatagram::bind(place.path("notify")).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.command(&["serve"]);
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "300000");
    let mut bugle = Bugle::start(command);
    assert_eq!(heard_news(&systemd), "READY=1\n");
    let alive = (0..3).map(|_| heard(&systemd)).collect::<Vec<_>>();
    assert_eq!(alive, ["WATCHDOG=1\n"; 3]);
    bugle.signal(Signal::SIGHUP);
    let reloading = heard_news(&systemd);
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(heard_news(&systemd), "READY=1\n");
    bugle.signal(Signal::SIGTERM);
    assert_eq!(heard_news(&systemd), "STOPPING=1\n");
    assert_eq!(bugle.end().await.code(), Some(0));
}
