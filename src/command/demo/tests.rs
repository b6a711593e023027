//! Cards as they are drawn from each platform's body.

use serde_json::json;

use super::*;

fn drawn(product: Product, body: &Value) -> String {
    let mut out = Vec::new();
    Pen { colour: false }.card(&mut out, &read(product, body)).unwrap();
    String::from_utf8(out).unwrap()
}

/// Compares without the spaces at the ends of lines.
fn check(product: Product, body: &Value, expected: &str) {
    let drawn: Vec<String> = drawn(product, body).lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(drawn.join("\n"), expected.trim());
}

#[test]
fn a_slack_message_is_drawn_as_slack_shows_it() {
    let body = json!({
        "text": "<!here> Shop API: a &lt;b&gt;",
        "attachments": [{ "color": "#d92d20", "fallback": "not shown", "blocks": [
            { "type": "context", "elements": [{ "type": "plain_text", "text": "New error · production" }] },
            { "type": "rich_text", "elements": [
                { "type": "rich_text_section", "elements": [
                    { "type": "link", "url": "https://example.com/1", "text": "Timeout", "style": { "bold": true } } ] },
                { "type": "rich_text_section", "elements": [
                    { "type": "text", "text": "Stage", "style": { "bold": true } }, { "type": "text", "text": "  prod" },
                    { "type": "text", "text": "\nUsers", "style": { "bold": true } }, { "type": "text", "text": "  3" } ] },
                { "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "a.rb:1\nb.rb:2" }] } ] },
            { "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
                { "type": "link", "url": "https://example.com/1", "text": "Open" } ] }] },
        ]}],
    });
    let expected = "@here Shop API: a <b>\n▌ New error · production\n▌\n▌ Timeout\n▌ ↗ https://example.com/1\n▌\n▌ Stage  prod\n\
         ▌ Users  3\n▌\n▌ │ a.rb:1\n▌ │ b.rb:2\n▌\n▌ Open";
    check(Product::Slack, &body, expected);
}

#[test]
fn an_adaptive_card_is_drawn_as_teams_shows_it() {
    let run = |text: &str, more: Value| {
        let mut run = json!({ "type": "TextRun", "text": text });
        for (key, value) in more.as_object().unwrap() {
            run[key] = value.clone();
        }
        run
    };
    let open = json!({ "type": "Action.OpenUrl", "title": "Open", "url": "https://example.com/1" });
    let body = json!({ "type": "message", "attachments": [{ "content": { "type": "AdaptiveCard", "body": [
        { "type": "TextBlock", "text": "<at>Ann</at> <at>Bo</at>" },
        { "type": "Container", "style": "attention", "items": [
            { "type": "RichTextBlock", "inlines": [run("Timeout", json!({ "weight": "Bolder", "selectAction": open }))] } ] },
        { "type": "RichTextBlock", "inlines": [run("Stage  ", json!({ "weight": "Bolder" })), run("prod", json!({}))] },
        { "type": "RichTextBlock", "spacing": "None", "inlines": [run("Users  3", json!({}))] },
        { "type": "RichTextBlock", "inlines": [run("a.rb:1\nb.rb:2", json!({ "fontType": "Monospace" }))] },
        { "type": "ActionSet", "actions": [open] },
    ]}}]});
    let expected = "▌ @Ann @Bo\n▌\n▌ Timeout\n▌ ↗ https://example.com/1\n▌\n▌ Stage  prod\n▌ Users  3\n▌\n▌ │ a.rb:1\n\
                    ▌ │ b.rb:2\n▌\n▌ [ Open ]";
    check(Product::Teams, &body, expected);
    assert_eq!(read(Product::Teams, &body).colour, Some(0x00C4_314B));
}

#[test]
fn an_embed_is_drawn_as_discord_shows_it() {
    let body = json!({ "content": "@here", "embeds": [{
        "author": { "name": "New error" }, "title": r"Time\_out", "url": "https://example.com/1", "color": 14_232_864,
        "description": "no \\*answer\\*\n```\na.rb:1\n```\n[Open](https://example.com/1)",
        "fields": [{ "name": "Stage", "value": "prod", "inline": true }],
        "footer": { "text": "backend · #2f3k" }, "timestamp": "2026-09-21T14:13:20.000Z",
    }]});
    let expected = "@here\n▌ New error\n▌ Time_out\n▌ ↗ https://example.com/1\n▌\n▌ no *answer*\n▌\n▌ │ a.rb:1\n▌\n▌ Open\n\
                    ▌\n▌ Stage  prod\n▌\n▌ backend · #2f3k • 2026-09-21T14:13:20.000Z";
    check(Product::Discord, &body, expected);
    assert_eq!(read(Product::Discord, &body).colour, Some(0x00D9_2D20));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_shows_both_trackers_on_all_three_platforms() {
    let mut out = Vec::new();
    run(&mut out, true, false).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    for product in Product::ALL {
        let cards: Vec<&str> =
            out.split("\n── ").filter(|card| card.starts_with(&product.to_string())).collect();
        assert!(cards.iter().any(|card| card.contains("app.bugsnag.com")), "{product}: {out}");
        assert!(cards.iter().any(|card| card.contains("dashboard.bugfender.com")), "{product}: {out}");
    }
    assert_eq!(out.matches("→ 200 ").count(), SAMPLES.len());
    assert!(out.contains("@here") && !out.contains("refused"), "{out}");
}

#[test]
fn what_it_does_not_know_is_left_out_and_nothing_breaks() {
    for product in Product::ALL {
        assert_eq!(drawn(product, &json!(["nonsense"])), "");
        assert_eq!(
            drawn(product, &json!({ "attachments": [{ "blocks": [{ "type": "new" }] }], "embeds": [3] })),
            ""
        );
    }
}
