//! Each limit of Slack at its last character and one beyond.

use serde_json::json;

use super::*;

fn webhook() -> Webhook {
    Webhook { path: "/services/T1/B1/secret".to_owned(), query: String::new(), forum: false }
}

/// Status and body of the answer to `body`.
fn answer(body: &Value) -> (u16, String) {
    let answer = judge(&webhook(), &Request::post("/services/T1/B1/secret", "", body));
    (answer.status, answer.body_text())
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

fn refused(word: &str) -> (u16, String) {
    (400, word.to_owned())
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

/// What is limited, its largest size, and a block in which it has a given size.
type Limit = (&'static str, usize, fn(usize) -> Value);

fn limits_of_text() -> [Limit; 8] {
    [
        ("section text", 3000, |n| json!({ "type": "section", "text": mrkdwn(n) })),
        ("fields", 10, |n| json!({ "type": "section", "fields": vec![mrkdwn(1); n] })),
        ("field", 2000, |n| json!({ "type": "section", "fields": [mrkdwn(n)] })),
        ("header", 150, |n| json!({ "type": "header", "text": plain(n) })),
        ("context", 10, |n| json!({ "type": "context", "elements": vec![mrkdwn(1); n] })),
        ("context text", 3000, |n| json!({ "type": "context", "elements": [plain(n)] })),
        ("markdown", 12_000, |n| json!({ "type": "markdown", "text": text(n) })),
        ("block id", 255, |n| json!({ "type": "divider", "block_id": text(n) })),
    ]
}

fn limits_of_buttons() -> [Limit; 5] {
    [
        (
            "actions",
            25,
            |n| json!({ "type": "actions", "elements": vec![json!({ "type": "button", "text": plain(1) }); n] }),
        ),
        (
            "button text",
            75,
            |n| json!({ "type": "actions", "elements": [{ "type": "button", "text": plain(n) }] }),
        ),
        ("button url", 3000, |n| button_with("url", n)),
        ("button value", 2000, |n| button_with("value", n)),
        ("action id", 255, |n| button_with("action_id", n)),
    ]
}

fn limits_of_the_rest() -> [Limit; 5] {
    [
        ("image url", 3000, |n| json!({ "type": "image", "image_url": text(n), "alt_text": "x" })),
        ("alt text", 2000, |n| json!({ "type": "image", "image_url": "x", "alt_text": text(n) })),
        (
            "image title",
            2000,
            |n| json!({ "type": "image", "image_url": "x", "alt_text": "x", "title": plain(n) }),
        ),
        ("table rows", 100, |n| json!({ "type": "table", "rows": vec![vec![cell(); 1]; n] })),
        ("table columns", 20, |n| json!({ "type": "table", "rows": [vec![cell(); n]] })),
    ]
}

fn mrkdwn(length: usize) -> Value {
    json!({ "type": "mrkdwn", "text": text(length) })
}

fn plain(length: usize) -> Value {
    json!({ "type": "plain_text", "text": text(length) })
}

fn cell() -> Value {
    json!({ "type": "raw_text", "text": "x" })
}

#[test]
fn each_block_limit_is_kept_to_the_character() {
    let limits = [limits_of_text().as_slice(), &limits_of_buttons(), &limits_of_the_rest()].concat();
    for (name, most, make) in limits {
        for (size, expected) in [(most, ok()), (most + 1, refused("invalid_blocks"))] {
            assert_eq!(answer(&json!({ "text": "x", "blocks": [make(size)] })), expected, "{name} of {size}");
        }
        let in_attachment = json!({ "text": "x", "attachments": [{ "blocks": [make(most + 1)] }] });
        assert_eq!(answer(&in_attachment), refused("invalid_attachments"), "{name}");
    }
    let empty = json!({ "blocks": [{ "type": "section", "text": plain(0) }] });
    assert_eq!(answer(&empty), refused("invalid_blocks"));
}

fn button_with(key: &str, length: usize) -> Value {
    let mut button = json!({ "type": "button", "text": { "type": "plain_text", "text": "x" } });
    button[key] = json!(text(length));
    json!({ "type": "actions", "elements": [button] })
}

#[test]
fn the_number_of_blocks_and_attachments_is_limited() {
    let blocks = |n| json!({ "blocks": vec![json!({ "type": "divider" }); n] });
    assert_eq!(answer(&blocks(50)), ok());
    assert_eq!(answer(&blocks(51)), refused("invalid_blocks"));
    let attachments = |n| json!({ "attachments": vec![json!({ "text": "x" }); n] });
    assert_eq!(answer(&attachments(100)), ok());
    assert_eq!(answer(&attachments(101)), refused("too_many_attachments"));
}

#[test]
fn all_text_together_is_limited() {
    let section = |n| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text(n) } });
    let blocks = |last| json!({ "blocks": [section(3000), section(3000), section(3000), section(3000), section(last)] });
    assert_eq!(answer(&blocks(1000)), ok());
    assert_eq!(answer(&blocks(1001)), refused("msg_blocks_too_long"));
}

#[test]
fn an_escape_counts_with_all_its_characters_and_an_emoji_as_two() {
    let section = |text: String| json!({ "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": text } }] });
    assert_eq!(answer(&section("&amp;".repeat(600))), ok());
    assert_eq!(answer(&section("&amp;".repeat(601))), refused("invalid_blocks"));
    assert_eq!(answer(&section("🔴".repeat(1500))), ok());
    assert_eq!(answer(&section("🔴".repeat(1501))), refused("invalid_blocks"));
}

