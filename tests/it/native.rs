//! Native templates with values of all kinds in them, judged by the pretend platforms, which know nothing of this code.

mod refusals;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use bugle::clock::Moment;
use bugle::destination::{NativeError, Platform, platform};
use bugle::event::{Event, EventId, Severity};
use bugle::message::{Group, Mention, Person, TeamsPerson};
use bugle::name::SourceName;
use bugle::pretend::{Product, Request, Webhook, pings};
use bugle::template::{Telling, TemplateFile, TemplateSet};

fn product(name: &str) -> Product {
    Product::ALL.into_iter().find(|product| product.as_str() == name).unwrap()
}

fn with_options(product: &str, options: Value) -> Arc<dyn Platform> {
    platform(product, options).unwrap().unwrap()
}

/// The templates of the fixtures, with the platforms they are for.
fn fixtures() -> Vec<(String, String, TemplateSet)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/templates/native");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let mut parts = name.split('.');
            let (base, product) = (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned());
            (base, product, template(&name, fs::read_to_string(&path).unwrap()))
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() >= 5);
    found
}

fn template(name: &str, text: String) -> TemplateSet {
    let (set, problems) = TemplateSet::new(vec![TemplateFile { name: name.to_owned(), text }], TimeZone::UTC);
    assert_eq!(problems, [], "{name}");
    set
}

/// An event in which every text is `text`, but for the address.
fn event(text: &str, url: &str) -> Event {
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
    event.severity = Severity::Other(text.to_owned());
    let places: [&mut String; 14] = [
        &mut event.reason,
        &mut event.title,
        &mut event.text,
        &mut event.at,
        &mut event.status,
        &mut event.app.name,
        &mut event.app.stage,
        &mut event.app.version,
        &mut event.error.class,
        &mut event.error.context,
        &mut event.error.id,
        &mut event.user.name,
        &mut event.user.email,
        &mut event.error.occurrences,
    ];
    for place in places {
        text.clone_into(place);
    }
    url.clone_into(&mut event.url);
    event
}

fn fill_in(
    set: &TemplateSet,
    name: &str,
    platform: &dyn Platform,
    event: &Event,
    mentions: &[Mention],
) -> Result<Value, NativeError> {
    let telling = Telling { id: EventId(7), repeat: false, instead_of: None, now: Moment(0) };
    let native = set.native(platform.product(), Some(name), event, &telling).expect("it is native").unwrap();
    platform.fill(&native, mentions, "thread")
}

/// Panics unless `product` takes `body` and calls exactly `wanted`.
fn judge(product_name: &str, body: &Value, wanted: &[&str]) {
    let webhook = Webhook::fresh(product(product_name));
    let request = Request::post(&webhook.path, &webhook.query, body);
    let answer = webhook.judge(product(product_name), &request, 1);
    assert!(
        (200..300).contains(&answer.status),
        "{product_name}: {} {}\n{body:#}",
        answer.status,
        answer.why
    );
    assert_eq!(pings(product(product_name), body), wanted, "{product_name}\n{body:#}");
}

fn everybody() -> [Mention; 4] {
    let ann = Person {
        name: "ann".into(),
        slack: Some("U012AB3CD".into()),
        discord: Some("123456789012345678".into()),
        teams: Some(TeamsPerson { id: "ann@example.com".into(), name: "Ann".into() }),
    };
    let backend = Group {
        name: "backend".into(),
        slack: Some("S012AB3CD".into()),
        discord: Some("987654321098765432".into()),
    };
    [Mention::Here, Mention::Channel, Mention::Person(ann), Mention::Group(backend)]
}

fn called(product: &str) -> &'static [&'static str] {
    match product {
        "slack" => &["<!here>", "<!channel>", "<@U012AB3CD>", "<!subteam^S012AB3CD>"],
        "teams" => &["ann@example.com"],
        _ => &["@everyone", "@here", "<@123456789012345678>", "<@&987654321098765432>"],
    }
}

/// All texts of a body.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(list) => list.iter().flat_map(strings).collect(),
        Value::Object(members) => members.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Everything that ever acted somewhere.
