//! What bugle does not believe of an answer, what it does not lose by one, and what it never repeats of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bugle::api::{Access, Api, ApiError, App, Credentials, ErrorState, HookLook, Session};
use bugle::clock::{Clock, Moment};
use bugle::secret::Secret;
use serde_json::{Value, json};

use super::bugfender::{self, Bugfender};
use super::bugsnag::{self, Bugsnag, error};
use super::client::{BOTH, UNTIL, list, session, wanted};
use super::listings::{FIRST, LAST, LONG_AGO, crashes, ids, list_bugsnag};
use super::server::{Server, Told};

const PAGE: &str = "<!doctype html><title>404</title><p>We will be back soon";

#[tokio::test]
async fn one_look_proves_the_credentials_and_the_subject() {
    let pretend = Bugfender::start();
    let subject = bugfender::APP.to_string();
    let (session, _) = session(&pretend.api());
    assert_eq!(session.look(&subject).await, Ok(()));
    assert_eq!(pretend.server.lines(), ["POST /auth/token", "GET /api/app/48213"]);
    assert_eq!(session.look("8").await, Err(ApiError::Unknown("application")));
    // An API that does not know the first question is asked for what it is asked for anyway.
    for told in [Told::json(404, &json!({})), Told::text(200, "<html>"), Told::json(403, &json!({}))] {
        pretend.server.next("/api/app/48213", told);
        assert_eq!(session.look(&subject).await, Ok(()));
        assert!(pretend.server.lines().last().unwrap().ends_with("/issues"));
    }
    pretend.with(|known| known.has_no_singles = true);
    pretend.server.next("/api/app/48213", Told::json(404, &json!({})));
    assert_eq!(session.look(&subject).await, Ok(()), "by its groups");
    for (status, expected) in
        [(401, ApiError::Unauthorized), (403, ApiError::Forbidden), (404, ApiError::Unknown("application"))]
    {
        pretend.server.always("/api/", Told::json(status, &json!({})));
        assert_eq!(session.look(&subject).await, Err(expected));
    }

    let pretend = Bugsnag::start();
    let (session, _) = self::session(&pretend.api());
    list_bugsnag(&session, &[]).await;
    let before = pretend.server.asked().len();
    assert_eq!(session.look(bugsnag::PROJECT).await, Ok(()));
    assert_eq!(pretend.server.asked().len() - before, 1, "it is asked for though it is known");
    assert_eq!(session.look("7").await, Err(ApiError::Unknown("project")));
    pretend.server.always("/projects", Told::json(401, &json!({})));
    assert_eq!(session.look(bugsnag::PROJECT).await, Err(ApiError::Unauthorized));
}

#[tokio::test]
async fn that_nothing_is_there_is_believed_of_an_api_but_not_of_a_page_for_people() {
    let pretend = Bugfender::start();
    pretend.with(|known| known.hooks = vec![(21, "new_crash".to_owned(), "https://a.example".to_owned(), 7)]);
    let (session, _) = session(&pretend.api());
    for status in [404, 410] {
        let pages = [
            Told::text(status, PAGE),
            Told::text(status, &format!("\u{feff}\n {PAGE}")),
            Told::text(status, "gone").with("Content-Type", "text/HTML; charset=utf-8"),
        ];
        for page in pages {
            let expected = ApiError::Unexpected(format!("it answers {status}, a page for people came"));
            pretend.server.always("/", page);
            assert_eq!(session.look_at_hook("21").await, Err(expected.clone()));
            assert_eq!(session.unsubscribe("21").await, Err(expected.clone()));
            pretend.server.recover();
            pretend.server.always("/api/", Told::text(status, PAGE));
            assert_eq!(session.look(&bugfender::APP.to_string()).await, Err(expected));
            pretend.server.recover();
        }
        for told in [
            Told::json(status, &json!({"message": "no such hook"})),
            Told::text(status, "not found"),
            Told::text(status, ""),
        ] {
            pretend.server.always("/hook/", told);
            assert_eq!(session.look_at_hook("21").await, Ok(HookLook::Missing));
            assert_eq!(session.unsubscribe("21").await, Ok(false));
            pretend.server.recover();
        }
    }
    // A dashboard may have a page for every address, and it may say that all is well.
    pretend.server.always("/hook/", Told::text(200, PAGE));
    assert_eq!(session.look_at_hook("21").await, Ok(HookLook::Untold));
    assert!(matches!(session.unsubscribe("21").await, Err(ApiError::Unexpected(_))));
    pretend.server.recover();
    assert_eq!(session.look_at_hook("21").await, Ok(HookLook::There));
}

