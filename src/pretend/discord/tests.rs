//! Each limit of Discord at its last character and one beyond, and its codes.

use super::*;

fn webhook() -> Webhook {
    Webhook { path: "/api/v10/webhooks/123/token".to_owned(), query: String::new(), forum: false }
}

fn post(query: &str, body: &Value) -> Request {
    Request::post("/api/v10/webhooks/123/token", query, body)
}

/// Status and code of the answer; the code is 0 where there is none.
fn judged(request: &Request) -> (u16, u64) {
    let answer = judge(&webhook(), request, 7);
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body.get("code").and_then(Value::as_u64).unwrap_or(0))
}

/// The codes of the form's faults, each with its path.
fn faults(body: &Value) -> Vec<String> {
    fn collect(tree: &Value, path: &str, found: &mut Vec<String>) {
        for (key, below) in tree.as_object().into_iter().flatten() {
            if key == "_errors" {
                let codes = below.as_array().into_iter().flatten();
                found.extend(codes.map(|fault| format!("{path} {}", fault["code"].as_str().unwrap())));
            } else {
                collect(below, &format!("{path}/{key}"), found);
            }
        }
    }
    let answer = judge(&webhook(), &post("wait=true", body), 7);
    let mut found = Vec::new();
    if answer.status != 200 {
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["code"], 50035, "{answer}");
        collect(&answer["errors"], "", &mut found);
    }
    found
}

fn text(length: usize) -> String {
    "ü".repeat(length)
}

#[test]
fn each_limit_is_kept_to_the_character_after_trimming() {
    type Make = fn(String) -> Value;
    let cases: [(&str, usize, Make); 9] = [
        ("/content", 2000, |text| json!({ "content": text })),
        ("/username", 80, |text| json!({ "content": "x", "username": text })),
        ("/embeds/0/title", 256, |text| json!({ "embeds": [{ "title": text }] })),
        ("/embeds/0/description", 4096, |text| json!({ "embeds": [{ "description": text }] })),
        (
            "/embeds/0/fields/0/name",
            256,
            |text| json!({ "embeds": [{ "fields": [{ "name": text, "value": "x" }] }] }),
        ),
        (
            "/embeds/0/fields/0/value",
            1024,
            |text| json!({ "embeds": [{ "fields": [{ "name": "x", "value": text }] }] }),
        ),
        ("/embeds/0/footer/text", 2048, |text| json!({ "embeds": [{ "footer": { "text": text } }] })),
        ("/embeds/0/author/name", 256, |text| json!({ "embeds": [{ "author": { "name": text } }] })),
        ("/thread_name", 100, |text| json!({ "content": "x", "thread_name": text })),
    ];
    for (path, most, make) in cases {
        if path != "/thread_name" {
            assert_eq!(faults(&make(format!(" {}\n", text(most)))), [""; 0], "{path}");
        }
        assert_eq!(faults(&make(text(most + 1))), [format!("{path} BASE_TYPE_MAX_LENGTH")]);
    }
}

#[test]
fn lists_are_limited() {
    let embeds = |n| json!({ "embeds": vec![json!({ "title": "x" }); n] });
    assert_eq!(faults(&embeds(10)), [""; 0]);
    assert_eq!(faults(&embeds(11)), ["/embeds BASE_TYPE_MAX_LENGTH"]);
    let fields = |n| json!({ "embeds": [{ "fields": vec![json!({ "name": "x", "value": "y" }); n] }] });
    assert_eq!(faults(&fields(25)), [""; 0]);
    assert_eq!(faults(&fields(26)), ["/embeds/0/fields BASE_TYPE_MAX_LENGTH"]);
    let users = |n| json!({ "content": "x", "allowed_mentions": { "users": vec!["1"; n] } });
    assert_eq!(faults(&users(100)), [""; 0]);
    assert_eq!(faults(&users(101)), ["/allowed_mentions/users BASE_TYPE_MAX_LENGTH"]);
}

