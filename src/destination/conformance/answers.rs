//! What comes back: every row of the platforms' tables, the waits in all their forms, and answers that say nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::plain;
use crate::clock::Moment;
use crate::delivery::Outcome::{self, Delivered, Gone, Passing, Refused, Unclear, Wait, WaitEverywhere};
use crate::delivery::Wait::{Told, Untold};
use crate::delivery::{Reason, Verdict};
use crate::destination::{PRODUCTS, Reply};
use crate::metrics::is_known_end;

fn reply(status: u16, body: &str, headers: &[(&str, &str)]) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    // Sun, 06 Nov 1994 08:49:37 GMT
    Reply { status, headers, body: body.to_owned(), complete: true, at: Moment(784_111_777_000) }
}

fn judge(product: &str, status: u16, body: &str) -> Verdict {
    let verdict = plain(product).judge(&reply(status, body, &[]));
    assert!(is_known_end(verdict.outcome, verdict.reason), "not among the metrics' labels: {verdict:?}");
    verdict
}

fn expect(product: &str, status: u16, body: &str, outcome: Outcome, reason: Reason) {
    let verdict = judge(product, status, body);
    assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{product}: {status} {body}");
    assert_eq!(verdict.status, Some(status));
    assert!(!verdict.words.is_empty() && verdict.words.chars().count() <= 201, "{verdict:?}");
}

