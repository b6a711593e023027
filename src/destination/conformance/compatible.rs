//! The same for servers that take Slack's webhooks but not its blocks, read as Mattermost and Rocket.Chat read them.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::check::compatible::{check, check_simplest};
use super::{ann, any_message, backend, messages, paragraph, texts, with_options};
use crate::clock::Moment;
use crate::delivery::Outcome::{self, Delivered, Gone, Passing, Refused, Unclear, Wait};
use crate::delivery::Reason;
use crate::delivery::Wait::Untold;
use crate::destination::{Platform, Reply};
use crate::message::{Block, Group, Link, List, Mention, Message, Person, Span, Style, Text};

fn server() -> std::sync::Arc<dyn Platform> {
    with_options("slack", json!({"blocks": false})).unwrap()
}

fn body(message: &Message, mentions: &[Mention]) -> Value {
    server().compose(message, mentions)
}

#[test]
fn an_ordinary_message_is_taken_and_whole() {
    let message = messages::ordinary();
    let (pings, seen) = check(&body(&message, &[]));
    assert!(pings.is_empty());
    for text in texts(&message) {
        assert!(seen.text.contains(&text), "{text:?} is not in {:?}", seen.text);
    }
    assert_eq!(
        seen.urls,
        ["https://app.bugsnag.com/example/harbor-api", "https://issues.example.com/browse/HARBOR-12_%28x%29"]
    );
    let attachment = body(&message, &[])["attachments"][0].clone();
    assert_eq!(attachment["title"], "🔴 NoMethodError in Harbor API");
    assert_eq!(attachment["color"], "#d92d20");
    assert_eq!(attachment["fields"][0], json!({"title": "Severity", "value": "error", "short": true}));
}

#[test]
fn a_title_that_leads_nowhere_stands_with_the_text() {
    let message = Message { title: Text::plain("a *b* [c](d)"), ..Message::default() };
    let body = body(&message, &[Mention::Here]);
    assert_eq!(body["text"], "@here\n**a \\*b\\* [c]\u{200B}(d)**");
    assert_eq!(body["attachments"][0].get("title"), None);
    check(&body);
}

#[test]
fn looks_lists_quotes_and_code_are_the_messages_own() {
    let span = |text: &str, style| Span { text: text.into(), style, ..Span::default() };
    let style = Style::default();
    let looks = Text(vec![
        span("a ", style),
        span("bold ", Style { bold: true, ..style }),
        span("italic", Style { italic: true, ..style }),
        span("struck", Style { struck: true, ..style }),
        Span { code: true, ..span("x * y", style) },
        Span { url: "https://example.com/".into(), ..span("[link]", style) },
    ]);
    let items = vec![Text::plain("one"), Text::plain("- two\nlines")];
    let blocks = vec![
        Block::Heading(Text::plain("Head")),
        Block::Paragraph(looks),
        Block::Quote(Text::plain("said\n> so")),
        Block::List(List { first: None, items: items.clone() }),
        Block::List(List { first: Some(3), items }),
        Block::Code("a ``` b\n@here".into()),
    ];
    let body = body(&Message { blocks, ..messages::ordinary() }, &[]);
    check(&body);
    assert_eq!(
        body["attachments"][0]["text"],
        "**Head**\na **bold** _italic_\u{200B}~~struck~~\u{200B}`x * y`[［link］\u{200B}](https://example.com/)\n\
         > said\n> \u{200B}> so\n\n- one\n- \u{200B}- two\n  lines\n\u{200B}\n3. one\n4. \u{200B}- two\n  lines\n\n\
         ```\na `\u{200B}`\u{200B}`\u{200B} b\n@\u{200B}here\n```"
    );
}

#[test]
fn hostile_text_is_text() {
    for hostile in messages::HOSTILE {
        check(&body(&messages::of_one_text(hostile), &[]));
        let sent = format!("a {hostile} z");
        let (pings, seen) = check(&body(&paragraph(&sent), &[]));
        let sent = crate::text::clean(&sent);
        assert!(pings.is_empty());
        assert!(seen.text.contains(&sent), "{sent:?} is not in {:?}", seen.text);
        assert_eq!((seen.marks, seen.urls.len(), seen.lines), (4, 0, 0), "only the title's: {sent}");
    }
    // What one value opens, another cannot close.
    let halves = [
        "<https://evil.example",
        "safe|",
        "x>",
        "<ann@",
        "example.com>",
        "[a]",
        "(https://evil.example)",
        "@",
        "here",
    ];
    let blocks = halves.map(|half| Block::Paragraph(Text::plain(half))).to_vec();
    check(&body(&Message { blocks, ..messages::ordinary() }, &[]));
    let spans = halves.map(|half| Span { text: half.into(), ..Span::default() }).to_vec();
    check(&body(&Message { blocks: vec![Block::Paragraph(Text(spans))], ..messages::ordinary() }, &[]));
}

