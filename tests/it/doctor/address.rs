//! What answers at the public address and where the server listens, and what the doctor makes of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::{TO_SLACK, ask, edit, free_port, says, stop, tidy_place};

/// Answers every request that comes with what `answer` makes of its first line.
fn proxy(answer: fn(&str) -> &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).unwrap_or_default();
            drop(stream.write_all(answer(&String::from_utf8_lossy(&request[..read])).as_bytes()));
        }
    });
    format!("http://{address}")
}

#[test]
fn what_stands_in_bugles_place_at_the_public_address_is_told() {
    for (answer, words, help) in [
        (
            (|_: &str| "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as fn(&str) -> &'static str,
            "answered with 502",
            "let it pass requests to 127.0.0.1:",
        ),
        (
            |_| "HTTP/1.1 301 Moved\r\nLocation: https://x.example/\r\nContent-Length: 0\r\n\r\n",
            "answered with 301",
            "where it leads",
        ),
        (
            |_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "answered with 200, and not by bugle",
            "something else",
        ),
        (|_| "SSH-2.0-x\r\n", "no HTTP answer", "https://"),
    ] {
        let (place, _) = tidy_place(TO_SLACK);
        let url = proxy(answer);
        edit(&place, "[server]\n", &format!("[server]\npublic_url = \"{url}\"\n"));
        let (code, report) = ask(&place, &[]);
        assert_eq!(code, 1, "{report:#}");
        says(&report, "public_address", "server.public_url", "broken", words, help);
    }
    let (place, port) = tidy_place(TO_SLACK);
    edit(&place, "[server]\n", &format!("[server]\npublic_url = \"http://hook:s3cr3t@127.0.0.1:{port}\"\n"));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "public_address", "server.public_url", "broken", "no connection", "certificate");
    assert!(!report.to_string().contains("s3cr3t"));
}

#[test]
fn figures_that_everybody_can_read_are_broken() {
    let (place, _) = tidy_place(TO_SLACK);
    let url = proxy(|request| {
        if request.starts_with("GET /metrics ") {
            "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbugle_build_info 1\n# "
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}"
        }
    });
    edit(&place, "[server]\n", &format!("[server]\npublic_url = \"{url}\"\n"));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "public_address", "server.public_url", "ok", "bugle answers", "");
    says(&report, "public_address", "metrics", "broken", "to everybody", "admin.listen");
}

#[tokio::test]
async fn a_server_that_is_not_this_one_is_told() {
    let (place, port) = tidy_place(TO_SLACK);
    let bugle = place.serve();
    edit(&place, &format!("127.0.0.1:{port}"), "127.0.0.1:0");
    let (_, report) = ask(&place, &[]);
    says(&report, "server", "alive", "unknown", "not known beforehand", "name a port");
    edit(&place, "listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{}\"", free_port()));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 0, "{report:#}");
    says(&report, "server", "alive", "warning", "nothing answers there", "systemd");
    let other = proxy(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    let listen = config.lines().find(|line| line.starts_with("listen")).unwrap().to_owned();
    edit(&place, &listen, &format!("listen = \"{}\"", other.trim_start_matches("http://")));
    let (code, report) = ask(&place, &[]);
    assert_eq!(code, 1, "{report:#}");
    says(&report, "server", "alive", "broken", "something else than bugle", "port");
    stop(bugle).await;
}