#[tokio::test]
async fn a_page_for_people_where_single_objects_were_is_not_taken_for_the_last_word() {
    let pretend = Bugfender::start();
    pretend.with(|known| {
        known.singles = crashes(0..2);
        known.groups = vec![(1, json!({"hash": "h", "title": "t", "last_seen": LAST}))];
    });
    let (session, clock) = session(&pretend.api());
    for status in [200, 404] {
        pretend.server.next("/issues", Told::text(status, PAGE));
        assert_eq!(ids(&list(&session, &clock).await.unwrap()), ["h"], "groups are there all the same");
        assert_eq!(list(&session, &clock).await.unwrap().found.len(), 3, "single ones are asked for again");
        pretend.server.always("/issues", Told::text(status, PAGE));
        let error = list(&session, &clock).await.unwrap_err();
        assert!(matches!(error, ApiError::Unexpected(_)), "{error}");
        pretend.server.recover();
    }
}

#[tokio::test]
async fn one_list_without_end_leaves_the_others_theirs() {
    // What a page holds of how large things.
    for (count, size) in [(100, 10), (40, 100_000)] {
        let mut number = 0_usize;
        let server = Server::start(move |asked| {
            let things = |count: usize, name: &str, number: usize| -> Vec<Value> {
                let text = "x".repeat(size);
                let thing = |i| json!({"id": format!("{name}-{}", number + i), "title": name, "text": text, "type": "crash"});
                (0..count).map(thing).collect()
            };
            if asked.path == "/auth/token" {
                return Told::json(200, &json!({"access_token": "t"}));
            }
            if asked.path.ends_with("/summary") {
                return Told::json(
                    200,
                    &json!({"data": things(1, "group", 0), "pagination": {"total_pages": 1}}),
                );
            }
            number += count;
            let page = things(count, "single", number);
            Told::json(200, &json!({"issues": page, "total_pages": 1_000_000}))
        });
        let api = Api { base: server.base(), ..Bugfender::start().api() };
        let (session, clock) = session(&api);
        let listing = list(&session, &clock).await.unwrap();
        assert!(listing.is_cut);
        assert!(ids(&listing).contains(&"group-0".to_owned()), "what comes after it is read");
        let kept: usize = listing.found.iter().map(|found| found.element.len()).sum();
        assert!(kept < 48 << 20, "{kept}");
        let singles = server.lines().iter().filter(|line| line.ends_with("/issues")).count();
        assert_eq!(singles, if size > 10 { 4 } else { 100 }, "both states");
    }
}

#[tokio::test]
async fn a_list_that_moves_is_not_cut_because_it_is_read_more_than_once() {
    let mut asked_for = 0_u64;
    let server = Server::start(move |asked| {
        if asked.path.ends_with(bugsnag::PROJECT) {
            return Told::json(200, &bugsnag::project());
        }
        if asked.parameter("filters[event.since][][value]").is_none() {
            return Told::json(200, &json!([]));
        }
        asked_for += 1;
        let offset = asked.number("offset").unwrap_or(0);
        let errors: Vec<_> = (offset..offset + 10)
            .map(|number| error(&format!("ee{number:02}"), FIRST, LAST, "open"))
            .collect();
        // Something comes with every page.
        let told = Told::json(200, &json!(errors)).with("X-Total-Count", &(80 + asked_for).to_string());
        let next = format!("<?filters[event.since][][value]=x&offset={}>; rel=next", offset + 10);
        if offset < 70 { told.with("Link", &next) } else { told }
    });
    let (session, _) = session(&Api { base: server.base(), ..Bugsnag::start().api() });
    let listing = list_bugsnag(&session, &[]).await;
    assert_eq!((listing.found.len(), listing.is_cut), (80, false));
    assert_eq!(session.requests(), 1 + 3 * 8 + 2, "eight pages, three times");
}

