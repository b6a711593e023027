//! What every platform must satisfy, tried over the registry, so that a new one cannot forget any of it.
//!
//! `check` judges a body as strictly as the platform does; `messages` has what to try it with; `answers` and
//! `addresses` are the tables of what comes back and of where to post, `probes` is what is asked without posting.

mod addresses;
mod answers;
mod any;
mod check;
mod compatible;
mod gatherings;
mod looks;
mod losses;
mod messages;
mod probes;
mod simplest;
mod templates;

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{PRODUCTS, Platform, platform};
use crate::message::{Block, Group, Link, Mention, Message, Person, Span, TeamsPerson, Text, Tone};
use any::any_message;
use check::check;

/// The platform of `product` with the options in `options`.
fn with_options(product: &str, options: Value) -> Result<Arc<dyn Platform>, serde_json::Error> {
    platform(product, options).expect("the registry knows its products")
}

fn plain(product: &str) -> Arc<dyn Platform> {
    with_options(product, Value::Object(Map::new())).unwrap()
}

/// Composes `message` for every platform and has each body judged.
fn check_all(message: &Message, mentions: &[Mention]) {
    for product in PRODUCTS {
        let body = plain(product).compose(message, mentions);
        check(product, &body);
        assert_eq!(
            body,
            plain(product).compose(message, mentions),
            "{product}: the same message, the same body"
        );
    }
}

/// A message of a title and a paragraph.
fn paragraph(text: &str) -> Message {
    let blocks = vec![Block::Paragraph(Text::plain(text))];
    Message { title: Text::plain("t"), blocks, ..Message::default() }
}

/// What people read in a body, without what only a notification shows.
fn without_summary(product: &str, message: &Message) -> String {
    let mut body = plain(product).compose(message, &[]);
    for pointer in ["/text", "/attachments/0/fallback", "/attachments/0/content/fallbackText"] {
        if let Some(text) = body.pointer_mut(pointer) {
            *text = json!("s");
        }
    }
    check::visible(product, &body)
}

/// All that people can read in a body of `product`, one text after another, escapes undone.
fn visible(product: &str, message: &Message) -> String {
    check::visible(product, &plain(product).compose(message, &[]))
}

fn ann() -> Mention {
    Mention::Person(Person {
        name: "ann".into(),
        slack: Some("U012AB3CD".into()),
        discord: Some("123456789012345678".into()),
        teams: Some(TeamsPerson { id: "ann@example.com".into(), name: "Ann Lee".into() }),
    })
}

fn backend() -> Mention {
    let group = Group {
        name: "backend".into(),
        slack: Some("S012AB3CD".into()),
        discord: Some("987654321098765432".into()),
    };
    Mention::Group(group)
}

#[test]
fn the_registry_knows_its_products_and_no_others() {
    for product in PRODUCTS {
        assert_eq!(plain(product).product(), product);
        assert!(
            with_options(product, json!({"colour": "red"})).is_err(),
            "{product}: unknown options are refused"
        );
    }
    assert!(platform("telegram", json!({})).is_none());
}

#[test]
fn an_ordinary_message_is_taken_and_whole() {
    let message = messages::ordinary();
    check_all(&message, &[]);
    for product in PRODUCTS {
        let visible = visible(product, &message);
        for text in texts(&message) {
            assert!(visible.contains(&text), "{product}: {text:?} is not in {visible}");
        }
    }
}

/// Every text of `message` that people are to read.
fn texts(message: &Message) -> Vec<String> {
    let mut texts = vec![message.title.to_string(), message.subtitle.to_string(), message.footer.to_string()];
    for block in &message.blocks {
        match block {
            Block::Heading(text) | Block::Paragraph(text) | Block::Quote(text) => {
                texts.push(text.to_string());
            }
            Block::List(list) => texts.extend(list.items.iter().map(Text::to_string)),
            Block::Fields(fields) => {
                texts.extend(fields.iter().flat_map(|f| [f.label.to_string(), f.value.to_string()]));
            }
            Block::Code(code) => texts.extend(code.lines().map(str::to_owned)),
            Block::Links(links) => texts.extend(links.iter().map(|link| link.label.clone())),
        }
    }
    texts
}

#[test]
fn every_tone_has_its_colour() {
    for tone in [Tone::Error, Tone::Warning, Tone::Info, Tone::Resolved, Tone::Other] {
        check_all(&Message { tone, ..messages::ordinary() }, &[]);
    }
    let colour =
        |product, pointer: &str| plain(product).compose(&messages::ordinary(), &[]).pointer(pointer).cloned();
    assert_eq!(colour("slack", "/attachments/0/color"), Some(json!("#d92d20")));
    assert_eq!(colour("teams", "/attachments/0/content/body/0/style"), Some(json!("attention")));
    assert_eq!(colour("discord", "/embeds/0/color"), Some(json!(14_232_864)));
}

#[test]
fn a_message_of_nothing_is_still_one_that_is_taken() {
    check_all(&Message::default(), &[]);
    for blank in ["", " ", "\n", "\u{200B}", "\u{0}\u{7f}", "\u{202E}\u{2066}", "\u{3164}"] {
        check_all(&messages::of_one_text(blank), &[ann()]);
    }
}