#[test]
fn all_embeds_together_are_limited() {
    let embeds = |last| json!({ "embeds": [{ "description": text(4096) }, { "description": text(last) }] });
    assert_eq!(faults(&embeds(1904)), [""; 0]);
    assert_eq!(faults(&embeds(1905)), ["/embeds MAX_EMBED_SIZE_EXCEEDED"]);
}

#[test]
fn required_texts_must_not_be_blank() {
    let blank = json!({ "embeds": [{
        "fields": [{ "name": " ", "value": "" }], "footer": {}, "author": { "name": "\n" },
    }]});
    assert_eq!(
        faults(&blank),
        [
            "/embeds/0/author/name BASE_TYPE_REQUIRED",
            "/embeds/0/fields/0/name BASE_TYPE_REQUIRED",
            "/embeds/0/fields/0/value BASE_TYPE_REQUIRED",
            "/embeds/0/footer/text BASE_TYPE_REQUIRED",
        ]
    );
}

#[test]
fn addresses_need_a_scheme_and_a_host_with_a_dot() {
    let url = |url: &str| json!({ "embeds": [{ "title": "x", "url": url }] });
    let long = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    assert_eq!(faults(&url(&long(2048))), [""; 0]);
    assert_eq!(faults(&url(&long(2049))), ["/embeds/0/url BASE_TYPE_MAX_LENGTH"]);
    assert_eq!(faults(&url("http://localhost/x")), ["/embeds/0/url URL_TYPE_INVALID_URL"]);
    assert_eq!(faults(&url("http://bugsnag:8080/x")), ["/embeds/0/url URL_TYPE_INVALID_URL"]);
    assert_eq!(faults(&url("example.com")), ["/embeds/0/url URL_TYPE_INVALID_URL"]);
    assert_eq!(faults(&url("ftp://example.com/")), ["/embeds/0/url URL_TYPE_INVALID_SCHEME"]);
    let attached = json!({ "embeds": [{ "image": { "url": "attachment://x.png" } }] });
    assert_eq!(faults(&attached), [""; 0]);
}

#[test]
fn colours_and_times_have_their_types() {
    let embed = |key: &str, value: Value| {
        let mut embed = json!({ "title": "x" });
        embed[key] = value;
        faults(&json!({ "embeds": [embed] }))
    };
    assert_eq!(embed("color", json!(16_777_215)), [""; 0]);
    assert_eq!(embed("color", json!(16_777_216)), ["/embeds/0/color NUMBER_TYPE_MAX"]);
    assert_eq!(embed("color", json!("#d92d20")), ["/embeds/0/color NUMBER_TYPE_COERCE"]);
    assert_eq!(embed("timestamp", json!("2025-03-04T10:00:00.123Z")), [""; 0]);
    assert_eq!(embed("timestamp", json!("yesterday")), ["/embeds/0/timestamp DATE_TIME_TYPE_PARSE"]);
}

#[test]
fn allowed_mentions_are_checked() {
    let allowed = |value: Value| faults(&json!({ "content": "x", "allowed_mentions": value }));
    assert_eq!(allowed(json!({ "parse": ["everyone"], "users": ["1"], "roles": ["2"] })), [""; 0]);
    assert_eq!(allowed(json!({ "parse": ["all"] })), ["/allowed_mentions/parse/0 BASE_TYPE_CHOICES"]);
    assert_eq!(allowed(json!({ "users": ["ann"] })), ["/allowed_mentions/users/0 NUMBER_TYPE_COERCE"]);
    assert_eq!(
        allowed(json!({ "parse": ["users"], "users": ["1"] })),
        ["/allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"]
    );
}

#[test]
fn names_of_the_house_are_refused() {
    assert_eq!(
        faults(&json!({ "content": "x", "username": "Discord bot" })),
        ["/username USERNAME_INVALID_CONTAINS"]
    );
    assert_eq!(faults(&json!({ "content": "x", "flags": 2 })), ["/flags BASE_TYPE_CHOICES"]);
}