const HOSTILE: &[&str] = &[
    "<!channel> <!here|x> <@U012AB3CD> <!subteam^S012AB3CD> <#C012AB3CD> <https://evil.example|safe>",
    "@everyone @here <@123456789012345678> <@&987654321098765432> <@!1>",
    "everyone",
    "here",
    "!channel",
    "@U012AB3CD",
    "<at>Ann</at>",
    "at>Ann</at",
    "{{DATE(2017-02-14T06:08:39Z,SHORT)}} {{TIME(2017-02-14T06:08:39Z)}} {",
    "`` ` ``` ```` x `",
    "``````",
    "\\ \\\\ \\* trailing \\",
    "*b* _i_ ~s~ ||x|| **b** # h\n# h\n> q\n- i\n1. i\n```\ncode\n```",
    "](https://evil.example) [x](https://evil.example) | > <",
    "a|b>c\nd",
    ":smile: :+1: &amp; &lt; \"quoted\" '",
    "left \u{202E}thgir\u{202C} \u{0}\u{7}\u{1b}[31m a\r\nb",
    "\u{10F001}\u{100000}\u{10F003}",
    "",
    " \u{200B} ",
    "👩‍👩‍👧‍👦 مرحبا",
];

#[test]
fn hostile_values_are_text_in_every_template() {
    for (name, product, set) in fixtures() {
        let platform = with_options(&product, json!({}));
        for hostile in HOSTILE {
            for url in ["https://app.example.com/errors/1?a=b&c=(d)|e", "javascript:alert(1)", "", hostile] {
                let event = event(hostile, url);
                let body = fill_in(&set, &name, &*platform, &event, &[]).unwrap_or_else(|error| {
                    panic!("{name} for {product}: {error} with {hostile:?}");
                });
                judge(&product, &body, &[]);
                assert!(!strings(&body).iter().any(|text| text.contains(['\u{202E}', '\u{7}', '\u{1b}'])));
                let body = fill_in(&set, &name, &*platform, &event, &everybody()).unwrap();
                judge(&product, &body, called(&product));
            }
        }
    }
}

/// The string at `pointer` of a body that a template of one text makes of `value`.
fn one(product: &str, text: &str, value: &str) -> Result<String, NativeError> {
    let (body, pointer) = match product {
        "slack" => (
            json!({"text": "{{id}}", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]}),
            "/blocks/0/text/text",
        ),
        "teams" => {
            let items = json!([{"type": "TextBlock", "text": text}, {"type": "TextBlock", "text": "{{id}}"}]);
            let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": items});
            let attachment =
                json!({"contentType": "application/vnd.microsoft.card.adaptive", "content": card});
            (json!({"type": "message", "attachments": [attachment]}), "/attachments/0/content/body/0/text")
        }
        _ => (json!({"embeds": [{"title": "{{id}}", "description": text}]}), "/embeds/0/description"),
    };
    // The template's tags have quotes that JSON would escape.
    let written = body.to_string().replace("\\\"", "\"");
    let set = template(&format!("one.{product}.json.hbs"), written);
    let platform = with_options(product, json!({}));
    let body = fill_in(&set, "one", &*platform, &event(value, value), &[])?;
    judge(product, &body, &[]);
    Ok(body.pointer(pointer).unwrap().as_str().unwrap().to_owned())
}

