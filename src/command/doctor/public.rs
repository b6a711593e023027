//! The public address: whether the trackers reach this bugle by it, and whether they reach more than they should.

use serde_json::Value;
use url::Url;

use crate::command::neighbour::{Answer, Silence, ask_from_outside};
use crate::config::Server;

use super::PATIENCE;
use super::verdict::{Check, Health, Part};

const ABOUT: &str = "server.public_url";

/// Asks at the public address, as a tracker would find it.
pub(super) async fn look(server: &Server) -> Vec<Check> {
    let Some(url) = server.public_url.as_deref() else {
        let help =
            "set `server.public_url` to the address that trackers reach, and bugle can be asked through it";
        return vec![Check::not_ok(Part::PublicAddress, ABOUT, Health::Unknown, "not set", help)];
    };
    let (alive, figures) = (format!("{url}/healthz"), format!("{url}/metrics"));
    let (alive, figures) =
        tokio::join!(ask_from_outside(&alive, PATIENCE), ask_from_outside(&figures, PATIENCE));
    let shown = shown(url);
    let mut checks = vec![healthy(&shown, &server.listen, alive)];
    if url.starts_with("http://") {
        let words = "without TLS, so whoever is on the way reads the tokens in the webhooks' addresses";
        let help = "put a proxy with a certificate in front, or set `server.tls`, and write https://";
        checks.push(Check::not_ok(Part::PublicAddress, "TLS", Health::Warning, words, help));
    }
    checks.extend(figures.ok().map(|figures| private(&shown, &figures)));
    checks
}

/// The address without what somebody may have written into it to sign in with.
pub(super) fn shown(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return String::new() };
    if parsed.set_username("").is_err() || parsed.set_password(None).is_err() {
        return String::new();
    }
    parsed.as_str().trim_end_matches('/').to_owned()
}

fn healthy(url: &str, listen: &str, answer: Result<Answer, Silence>) -> Check {
    let (health, words, help) = match answer {
        Ok(answer) if is_bugle(&answer) => {
            return Check::ok(Part::PublicAddress, ABOUT, &format!("bugle answers at {url}"));
        }
        Ok(Answer { status, .. }) => (
            Health::Broken,
            format!("{url}/healthz is answered with {status}, and not by bugle"),
            advice(status, listen),
        ),
        Err(Silence::Nobody) => (
            Health::Broken,
            format!("no connection to {url} can be made from here"),
            "is the name right, does the proxy run, is its certificate in order, is the port open?"
                .to_owned(),
        ),
        Err(Silence::Timeout) => (
            Health::Unknown,
            format!("no answer in time from {url}"),
            "some networks do not let a machine call itself by its public address: try it from elsewhere"
                .to_owned(),
        ),
        Err(Silence::Broken) => (
            Health::Broken,
            format!("no HTTP answer from {url}"),
            "does the address begin with http:// where it should with https://, or the other way round?"
                .to_owned(),
        ),
    };
    Check::not_ok(Part::PublicAddress, ABOUT, health, &words, &help)
}

/// What a proxy that answers so is often doing.
fn advice(status: u16, listen: &str) -> String {
    match status {
        300..=399 => "it leads elsewhere, and trackers may not follow: set `server.public_url`, and the addresses in the \
                     trackers, to where it leads"
            .to_owned(),
        401 | 403 => "the proxy asks callers to sign in: let /hooks/ and /healthz pass without".to_owned(),
        404 => "the proxy does not pass this path on: let it pass /hooks/ and /healthz as they are".to_owned(),
        502..=504 => format!("the proxy does not reach bugle: let it pass requests to {listen}"),
        _ => "something else has this address: look at the proxy, and at the name's entry in the DNS".to_owned(),
    }
}

fn is_bugle(answer: &Answer) -> bool {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    answer.status == 200 && body.get("status").and_then(Value::as_str) == Some("ok")
}

/// The figures belong to the admin address alone.
fn private(url: &str, answer: &Answer) -> Check {
    let about = "metrics";
    if answer.status == 200 && answer.body.contains("bugle_") {
        let words = format!("{url}/metrics shows bugle's figures to everybody");
        let help = "the proxy passes this path to `admin.listen`: let it pass /hooks/ and /healthz alone";
        return Check::not_ok(Part::PublicAddress, about, Health::Broken, &words, help);
    }
    Check::ok(Part::PublicAddress, about, "the figures are not shown there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_in_bugles_place_is_told_from_bugle() {
        let check = |status, body: &str| {
            healthy("https://x", "127.0.0.1:80", Ok(Answer { status, body: body.to_owned() }))
        };
        assert_eq!(check(200, r#"{"status":"ok"}"#).health, Health::Ok);
        for (status, body, help) in [
            (200, "<html>", "something else has this address"),
            (200, r#"{"status":"up"}"#, "something else has this address"),
            (503, r#"{"status":"ok"}"#, "let it pass requests to 127.0.0.1:80"),
            (302, "", "trackers may not follow"),
            (401, "", "sign in"),
            (404, "not found", "as they are"),
            (502, "", "let it pass requests to 127.0.0.1:80"),
        ] {
            let found = check(status, body);
            assert_eq!(found.health, Health::Broken, "{found:?}");
            assert!(
                found.words.contains(&status.to_string()) && found.help.unwrap().contains(help),
                "{status}"
            );
        }
    }

    #[test]
    fn silence_is_broken_but_for_one_that_may_be_the_networks() {
        for (silence, health) in [
            (Silence::Nobody, Health::Broken),
            (Silence::Broken, Health::Broken),
            (Silence::Timeout, Health::Unknown),
        ] {
            assert_eq!(healthy("https://x", "", Err(silence)).health, health, "{silence:?}");
        }
    }

    #[test]
    fn figures_must_not_be_public() {
        let check =
            |status, body: &str| private("https://x", &Answer { status, body: body.to_owned() }).health;
        assert_eq!(check(200, "bugle_build_info 1\n"), Health::Broken);
        assert_eq!(check(404, "bugle_"), Health::Ok);
        assert_eq!(check(200, "<html>"), Health::Ok);
    }
}
