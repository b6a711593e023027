//! Who gets in, and what everyone else is told: statuses, codes, and their order.

use reqwest::Method;

use crate::bugle::{Place, SECOND_TOKEN, TOKEN, answer, bugsnag};

/// A request (method, path, headers, body) and what it is told (status, code).
type Case<'a> = (Method, String, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn each_refusal_has_its_status_and_a_stable_code() {
    let place = Place::new();
    let bugle = place.serve();
    let big = "x".repeat(6 << 20);
    let hook = |rest: &str| format!("/hooks/{rest}");
    let right = hook(&format!("backend/{TOKEN}"));
    let cases: [Case<'_>; 19] = [
        (Method::POST, hook("nosuch/x"), &[], "{}", 404, "unknown_source"),
        (Method::GET, hook("nosuch/x"), &[], "", 404, "unknown_source"),
        (Method::POST, hook("backend"), &[], "{}", 401, "unauthorized"),
        (Method::POST, hook("backend/wrong"), &[], "{}", 401, "unauthorized"),
        (Method::POST, hook("backend/wrong"), &[], &big, 401, "unauthorized"),
        (Method::GET, hook("backend/wrong"), &[], "", 401, "unauthorized"),
        (Method::POST, hook(&format!("backend/{TOKEN}/more")), &[], "{}", 401, "unauthorized"),
        (Method::GET, right.clone(), &[], "", 405, "method_not_allowed"),
        (Method::PUT, right.clone(), &[], "{}", 405, "method_not_allowed"),
        (Method::POST, right.clone(), &[("content-encoding", "br")], "{}", 415, "unknown_coding"),
        (Method::POST, right.clone(), &[("content-encoding", "gzip, gzip")], "{}", 415, "unknown_coding"),
        (Method::POST, right.clone(), &[("content-encoding", "gzip")], "{}", 400, "broken_coding"),
        (Method::POST, right.clone(), &[], &big, 413, "too_large"),
        (Method::POST, right.clone(), &[], "", 400, "not_json"),
        (Method::POST, right.clone(), &[], "{\"a\":", 400, "not_json"),
        (Method::POST, right.clone(), &[], "\"text\"", 400, "not_an_object"),
        (Method::POST, right.clone(), &[], "12", 400, "not_an_object"),
        (Method::GET, "/metrics".into(), &[], "", 404, "not_found"),
        (Method::GET, "/".into(), &[], "", 404, "not_found"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let mut request = bugle.request(method.clone(), &path).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (got, refusal) = answer(request).await;
        let short: String = body.chars().take(20).collect();
        assert_eq!(
            (got, refusal["error"].as_str()),
            (status, Some(code)),
            "{method} {path} {headers:?} {short}"
        );
        assert!(refusal["message"].as_str().is_some_and(|sentence| sentence.len() > 10));
    }
    assert_eq!(place.ask::<i64>("SELECT count(*) FROM events"), 0, "nothing was stored");
    assert!(bugle.log().contains("webhook refused"));
}

#[tokio::test]
async fn a_token_opens_from_the_path_the_bearer_or_the_password() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let post = |path: &str| bugle.request(Method::POST, path).body("{}");
    let accepted = |request| async { answer(request).await.0 };
    assert_eq!(accepted(post(&format!("/hooks/backend/{TOKEN}"))).await, 200);
    assert_eq!(accepted(post(&format!("/hooks/backend/{TOKEN}/"))).await, 200);
    assert_eq!(accepted(post(&format!("/hooks/backend/{SECOND_TOKEN}"))).await, 200);
    assert_eq!(accepted(post("/hooks/backend").bearer_auth(TOKEN)).await, 200);
    assert_eq!(accepted(post("/hooks/backend/").bearer_auth(SECOND_TOKEN)).await, 200);
    assert_eq!(accepted(post("/hooks/backend").basic_auth("anyone", Some(TOKEN))).await, 200);
    assert_eq!(accepted(post("/hooks/backend").basic_auth(TOKEN, Some("x"))).await, 401);
    assert_eq!(
        accepted(post("/hooks/mobile").bearer_auth(SECOND_TOKEN)).await,
        401,
        "another source's token"
    );
}

#[tokio::test]
async fn networks_are_asked_first_and_only_trusted_proxies_are_believed() {
    let place = Place::with("trusted_proxies = [\"127.0.0.0/8\"]", "");
    let config = std::fs::read_to_string(place.path("config.toml")).unwrap();
    let allow = "type = \"bugsnag\"\nallow_from = [\"192.0.2.0/24\"]";
    place.write("config.toml", &config.replace("type = \"bugsnag\"", allow));
    let bugle = place.serve();
    let post = |forwarded: Option<&str>, token: &str| {
        let mut request = bugle.request(Method::POST, &format!("/hooks/backend/{token}")).body("{}");
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        async { answer(request).await.0 }
    };
    assert_eq!(post(Some("192.0.2.77"), TOKEN).await, 200);
    assert_eq!(post(Some("203.0.113.1, 192.0.2.77, 127.0.0.9"), TOKEN).await, 200);
    assert_eq!(post(Some("192.0.2.77, 203.0.113.1"), TOKEN).await, 403);
    assert_eq!(post(Some("forged"), TOKEN).await, 403);
    assert_eq!(post(None, TOKEN).await, 403);
    assert_eq!(post(Some("203.0.113.1"), "wrong").await, 403, "the network is asked before the token");
    assert_eq!(post(Some("192.0.2.77"), "wrong").await, 401);
}

#[tokio::test]
async fn the_receipt_counts_and_names_what_came() {
    let place = Place::with("", "");
    let bugle = place.serve();
    let (status, receipt) = bugle.post("backend", bugsnag("e1", serde_json::json!({}))).await;
    assert_eq!(
        (status, &receipt["events"], &receipt["new"], &receipt["duplicates"]),
        (200, &1.into(), &1.into(), &0.into())
    );
    let (_, again) = bugle.post("backend", bugsnag("e1", serde_json::json!({}))).await;
    assert_eq!((&again["new"], &again["duplicates"]), (&0.into(), &1.into()));
    assert_eq!(again["ids"], receipt["ids"], "a duplicate has the id of the first arrival");
    let (status, nothing) = bugle.post("mobile", "[]").await;
    assert_eq!((status, &nothing["events"]), (200, &0.into()));
}

#[tokio::test]
async fn health_is_told_on_the_public_address() {
    let place = Place::new();
    let bugle = place.serve();
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let (code, body) = answer(bugle.request(Method::GET, path)).await;
        assert_eq!((code, body["status"].as_str()), (200, Some(status)));
        assert_eq!(answer(bugle.request(Method::HEAD, path)).await.0, 200);
    }
}
