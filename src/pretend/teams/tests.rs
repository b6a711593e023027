//! What Teams shows, and what it would silently lose.

use super::*;

const QUERY: &str = "api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=secret";

fn webhook() -> Webhook {
    Webhook { path: "/workflows/1/paths/invoke".to_owned(), query: QUERY.to_owned(), forum: false }
}

fn message(card: &Value) -> Value {
    json!({ "type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    }]})
}

fn card(element: &Value) -> Value {
    json!({ "type": "AdaptiveCard", "version": "1.4", "body": [element] })
}

fn judged(request: &Request) -> (u16, String) {
    let answer = judge(&webhook(), request, 7);
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn answer(body: &Value) -> (u16, String) {
    judged(&Request::post("/workflows/1/paths/invoke", QUERY, body))
}

fn taken() -> (u16, String) {
    (202, String::new())
}

fn mismatch() -> (u16, String) {
    (400, "TriggerInputSchemaMismatch".to_owned())
}

#[test]
fn a_card_is_taken_with_202_and_no_body() {
    let answer = judge(
        &webhook(),
        &Request::post(
            "/workflows/1/paths/invoke/",
            QUERY,
            &message(&card(&json!({ "type": "TextBlock", "text": "x" }))),
        ),
        7,
    );
    assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", answer.why);
}

#[test]
fn the_body_is_limited_in_bytes() {
    let with = |length: usize| {
        let text = |filling: String| message(&card(&json!({ "type": "TextBlock", "text": filling })));
        let rest = text(String::new()).to_string().len();
        text("x".repeat(length - rest))
    };
    assert_eq!(answer(&with(28_672)), taken());
    assert_eq!(answer(&with(28_673)), (413, "RequestEntityTooLarge".to_owned()));
}

#[test]
fn the_envelope_must_be_whole() {
    let good = card(&json!({ "type": "TextBlock", "text": "x" }));
    assert_eq!(answer(&json!({ "text": "x" })), mismatch());
    assert_eq!(answer(&json!({ "type": "message", "attachments": [] })), mismatch());
    let mut changed = message(&good);
    changed["attachments"][0]["contentUrl"] = json!("https://example.com");
    assert_eq!(answer(&changed), mismatch());
    let mut changed = message(&good);
    changed["attachments"][0]["contentType"] = json!("text/plain");
    assert_eq!(answer(&changed), mismatch());
}

#[test]
fn the_version_must_be_one_that_is_displayed() {
    for (version, expected) in
        [(json!("1.4"), taken()), (json!("1.5"), mismatch()), (Value::Null, mismatch())]
    {
        let mut card = card(&json!({ "type": "TextBlock", "text": "x" }));
        card["version"] = version;
        assert_eq!(answer(&message(&card)), expected, "{card}");
    }
}

#[test]
fn known_elements_pass_and_others_do_not() {
    let open = json!({ "type": "Action.OpenUrl", "title": "x", "url": "https://example.com/" });
    for good in [
        json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": "x", "fontType": "Monospace", "selectAction": open }] }),
        json!({ "type": "FactSet", "facts": [{ "title": "a", "value": "b" }] }),
        json!({ "type": "Container", "style": "attention", "bleed": true, "items": [{ "type": "TextBlock", "text": "x" }] }),
        json!({ "type": "ColumnSet", "columns": [{ "type": "Column", "items": [{ "type": "TextBlock", "text": "x" }] }] }),
        json!({ "type": "ActionSet", "actions": [open, { "type": "Action.ToggleVisibility", "targetElements": ["t"] }], "id": "t" }),
    ] {
        assert_eq!(answer(&message(&card(&good))), taken(), "{good}");
    }
    for bad in [
        json!({ "type": "Media" }),
        json!({ "type": "TextBlock" }),
        json!({ "type": "TextBlock", "text": "x", "color": "red" }),
        json!({ "type": "TextBlock", "text": "x", "wrap": "yes" }),
        json!({ "type": "FactSet", "facts": [] }),
        json!({ "type": "FactSet", "facts": [{ "title": "a", "value": 3 }] }),
        json!({ "type": "ActionSet", "actions": [{ "type": "Action.OpenUrl", "url": "/relative" }] }),
        json!({ "type": "ActionSet", "actions": [{ "type": "Action.Submit" }] }),
        json!({ "type": "ActionSet", "actions": [{ "type": "Action.ToggleVisibility", "targetElements": ["nowhere"] }] }),
    ] {
        assert_eq!(answer(&message(&card(&bad))), mismatch(), "{bad}");
    }
}

#[test]
fn the_address_must_be_the_signed_one() {
    let good = Request::post(
        "/workflows/1/paths/invoke",
        QUERY,
        &message(&card(&json!({"type":"TextBlock","text":"x"}))),
    );
    let code = |request| judged(&request);
    assert_eq!(
        code(Request { path: "/workflows/2/paths/invoke".to_owned(), ..good.clone() }),
        (404, "WorkflowNotFound".to_owned())
    );
    assert_eq!(
        code(Request { query: "sv=1.0".to_owned(), ..good.clone() }).1,
        "DirectApiAuthorizationRequired"
    );
    assert_eq!(code(Request { query: QUERY.replace("%2F", "/"), ..good.clone() }).0, 401);
    let mut authorized = good.clone();
    authorized.headers.push(("authorization".to_owned(), "Bearer x".to_owned()));
    assert_eq!(code(authorized).1, "DirectApiRequestHasMoreThanOneAuthorization");
    assert_eq!(code(Request { body: b"x".to_vec(), ..good }), (400, "InvalidRequestContent".to_owned()));
}

fn mentioning(count: usize, text: &str) -> Value {
    let mut card = card(&json!({ "type": "TextBlock", "text": text }));
    let entity = json!({ "type": "mention", "text": "<at>Ann</at>", "mentioned": { "id": "ann@example.com", "name": "Ann" } });
    card["msteams"] = json!({ "width": "Full", "entities": vec![entity; count] });
    message(&card)
}

#[test]
fn mentions_need_their_tag_and_are_limited() {
    assert_eq!(answer(&mentioning(20, "<at>Ann</at>")), taken());
    assert_eq!(answer(&mentioning(21, "<at>Ann</at>")), mismatch());
    assert_eq!(answer(&mentioning(1, "Ann")), mismatch());
}

#[test]
fn only_an_entity_with_its_tag_pings() {
    assert_eq!(pings(&mentioning(1, "hello <at>Ann</at>")), ["ann@example.com"]);
    assert_eq!(pings(&mentioning(0, "hello <at>Ann</at>")), [""; 0]);
    assert_eq!(pings(&mentioning(1, "hello")), [""; 0]);
}
