//! Judges a message in its simplest form: as strictly as in full, and that it is simple.

use serde_json::{Value, json};

use super::{array, assert_text, assert_url, discord, limit, only, slack, teams, text};

/// Panics unless `product` would take `body`, it is as simple as can be, and nothing from outside acts in it. Returns
/// whom it pings.
pub(in super::super) fn check(product: &str, body: &Value) -> Vec<String> {
    match product {
        "slack" => check_slack(body),
        "teams" => check_teams(body),
        "discord" => check_discord(body),
        _ => panic!("no checker for {product}: a new platform needs one"),
    }
}

/// What people read of it, escapes undone.
pub(in super::super) fn visible(product: &str, body: &Value) -> String {
    let seen = match product {
        "slack" => slack::unescape(text(body, "text")),
        "teams" => teams::visible(body).join("\n"),
        "discord" => {
            let (_, rest) = leading_pings(text(body, "content"));
            let (prose, link) = without_link(rest);
            format!("{}\n{}", discord::inert(&prose), link.unwrap_or_default())
        }
        _ => panic!("no checker for {product}: a new platform needs one"),
    };
    seen.replace('\u{200B}', "")
}

fn check_slack(body: &Value) -> Vec<String> {
    only(body, &["text", "unfurl_links", "unfurl_media"]);
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    assert_text(text(body, "text"), limit("/slack/text_advised"));
    let (pings, rest) = slack::leading_pings(text(body, "text"));
    let (prose, link) = without_link(rest);
    slack::assert_inert(&prose);
    if let Some(link) = link {
        assert!(!link.replace("&amp;", "").contains('&'), "{link}");
        assert_url(&link.replace("&amp;", "&"), limit("/slack/button_url"));
    }
    pings
}

fn check_teams(body: &Value) -> Vec<String> {
    let pings = teams::check(body);
    assert!(serde_json::to_vec(body).unwrap().len() < 10_000);
    let items = array(&body["attachments"][0]["content"], "body");
    let kinds: Vec<&str> = items.iter().map(|item| text(item, "type")).collect();
    let (mentions, rest) = kinds.split_at(usize::from(!pings.is_empty()));
    assert!(mentions.iter().all(|kind| *kind == "TextBlock"));
    assert!(matches!(rest, ["RichTextBlock"] | ["RichTextBlock", "ActionSet"]), "{kinds:?}");
    pings
}

fn check_discord(body: &Value) -> Vec<String> {
    discord::assert_schema(body);
    only(body, &["content", "allowed_mentions", "thread_name"]);
    let content = text(body, "content");
    discord::check_text(content, limit("/discord/content"));
    let (pings, rest) = leading_pings(content);
    discord::check_allowed(&body["allowed_mentions"], &pings);
    // Discord looks for these before it looks at mark-up: an escape would not keep them from pinging.
    for ping in ["@everyone", "@here", "<@"] {
        assert!(!rest.contains(ping), "{ping} acts in {rest}");
    }
    let (prose, link) = without_link(rest);
    discord::inert(&prose);
    if let Some(link) = link {
        assert_url(&link, limit("/discord/url"));
    }
    pings
}

/// The mentions that a Discord text begins with, and what follows.
fn leading_pings(mut text: &str) -> (Vec<String>, &str) {
    let is_ping = |word: &str| {
        let id = word.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>'));
        let digits = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        matches!(word, "@here" | "@everyone")
            || id.is_some_and(|id| digits(id.strip_prefix('&').unwrap_or(id)))
    };
    let mut pings = Vec::new();
    while let Some((ping, rest)) = text.split_once(' ').filter(|(word, _)| is_ping(word)) {
        pings.push(ping.to_owned());
        text = rest;
    }
    (pings, text)
}

/// The lines of `text` but the one that is our link, and that link.
fn without_link(text: &str) -> (String, Option<String>) {
    let (links, prose): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('<'));
    assert!(links.len() <= 1, "{links:?}");
    let link =
        links.first().map(|link| link.strip_prefix('<').unwrap().strip_suffix('>').unwrap().to_owned());
    (prose.join("\n"), link)
}