#[tokio::test]
async fn errors_that_no_longer_say_when_or_what_they_are_are_no_errors_of_this_api() {
    let pretend = Bugsnag::start();
    let (session, _) = session(&pretend.api());
    let without = |id: &str, names: &[&str]| {
        let mut error = error(id, FIRST, LAST, "open");
        for name in names {
            let value = error.as_object_mut().unwrap().remove(*name).unwrap();
            error[format!("{name}_now")] = value;
        }
        error
    };
    let seen: &[&str] = &["first_seen", "first_seen_unfiltered"];
    for (names, trigger, words) in [
        (seen, "firstException", "a time as `first_seen` was expected in its errors"),
        (&["status"], "reopened", "a `status` was expected in its errors"),
        (&["id"], "reopened", "an `id` was expected in its errors"),
    ] {
        pretend.with(|known| known.errors = vec![without("a", names), without("b", names)]);
        // As the API tells it, not as the pretend one completes it.
        let page = Told::json(200, &json!([without("a", names), without("b", names)]));
        pretend.server.next("/errors", page.clone());
        let error = session.list(wanted(bugsnag::PROJECT, BOTH)).await.unwrap_err();
        assert_eq!(error, ApiError::Unexpected(words.to_owned()));
        let other: &[&'static str] = if trigger == "reopened" { &["firstException"] } else { &["reopened"] };
        pretend.server.next("/errors", page);
        let listing = session.list(wanted(bugsnag::PROJECT, other)).await;
        assert_eq!(listing.is_ok(), names != ["id"], "what is not wanted need not be said");
    }
    let page = Told::json(200, &json!([without("a", seen), error("b", FIRST, LAST, "open")]));
    pretend.server.next("/errors", page);
    let listing = session.list(wanted(bugsnag::PROJECT, &["firstException"])).await.unwrap();
    assert_eq!(listing.found.len(), 1);
    assert!(listing.remark.unwrap().starts_with("some errors do not say when they were seen first"));
}

#[tokio::test]
async fn an_error_that_opens_again_is_left_to_its_webhook_at_first() {
    let pretend = Bugsnag::start();
    let (session, _) = session(&pretend.api());
    let fixed = ErrorState { error_id: "aa".to_owned(), status: "fixed".to_owned(), at: Moment(5) };
    pretend.with(|known| known.errors = vec![error("aa", LONG_AGO, "2025-03-04T10:59:59Z", "open")]);
    let listing = list_bugsnag(&session, std::slice::from_ref(&fixed)).await;
    assert_eq!((listing.found.len(), listing.states[0].status.as_str()), (1, "open"));

    // Seen after what is asked for: nobody knows whether that was what opened it.
    let busy = error("aa", LONG_AGO, "2025-03-04T11:00:30Z", "open");
    pretend.with(|known| known.errors = vec![busy]);
    let listing = list_bugsnag(&session, std::slice::from_ref(&fixed)).await;
    assert_eq!((listing.found.len(), listing.states.len()), (0, 1));
    let reopening = listing.states[0].clone();
    assert_eq!(reopening.at, fixed.at, "it is remembered when it was fixed");
    // One that never rests is told of all the same, the next time.
    let listing = list_bugsnag(&session, std::slice::from_ref(&reopening)).await;
    assert_eq!((listing.found[0].at, listing.states[0].status.as_str()), (fixed.at, "open"));
    // One that is dealt with meanwhile is not.
    pretend.with(|known| known.errors = vec![error("aa", LONG_AGO, LAST, "fixed")]);
    let listing = list_bugsnag(&session, &[reopening]).await;
    assert_eq!((listing.found.len(), listing.states[0].status.as_str()), (0, "fixed"));
    assert_eq!(listing.states[0].at, UNTIL);
}

#[tokio::test]
async fn a_name_that_could_not_be_had_once_is_asked_for_again() {
    let pretend = Bugfender::start();
    pretend.with(|known| known.singles = crashes(0..1));
    let mut api = pretend.api();
    let Access::Bugfender { apps, .. } = &mut api.access else { panic!() };
    apps[0].name = None;
    for told in
        [Told::json(403, &json!({})), Told::json(404, &json!({})), Told::json(200, &json!({"name": " "}))]
    {
        let (session, clock) = session(&api);
        pretend.server.next("/api/app/48213", told);
        let mut names = Vec::new();
        for _ in 0..2 {
            let listing = list(&session, &clock).await.unwrap();
            let element: Value = serde_json::from_str(&listing.found[0].element).unwrap();
            names.push(element["app"]["name"].clone());
        }
        assert_eq!(names, [Value::Null, json!(bugfender::NAME)]);
    }
}

#[tokio::test]
async fn every_request_is_counted_where_it_is_sent_and_those_of_an_asking_apart() {
    let pretend = Bugfender::start();
    let count = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&count);
    let session = Session::new(&pretend.api(), Clock::by_hand(UNTIL)).unwrap();
    let session = session.telling_each(move || {
        counting.fetch_add(1, Ordering::SeqCst);
    });
    let sent = || u64::try_from(pretend.server.asked().len()).unwrap();
    let subject = bugfender::APP.to_string();
    session.list(wanted(&subject, &["crash"])).await.unwrap();
    assert_eq!((count.load(Ordering::SeqCst), session.requests()), (sent(), sent()));
    let asking = session.requests();
    assert_eq!(session.look_at_hook("7").await, Ok(HookLook::Missing));
    session.look(&subject).await.unwrap();
    assert_eq!(session.requests(), asking, "what else is asked meanwhile is no part of it");
    assert_eq!(count.load(Ordering::SeqCst), sent());
    assert_eq!(sent(), asking + 2);
}

