//! Asking about a webhook without posting: what each platform is asked, what its answers mean, and that nothing is shown.

use std::time::Duration;

use serde_json::{Value, json};

use super::{plain, with_options};
use crate::clock::{Clock, Moment};
use crate::delivery::Outcome::{self, Gone, Passing, Refused, Unclear, Wait};
use crate::delivery::Reason;
use crate::delivery::Wait::Told;
use crate::destination::{Address, Client, Destination, PRODUCTS, Pace, Probe, Probed, Reply, Retry};
use crate::flood::FloodControl;
use crate::name::DestinationName;
use crate::pretend::{Answer, Behaviour, Pretend, Product};

const PATIENCE: Duration = Duration::from_secs(10);

const TOKEN: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789";

fn reply(status: u16, body: &str) -> Reply {
    let headers = vec![("retry-after".to_owned(), "30".to_owned())];
    Reply { status, headers, body: body.to_owned(), complete: true, at: Moment(784_111_777_000) }
}

/// What Discord tells of a webhook, `name` and all of its secrets.
fn webhook(name: &str) -> String {
    json!({
        "id": "123456789012345678", "type": 1, "name": name, "channel_id": "199737254929760256",
        "guild_id": "199737254929760257", "token": TOKEN,
        "url": format!("https://discord.com/api/webhooks/123456789012345678/{TOKEN}"),
    })
    .to_string()
}

fn judge(product: &str, status: u16, body: &str) -> Probed {
    plain(product).judge_probe(&reply(status, body))
}

fn expect(product: &str, status: u16, body: &str, expected: (Outcome, Reason)) {
    let found = judge(product, status, body);
    let Probed::Not(verdict) = &found else { panic!("{product}: {status} {body}: {found:?}") };
    assert_eq!((verdict.outcome, verdict.reason), expected, "{product}: {status} {body}");
}

#[test]
fn slack_has_a_webhook_that_it_refuses_an_empty_message_to() {
    for (status, word) in [(400, "no_text"), (400, "invalid_payload"), (400, "no_text\n")] {
        assert_eq!(judge("slack", status, word), Probed::There(String::new()), "{word}");
    }
    assert_eq!(judge("slack", 200, "ok"), Probed::Taken);
    for (status, word, outcome, reason) in [
        (403, "invalid_token", Gone, Reason::WebhookGone),
        (403, "action_prohibited", Gone, Reason::Misconfigured),
        (404, "no_service", Gone, Reason::WebhookGone),
        (404, "no_team", Gone, Reason::WebhookGone),
        (404, "channel_not_found", Gone, Reason::ChannelGone),
        (410, "channel_is_archived", Gone, Reason::ChannelGone),
        (404, "<html>not here</html>", Gone, Reason::WebhookGone),
        (400, "something_new", Refused, Reason::OtherRefusal),
        (429, "rate_limited", Wait(Told(Duration::from_secs(30))), Reason::RateLimited),
        (200, "<html>ok</html>", Unclear, Reason::UnreadableAnswer),
        (302, "", Passing, Reason::Redirected),
        (503, "no_text", Passing, Reason::ServerError),
    ] {
        expect("slack", status, word, (outcome, reason));
    }
}