#[test]
fn a_huge_message_is_cut_within_all_limits_and_quickly() {
    let message = messages::huge();
    for product in PRODUCTS {
        let started = Instant::now();
        let body = plain(product).compose(&message, &[]);
        assert!(started.elapsed() < Duration::from_secs(20), "{product}: {:?}", started.elapsed());
        check(product, &body);
        let visible = check::visible(product, &body);
        assert!(visible.contains("characters left out …"), "{product}");
        for lost in ["fields", "lines", "links"] {
            assert!(visible.contains(&format!("{lost} left out …")), "{product}: {lost}");
        }
        assert!(visible.contains("the end"), "{product}: the footer's end is the event's id, and stays");
        assert!(
            body.to_string().contains("https://example.com/title"),
            "{product}: the link stays, without its query"
        );
    }
}

#[test]
fn code_lines_go_before_the_text() {
    let text = "t".repeat(1_000);
    let code: Vec<_> = (0..2_000).map(|n| format!("frame number {n}")).collect();
    let blocks = vec![Block::Paragraph(Text::plain(text.clone())), Block::Code(code.join("\n"))];
    let message = Message { blocks, ..messages::ordinary() };
    check_all(&message, &[]);
    for product in PRODUCTS {
        let visible = visible(product, &message);
        assert!(visible.contains(&text), "{product}");
        assert!(visible.contains("frame number 0\n") && visible.contains("lines left out …"), "{product}");
        assert!(!visible.contains("frame number 1999"), "{product}");
    }
}

/// The documented limits, and our own where they are tighter.
const LIMITS: [usize; 14] = [60, 80, 200, 240, 250, 256, 300, 400, 600, 1_024, 2_000, 2_900, 3_000, 4_096];

#[test]
fn texts_around_every_limit_are_taken() {
    let check_each = |message: &Message| {
        for product in PRODUCTS {
            check(product, &plain(product).compose(message, &[ann()]));
        }
    };
    for length in LIMITS.into_iter().flat_map(|limit| [limit - 1, limit, limit + 1]) {
        for piece in ["x", "😀", "*", "&", "\"", "{", "`", "a\n"] {
            let text = piece.repeat(length / piece.chars().count());
            check_each(&messages::of_one_plain_text(&text));
            // In every look it is ten times as much.
            if length < 1_000 && ["😀", "`"].contains(&piece) {
                check_each(&messages::of_one_text(&text));
            }
        }
    }
    for length in
        [5_999, 6_000, 6_001, 11_999, 12_000, 12_001, 17_999, 18_000, 18_001, 19_999, 20_000, 20_001]
    {
        for piece in ["x", "é", "\\", "\""] {
            check_each(&paragraph(&piece.repeat(length)));
        }
    }
}

#[test]
fn a_title_is_cut_at_its_end_and_only_over_the_limit() {
    for (product, limit) in [("slack", 300), ("teams", 600), ("discord", 256)] {
        for length in [limit - 1, limit, limit + 1] {
            let title = format!("Start{}", "x".repeat(length - 5));
            let message = Message { title: Text::plain(title.clone()), ..Message::default() };
            let visible = without_summary(product, &message);
            assert_eq!(visible.contains(&title), length <= limit, "{product}: {length}");
            assert!(visible.contains("Startxxxx"), "{product}");
            assert_eq!(visible.contains("x…"), length > limit, "{product}: {length}");
        }
    }
}

#[test]
fn hostile_text_is_text() {
    for text in messages::HOSTILE {
        check_all(&messages::of_one_text(text), &[]);
        check_all(&messages::of_one_text(&format!("{text}\n{text} and more")), &[backend()]);
        // Whatever is done to disarm it, people read what was sent.
        let sent = format!("a {text} z");
        let message = paragraph(&sent);
        let sent = crate::text::clean(&sent);
        for product in PRODUCTS {
            let seen = visible(product, &message);
            assert!(seen.contains(&sent), "{product}: {sent:?} is not in {seen:?}");
        }
    }
}

#[test]
fn only_the_wanted_are_mentioned() {
    let message = messages::of_one_text("<!channel> @everyone <@123> <at>Bob</at>");
    for product in PRODUCTS {
        assert_eq!(check(product, &plain(product).compose(&message, &[])), Vec::<String>::new(), "{product}");
    }
    let all = [Mention::Here, Mention::Channel, ann(), backend(), ann()];
    let pinged = |product: &str, mentions| check(product, &plain(product).compose(&message, mentions));
    assert_eq!(pinged("slack", &all), ["<!here>", "<!channel>", "<@U012AB3CD>", "<!subteam^S012AB3CD>"]);
    assert_eq!(
        pinged("discord", &all),
        ["@here", "@everyone", "<@123456789012345678>", "<@&987654321098765432>"]
    );
    assert_eq!(pinged("teams", &all), ["<at>Ann Lee</at>"]);
    assert_eq!(pinged("discord", &[backend()]), ["<@&987654321098765432>"]);

    let slack = plain("slack").compose(&messages::ordinary(), &all);
    assert_eq!(slack["blocks"][0]["text"]["text"], "<!here> <!channel> <@U012AB3CD> <!subteam^S012AB3CD>");
    assert!(
        slack["text"]
            .as_str()
            .unwrap()
            .starts_with("🔴 NoMethodError in Harbor API · New error · production")
    );
}