#[test]
fn a_huge_message_is_cut_within_the_limit_and_quickly() {
    let started = Instant::now();
    let (_, seen) = check(&body(&messages::huge(), &[ann()]));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    for lost in ["characters", "fields", "lines", "links"] {
        assert!(seen.text.contains(&format!("{lost} left out …")), "{lost}: {}", seen.text);
    }
    assert!(seen.text.ends_with("the end"), "the footer's end is the event's id, and stays");
    for length in [4_200, 4_400, 5_000] {
        for piece in ["x", "*", "@", "😀", "a\n", "- \n", "`", "<"] {
            let text = piece.repeat(length / piece.chars().count());
            check(&body(&paragraph(&text), &[ann()]));
            check(&body(&messages::of_one_text(&text), &[]));
        }
    }
    for length in [59, 60, 61, 249, 250, 251, 299, 300, 301] {
        check(&body(&messages::of_one_text(&"#".repeat(length)), &[]));
    }
    let urls = (0..60)
        .map(|n| Link { label: "l".into(), url: format!("https://example.com/{n}/{}", "p".repeat(500)) });
    check(&body(&Message { blocks: vec![Block::Links(urls.collect())], ..messages::ordinary() }, &[]));
}

#[test]
fn only_the_wanted_are_mentioned_by_their_names() {
    let named = |name: &str, slack: &str| {
        Mention::Person(Person { name: name.into(), slack: Some(slack.into()), ..Person::default() })
    };
    let team = Mention::Group(Group { name: "g".into(), slack: Some("backend-team".into()), discord: None });
    let all = [Mention::Here, Mention::Channel, named("ann", "ann.lee"), team, named("ann", "ann.lee")];
    let message = messages::of_one_text("@here @all @channel @ann.lee <!channel> @everyone");
    assert_eq!(check(&body(&message, &all)).0, ["@here", "@all", "@ann.lee", "@backend-team"]);
    assert!(check(&body(&message, &[])).0.is_empty());

    for wrong in ["", "Ann Lee", "ann\n@all", "all", "HERE", "channel", "everyone", "ann@x", &"a".repeat(65)]
    {
        let wrong = named("wrong", wrong);
        assert!(!server().can_mention(&wrong), "{wrong:?}");
        assert!(check(&body(&messages::ordinary(), &[wrong])).0.is_empty());
    }
    assert!(server().can_mention(&named("x", "Ann_9.x-y")) && server().can_mention(&Mention::Channel));
    // A name is no id, and Slack itself takes ids only.
    let slack = with_options("slack", json!({})).unwrap();
    assert!(
        !slack.can_mention(&named("ann", "ann.lee"))
            && slack.can_mention(&ann())
            && slack.can_mention(&backend())
    );
    let crowd: Vec<Mention> = (0..900).map(|n| named("p", &format!("person{n}"))).collect();
    assert!((50..100).contains(&check(&body(&messages::huge(), &crowd)).0.len()));
}