#[test]
fn discord_tells_of_a_webhook_and_nothing_secret_is_passed_on() {
    let Probed::There(words) = judge("discord", 200, &webhook("Captain Hook")) else { panic!("it is there") };
    assert_eq!(words, "the webhook \"Captain Hook\" of channel 199737254929760256");
    for (status, body, outcome, reason) in [
        (404, r#"{"message":"Unknown Webhook","code":10015}"#, Gone, Reason::WebhookGone),
        (401, r#"{"message":"Invalid Webhook Token","code":50027}"#, Gone, Reason::WebhookGone),
        (403, r#"{"message":"internal network error","code":40333}"#, Gone, Reason::Banned),
        (
            429,
            r#"{"message":"slow","retry_after":30.0,"global":false}"#,
            Wait(Told(Duration::from_secs(30))),
            Reason::RateLimited,
        ),
        (502, "<html>", Passing, Reason::ServerError),
        (301, "", Passing, Reason::Redirected),
        (200, "<html>welcome</html>", Unclear, Reason::UnreadableAnswer),
        (200, "{}", Unclear, Reason::UnreadableAnswer),
        (200, r#"{"id":"1"}"#, Unclear, Reason::UnreadableAnswer),
        (200, r#"{"id":"1","channel_id":"not a number"}"#, Unclear, Reason::UnreadableAnswer),
        (204, "", Unclear, Reason::UnreadableAnswer),
    ] {
        expect("discord", status, body, (outcome, reason));
    }
}

#[test]
fn a_thread_is_not_told_of() {
    let thread = with_options("discord", json!({ "thread_id": "1234567890" })).unwrap();
    let Probed::There(words) = thread.judge_probe(&reply(200, &webhook("x"))) else { panic!("it is there") };
    assert!(words.ends_with("whether its thread is there is not told"), "{words}");
    assert!(matches!(thread.judge_probe(&reply(404, "")), Probed::Not(_)));
}

#[test]
fn no_word_of_an_answer_repeats_a_secret() {
    let hostile = [
        webhook(TOKEN),
        webhook(&format!("https://discord.com/api/webhooks/1/{TOKEN}")),
        webhook(&format!("\u{1b}[2J\u{202E} {TOKEN}")),
        json!({ "message": format!("no {TOKEN}"), "code": 10015 }).to_string(),
        format!("no_text {TOKEN}"),
    ];
    for product in PRODUCTS {
        for (body, status) in
            hostile.iter().flat_map(|body| [200, 204, 302, 400, 404, 429, 500].map(|s| (body, s)))
        {
            let shown = format!("{:?}", judge(product, status, body));
            assert!(!shown.contains(TOKEN) && !shown.contains("u{1b}"), "{product}: {status}: {shown}");
        }
    }
}

#[test]
fn nobody_is_asked_who_might_show_it() {
    assert_eq!(plain("slack").probe(), Some(Probe::Refusable(json!({ "text": "" }))));
    assert_eq!(plain("discord").probe(), Some(Probe::Read));
    assert_eq!(plain("teams").probe(), None);
    assert_eq!(with_options("slack", json!({ "blocks": false })).unwrap().probe(), None);
    for product in PRODUCTS {
        let elsewhere = destination(product, Address::new("https://chat.example.com/hook"));
        assert_eq!(elsewhere.probe(), None);
        let own = destination(product, Address::new("https://hooks.slack.com/services/T/B/x").on_own_host());
        assert_eq!(own.probe(), plain(product).probe());
    }
}

fn destination(product: &str, address: Address) -> Destination {
    Destination {
        name: DestinationName::new("team").unwrap(),
        platform: plain(product),
        address,
        pace: Pace { count: 1, per: Duration::from_secs(1), burst: 1 },
        pace_group: "destination team".to_owned(),
        retry: Retry::default(),
        timeout: PATIENCE,
        fallback: None,
        flood: FloodControl::default(),
    }
}

/// What comes of asking `chat` about its own webhook, or about `url`.
async fn asked(chat: &Pretend, url: &str) -> Probed {
    let product = chat.product().as_str();
    let platform = plain(product);
    let room = destination(product, Address::new(platform.address(url, false)));
    let client = Client::new(Clock::system()).unwrap();
    match client.probe(&room, &platform.probe().unwrap(), PATIENCE).await {
        Ok(reply) => platform.judge_probe(&reply),
        Err(verdict) => Probed::Not(verdict),
    }
}

#[tokio::test]
async fn a_chat_that_is_asked_shows_nothing() {
    for product in [Product::Slack, Product::Discord] {
        let chat = Pretend::start(product).unwrap();
        let found = asked(&chat, &chat.url()).await;
        assert!(matches!(found, Probed::There(_)), "{product}: {found:?}");
        let received = chat.received();
        let [request] = &received[..] else { panic!("{product}: one request") };
        assert!(request.pings.is_empty(), "{product}");
        match product {
            Product::Discord => {
                assert_eq!((request.request.method.as_str(), request.request.query.as_str()), ("GET", ""));
                assert!(request.request.body.is_empty());
            }
            Product::Slack | Product::Teams => assert!(!request.is_shown(), "{product}"),
        }
        // The last part of the address is the secret.
        let found = asked(&chat, &(chat.url() + "0")).await;
        assert!(matches!(&found, Probed::Not(verdict) if verdict.outcome == Gone), "{product}: {found:?}");
        let token = chat.url().rsplit('/').next().unwrap().to_owned();
        assert!(!format!("{found:?}").contains(&token), "{product}");
    }
}

#[tokio::test]
async fn a_chat_that_does_not_answer_is_waited_for_no_longer_than_asked() {
    let mut chat = Pretend::start(Product::Slack).unwrap();
    chat.always(Behaviour::Hang);
    let room = destination("slack", Address::new(chat.url()));
    let client = Client::new(Clock::system()).unwrap();
    let probe = room.platform.probe().unwrap();
    let verdict = client.probe(&room, &probe, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!((verdict.outcome, verdict.reason), (Unclear, Reason::Timeout));
    chat.stop();
    let verdict = client.probe(&room, &probe, PATIENCE).await.unwrap_err();
    assert_eq!((verdict.outcome, verdict.reason), (Passing, Reason::Connect));
    assert!(!verdict.words.contains("services"), "{verdict:?}");
}

#[tokio::test]
async fn the_time_at_the_platform_is_read_from_its_answer() {
    let chat = Pretend::start(Product::Slack).unwrap();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (date, told) in [(Some(date), Some(Moment(784_111_777_000))), (Some("today"), None), (None, None)] {
        let answer = Answer::text(400, "no_text");
        let answer = match date {
            Some(date) => answer.with("Date", date),
            None => answer,
        };
        chat.script([Behaviour::Answer(answer)]);
        let room = destination("slack", Address::new(chat.url()));
        let client = Client::new(Clock::system()).unwrap();
        let reply = client.probe(&room, &Probe::Refusable(Value::Null), PATIENCE).await.unwrap();
        assert_eq!(reply.told_time(), told, "{date:?}");
    }
}
