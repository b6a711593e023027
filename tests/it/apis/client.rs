//! bugle's side of the APIs, over real HTTP: credentials, waits, failures, redirects, and that nothing secret gets out.

use std::future::Future;
use std::time::Duration;

use bugle::api::{Access, Api, ApiError, App, Credentials, HookLook, Listing, Session, Wanted};
use bugle::clock::{Clock, Moment};
use bugle::secret::Secret;
use serde_json::{Value, json};

use super::bugfender::{self, Bugfender};
use super::bugsnag::{self, Bugsnag};
use super::server::Told;
use crate::tls;

/// 2025-03-04T10:00:00Z.
pub(super) const SINCE: Moment = Moment(1_741_082_400_000);
/// An hour later.
pub(super) const UNTIL: Moment = Moment(1_741_086_000_000);

pub(super) const ALL: &[&str] = &["crash", "issue", "feedback"];
pub(super) const BOTH: &[&str] = &["firstException", "reopened"];

/// Lets time pass on `clock` until `future` is done.
pub(super) async fn patiently<T>(clock: &Clock, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            done = &mut future => return done,
            () = tokio::time::sleep(Duration::from_millis(5)) => clock.advance(Duration::from_millis(500)),
        }
    }
}

fn passed(clock: &Clock, since: Duration) -> Duration {
    clock.steady().saturating_sub(since)
}

pub(super) fn wanted<'a>(subject: &'a str, triggers: &'a [&'static str]) -> Wanted<'a> {
    Wanted { subject, since: SINCE, until: UNTIL, triggers, states: &[] }
}

pub(super) fn session(api: &Api) -> (Session, Clock) {
    let clock = Clock::by_hand(UNTIL);
    (Session::new(api, clock.clone()).unwrap(), clock)
}

/// Lists everything of the pretend Bugfender's application.
pub(super) async fn list(session: &Session, clock: &Clock) -> Result<Listing, ApiError> {
    let subject = bugfender::APP.to_string();
    patiently(clock, session.list(wanted(&subject, ALL))).await
}

async fn list_bugsnag(session: &Session, clock: &Clock) -> Result<Listing, ApiError> {
    patiently(clock, session.list(wanted(bugsnag::PROJECT, BOTH))).await
}

pub(super) fn crash(number: usize) -> Value {
    let at = SINCE.plus(Duration::from_secs(number as u64)).to_string();
    json!({"id": format!("crash-{number:04}"), "title": format!("crash {number}"), "type": "crash", "created_at": at})
}

fn app() -> App {
    App { number: Some(bugfender::APP), ..App::default() }
}

#[tokio::test]
async fn one_token_serves_until_it_is_nine_tenths_over() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    list(&session, &clock).await.unwrap();
    list(&session, &clock).await.unwrap();
    assert_eq!(pretend.token_requests(), 1);
    clock.advance(Duration::from_mins(53));
    list(&session, &clock).await.unwrap();
    assert_eq!(pretend.token_requests(), 1);
    clock.advance(Duration::from_mins(2));
    list(&session, &clock).await.unwrap();
    assert_eq!(pretend.token_requests(), 2);
    assert_eq!(session.requests(), u64::try_from(pretend.server.asked().len()).unwrap());
}

#[tokio::test]
async fn a_lifetime_is_read_as_text_too_and_is_an_hour_where_none_is_told() {
    for (lifetime, minutes) in [(json!("600"), 9), (Value::Null, 54), (json!(0), 54), (json!("soon"), 54)] {
        let pretend = Bugfender::start();
        pretend.with(|known| known.lifetime = lifetime.clone());
        let (session, clock) = session(&pretend.api());
        list(&session, &clock).await.unwrap();
        clock.advance(Duration::from_secs(minutes * 60 - 30));
        list(&session, &clock).await.unwrap();
        assert_eq!(pretend.token_requests(), 1, "{lifetime}");
        clock.advance(Duration::from_mins(1));
        list(&session, &clock).await.unwrap();
        assert_eq!(pretend.token_requests(), 2, "{lifetime}");
    }
}

