//! `bugle healthcheck`: asks the server that runs on this machine how it is, for containers.
//!
//! It looks only at where the server listens, so that nothing else that is wrong with a configuration makes a relay
//! look ill that runs well on the one before.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Deserialize;
use serde_json::json;

use crate::command::neighbour;
use crate::config::{self, Environment, Listening};
use crate::text::one_line;

/// How long the server may take to answer. It waits for its own store for up to 1 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// More bytes than our own server gives for a reason.
const REASON: usize = 4 << 10;

/// What the server says when it is not ready.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    message: String,
}

/// Asks the server and writes to `out`, in a line, how it is. Gives the exit code: 0 if it is well, else 1.
pub async fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    ready: bool,
    json: bool,
    environment: &Environment,
) -> Result<u8> {
    let listening = config::find(config).and_then(|path| config::load_listening(&path, environment));
    let listening = listening.map_err(|problems| anyhow!("{}", problems.to_string().trim_end()))?;
    let url = url(&listening, ready)?;
    let found = ask(&url).await;
    let is_well = matches!(found, Ok((200, _)));
    let words = match (found, ready) {
        (Ok((200, _)), true) => "ready".to_owned(),
        (Ok((200, _)), false) => "alive".to_owned(),
        (Ok((_, Some(reason))), true) => format!("not ready: {reason}"),
        (Ok((status, _)), _) => format!("something else answers there, with {status}"),
        (Err(words), _) => words,
    };
    if json {
        writeln!(out, "{:#}", json!({ "ok": is_well, "url": url, "words": words }))?;
    } else {
        writeln!(out, "{url}: {words}")?;
    }
    Ok(u8::from(!is_well))
}

/// Where to ask.
pub(super) fn url(listening: &Listening, ready: bool) -> Result<String> {
    let host = neighbour::host(&listening.listen, "server.listen")?;
    let (scheme, page) =
        (if listening.tls { "https" } else { "http" }, if ready { "readyz" } else { "healthz" });
    Ok(format!("{scheme}://{host}/{page}"))
}

/// The status that the server answers with, and why it is not ready, if it says so; or in words why there is none.
pub(super) async fn ask(url: &str) -> Result<(u16, Option<String>), String> {
    let answer = neighbour::client(PATIENCE).map_err(|error| format!("{error:#}"))?.get(url).send().await;
    match answer {
        Ok(answer) => Ok((answer.status().as_u16(), reason(answer).await)),
        Err(error) if error.is_connect() => Err("nothing answers there".to_owned()),
        Err(error) if error.is_timeout() => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        Err(_) => Err("no HTTP answer".to_owned()),
    }
}

/// Why the server is not ready, in its own words.
async fn reason(mut answer: reqwest::Response) -> Option<String> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.ok()? {
        body.extend(part);
        if body.len() > REASON {
            return None;
        }
    }
    let Refusal { error, message } = serde_json::from_slice(&body).ok()?;
    (error == "not_ready").then(|| one_line(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, tls, ready, expected) in [
            ("0.0.0.0:8080", false, false, "http://127.0.0.1:8080/healthz"),
            ("[::]:8080", false, true, "http://[::1]:8080/readyz"),
            ("10.1.2.3:80", true, false, "https://10.1.2.3:80/healthz"),
            ("localhost:8080", false, false, "http://localhost:8080/healthz"),
        ] {
            assert_eq!(url(&Listening { listen: listen.to_owned(), tls }, ready).unwrap(), expected);
        }
        assert!(url(&Listening { listen: "127.0.0.1:0".to_owned(), tls: false }, false).is_err());
    }
}