#[test]
fn a_value_is_written_for_what_the_templates_marks_make_of_it() {
    let url = "https://a.example/x?y=(1)&z=<b>|c";
    for (product, text, value, written) in [
        ("slack", "*{{title}}*", "a*b", "*a*\u{200B}b*"),
        ("slack", "`{{title}}`", "a<b\nc", "`a&lt;b c`"),
        ("slack", "`{{title}}`", "a`b", "a`\u{200B}b"),
        ("slack", "x`{{title}}`", "", "x"),
        ("slack", "```{{title}}```", "``` `", "```\u{200B}`\u{200B}`\u{200B}` `\u{200B}```"),
        ("slack", "```{{title}}", "a```b", "`\u{200B}`\u{200B}`\u{200B}a`\u{200B}`\u{200B}`\u{200B}b"),
        ("slack", "<{{url}}|see {{title}}>", url, ""),
        ("slack", "<{{url}}>", "javascript:x", "javascript:\u{200B}x"),
        ("slack", "<{{url}}|see {{title}}>", "!channel", "see !channel"),
        ("slack", "<https://a.example/{{title}}|x>", "b/c|d>", "<https://a.example/b%2Fc%7Cd%3E|x>"),
        ("slack", "<{{title}}", "@U1>", "<@U1\u{200B}&gt;"),
        ("slack", "<https://a.example/|{{title}}>", "a|b\nc>", "<https://a.example/|a¦b c\u{200B}&gt;>"),
        ("slack", "<!date^1700000000^{date}|{{title}}>", "a", "<!date^1700000000^{date}|a>"),
        ("teams", "**{{title}}**", "a*b\nc", "**a\\*b\n\nc**"),
        ("teams", "[x]({{url}})", "https://a.example/(b)", "[x](https://a.example/%28b%29)"),
        ("teams", "[x {{title}}]({{url}}) y", "no]", "x no\\] y"),
        ("teams", "{ {{title}}", "{DATE(1)}} {x", "{ {\u{200B}DATE\\(1\\)}} {x"),
        ("discord", "**{{title}}**", "a*b", "**a\\*b**"),
        ("discord", "`{{title}}`", "a*b", "`a*b`"),
        ("discord", "`{{title}}`", "a`b", "a\\`b"),
        ("discord", "```\n{{title}}\n```", "a```*", "```\na`\u{200B}`\u{200B}`*\n```"),
        ("discord", "`{{title}}", "a`", "\\`a\\`"),
        ("discord", "[x]({{url}})", "https://a.example/(b)", "[x](https://a.example/%28b%29)"),
        ("discord", "[x]({{url}})", "https://localhost/", "x"),
        ("discord", "![x](https://a.example/{{title}})", "b c", "![x](https://a.example/b%20c)"),
        ("discord", "[x](https://a.example/) {{title}}", "y", "[x](https://a.example/) y"),
        ("discord", "[a\\]]({{url}})", "https://a.example/", "[a\\]](https://a.example/)"),
        ("discord", "@{{title}}", "everyone", "@\u{200B}everyone"),
    ] {
        let found = one(product, text, value).unwrap();
        if written.is_empty() {
            assert_eq!(
                found,
                "<https://a.example/x?y=(1)&amp;z=%3Cb%3E%7Cc|see https:\u{200B}//a.example/x?y=(1)&amp;z=&lt;b\u{200B}&gt;¦c>"
            );
        } else {
            assert_eq!(found, written, "{product}: {text} with {value}");
        }
    }
}

/// What `text`, a whole template, is refused with for `value`.
fn refused(product: &str, text: &str, value: &str) -> NativeError {
    let set = template(&format!("one.{product}.json.hbs"), text.to_owned());
    let platform = with_options(product, json!({}));
    fill_in(&set, "one", &*platform, &event(value, value), &[]).unwrap_err()
}