#[test]
fn a_crowd_is_mentioned_as_far_as_one_message_can() {
    let crowd: Vec<Mention> = (0..300)
        .flat_map(|n| {
            let (slack, digits) = (format!("U{n:08}"), format!("1{n:017}"));
            let teams = TeamsPerson {
                id: format!("person{n}@example.com"),
                name: format!("Person \"{n}\" {}", "é".repeat(n)),
            };
            let person = Person {
                name: format!("p{n}"),
                slack: Some(slack.clone()),
                discord: Some(digits.clone()),
                teams: Some(teams),
            };
            let group = Group {
                name: format!("g{n}"),
                slack: Some(slack.replace('U', "S")),
                discord: Some(digits.replacen('1', "2", 1)),
            };
            [Mention::Person(person), Mention::Group(group)]
        })
        .collect();
    for message in [messages::ordinary(), messages::of_one_text(&"long ".repeat(4_000))] {
        check_all(&message, &crowd);
    }
    let count = |product: &str| check(product, &plain(product).compose(&messages::ordinary(), &crowd)).len();
    assert!((10..=20).contains(&count("teams")), "{}", count("teams"));
    assert!(count("slack") > 50 && count("discord") > 50);
}

#[test]
fn people_of_one_name_are_told_apart() {
    let person = |id: &str, name: &str| {
        let teams = Some(TeamsPerson { id: id.into(), name: name.into() });
        Mention::Person(Person { name: id.into(), teams, ..Person::default() })
    };
    let names = ["Ann", "Ann (2)", "<Ann>", "Bo"];
    let people: Vec<Mention> = (1..).zip(names).map(|(n, name)| person(&format!("p{n}@a.b"), name)).collect();
    let pinged = check("teams", &plain("teams").compose(&messages::ordinary(), &people));
    assert_eq!(pinged, ["<at>Ann</at>", "<at>Ann (2)</at>", "<at>Ann (3)</at>", "<at>Bo</at>"]);
}

#[test]
fn who_cannot_be_mentioned_is_told_and_not_tried() {
    let nobody = Mention::Person(Person { name: "nobody".into(), ..Person::default() });
    let wrong = Mention::Person(Person {
        name: "wrong".into(),
        slack: Some("U1> <!channel".into()),
        discord: Some("@everyone".into()),
        teams: Some(TeamsPerson { id: " ".into(), name: "x".into() }),
    });
    let mentions = [Mention::Here, Mention::Channel, ann(), backend(), nobody.clone(), wrong.clone()];
    let cannot = |product: &str| {
        let platform = plain(product);
        mentions.iter().filter(|mention| !platform.can_mention(mention)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(cannot("slack"), [nobody.clone(), wrong.clone()]);
    assert_eq!(cannot("discord"), [nobody.clone(), wrong.clone()]);
    assert_eq!(cannot("teams"), [Mention::Here, Mention::Channel, backend(), nobody, wrong.clone()]);
    check_all(&messages::ordinary(), &[wrong]);
}

#[test]
fn discord_leaves_out_what_it_would_refuse_the_message_for() {
    let embed = |message: &Message| {
        let body = plain("discord").compose(message, &[]);
        check("discord", &body);
        body["embeds"][0].clone()
    };
    let ordinary = messages::ordinary();
    for undotted in ["http://bugsnag/errors/1", "http://localhost:3000/", "http://bugsnag./x"] {
        let blocks = vec![Block::Links(vec![Link { label: "There".into(), url: undotted.into() }])];
        let title = Text(vec![Span { text: "t".into(), url: undotted.into(), ..Span::default() }]);
        let embed = embed(&Message { title, blocks, ..ordinary.clone() });
        assert_eq!(embed.get("url"), None);
        assert!(!embed.to_string().contains(undotted));
    }
    for (at, written) in [
        ("2025-03-04T10:00:00Z", Some("2025-03-04T10:00:00.000000+00:00")),
        ("2025-03-04T11:00:00.123456+01:00", Some("2025-03-04T10:00:00.123456+00:00")),
        ("", None),
        ("yesterday", None),
        ("2025-03-04", None),
        ("-009999-01-01T00:00:00Z", None),
    ] {
        let embed = embed(&Message { at: at.into(), ..ordinary.clone() });
        assert_eq!(embed.get("timestamp").and_then(Value::as_str), written, "{at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_is_taken_and_mentions_nobody(message in any_message()) {
        check_all(&message, &[]);
        for product in PRODUCTS {
            prop_assert_eq!(check(product, &plain(product).compose(&message, &[])).len(), 0);
        }
    }
}