#[tokio::test]
async fn who_asks_at_once_shares_one_token() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    let subject = bugfender::APP.to_string();
    let all = (0..8).map(|_| session.list(wanted(&subject, ALL)));
    let all = patiently(&clock, futures_util::future::join_all(all)).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(pretend.token_requests(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_in_the_middle_is_fetched_anew_once() {
    let pretend = Bugfender::start();
    pretend.with(|known| known.singles = (0..150).map(|number| (1, crash(number))).collect());
    let (session, clock) = session(&pretend.api());
    list(&session, &clock).await.unwrap();
    pretend.with(|known| known.tokens.clear());
    let listing = list(&session, &clock).await.unwrap();
    assert_eq!((listing.found.len(), pretend.token_requests()), (150, 2));
    pretend.server.always("/api/", Told::json(401, &json!({})));
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unauthorized);
    assert_eq!(pretend.token_requests(), 3, "one fresh token, and no more");
}

#[tokio::test]
async fn wrong_credentials_are_said_to_be_unknown() {
    let pretend = Bugfender::start();
    let mut api = pretend.api();
    let id = Secret::new("somebody-else");
    let Access::Bugfender { credentials, .. } = &mut api.access else { panic!() };
    *credentials = Credentials::Client { id, secret: Secret::new(bugfender::SECRET) };
    let (session, clock) = session(&api);
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unauthorized);
    pretend.server.next("/auth/token", Told::json(400, &json!({"error": "invalid_client"})));
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unauthorized);
    pretend.server.next("/auth/token", Told::json(200, &json!({"access_token": "a b"})));
    assert!(matches!(list(&session, &clock).await.unwrap_err(), ApiError::Unexpected(_)));
    pretend.server.next("/auth/token", Told::json(400, &json!({"error": "invalid_scope"})));
    let error = list(&session, &clock).await.unwrap_err();
    assert_eq!(
        error,
        ApiError::BadRequest("for a token, invalid_scope".to_owned()),
        "it is no application's"
    );
    pretend.server.next("/auth/token", Told::json(404, &json!({})));
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unknown("address"));
    let Access::Bugfender { credentials, .. } = &mut api.access else { panic!() };
    *credentials = Credentials::Token(Secret::new("no-such-token"));
    let (session, clock) = self::session(&api);
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unauthorized);
}

#[tokio::test]
async fn each_status_means_one_thing() {
    let pretend = Bugsnag::start();
    let (session, clock) = session(&pretend.api());
    let cases = [
        (400, json!({"errors": ["bad filter"]}), "the tracker did not understand the request: bad filter"),
        (422, json!({"message": "x"}), "the tracker did not understand the request: x"),
        (401, json!({}), "the tracker does not know these credentials"),
        (403, json!({}), "the credentials have no right to that"),
        (404, json!({}), "the tracker knows no such project"),
        (410, json!({}), "the tracker knows no such project"),
        (418, json!("a pot"), "the tracker answers in an unknown way: it answers 418: \"a pot\""),
        (501, json!({}), "the tracker answers in an unknown way: it answers 501: {}"),
        (200, json!({}), "the tracker answers in an unknown way: a list of errors was expected"),
    ];
    for (status, body, words) in cases {
        pretend.server.next("/errors", Told::json(status, &body));
        assert_eq!(list_bugsnag(&session, &clock).await.unwrap_err().to_string(), words);
    }
    let page = Told::text(200, "<!doctype html><p>Please sign in</p>");
    pretend.server.next("/errors", page);
    let words = "the tracker answers in an unknown way: a list in JSON was expected, a page for people came";
    assert_eq!(list_bugsnag(&session, &clock).await.unwrap_err().to_string(), words);
    assert!(list_bugsnag(&session, &clock).await.is_ok(), "none of it lasts");
}