#[test]
fn both_servers_are_understood() {
    let id = |id: &str| {
        json!({"id": id, "message": "It is so.", "detailed_error": "", "status_code": 400}).to_string()
    };
    let success = json!({"success": true}).to_string();
    let failure = json!({"success": false, "error": "Invalid integration id or token provided."}).to_string();
    for (status, answer, outcome, reason) in [
        (200, "ok", Delivered, Reason::Ok),
        (200, " ok\n", Delivered, Reason::Ok),
        (200, &success, Delivered, Reason::Ok),
        (201, &success, Delivered, Reason::Ok),
        (200, &failure, Refused, Reason::OtherRefusal),
        (200, "", Unclear, Reason::UnreadableAnswer),
        (200, "{}", Unclear, Reason::UnreadableAnswer),
        (200, r#"{"success":"yes"}"#, Unclear, Reason::UnreadableAnswer),
        (202, "ok", Unclear, Reason::UnreadableAnswer),
        (400, &failure, Gone, Reason::WebhookGone),
        (401, &failure, Gone, Reason::WebhookGone),
        (404, &failure, Gone, Reason::WebhookGone),
        (413, "", Refused, Reason::TooLong),
        (400, &id("web.incoming_webhook.invalid.app_error"), Gone, Reason::WebhookGone),
        (404, &id("web.incoming_webhook.channel.app_error"), Gone, Reason::ChannelGone),
        (403, &id("web.incoming_webhook.permissions.app_error"), Gone, Reason::Misconfigured),
        (403, &id("web.incoming_webhook.channel_locked.app_error"), Gone, Reason::Misconfigured),
        (400, &id("web.incoming_webhook.user.app_error"), Gone, Reason::Misconfigured),
        (400, &id("web.incoming_webhook.text.app_error"), Refused, Reason::InvalidPayload),
        (400, &id("web.incoming_webhook.parse.app_error"), Refused, Reason::InvalidPayload),
        (400, &id("web.incoming_webhook.split_props_length.app_error"), Refused, Reason::TooLong),
        (400, &id("something.new"), Refused, Reason::InvalidPayload),
        (501, &id("web.incoming_webhook.disabled.app_error"), Passing, Reason::ServerError),
        (302, "", Passing, Reason::Redirected),
        (429, "", Wait(Untold(Duration::from_secs(1))), Reason::RateLimited),
    ] {
        expect(status, answer, outcome, reason);
    }
    assert_eq!(judged(400, &failure).1, "Invalid integration id or token provided.");
    assert_eq!(judged(400, &id("x")).1, "It is so.");
    assert!(!judged(404, "no hook at /hooks/9yqtm3ho4ifnmxz5ckr1wjbn8e").1.contains("9yqtm3"));
}

fn judged(status: u16, body: &str) -> ((Outcome, Reason), String) {
    let reply = Reply { status, headers: Vec::new(), body: body.to_owned(), complete: true, at: Moment(0) };
    let verdict = server().judge(&reply);
    ((verdict.outcome, verdict.reason), verdict.words)
}

fn expect(status: u16, body: &str, outcome: Outcome, reason: Reason) {
    assert_eq!(judged(status, body).0, (outcome, reason), "{status} {body}");
}

#[test]
fn the_simplest_form_is_text_alone() {
    let simplest = |message: &Message, mentions: &[Mention]| {
        check_simplest(&server().compose_simplest(message, mentions))
    };
    let (pings, seen) = simplest(&messages::ordinary(), &[Mention::Here]);
    assert_eq!(pings, ["@here"]);
    assert!(
        seen.text.contains("NoMethodError in Harbor API") && seen.text.contains("#2b4k"),
        "{}",
        seen.text
    );
    assert_eq!(seen.urls.len(), 1);
    for hostile in messages::HOSTILE {
        let (pings, seen) = simplest(&messages::of_one_text(hostile), &[]);
        assert!(pings.is_empty() && seen.marks == 0 && seen.lines == 0, "{hostile}: {seen:?}");
    }
    simplest(&messages::huge(), &[ann()]);
}

#[test]
fn every_option_has_one_meaning() {
    assert!(with_options("slack", json!({"blocks": "no"})).is_err());
    let blocks = with_options("slack", json!({"blocks": true})).unwrap();
    let plain = with_options("slack", json!({})).unwrap();
    let message = messages::ordinary();
    assert_eq!(blocks.compose(&message, &[]), plain.compose(&message, &[]));
    assert!(plain.compose(&message, &[]).get("blocks").is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_message_is_taken_and_mentions_nobody(message in any_message()) {
        let composed = body(&message, &[]);
        prop_assert!(check(&composed).0.is_empty());
        prop_assert_eq!(composed, body(&message, &[]));
        prop_assert!(check_simplest(&server().compose_simplest(&message, &[])).0.is_empty());
    }

    #[test]
    fn any_text_is_literal(sent in "\\PC{0,60}|([-+*_~`#.<>|@:()\\[\\]!\\\\=a1 \n]){0,60}") {
        let (_, seen) = check(&body(&paragraph(&format!("a {sent} z")), &[]));
        let sent = crate::text::clean(&format!("a {sent} z")).replace('\u{200B}', "");
        let sent = sent.replace('‹', "<").replace('［', "[").replace('］', "]");
        prop_assert!(seen.text.contains(&sent), "{:?} is not in {:?}", sent, seen.text);
        prop_assert_eq!((seen.marks, seen.urls.len(), seen.lines), (4, 0, 0));
    }
}
