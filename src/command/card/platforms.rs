//! Cards as they are drawn from each platform's body.

use serde_json::json;

use super::*;
use crate::pretend::Product;

fn drawn(product: Product, body: &Value) -> String {
    let mut out = Vec::new();
    Pen { colour: false }.card(&mut out, &card(product.as_str(), body)).unwrap();
    String::from_utf8(out).unwrap()
}

/// Compares without the spaces at the ends of lines.
fn check(product: Product, body: &Value, expected: &str) {
    let drawn: Vec<String> = drawn(product, body).lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(drawn.join("\n"), expected.trim());
}

#[test]
fn a_slack_message_is_drawn_as_slack_shows_it() {
    let text = |text: &str, style: &str| json!({ "type": "text", "text": text, "style": { style: true } });
    let section = |elements: Value| json!({ "type": "rich_text_section", "elements": elements });
    let open = json!({ "type": "link", "url": "https://example.com/1", "text": "Timeout", "style": { "bold": true } });
    let items = [section(json!([text("one\nmore", "")])), section(json!([text("two", "italic")]))];
    let body = json!({
        "text": "not shown",
        "blocks": [
            { "type": "section", "text": { "type": "mrkdwn", "text": "<!here> <@U1>", "verbatim": true } },
            { "type": "rich_text", "elements": [section(json!([text("🔴 ", "bold"), open]))] },
            { "type": "context", "elements": [{ "type": "plain_text", "text": "New error · production" }] },
        ],
        "attachments": [{ "color": "#d92d20", "fallback": "not shown", "blocks": [
            { "type": "rich_text", "elements": [section(json!([
                text("Stage", "bold"), text("  prod", ""), text("\nUsers", "bold"), text("  3", "") ]))] },
            { "type": "rich_text", "elements": [{ "type": "rich_text_quote", "elements": [text("a\nb", "strike")] }] },
            { "type": "rich_text", "elements": [
                { "type": "rich_text_list", "style": "ordered", "offset": 6, "elements": items } ] },
            { "type": "rich_text", "elements": [
                { "type": "rich_text_preformatted", "elements": [text("a.rb:1\nb.rb:2", "")] } ] },
            { "type": "rich_text", "elements": [section(json!([open]))] },
        ]}],
    });
    let expected = "@here @U1\n🔴 Timeout\n↗ https://example.com/1\nNew error · production\n▌ Stage  prod\n▌ Users  3\n▌\n\
         ▌ │ a\n▌ │ b\n▌\n▌ 7. one\n▌   more\n▌ 8. two\n▌\n▌ │ a.rb:1\n▌ │ b.rb:2\n▌\n▌ Timeout";
    check(Product::Slack, &body, expected);
    check(Product::Slack, &json!({ "text": "<!here> Shop API: a &lt;b&gt;" }), "@here Shop API: a <b>");
}

#[test]
fn blocks_of_a_native_slack_template_are_drawn() {
    let mrkdwn = |text: &str| json!({ "type": "mrkdwn", "text": text });
    let plain = |text: &str| json!({ "type": "plain_text", "text": text });
    let body = json!({
        "blocks": [{ "type": "header", "text": plain("Down &amp; out") }, { "type": "divider" }, { "type": "image" }],
        "attachments": [{ "blocks": [
            { "type": "section", "text": mrkdwn("1 &lt; 2 <@U1>"), "fields": [mrkdwn("*Stage*\nprod"), plain("<@U2>")] },
            { "type": "section" },
            { "type": "actions" },
        ]}],
    });
    let expected = "Down &amp; out\n(a `image` block is not drawn; --json shows it)\n▌ 1 < 2 @U1\n▌ *Stage*\n▌ prod\n\
                    ▌ <@U2>\n▌\n▌ (a `actions` block is not drawn; --json shows it)";
    check(Product::Slack, &body, expected);
    let Part::Text(lines) = &card("slack", &body).above[0] else { panic!("{body}") };
    assert_eq!(lines, &[vec![Run::bold("Down &amp; out")]]);
}

#[test]
fn a_classic_attachment_is_markdown_without_its_escapes() {
    let body = json!({
        "text": r"@ann **Time\_out** [page](https://example.com/1)",
        "attachments": [{
            "color": "#d92d20", "fallback": "not shown", "pretext": r"be\.fore", "title": "a_b", "title_link": "https://example.com/2",
            "text": "~~no~~ \\*answer\\*\n> said\n```\na.rb:1\n```", "footer": "backend · #2f3k",
            "fields": [{ "title": "Stage", "value": r"pro\_d", "short": true }, { "title": "Users", "value": "3" }],
        }],
    });
    let expected = "@ann Time_out page\n↗ https://example.com/1\n▌ be.fore\n▌\n▌ a_b\n▌ ↗ https://example.com/2\n▌\n\
                    ▌ no *answer*\n▌\n▌ │ said\n▌\n▌ │ a.rb:1\n▌\n\
                    ▌ Stage  pro_d                                      Users  3\n▌\n▌ backend · #2f3k";
    check(Product::Slack, &body, expected);
    assert_eq!(card("slack", &body).colour, Some(0x00D9_2D20));
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
        { "type": "Container", "style": "emphasis", "items": [
            { "type": "RichTextBlock", "inlines": [run("said", json!({ "strikethrough": true }))] } ] },
        { "type": "ActionSet", "actions": [open] },
    ]}}]});
    let expected = "▌ @Ann @Bo\n▌\n▌ Timeout\n▌ ↗ https://example.com/1\n▌\n▌ Stage  prod\n▌ Users  3\n▌\n▌ │ a.rb:1\n\
                    ▌ │ b.rb:2\n▌\n▌ │ said\n▌\n▌ [ Open ]";
    check(Product::Teams, &body, expected);
    assert_eq!(card("teams", &body).colour, Some(0x00C4_314B));
}

#[test]
fn an_embed_is_drawn_as_discord_shows_it() {
    let body = json!({ "content": "@here", "embeds": [{
        "author": { "name": "New error" }, "title": r"Time\_out", "url": "https://example.com/1", "color": 14_232_864,
        "description": "no \\*answer\\*\n> said\n- one\n  more\n```\na.rb:1\n```\n[Open](https://example.com/1)",
        "fields": [{ "name": "Stage", "value": "prod", "inline": true }],
        "footer": { "text": "backend · #2f3k" }, "timestamp": "2026-09-21T14:13:20.000Z",
    }]});
    let expected = "@here\n▌ New error\n▌ Time_out\n▌ ↗ https://example.com/1\n▌\n▌ no *answer*\n▌\n▌ │ said\n▌\n▌ • one\n▌   more\n▌\n▌ │ a.rb:1\n▌\n▌ Open\n\
                    ▌\n▌ Stage  prod\n▌\n▌ backend · #2f3k • 2026-09-21T14:13:20.000Z";
    check(Product::Discord, &body, expected);
    assert_eq!(card("discord", &body).colour, Some(0x00D9_2D20));
}

#[test]
fn what_is_no_message_is_left_out_and_nothing_breaks() {
    for product in Product::ALL {
        assert_eq!(drawn(product, &json!(["nonsense"])), "");
        assert_eq!(
            drawn(
                product,
                &json!({ "attachments": [3, { "blocks": [{ "typo": "new" }, 3] }], "embeds": [3] })
            ),
            ""
        );
    }
}