#[test]
fn what_shows_nothing_is_refused() {
    assert_eq!(answer(&json!({})), refused("no_text"));
    assert_eq!(answer(&json!({ "text": " \n" })), refused("no_text"));
    assert_eq!(answer(&json!({ "blocks": [] })), refused("no_text"));
    let colour_alone = json!({ "attachments": [{ "color": "#d92d20" }] });
    assert_eq!(answer(&colour_alone), refused("missing_text_or_fallback_or_attachments"));
    let empty_leaf = json!({ "blocks": [{ "type": "rich_text", "elements": [
        { "type": "rich_text_section", "elements": [{ "type": "text", "text": "" }] } ] }] });
    assert_eq!(answer(&empty_leaf), refused("invalid_blocks"));
}

#[test]
fn unknown_shapes_are_refused() {
    for block in [
        json!({ "type": "sections", "text": { "type": "mrkdwn", "text": "x" } }),
        json!({ "type": "section" }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x", "emoji": true } }),
        json!({ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }),
        json!({ "type": "rich_text", "elements": [{ "type": "text", "text": "x" }] }),
        json!({ "type": "rich_text", "elements": [{ "type": "rich_text_section",
            "elements": [{ "type": "link", "url": "/relative" }] }] }),
        json!("section"),
    ] {
        assert_eq!(answer(&json!({ "blocks": [block] })), refused("invalid_blocks"), "{block}");
    }
    assert_eq!(answer(&json!({ "text": "x", "blocks": {} })), refused("invalid_blocks_format"));
    let twice = json!({ "type": "divider", "block_id": "a" });
    assert_eq!(answer(&json!({ "blocks": [twice.clone(), twice] })), refused("invalid_blocks"));
}

#[test]
fn rich_text_is_checked_in_all_its_parts() {
    let leaf = json!({ "type": "text", "text": "x", "style": { "bold": true, "strike": true } });
    let part = |kind: &str, leaf: &Value| json!({ "type": format!("rich_text_{kind}"), "elements": [leaf] });
    let list = |more: Value| {
        let mut list =
            json!({ "type": "rich_text_list", "style": "ordered", "elements": [part("section", &leaf)] });
        list.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        list
    };
    let answer = |part: Value| answer(&json!({ "blocks": [{ "type": "rich_text", "elements": [part] }] }));
    for good in [
        part("section", &leaf),
        part("quote", &leaf),
        part("preformatted", &leaf),
        list(json!({ "offset": 6 })),
    ] {
        assert_eq!(answer(good.clone()), ok(), "{good}");
    }
    for bad in [
        list(json!({ "offset": -1 })),
        list(json!({ "style": "dotted" })),
        list(json!({ "elements": [leaf] })),
        list(json!({ "elements": [] })),
        list(json!({ "elements": [part("quote", &leaf)] })),
        part("quote", &json!({ "type": "text", "text": "x", "style": { "bold": "yes" } })),
        part("quote", &json!({ "type": "text", "text": "x", "style": { "loud": true } })),
        part("quote", &json!({ "type": "text", "text": "" })),
    ] {
        assert_eq!(answer(bad.clone()), refused("invalid_blocks"), "{bad}");
    }
}

#[test]
fn the_request_itself_is_checked_first() {
    let body = json!({ "text": "x" });
    let good = Request::post("/services/T1/B1/secret", "", &body);
    let judged = |request: Request| {
        let answer = judge(&webhook(), &request);
        (answer.status, answer.body_text())
    };
    let path = |path: &str| judged(Request { path: path.to_owned(), ..good.clone() });
    assert_eq!(path("/services/T1/B1/other"), (403, "invalid_token".to_owned()));
    assert_eq!(path("/services/T1/B2/secret"), (404, "no_service".to_owned()));
    assert_eq!(judged(Request { method: "GET".to_owned(), ..good.clone() }).0, 405);
    assert_eq!(judged(Request { body: b"{".to_vec(), ..good.clone() }), refused("invalid_payload"));
    assert_eq!(judged(Request { headers: Vec::new(), ..good }), refused("invalid_payload"));
}

#[test]
fn pings_are_found_wherever_slack_would_act_on_them() {
    let body = json!({
        "text": "<!here> &lt;!channel&gt; @everyone",
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": "<@U2> <!channel>", "verbatim": true } },
            { "type": "rich_text", "elements": [{ "type": "rich_text_quote", "elements": [
                { "type": "user", "user_id": "U3" }, { "type": "text", "text": "<@U4>" } ] }] },
        ],
        "attachments": [{
            "fallback": "<!channel>",
            "title": "<@U1|ann>",
            "blocks": [
                { "type": "section", "text": { "type": "mrkdwn", "text": "<!subteam^S1|@team> <https://a.b|c>", "verbatim": true } },
                { "type": "section", "text": { "type": "mrkdwn", "text": "@channel" } },
                { "type": "section", "text": { "type": "plain_text", "text": "<!channel>" } },
                { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
                    { "type": "text", "text": "<!channel>" }, { "type": "broadcast", "range": "here" } ] }] },
            ],
        }],
    });
    let found = ["<!here>", "<@U1>", "<!subteam^S1>", "@channel", "<!here>", "<@U2>", "<!channel>", "<@U3>"];
    assert_eq!(pings(&body), found);
    assert_eq!(pings(&json!({ "text": "@here", "link_names": true })), ["@here"]);
}