#[test]
fn slack_refuses_by_a_word() {
    for (status, word, outcome, reason) in [
        (200, "ok", Delivered, Reason::Ok),
        (200, "ok\n", Delivered, Reason::Ok),
        (200, "", Unclear, Reason::UnreadableAnswer),
        (200, "okay", Unclear, Reason::UnreadableAnswer),
        (200, "<html>ok</html>", Unclear, Reason::UnreadableAnswer),
        (202, "ok", Unclear, Reason::UnreadableAnswer),
        (400, "invalid_payload", Refused, Reason::InvalidPayload),
        (400, "no_text", Refused, Reason::InvalidPayload),
        (400, "invalid_blocks", Refused, Reason::InvalidPayload),
        (400, "invalid_blocks_format", Refused, Reason::InvalidPayload),
        (400, "invalid_attachments", Refused, Reason::InvalidPayload),
        (400, "missing_text_or_fallback_or_attachments", Refused, Reason::InvalidPayload),
        (400, "msg_too_long", Refused, Reason::TooLong),
        (400, "msg_blocks_too_long", Refused, Reason::TooLong),
        (400, "too_many_attachments", Refused, Reason::TooLong),
        (400, "user_not_found", Refused, Reason::Misconfigured),
        (403, "invalid_token", Gone, Reason::WebhookGone),
        (403, "action_prohibited", Gone, Reason::Misconfigured),
        (403, "posting_to_general_channel_denied", Gone, Reason::Misconfigured),
        (403, "team_disabled", Gone, Reason::WebhookGone),
        (404, "team_disabled", Gone, Reason::WebhookGone),
        (404, "no_team", Gone, Reason::WebhookGone),
        (404, "no_service", Gone, Reason::WebhookGone),
        (404, "no_service_id", Gone, Reason::WebhookGone),
        (404, "no_active_hooks", Gone, Reason::WebhookGone),
        (404, "channel_not_found", Gone, Reason::ChannelGone),
        (404, "<html>not here</html>", Gone, Reason::WebhookGone),
        (410, "channel_is_archived", Gone, Reason::ChannelGone),
        (400, "something_new", Refused, Reason::OtherRefusal),
        (418, "", Refused, Reason::OtherRefusal),
        (400, r#"{"ok":false,"error":"invalid_blocks"}"#, Refused, Reason::InvalidPayload),
        (500, "rollup_error", Passing, Reason::ServerError),
    ] {
        expect("slack", status, word, outcome, reason);
    }
    assert_eq!(judge("slack", 400, "invalid_blocks\n").words, "invalid_blocks");
}

#[test]
fn a_workflow_refuses_by_a_code() {
    for (status, code, outcome, reason) in [
        (400, "WorkflowTriggerIsNotEnabled", Gone, Reason::WebhookGone),
        (400, "TriggerInputSchemaMismatch", Refused, Reason::Misconfigured),
        (400, "InvalidRequestContent", Refused, Reason::InvalidPayload),
        (400, "SomethingNew", Refused, Reason::OtherRefusal),
        (401, "DirectApiAuthorizationRequired", Gone, Reason::Misconfigured),
        (401, "DirectApiRequestHasMoreThanOneAuthorization", Gone, Reason::Misconfigured),
        (401, "AuthorizationFailed", Gone, Reason::Misconfigured),
        (403, "AuthorizationFailed", Gone, Reason::Misconfigured),
        (404, "WorkflowNotFound", Gone, Reason::WebhookGone),
        (404, "NotFound", Gone, Reason::WebhookGone),
        (413, "RequestEntityTooLarge", Refused, Reason::TooLong),
        (500, "InternalServerError", Passing, Reason::ServerError),
        (502, "NoResponse", Passing, Reason::ServerError),
        (503, "ServiceUnavailable", Passing, Reason::ServerError),
        (504, "GatewayTimeout", Passing, Reason::ServerError),
        // An error is one whatever its status.
        (202, "WorkflowTriggerIsNotEnabled", Gone, Reason::WebhookGone),
        (200, "GatewayTimeout", Passing, Reason::ServerError),
        (200, "SomethingNew", Unclear, Reason::UnreadableAnswer),
    ] {
        let body = json!({"error": {"code": code, "message": "Not today."}}).to_string();
        expect("teams", status, &body, outcome, reason);
        assert_eq!(judge("teams", status, &body).words, format!("{code} Not today."));
    }
    for (status, body, outcome, reason) in [
        (202, "", Delivered, Reason::Ok),
        (200, "1", Delivered, Reason::Ok),
        (200, "{\"posted\": true}", Delivered, Reason::Ok),
        (
            200,
            "Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
            Wait(Untold(Duration::from_secs(10))),
            Reason::RateLimited,
        ),
        (200, "Microsoft Teams endpoint returned HTTP error 413 with ContextId x", Refused, Reason::TooLong),
        (
            200,
            "Microsoft Teams endpoint returned HTTP error 400 with ContextId x",
            Refused,
            Reason::OtherRefusal,
        ),
        (
            200,
            "Microsoft Teams endpoint returned HTTP error 503 with ContextId x",
            Passing,
            Reason::ServerError,
        ),
        (200, "a flow's own response", Delivered, Reason::Ok),
        (200, "\n<!DOCTYPE html><title>Sign in</title>", Unclear, Reason::UnreadableAnswer),
    ] {
        expect("teams", status, body, outcome, reason);
    }
}

#[test]
fn discord_refuses_by_a_number() {
    for (status, code, outcome, reason) in [
        (400, 50006, Refused, Reason::InvalidPayload),
        (400, 50035, Refused, Reason::InvalidPayload),
        (400, 50109, Refused, Reason::InvalidPayload),
        (400, 0, Refused, Reason::InvalidPayload),
        (400, 220_001, Refused, Reason::Misconfigured),
        (400, 220_002, Refused, Reason::Misconfigured),
        (400, 220_003, Refused, Reason::Misconfigured),
        (400, 220_004, Refused, Reason::Misconfigured),
        (400, 40067, Refused, Reason::Misconfigured),
        (400, 200_000, Refused, Reason::Blocked),
        (400, 240_000, Refused, Reason::Blocked),
        (400, 160_005, Refused, Reason::Misconfigured),
        (400, 50083, Refused, Reason::Misconfigured),
        (400, 99999, Refused, Reason::OtherRefusal),
        (401, 50027, Gone, Reason::WebhookGone),
        (401, 0, Gone, Reason::WebhookGone),
        (403, 50013, Gone, Reason::Misconfigured),
        (403, 50001, Gone, Reason::Misconfigured),
        (403, 40004, Gone, Reason::Misconfigured),
        (403, 40333, Gone, Reason::Banned),
        (404, 10015, Gone, Reason::WebhookGone),
        (404, 10003, Gone, Reason::ChannelGone),
        (404, 10008, Refused, Reason::OtherRefusal),
        (405, 0, Refused, Reason::OtherRefusal),
        (413, 40005, Refused, Reason::TooLong),
        (500, 0, Passing, Reason::ServerError),
        (503, 130_000, Passing, Reason::ServerError),
        (200, 10015, Gone, Reason::WebhookGone),
    ] {
        let body = json!({"message": "No.", "code": code});
        expect("discord", status, &body.to_string(), outcome, reason);
        assert_official("ErrorResponse", &body);
        assert_eq!(judge("discord", status, &body.to_string()).words, format!("{code} No."));
    }
    for (status, body, outcome, reason) in [
        (204, "", Delivered, Reason::Ok),
        (200, "", Unclear, Reason::UnreadableAnswer),
        (200, "{}", Unclear, Reason::UnreadableAnswer),
        (200, "<html>", Unclear, Reason::UnreadableAnswer),
        (200, r#"{"id":"#, Unclear, Reason::UnreadableAnswer),
        (400, "not json", Refused, Reason::OtherRefusal),
        (400, r#"{"content":["Must be 2000 or fewer in length."]}"#, Refused, Reason::TooLong),
        (404, "", Gone, Reason::WebhookGone),
    ] {
        expect("discord", status, body, outcome, reason);
    }
}

#[test]
fn discord_tells_the_message_and_when_to_rest() {
    let message = r#"{"type":0,"content":"","embeds":[],"id":"1300000000000000001"}"#;
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "1.25")];
    let verdict = plain("discord").judge(&reply(200, message, &headers));
    assert_eq!((verdict.outcome, verdict.reason), (Delivered, Reason::Ok));
    assert_eq!(verdict.message_id.as_deref(), Some("1300000000000000001"));
    assert_eq!(verdict.rest, Some(Duration::from_millis(1_250)));

    let verdict = plain("discord").judge(&reply(204, "", &[("x-ratelimit-remaining", "3"), headers[1]]));
    assert_eq!((verdict.outcome, verdict.message_id, verdict.rest), (Delivered, None, None));

    // A message so long that not all of the answer was read is a message.
    let cut = format!("{{\"type\":0,\"content\":\"{}", "x".repeat(65_000));
    assert_eq!(judge("discord", 200, &cut).outcome, Delivered);
}

#[test]
fn discord_says_where_the_mistake_is() {
    let errors = json!({"embeds": {"0": {"fields": {"3": {"value": {"_errors": [
        {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 1024 or fewer in length."}]}}}}}});
    let body = json!({"code": 50035, "message": "Invalid Form Body", "errors": errors}).to_string();
    let verdict = judge("discord", 400, &body);
    assert_eq!((verdict.outcome, verdict.reason), (Refused, Reason::TooLong));
    assert_eq!(
        verdict.words,
        "50035 Invalid Form Body (embeds.0.fields.3.value: Must be 1024 or fewer in length.)"
    );
}

#[test]
fn what_is_not_an_answer_of_the_platform_is_judged_alike_everywhere() {
    for product in PRODUCTS {
        for status in [301, 302, 307, 308] {
            expect(product, status, "", Passing, Reason::Redirected);
        }
        for status in [408, 500, 502, 503, 504, 520, 524, 599] {
            expect(product, status, "<html>Bad gateway</html>", Passing, Reason::ServerError);
        }
        for status in [402, 406, 415, 422, 451] {
            expect(product, status, "", Refused, Reason::OtherRefusal);
        }
        for status in [401, 404, 410] {
            assert_eq!(judge(product, status, "").outcome, Gone, "{product}: {status}");
        }
        for status in [100, 199, 600, 999] {
            expect(product, status, "", Unclear, Reason::UnreadableAnswer);
        }
        for status in [200, 202, 204] {
            let broken = Reply { complete: false, ..reply(status, "ok", &[]) };
            let verdict = plain(product).judge(&broken);
            assert_eq!(
                (verdict.outcome, verdict.reason),
                (Unclear, Reason::UnreadableAnswer),
                "{product}: {status}"
            );
        }
    }
}

#[test]
fn the_wait_is_the_one_the_platform_asks_for() {
    let minutes = Duration::from_mins;
    for product in PRODUCTS {
        for (value, wait) in [
            ("30", Duration::from_secs(30)),
            ("0.75", Duration::from_millis(750)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Duration::from_secs(30)),
            ("0", Duration::from_millis(50)),
            ("Sun, 06 Nov 2044 08:50:07 GMT", minutes(24 * 60)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Duration::from_secs(30)),
            ("Sun Nov  6 08:50:07 1994", Duration::from_secs(30)),
            ("Tue, 06 Nov 1984 08:50:07 GMT", Duration::from_millis(50)),
            ("99999999999999999999999999", minutes(24 * 60)),
        ] {
            let verdict = plain(product).judge(&reply(429, "", &[("retry-after", value)]));
            assert_eq!(
                (verdict.outcome, verdict.reason),
                (Wait(Told(wait)), Reason::RateLimited),
                "{product}: {value}"
            );
        }
        let without = match product {
            "slack" => (Wait(Untold(Duration::from_secs(1))), Reason::RateLimited),
            "teams" => (Wait(Untold(Duration::from_secs(10))), Reason::RateLimited),
            _ => (WaitEverywhere(Untold(minutes(10))), Reason::Banned),
        };
        for unreadable in [
            "",
            "soon",
            "-5",
            "NaN",
            "inf",
            "1e9",
            "0x10",
            "30 s",
            "Sun, 31 Feb 1994 08:50:07 GMT",
            "Sun, 06 Nov",
        ]
        .map(|value| [("retry-after", value)])
        .each_ref()
        .map(<[_; 1]>::as_slice)
        .into_iter()
        .chain([&[][..]])
        {
            let verdict = plain(product).judge(&reply(429, "error code: 1015", unreadable));
            assert_eq!((verdict.outcome, verdict.reason), without, "{product}: {unreadable:?}");
        }
    }
    expect(
        "slack",
        429,
        r#"{"retry_after":7,"ok":false,"error":"rate_limited"}"#,
        Wait(Told(Duration::from_secs(7))),
        Reason::RateLimited,
    );
}

#[test]
fn discords_waits_are_read_in_all_versions() {
    let limited = |retry_after: Value, global: bool, headers: &[(&str, &str)]| {
        let body =
            json!({"message": "You are being rate limited.", "retry_after": retry_after, "global": global});
        let verdict = plain("discord").judge(&reply(429, &body.to_string(), headers));
        (verdict.outcome, verdict.reason)
    };
    let wait = |ms| (Wait(Told(Duration::from_millis(ms))), Reason::RateLimited);
    let everywhere = |ms| (WaitEverywhere(Told(Duration::from_millis(ms))), Reason::RateLimited);
    let reset = |value| ("x-ratelimit-reset-after", value);

    assert_eq!(limited(json!(64.57), false, &[("retry-after", "65"), reset("64.57")]), wait(64_570));
    assert_eq!(
        limited(json!(57.1), false, &[("retry-after", "58"), reset("0.06"), ("x-ratelimit-scope", "shared")]),
        wait(57_100)
    );
    assert_eq!(limited(json!(1), false, &[("retry-after", "1"), reset("1")]), wait(1_000));
    assert_eq!(limited(json!(30), false, &[("retry-after", "30"), reset("1.03")]), wait(30_000));
    assert_eq!(limited(json!(0.3), true, &[]), everywhere(300));
    assert_eq!(limited(json!(0.3), false, &[("x-ratelimit-global", "true")]), everywhere(300));
    assert_eq!(limited(json!(-1), false, &[("retry-after", "3")]), wait(3_000));
    assert_eq!(limited(json!(1e300), false, &[]), wait(86_400_000));
    assert_eq!(limited(json!("soon"), false, &[reset("2.5")]), wait(2_500));
    // Version 6 tells milliseconds, as integers.
    assert_eq!(limited(json!(64_570), false, &[("retry-after", "64570"), reset("64.57")]), wait(64_570));
    assert_eq!(limited(json!(457), false, &[("retry-after", "457"), reset("0.457")]), wait(457));
    assert_eq!(limited(json!(64_570), false, &[("retry-after", "64570")]), wait(64_570));
    assert_eq!(
        plain("discord").judge(&reply(429, "", &[("retry-after", "64570"), reset("64.57")])).outcome,
        wait(64_570).0
    );
    // The edge tells seconds, and many of them; it has shut out our address, not one webhook.
    let edge = plain("discord").judge(&reply(429, "error code: 1015", &[("retry-after", "1800")]));
    assert_eq!((edge.outcome, edge.reason), (everywhere(1_800_000).0, Reason::Banned));
    let body = json!({"code": 0, "message": "You are being blocked from accessing our API temporarily due to exceeding our rate limits frequently."});
    let edge = plain("discord").judge(&reply(429, &body.to_string(), &[]));
    assert_eq!(
        (edge.outcome, edge.reason),
        (WaitEverywhere(Untold(Duration::from_mins(10))), Reason::Banned)
    );
    // What a user wrote and Discord repeats is not the edge's word.
    let repeated = json!({"message": "blocked from accessing our API", "retry_after": 2.5, "global": false});
    let headers = [("x-ratelimit-scope", "user")];
    let verdict = plain("discord").judge(&reply(429, &repeated.to_string(), &headers));
    assert_eq!((verdict.outcome, verdict.reason), wait(2_500));

    assert_official(
        "RatelimitedResponse",
        &json!({"message": "x", "code": 0, "retry_after": 64.57, "global": false}),
    );
}

/// Panics unless `body` is one that Discord says it answers with.
fn assert_official(kind: &str, body: &Value) {
    let schema = include_str!("../../../tests/fixtures/schemas/discord-responses.schema.json");
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{kind}"));
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(body), "{kind}: {body}");
}

#[test]
fn no_verdict_repeats_the_address() {
    for (product, url) in [
        ("slack", "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/XyZ0123456789abcdefghijk"),
        (
            "teams",
            "https://default1.2.environment.api.powerplatform.com:443/workflows/9/triggers/manual/paths/invoke?sp=%2Ft&sig=Se-Cret_42",
        ),
        (
            "discord",
            "https://discord.com/api/v10/webhooks/123456789012345678/AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        ),
    ] {
        let path = url.split_once("://").unwrap().1;
        let secret = url.rsplit(['/', '=']).next().unwrap();
        for echo in [url, path, path.split_once('/').unwrap().1] {
            for body in [
                format!("nothing at {echo}"),
                format!("<p>{echo}</p>"),
                json!({"code": 10015, "message": format!("Unknown Webhook {echo}!")}).to_string(),
                json!({"error": {"code": echo, "message": format!("({echo})")}}).to_string(),
                json!({"error": format!("no:{echo}")}).to_string(),
                json!({"url": echo}).to_string(),
            ] {
                for status in [200, 202, 302, 400, 404, 429, 500] {
                    let reply = reply(status, &body, &[("location", url)]);
                    let verdict = plain(product).judge(&reply);
                    let shown = format!("{verdict:?} {reply:?}");
                    assert!(!shown.contains(secret), "{product}: {status} {body} -> {shown}");
                }
            }
        }
    }
}

#[test]
fn a_date_to_wait_for_is_reckoned_by_the_platforms_own_clock() {
    for product in PRODUCTS {
        // Ours is ten minutes ahead of theirs.
        let headers =
            [("date", "Sun, 06 Nov 1994 08:39:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:40:37 GMT")];
        let verdict = plain(product).judge(&reply(429, "", &headers));
        assert_eq!(verdict.outcome, Wait(Told(Duration::from_mins(1))), "{product}");
        let unreadable = [("date", "today"), ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")];
        let verdict = plain(product).judge(&reply(429, "", &unreadable));
        assert_eq!(verdict.outcome, Wait(Told(Duration::from_mins(1))), "{product}");
    }
}