#[tokio::test]
async fn a_short_wait_is_waited_out_and_a_long_one_is_handed_back() {
    let pretend = Bugsnag::start();
    let (session, clock) = session(&pretend.api());
    let now = clock.steady();
    pretend.server.next("/errors", Told::text(429, "").with("Retry-After", "12"));
    list_bugsnag(&session, &clock).await.unwrap();
    assert!(passed(&clock, now) >= Duration::from_secs(12));

    let now = clock.steady();
    let told = Told::text(429, "").with("Date", "Tue, 04 Mar 2025 10:00:00 GMT");
    pretend.server.next("/errors", told.clone().with("Retry-After", "Tue, 04 Mar 2025 10:00:40 GMT"));
    list_bugsnag(&session, &clock).await.unwrap();
    assert!(passed(&clock, now) >= Duration::from_secs(40));

    pretend.server.next("/errors", told.with("Retry-After", "Tue, 04 Mar 2025 10:02:00 GMT"));
    let error = list_bugsnag(&session, &clock).await.unwrap_err();
    assert_eq!(error, ApiError::Wait(Duration::from_mins(2)));
    let asked = pretend.server.asked().len();
    let error = list_bugsnag(&session, &clock).await.unwrap_err();
    assert!(matches!(error, ApiError::Wait(_)), "the tracker is left alone meanwhile");
    assert_eq!(pretend.server.asked().len(), asked);
    clock.advance(Duration::from_mins(2));
    list_bugsnag(&session, &clock).await.unwrap();

    pretend.server.next("/errors", Told::text(429, "").with("Retry-After", "9e12"));
    let error = list_bugsnag(&session, &clock).await.unwrap_err();
    assert_eq!(error, ApiError::Wait(Duration::from_hours(6)), "nobody is left alone for ever");
}

#[tokio::test]
async fn a_tracker_that_only_asks_to_wait_is_left_alone_in_the_end() {
    let pretend = Bugsnag::start();
    let (session, clock) = session(&pretend.api());
    pretend.server.always("/projects", Told::text(429, "").with("Retry-After", "0"));
    let error = list_bugsnag(&session, &clock).await.unwrap_err();
    assert_eq!(error, ApiError::Wait(Duration::from_secs(64)), "twice as long each time");
    assert_eq!(pretend.server.asked().len(), 7);
    // Whoever is answered begins anew.
    pretend.server.recover();
    clock.advance(Duration::from_secs(64));
    list_bugsnag(&session, &clock).await.unwrap();
    let now = clock.steady();
    pretend.server.next("/errors", Told::text(429, "").with("Retry-After", "0"));
    list_bugsnag(&session, &clock).await.unwrap();
    assert!(passed(&clock, now) < Duration::from_secs(32));

    let (session, clock) = self::session(&pretend.api());
    pretend.server.always("/projects", Told::text(429, ""));
    let before = pretend.server.asked().len();
    assert!(matches!(list_bugsnag(&session, &clock).await.unwrap_err(), ApiError::Wait(_)));
    assert!(pretend.server.asked().len() - before <= 11, "thirty seconds each where none are told");
}

#[tokio::test]
async fn who_has_no_request_left_is_asked_again_in_the_next_minute() {
    let pretend = Bugsnag::start();
    pretend.with(|known| known.left = Some(2));
    let (session, clock) = session(&pretend.api());
    let began = clock.steady();
    let refill = async {
        while passed(&clock, began) < Duration::from_secs(59) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pretend.with(|known| known.left = Some(10));
    };
    let (listing, ()) = tokio::join!(list_bugsnag(&session, &clock), refill);
    listing.unwrap();
    assert!(passed(&clock, began) >= Duration::from_mins(1));
    assert_eq!(pretend.server.asked().len(), 4, "no request was spent on being refused");
}