#[test]
fn a_value_cannot_say_what_something_is() {
    for (text, path) in [
        (r#"{"text": "{{id}}", "blocks": [{"type": "{{title}}"}]}"#, "blocks[0].type"),
        (r#"{"text": "{{id}}", "{{title}}": 1}"#, "\u{FFFC}"),
    ] {
        let NativeError::Value { path: found } = refused("slack", text, "section") else { panic!("{text}") };
        assert_eq!(found, path);
    }
}

#[test]
fn a_template_itself_calls_nobody() {
    let section = |text: &str| {
        format!(
            r#"{{"text": "{{{{id}}}}", "blocks": [{{"type": "section", "text": {{"type": "mrkdwn", "text": "{text}"}}}}]}}"#
        )
    };
    let rich = |element: &str| {
        format!(
            r#"{{"text": "{{{{id}}}}", "blocks": [{{"type": "rich_text", "elements": [{{"type": "rich_text_section", "elements": [{element}]}}]}}]}}"#
        )
    };
    let card = |text: &str| {
        format!(
            r#"{{"type": "message", "attachments": [{{"contentType": "application/vnd.microsoft.card.adaptive", "content": {{"type": "AdaptiveCard", "version": "1.4", "body": [{{"type": "TextBlock", "text": "{text} {{{{id}}}}"}}]}}}}]}}"#
        )
    };
    for (product, text) in [
        ("slack", section("<!here>")),
        ("slack", section("<@U012AB3CD|x> {{title}}")),
        ("slack", section("<!subteam^{{title}}>")),
        ("slack", section("<@{{title}}>")),
        ("slack", rich(r#"{"type": "broadcast", "range": "here"}"#)),
        ("slack", rich(r#"{"type": "user", "user_id": "{{title}}"}"#)),
        ("slack", r#"{"text": "{{id}}", "blocks": [{"type": "markdown", "text": "@channel"}]}"#.to_owned()),
        ("teams", card("<AT>Ann</at>")),
        ("discord", r#"{"content": "@here {{id}}"}"#.to_owned()),
        ("discord", r#"{"content": "<@{{title}}> {{id}}"}"#.to_owned()),
        ("discord", r#"{"content": "{{id}}", "embeds": [{"description": "@everyone"}]}"#.to_owned()),
    ] {
        let error = refused(product, &text, "U012AB3CD");
        assert!(matches!(error, NativeError::Mention { .. }), "{product}: {text} gives {error}");
    }
}

#[test]
fn what_is_forced_is_forced() {
    let text = r#"{"text": "{{id}}", "unfurl_links": true, "link_names": true, "parse": "full", "mrkdwn": false,
        "attachments": [{"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "{{title}}", "verbatim": false}]}]}]}"#;
    let set = template("one.slack.json.hbs", text.to_owned());
    let slack = with_options("slack", json!({}));
    let body = fill_in(&set, "one", &*slack, &event("@here", ""), &[Mention::Here]).unwrap();
    judge("slack", &body, &["<!here>"]);
    assert_eq!(body["text"], "<!here> #2229");
    for key in ["link_names", "parse", "mrkdwn"] {
        assert_eq!(body.get(key), None, "{key}");
    }
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    assert_eq!(body.pointer("/attachments/0/blocks/0/elements/0/verbatim"), Some(&json!(true)));
    let compatible = with_options("slack", json!({"blocks": false}));
    assert!(fill_in(&set, "one", &*compatible, &event("x", ""), &[]).is_err());

    let text = r#"{"content": "{{id}}", "allowed_mentions": {"parse": ["everyone", "users"]}}"#;
    let set = template("one.discord.json.hbs", text.to_owned());
    let filled = |options: Value| {
        fill_in(&set, "one", &*with_options("discord", options), &event("x", ""), &[]).unwrap()
    };
    assert_eq!(filled(json!({}))["allowed_mentions"], json!({"parse": []}));
    assert_eq!(filled(json!({}))["content"], "\\#2229");
    assert_eq!(filled(json!({"thread_name": "{{title}}"}))["thread_name"], "thread");

    let card = r#"{"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {"type": "AdaptiveCard", "version": "1.4",
        "msteams": {"entities": [{"type": "mention", "text": "x", "mentioned": {"id": "bob@example.com", "name": "Bob"}}]},
        "actions": [{"type": "Action.OpenUrl", "title": "{{id}}", "url": "https://a.example/"}]}}]}"#;
    let set = template("one.teams.json.hbs", card.to_owned());
    let teams = with_options("teams", json!({}));
    let body = fill_in(&set, "one", &*teams, &event("x", ""), &everybody()).unwrap();
    judge("teams", &body, &["ann@example.com"]);
    judge("teams", &fill_in(&set, "one", &*teams, &event("x", ""), &[]).unwrap(), &[]);
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        2 => "[<>@!|`*_~\\[\\]()\\\\{}:/#.&\\-+ \nhereACU0-9]{0,30}",
        1 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        1 => ("\\PC{1,3}", 0_usize..2_000).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_values_give_a_body_that_is_taken_or_an_error(
        values in prop::collection::vec(any_value(), 6), url in any_value(), calls in any::<bool>(),
    ) {
        let mut event = event(&values[0], &url);
        event.error.class.clone_from(&values[1]);
        event.text.clone_from(&values[2]);
        event.app.name.clone_from(&values[3]);
        event.app.stage.clone_from(&values[4]);
        event.user.name.clone_from(&values[5]);
        let everybody = everybody();
        for (name, product, set) in fixtures() {
            let platform = with_options(&product, json!({}));
            let mentions = if calls { &everybody[..] } else { &[] };
            match fill_in(&set, &name, &*platform, &event, mentions) {
                Ok(body) => judge(&product, &body, if calls { called(&product) } else { &[] }),
                Err(NativeError::TooLong { .. }) => {}
                Err(NativeError::Shape { path, .. }) if path == "username" || path.ends_with("url") => {}
                Err(error) => prop_assert!(false, "{}: {}", product, error),
            }
        }
    }
}
