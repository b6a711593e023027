//! `bugle healthcheck`: a container's question to the server beside it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;

use nix::sys::signal::Signal;

use crate::bugle::Place;

fn ask(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["healthcheck"], arguments].concat();
    let Output { status, stdout, stderr } = place.command(&arguments).output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A port on which nothing listens at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Lets the server listen at `listen`.
fn listen(place: &Place, listen: &str) {
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replacen("127.0.0.1:0", listen, 1));
}

#[tokio::test]
async fn a_running_server_is_alive_and_ready_and_a_stopped_one_is_not() {
    let place = Place::new();
    listen(&place, &format!("0.0.0.0:{}", free_port()));
    let (code, words) = ask(&place, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("nothing answers there") && words.lines().count() == 1, "{words}");
    let mut bugle = place.serve();
    let (code, words) = ask(&place, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.starts_with("http://127.0.0.1:") && words.ends_with("/healthz: alive\n"), "{words}");
    let (code, words) = ask(&place, &["--ready", "--json"]);
    assert_eq!(code, Some(0), "{words}");
    let report: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!((&report["ok"], &report["words"]), (&true.into(), &"ready".into()));
    bugle.signal(Signal::SIGTERM);
    bugle.end().await;
    assert_eq!(ask(&place, &["--ready"]).0, Some(1));
}

#[test]
fn neither_secrets_nor_the_rest_of_the_configuration_matter() {
    let place = Place::new();
    listen(&place, &format!("127.0.0.1:{}", free_port()));
    let _bugle = place.serve();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("type = \"teams\"", "type = \"fax\""));
    fs::remove_file(place.path("slack.url")).unwrap();
    assert_eq!(ask(&place, &[]).0, Some(0));
    place.write("config.toml", &config.replace("listen =", "lisen ="));
    let (code, words) = ask(&place, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("lisen"), "{words}");
}

#[test]
fn something_else_on_the_port_is_not_taken_for_bugle() {
    let place = Place::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&place, &other.local_addr().unwrap().to_string());
    let thread = std::thread::spawn(move || {
        for answer in [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}",
            "SSH-2.0-x\r\n",
        ] {
            let (mut stream, _) = other.accept().unwrap();
            let mut request = [0; 1_024];
            assert_ne!(stream.read(&mut request).unwrap(), 0);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let (code, words) = ask(&place, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("something else answers there, with 404"), "{words}");
    let (_, words) = ask(&place, &["--ready"]);
    assert!(words.contains("something else answers there, with 503"), "{words}");
    let (code, words) = ask(&place, &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("no HTTP answer"), "{words}");
    thread.join().unwrap();
}

#[test]
fn a_server_that_is_not_ready_says_why() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&place, &server.local_addr().unwrap().to_string());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        assert_ne!(stream.read(&mut [0; 1_024]).unwrap(), 0);
        let body = r#"{"error":"not_ready","message":"no courier is at work: bugle is stopping"}"#;
        let head = format!("HTTP/1.1 503 Service Unavailable\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
    });
    let (code, words) = ask(&place, &["--ready"]);
    assert_eq!(code, Some(1));
    assert!(words.contains("not ready: no courier is at work: bugle is stopping"), "{words}");
    thread.join().unwrap();
}

#[test]
fn a_port_that_is_not_known_cannot_be_asked() {
    let (code, words) = ask(&Place::new(), &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("not known beforehand"), "{words}");
}