#[tokio::test]
async fn what_fails_for_a_moment_is_tried_again_and_what_fails_for_long_is_down() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    for told in
        [Told::text(503, "busy"), Told::text(500, ""), Told::json(200, &json!({"issues": []})).breaking()]
    {
        pretend.server.next("/issues", told.clone());
        pretend.server.next("/issues", told);
        list(&session, &clock).await.unwrap();
    }
    pretend.server.always("/issues", Told::text(502, "<html>"));
    let before = pretend.server.asked().len();
    let error = list(&session, &clock).await.unwrap_err();
    assert_eq!(error, ApiError::Down("it answers 502".to_owned()));
    assert!(error.may_pass());
    assert_eq!(pretend.server.asked().len() - before, 3);
    let api = pretend.api();
    drop(pretend);
    let (session, clock) = self::session(&api);
    let error = list(&session, &clock).await.unwrap_err();
    assert!(
        matches!(&error, ApiError::Down(words) if words.starts_with("no connection could be made")),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let pretend = Bugsnag::start();
    let (session, clock) = session(&pretend.api());
    pretend.server.next("/errors", Told::text(200, &" ".repeat(9 << 20)));
    let error = list_bugsnag(&session, &clock).await.unwrap_err();
    let words = "a list in JSON was expected, and the answer does not end";
    assert_eq!(error, ApiError::Unexpected(words.to_owned()));
}

#[tokio::test]
async fn an_installation_that_signs_for_itself_is_believed_by_its_authority() {
    let (place, certificate) = tls::place();
    let bugle = place.serve();
    let mut api = Bugfender::start().api();
    api.base = format!("https://{}", bugle.address);
    let (stranger, clock) = session(&api);
    let error = list(&stranger, &clock).await.unwrap_err();
    assert!(matches!(&error, ApiError::Down(words) if words.contains("certificate")), "{error}");
    api.authority = Some(certificate);
    let (session, clock) = session(&api);
    // What answers is no tracker, but it answers.
    assert_eq!(list(&session, &clock).await.unwrap_err(), ApiError::Unknown("address"));
    api.authority = Some("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n".to_owned());
    assert!(Session::new(&api, clock).is_err());
}

#[tokio::test]
async fn a_hook_is_made_looked_at_and_undone() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    let target = Secret::new("https://bugle.example/hooks/mobile/a-token-0123456789?type=crash");
    let app = app();
    let hook = patiently(&clock, session.subscribe(&app, "new_crash", &target)).await.unwrap();
    assert_eq!(hook, "21");
    let sent = pretend.server.asked().last().cloned().unwrap();
    assert_eq!(sent.path, "/api/hook/subscribe/");
    let body = json!({"target_url": target.expose(), "event": "new_crash", "app_id": bugfender::APP});
    assert_eq!(sent.json(), Some(body));
    assert_eq!(session.look_at_hook(&hook).await, Ok(HookLook::There));
    assert_eq!(session.unsubscribe(&hook).await, Ok(true));
    assert_eq!(session.unsubscribe(&hook).await, Ok(false));
    assert_eq!(session.look_at_hook(&hook).await, Ok(HookLook::Missing));
    pretend.with(|known| known.tells_no_hooks = true);
    assert_eq!(session.look_at_hook(&hook).await, Ok(HookLook::Untold));
    assert_eq!(session.look_at_hook("../app").await, Ok(HookLook::Untold));
    assert_eq!(pretend.server.lines().last().unwrap(), "GET /api/hook/..%2Fapp/");
    let other = App { number: Some(7), ..App::default() };
    assert_eq!(session.subscribe(&other, "new_crash", &target).await, Err(ApiError::Forbidden));
    let nameless = App::default();
    assert!(matches!(session.subscribe(&nameless, "new_crash", &target).await, Err(ApiError::Unknown(_))));
}