#[tokio::test]
async fn no_refusal_repeats_a_webhook_or_what_was_sent() {
    let pretend = Bugfender::start();
    let token = "the-token-of-the-hook";
    let address = format!("https://bugle.example/hooks/mobile/{token}");
    let mut api = pretend.api();
    api.webhook = Some(Secret::new(address.clone()));
    let (fetched, _) = session(&api);
    let Access::Bugfender { credentials, .. } = &mut api.access else { panic!() };
    *credentials = Credentials::Token(Secret::new("a-bearer-token"));
    let (given, _) = session(&api);
    let old = "https://bugle.example/hooks/mobile/the-token-of-last-year?type=crash";
    let other = Secret::new("https://bugle.example/hooks/web/the-token-of-another");
    let app = App { number: Some(bugfender::APP), ..App::default() };
    for session in [&given, &fetched] {
        let bearer = "token-number-0001";
        let said = format!(
            "no: {address}?type=crash, {token}, a-bearer-token, {bearer}, ({old}) {}, the-token-of-another, {} end",
            old.replace('/', "\\/"),
            old.replace("://", "%3A%2F%2F"),
        );
        for told in [
            Told::json(400, &json!({"message": said})),
            Told::json(418, &json!({"errors": [{"detail": said}]})),
            Told::text(418, &said),
        ] {
            pretend.server.always("/api/", told);
            let words = [
                format!("{:?}", session.look_at_hook("21").await),
                format!("{:?}", session.unsubscribe("21").await),
                format!("{:?}", session.look(&bugfender::APP.to_string()).await),
                format!("{:?}", session.subscribe(&app, "new_crash", &other).await),
            ];
            pretend.server.recover();
            let sent = pretend.server.asked().last().unwrap().header("authorization").to_owned();
            for (place, words) in words.iter().enumerate() {
                let is_silent = place == 0 && words == "Ok(Untold)";
                assert!(is_silent || words.contains("no: "), "{words}");
                let own = sent.split_whitespace().last().unwrap();
                for secret in [token, own, "the-token-of-last-year", "bugle.example"] {
                    assert!(!words.contains(secret), "{words} has {secret}");
                }
                assert!(place != 3 || !words.contains("the-token-of-another"), "{words}");
            }
        }
    }
}

/// Counts warnings.
#[derive(Default)]
struct Warnings(Arc<AtomicU64>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn what_cannot_be_had_is_said_once_as_long_as_it_stays_so() {
    let warnings = Warnings::default();
    let count = Arc::clone(&warnings.0);
    let _listening = tracing::subscriber::set_default(warnings);
    let pretend = Bugfender::start();
    let (session, clock) = session(&pretend.api());
    for (is_there, said) in [(true, 0), (false, 1), (false, 1), (true, 1), (false, 2)] {
        if is_there {
            pretend.server.recover();
        } else {
            pretend.server.always("/summary", Told::json(404, &json!({})));
        }
        assert_eq!(list(&session, &clock).await.unwrap().remark.is_none(), is_there);
        assert_eq!(count.load(Ordering::SeqCst), said);
    }
}
