//! Orders that come through the admin address, from a command beside the server that has the store.
//!
//! Whoever reaches the address can give orders, and that must not be a web page in somebody's browser on this machine: it
//! cannot send JSON to another site without asking, a browser tells where it comes from, and without a token a name that
//! merely leads here is not taken for this machine.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::admin::BackDoor;
use crate::order::{Done, Order, Rest};
use crate::outbox::{OrderError, StoreError};
use crate::report::Report;

/// Where orders are taken.
pub const PATH: &str = "/orders";

/// What is asked of the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    /// Which store is meant: another server may listen where one is expected.
    pub store: String,
    /// What is to be done.
    pub order: Cow<'a, Order>,
    /// What is left of it after the steps before.
    pub rest: Option<Rest>,
}

/// Why nothing was done, with a code for programs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    /// The code.
    pub error: String,
    /// The same for people.
    pub message: String,
}

/// Takes a step of an order.
pub(super) async fn take(
    request: HttpRequest,
    body: web::Bytes,
    back_door: web::Data<BackDoor>,
) -> HttpResponse {
    if let Some(refusal) = back_door.refusal(&request) {
        return refusal;
    }
    let has_token = back_door.token.load().is_some();
    if let Some((status, code, message)) = objection(request.headers(), has_token) {
        return refused(status, code, message.to_owned());
    }
    let asked: Request<'_> = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => {
            let message = format!("this bugle does not understand the order: {error}");
            return refused(StatusCode::BAD_REQUEST, "bad_order", message);
        }
    };
    if back_door.outbox.identity().is_none_or(|identity| identity != asked.store) {
        let message = "the bugle here serves from another store".to_owned();
        return refused(StatusCode::CONFLICT, "other_store", message);
    }
    let done = back_door.outbox.carry_out(&asked.order, asked.rest).await;
    log(&request, &asked, &done);
    match done {
        Ok(done) => HttpResponse::Ok().json(done),
        Err(error) => {
            let (status, code) = match &error {
                OrderError::Objection(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
                OrderError::Store(StoreError::Refused) => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "store_refused")
                }
                OrderError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            };
            refused(status, code, Report(&error).to_string())
        }
    }
}

/// Why a request may not come from where it says it comes from.
fn objection(headers: &HeaderMap, has_token: bool) -> Option<(StatusCode, &'static str, &'static str)> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let site = headers.get("sec-fetch-site").map(text);
    if headers.contains_key(ORIGIN) || site.is_some_and(|site| site != "none") {
        return Some((StatusCode::FORBIDDEN, "browser", "a web page cannot give orders"));
    }
    if !has_token && !headers.get(HOST).map(text).is_some_and(|host| is_this_machine(&host)) {
        let message = "without `admin.token` orders are taken only under an address or as localhost";
        return Some((StatusCode::FORBIDDEN, "host", message));
    }
    let kind = headers.get(CONTENT_TYPE).map(text).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", "orders are application/json"));
    }
    None
}

/// Whether `host` is an address, or the name that always means this machine: any other name can be made to lead here.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn refused(status: StatusCode, error: &str, message: String) -> HttpResponse {
    HttpResponse::build(status).json(Refused { error: error.to_owned(), message })
}

/// Each step of an order, and from where it came: who gave it, nobody here can know.
fn log(request: &HttpRequest, Request { order, .. }: &Request<'_>, done: &Result<Done, OrderError>) {
    let peer = request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
    let words = match order.as_ref() {
        // Not the digest of an address with a token in it.
        Order::KeepHook { hook } => serde_json::to_string(&hook.key).unwrap_or_default(),
        order => serde_json::to_string(order).unwrap_or_default(),
    };
    match done {
        Ok(Done { sent, covered, discarded, in_hand, waiting, rest, .. }) => tracing::info!(
            order = order.as_str(),
            asked = words,
            peer,
            sent,
            covered,
            discarded,
            in_hand,
            waiting,
            goes_on = rest.is_some(),
            "a person's order was carried out"
        ),
        Err(error) => tracing::warn!(
            order = order.as_str(),
            asked = words,
            peer,
            error = %Report(error),
            "a person's order was refused"
        ),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn code(headers: &[(&'static str, &'static str)], has_token: bool) -> Option<&'static str> {
        let mut request = TestRequest::post().uri(PATH);
        for header in headers {
            request = request.insert_header(*header);
        }
        objection(request.to_http_request().headers(), has_token).map(|(_, code, _)| code)
    }

    #[test]
    fn a_web_page_is_told_from_a_command() {
        const HERE: (&str, &str) = ("host", "127.0.0.1:8081");
        const JSON: (&str, &str) = ("content-type", "application/json");
        for (headers, has_token, expected) in [
            (&[HERE, JSON][..], false, None),
            (&[HERE, ("content-type", "Application/JSON; charset=utf-8")], false, None),
            (&[HERE, JSON, ("sec-fetch-site", "none")], false, None),
            (&[HERE, JSON, ("origin", "https://example.com")], true, Some("browser")),
            (&[HERE, JSON, ("origin", "null")], false, Some("browser")),
            (&[HERE, JSON, ("sec-fetch-site", "same-origin")], false, Some("browser")),
            (&[HERE, JSON, ("sec-fetch-site", "cross-site")], true, Some("browser")),
            (&[HERE, ("content-type", "text/plain")], true, Some("not_json")),
            (&[HERE], false, Some("not_json")),
            (&[("host", "evil.example:8081"), JSON], false, Some("host")),
            (&[("host", "evil.example:8081"), JSON], true, None),
            (&[JSON], false, Some("host")),
        ] {
            assert_eq!(code(headers, has_token), expected, "{headers:?} {has_token}");
        }
    }

    #[test]
    fn a_name_is_not_this_machine_but_for_one() {
        for here in
            ["127.0.0.1", "127.0.0.1:8081", "localhost:1", "LOCALHOST", "[::1]:8081", "[::1]", "10.1.2.3:80"]
        {
            assert!(is_this_machine(here), "{here}");
        }
        for there in ["", "localhost.evil.example", "127.0.0.1.nip.io:80", "bugle", "[::1].x", "a:b"] {
            assert!(!is_this_machine(there), "{there}");
        }
    }
}
