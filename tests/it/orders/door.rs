//! The door for orders: for a command with the right token and the right store, and for no web page.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use reqwest::Method;
use serde_json::json;

use super::{TO_SLACK, as_json, dead_letters, edit, fails, place, run, stop, well};
use crate::bugle::{answer, bugsnag};

const ORDER: &str = r#"{"store": "x", "order": {"order": "suspend", "destination": "slack"}, "rest": null}"#;

#[tokio::test]
async fn no_web_page_and_no_order_for_another_store_gets_in() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    let post = || bugle.admin_request(Method::POST, "/orders").body(ORDER);
    let json = || post().header("content-type", "application/json");
    for (request, status, code) in [
        (post(), 415, "not_json"),
        (post().header("content-type", "text/plain"), 415, "not_json"),
        (json().header("origin", "http://127.0.0.1"), 403, "browser"),
        (json().header("sec-fetch-site", "same-site"), 403, "browser"),
        (json().header("host", "bugle.example:8081"), 403, "host"),
        (json(), 409, "other_store"),
        (json().body(ORDER.replace("suspend", "explode")), 400, "bad_order"),
        (json().body("nonsense"), 400, "bad_order"),
        (bugle.admin_request(Method::GET, "/orders"), 404, "not_found"),
    ] {
        let (got, refusal) = answer(request).await;
        assert_eq!((got, refusal["error"].as_str()), (status, Some(code)), "{refusal}");
        assert!(refusal["message"].as_str().is_some_and(|words| words.len() > 10), "{refusal}");
    }
    let (status, _) = answer(bugle.request(Method::POST, "/orders").body(ORDER)).await;
    assert_eq!(status, 404, "the public address takes no orders");
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM destinations WHERE suspended_since IS NOT NULL"), 0);
}

#[tokio::test]
async fn with_a_token_only_who_has_it_gives_orders_and_nobody_hears_it() {
    let token = "an-admin-token-for-tests-0123456789";
    let place = place(TO_SLACK);
    place.write("admin.token", token);
    edit(&place, "[admin]", "[admin]\ntoken = { file = \"admin.token\" }");
    let bugle = place.serve();
    assert_eq!(as_json(&place, &["suspend", "slack"])["by"], "server");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let mut words = String::new();
    place.write("wrong.token", "a-wrong-token-for-tests-0123456789");
    for (line, expected) in [
        ("token = { file = \"no.token\" }", "no.token"),
        ("token = { env = \"NO_TOKEN\" }", "NO_TOKEN"),
        ("token = { file = \"wrong.token\" }", "is not the one in force there"),
        ("", "`admin.token` is not set here"),
    ] {
        place.write("client.toml", &config.replace("token = { file = \"admin.token\" }", line));
        let arguments = ["resume", "slack", "--config", "client.toml"];
        fails(&place, &arguments, expected);
        words = run(&place, &arguments).1;
        assert!(!words.contains(token) && !words.contains("a-wrong-token"), "{words}");
    }
    assert!(words.contains("nothing was changed"), "{words}");
    assert!(!bugle.log().contains(token));
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_told_from_one_that_is_not_there() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    let ids = dead_letters(&place, &bugle, &["one"]).await;
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let right = format!("listen = \"{}\"", bugle.admin);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (listen, words) in [
        ("127.0.0.1:0".to_owned(), "not known beforehand"),
        (nobody, "none answers at"),
        // The public listener is no admin address.
        (bugle.address.clone(), "takes no orders"),
    ] {
        place.write("config.toml", &config.replace(&right, &format!("listen = \"{listen}\"")));
        fails(&place, &["dead-letters", "redrive", &ids[0]], words);
    }
    let other = super::place(TO_SLACK);
    let other_bugle = other.serve();
    place.write("config.toml", &config.replace(&right, &format!("listen = \"{}\"", other_bugle.admin)));
    fails(&place, &["dead-letters", "redrive", &ids[0]], "serves from another store");
    place.write("config.toml", &config);
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries"), 1, "nothing was changed");
    well(&place, &["dead-letters", "redrive", &ids[0]]);
    bugle.accept("backend", bugsnag("two", json!({}))).await;
    stop(bugle).await;
}

/// Reads a request to its end, so that nothing is reset that was not read.
fn read_request(stream: &mut TcpStream) {
    let mut lines = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    lines.read_exact(&mut vec![0; length]).unwrap();
}

#[tokio::test]
async fn what_is_certain_when_the_server_breaks_off_or_is_another_one_is_told() {
    let place = place(TO_SLACK);
    let bugle = place.serve();
    let ids = dead_letters(&place, &bugle, &["one"]).await;
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen = \"{}\"", listener.local_addr().unwrap());
    place.write("client.toml", &config.replace(&format!("listen = \"{}\"", bugle.admin), &listen));
    let older = r#"{"error":"not_found","message":"there is nothing here; the figures are at /metrics"}"#;
    let step = r#"{"sent":200,"rest":{"after":200,"up_to":900}}"#;
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for (answers, expected) in [
        (vec![String::new()], "nobody can tell"),
        (vec![answer("404 Not Found", older)], "is an older one that takes no orders"),
        (vec![answer("404 Not Found", "<html>")], "something else than bugle answers"),
        (vec![answer("200 OK", "<html>")], "nobody can tell"),
        (vec![answer("200 OK", step), String::new()], "done for 200 messages so far"),
        (
            vec![
                answer("200 OK", step),
                answer("503 Busy", r#"{"error":"store_unavailable","message":"busy"}"#),
            ],
            "busy; done for 200",
        ),
    ] {
        let listener = listener.try_clone().unwrap();
        let server = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                read_request(&mut stream);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        fails(&place, &["dead-letters", "redrive", &ids[0], "--config", "client.toml"], expected);
        server.join().unwrap();
    }
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM deliveries"), 1);
}