#[tokio::test]
async fn a_hook_is_not_asked_for_twice_when_it_may_have_been_made() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    let target = Secret::new("https://bugle.example/hooks/mobile/a-token-0123456789");
    for told in [Told::text(504, ""), Told::json(201, &json!({"id": 7})).breaking()] {
        pretend.server.next("/subscribe", told);
        let before = pretend.server.lines().iter().filter(|line| line.contains("/subscribe")).count();
        let asked = patiently(&clock, session.subscribe(&app(), "new_crash", &target)).await;
        assert!(matches!(asked, Err(ApiError::Down(_))), "{asked:?}");
        let after = pretend.server.lines().iter().filter(|line| line.contains("/subscribe")).count();
        assert_eq!(after - before, 1);
    }
    pretend.server.next("/subscribe", Told::json(200, &json!({"id": "text-id"})));
    let hook = patiently(&clock, session.subscribe(&app(), "new_crash", &target)).await;
    assert_eq!(hook, Ok("text-id".to_owned()));
    pretend.server.next("/subscribe", Told::json(201, &json!({"event": "new_crash"})));
    let hook = patiently(&clock, session.subscribe(&app(), "new_crash", &target)).await;
    assert!(matches!(hook, Err(ApiError::Unexpected(_))));
}

#[tokio::test]
async fn an_address_that_moved_by_a_slash_is_followed_once_and_no_other() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    let moved = |to: String| Told::text(301, "").with("Location", &to);
    pretend
        .server
        .next("/issues", moved(format!("{}/api/app/{}/issues/", pretend.server.base(), bugfender::APP)));
    list(&session, &clock).await.unwrap();
    let followed =
        pretend.server.asked().iter().find(|asked| asked.path.ends_with("/issues/")).cloned().unwrap();
    assert_eq!(followed.parameter("page"), Some("1"), "the question goes with it");
    for elsewhere in ["https://elsewhere.example/issues/", "/login", "//127.0.0.1:1/api/app/48213/issues/"] {
        pretend.server.next("/issues", moved(elsewhere.to_owned()));
        let error = list(&session, &clock).await.unwrap_err();
        let words = "it answers 301 and points elsewhere";
        assert_eq!(error, ApiError::Unexpected(words.to_owned()), "{elsewhere}");
    }
    pretend.server.always("/issues", moved(format!("/api/app/{}/issues/", bugfender::APP)));
    assert!(list(&session, &clock).await.is_err(), "not in a circle");
    pretend.server.recover();
    assert!(list(&session, &clock).await.is_ok());
}

#[tokio::test]
async fn nothing_secret_gets_into_an_error_or_a_debug_text() {
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    let target = Secret::new("https://bugle.example/hooks/mobile/the-token-of-the-hook?type=crash");
    let mut told = vec![format!("{session:?}{:?}", pretend.api())];
    let subscribed = patiently(&clock, session.subscribe(&app(), "no_event", &target)).await;
    assert_eq!(subscribed, Err(ApiError::BadRequest("cannot call …".to_owned())));
    let echo = |words: &str| Told::json(400, &json!({"message": words}));
    let encoded: String = url::form_urlencoded::byte_serialize(bugfender::SECRET.as_bytes()).collect();
    for words in [bugfender::SECRET, bugfender::CLIENT, &encoded] {
        pretend.with(|known| known.tokens.clear());
        pretend.server.next("/issues", Told::text(401, ""));
        pretend.server.next("/auth/token", echo(&format!("what is {words}?")));
        told.push(list(&session, &clock).await.unwrap_err().to_string());
        list(&session, &clock).await.unwrap();
    }
    let given = pretend.with(|known| format!("token-number-{:04}", known.given));
    for part in ["/issues", "/subscribe"] {
        pretend.server.next(part, echo(&format!("{given} at {}\n{}", target.expose(), "long ".repeat(200))));
        told.push(match part {
            "/issues" => {
                format!("{:?}", list(&session, &clock).await.unwrap_err()).replace(target.expose(), "")
            }
            _ => format!("{:?}", session.subscribe(&app(), "new_crash", &target).await),
        });
    }
    for text in &told {
        for secret in [bugfender::SECRET, bugfender::CLIENT, &encoded, &given, "the-token-of-the-hook"] {
            assert!(!text.contains(secret), "{text} has {secret}");
        }
    }
    assert!(told.iter().skip(1).all(|text| !text.contains('\n') && text.chars().count() < 300), "{told:?}");
}