#[test]
fn what_shows_nothing_is_refused() {
    for body in [
        json!({}),
        json!({ "content": " " }),
        json!({ "embeds": [{ "color": 3 }] }),
        json!({ "components": [1] }),
    ] {
        assert_eq!(judged(&post("", &body)), (400, 50006), "{body}");
    }
}

#[test]
fn waiting_brings_the_message_back() {
    let body = json!({ "content": "x" });
    assert_eq!(judged(&post("", &body)).0, 204);
    let answer = judge(&webhook(), &post("wait=true", &body), 7);
    let message: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, message["content"].as_str()), (200, Some("x")));
    assert!(message["id"].as_str().is_some_and(is_snowflake));
}

#[test]
fn the_address_and_the_user_agent_are_checked_first() {
    let good = post("", &json!({ "content": "x" }));
    let path = |path: &str| judged(&Request { path: path.to_owned(), ..good.clone() });
    assert_eq!(path("/api/webhooks/123/token"), (204, 0));
    assert_eq!(path("/api/v10/webhooks/123/other"), (401, 50027));
    assert_eq!(path("/api/v10/webhooks/124/token"), (404, 10015));
    assert_eq!(judged(&Request { body: b"x".to_vec(), ..good.clone() }), (400, 50109));
    assert_eq!(judged(&Request { method: "GET".to_owned(), ..good.clone() }), (200, 0));
    let anonymous = good.headers.iter().filter(|(name, _)| name != "user-agent").cloned().collect();
    assert_eq!(judged(&Request { headers: anonymous, ..good }), (403, 40333));
}

#[test]
fn a_forum_needs_a_thread_and_others_take_no_name() {
    let forum = Webhook { forum: true, ..webhook() };
    let code = |webhook: &Webhook, query: &str, body: Value| {
        let answer = judge(webhook, &post(query, &body), 7);
        serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].as_u64()
    };
    let (plain, named) = (json!({ "content": "x" }), json!({ "content": "x", "thread_name": "y" }));
    assert_eq!(code(&forum, "", plain.clone()), Some(220_001));
    assert_eq!(code(&forum, "", named.clone()), None);
    assert_eq!(code(&forum, "thread_id=1", plain.clone()), None);
    assert_eq!(code(&forum, "thread_id=1", named.clone()), Some(220_002));
    assert_eq!(code(&webhook(), "", named), Some(220_003));
    assert_eq!(code(&webhook(), "thread_id=x", plain), Some(50035));
}

#[test]
fn link_buttons_are_checked_only_when_asked_for() {
    let button = |label: usize| {
        json!({ "content": "x", "components": [{ "type": 1, "components": [
            { "type": 2, "style": 5, "label": text(label), "url": "https://example.com/" } ] }] })
    };
    assert_eq!(judged(&post("with_components=true", &button(80))), (204, 0));
    assert_eq!(judged(&post("with_components=true", &button(81))), (400, 50035));
    assert_eq!(judged(&post("", &button(81))), (204, 0));
}

#[test]
fn only_allowed_mentions_in_the_content_ping() {
    let content = "@everyone <@1> <@!2> <@&3> @here";
    let with = |allowed: Value| pings(&json!({ "content": content, "allowed_mentions": allowed }));
    assert_eq!(with(json!({ "parse": [] })), [""; 0]);
    assert_eq!(with(json!({ "parse": ["everyone"], "users": ["2"] })), ["@everyone", "@here", "<@!2>"]);
    assert_eq!(with(json!({ "parse": ["roles"] })), ["<@&3>"]);
    assert_eq!(pings(&json!({ "content": content })).len(), 5);
    assert_eq!(pings(&json!({ "embeds": [{ "description": content }] })), [""; 0]);
}
