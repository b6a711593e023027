//! The listener with TLS: real handshakes, a certificate that is renewed, and callers that do not speak it.

#![cfg(feature = "tls")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::json;

use crate::bugle::{Bugle, PATIENCE, Place, TOKEN, bugsnag};

const TLS: &str = "[server.tls]\ncertificate = \"tls/fullchain.pem\"\nkey = \"tls/privkey.pem\"\n";

/// A place with a certificate of its own, which is returned.
pub(crate) fn place() -> (Place, String) {
    let place = Place::with("", "");
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("[store]", &format!("{TLS}\n[store]")));
    fs::create_dir(place.path("tls")).unwrap();
    let certificate = renew(&place);
    (place, certificate)
}

fn renew(place: &Place) -> String {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    place.write("tls/privkey.pem", &signing_key.serialize_pem());
    place.write("tls/fullchain.pem", &cert.pem());
    cert.pem()
}

/// A client that believes only `certificate`, on connections of its own.
fn trusting(certificate: &str) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([root]).timeout(PATIENCE).build().unwrap()
}

async fn post(bugle: &Bugle, certificate: &str, id: &str) -> Result<u16, reqwest::Error> {
    let url = format!("https://{}/hooks/backend/{TOKEN}", bugle.address);
    let answer = trusting(certificate).post(url).body(bugsnag(id, json!({}))).send().await?;
    Ok(answer.status().as_u16())
}

#[tokio::test]
async fn a_webhook_is_taken_by_https_and_a_renewed_certificate_by_itself() {
    let (place, first) = place();
    let bugle = place.serve();
    assert_eq!(post(&bugle, &first, "one").await.unwrap(), 200);
    let second = renew(&place);
    bugle.says("`server.tls.certificate` has changed", 1).await;
    assert_eq!(post(&bugle, &second, "two").await.unwrap(), 200);
    assert!(post(&bugle, &first, "three").await.is_err(), "the first certificate is not served any more");
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 2);
    assert!(!bugle.log().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_broken_renewal_is_refused_and_the_one_before_stays() {
    let (place, certificate) = place();
    let bugle = place.serve();
    place.write("tls/privkey.pem", &KeyPair::generate().unwrap().serialize_pem());
    bugle.signal(Signal::SIGHUP);
    bugle.says("the private key is not that of the certificate", 1).await;
    assert_eq!(post(&bugle, &certificate, "one").await.unwrap(), 200);
}

#[tokio::test]
async fn callers_that_do_not_speak_it_harm_nobody() {
    let (place, certificate) = place();
    let mut bugle = place.serve();
    let mut plain = TcpStream::connect(&bugle.address).unwrap();
    plain.write_all(b"POST /hooks/backend HTTP/1.1\r\nHost: bugle\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // A reset is as good an answer as an alert: there is no HTTP to be had.
    drop(plain.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    let _silent = TcpStream::connect(&bugle.address).unwrap();
    let mut slow = TcpStream::connect(&bugle.address).unwrap();
    slow.write_all(b"\x16\x03\x01").unwrap();
    assert_eq!(post(&bugle, &certificate, "one").await.unwrap(), 200);
    bugle.signal(Signal::SIGTERM);
    assert_eq!(bugle.end().await.code(), Some(0), "{}", bugle.log());
    assert!(bugle.log().contains("\"stopped\""), "{}", bugle.log());
}

#[tokio::test]
async fn handshakes_that_stall_keep_nobody_out_and_end() {
    let (place, certificate) = place();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replace("[server]", "[server]\nmax_connections = 16"));
    let bugle = place.serve();
    let stalled: Vec<TcpStream> = (0..48)
        .map(|number| {
            let mut stream = TcpStream::connect(&bugle.address).unwrap();
            stream.write_all(if number % 2 == 0 { b"" } else { b"\x16\x03\x01\x02" }).unwrap();
            stream
        })
        .collect();
    for id in ["one", "two", "three"] {
        assert_eq!(post(&bugle, &certificate, id).await.unwrap(), 200);
    }
    for mut stream in stalled {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let ended = stream.read(&mut [0; 100]);
        // An alert, an end or a reset, but not silence.
        assert!(!ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
}

#[tokio::test]
async fn the_healthcheck_speaks_it_too() {
    let (place, _) = place();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    place.write("config.toml", &config.replacen("127.0.0.1:0", &free, 1));
    let _bugle = place.serve();
    let output = place.command(&["healthcheck"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("https://"), "{output:?}");
}

#[test]
fn what_cannot_be_served_is_a_problem_with_its_place() {
    let check = |place: &Place, more: &[&str]| {
        let output = place.command(&[&["check"], more].concat()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (place, _) = place();
    assert_eq!(check(&place, &[]).0, Some(0));
    let config = fs::read_to_string(place.path("config.toml")).unwrap();
    for (from, to, expected) in [
        ("key = \"tls/privkey.pem\"", "", "`key` is missing"),
        ("certificate = \"tls/fullchain.pem\"", "", "`certificate` is missing"),
        ("tls/privkey.pem", "tls/private.pem", "cannot be read"),
        ("tls/privkey.pem", "tls/fullchain.pem", "there is no private key in it"),
        ("tls/fullchain.pem", "token", "there is no certificate in it"),
    ] {
        place.write("config.toml", &config.replace(from, to));
        let (code, words) = check(&place, &[]);
        assert_eq!(code, Some(78), "{words}");
        assert!(words.contains(expected) && words.contains("config.toml:"), "{expected}: {words}");
    }
    place.write("config.toml", &config);
    let mut expired = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    expired.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let key = KeyPair::generate().unwrap();
    place.write("tls/fullchain.pem", &expired.self_signed(&key).unwrap().pem());
    place.write("tls/privkey.pem", &key.serialize_pem());
    let (code, words) = check(&place, &[]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("the certificate was valid until 2001-01-01"), "{words}");
    fs::remove_file(place.path("tls/privkey.pem")).unwrap();
    assert_eq!(check(&place, &["--without-secrets"]).0, Some(0));
}
