//! A message in its simplest form is one that every platform takes, whatever the message was.

use super::*;
use check::simplest::{check, visible};

fn simplest(product: &str, message: &Message, mentions: &[Mention]) -> Value {
    plain(product).compose_simplest(message, mentions)
}

/// Composes `message` for every platform and has each body judged; all of them ping nobody.
fn check_quiet(message: &Message) {
    for product in PRODUCTS {
        let body = simplest(product, message, &[]);
        assert_eq!(check(product, &body), Vec::<String>::new(), "{product}");
        assert_eq!(body, simplest(product, message, &[]), "{product}: the same message, the same body");
    }
}

/// Composes `message` with everyone wanted; each platform pings exactly those whom it can, once.
fn check_loud(message: &Message) {
    let all = [Mention::Here, Mention::Channel, ann(), backend(), ann()];
    for (product, wanted) in [
        ("slack", &["<!here>", "<!channel>", "<@U012AB3CD>", "<!subteam^S012AB3CD>"][..]),
        ("teams", &["<at>Ann Lee</at>"]),
        ("discord", &["@here", "@everyone", "<@123456789012345678>", "<@&987654321098765432>"]),
    ] {
        assert_eq!(check(product, &simplest(product, message, &all)), wanted, "{product}");
    }
}

#[test]
fn what_happened_where_to_look_and_which_event_it_is_are_left() {
    let message = messages::ordinary();
    check_quiet(&message);
    for product in PRODUCTS {
        let body = simplest(product, &message, &[]);
        let seen = visible(product, &body);
        for left in [
            "🔴 NoMethodError in Harbor API",
            "undefined method `total' for nil:NilClass",
            "#2b4k",
            "shortened",
        ] {
            assert!(seen.contains(left), "{product}: {left} is not in {seen}");
        }
        assert!(body.to_string().replace("&amp;", "&").contains(message.title.url()), "{product}: {body}");
        for gone in ["cart_totals.rb", "2026.11.3", "HARBOR-12", "checkout#create"] {
            assert!(!seen.contains(gone), "{product}: {gone} is in {seen}");
        }
    }
}

#[test]
fn a_message_of_nothing_or_of_everything_is_taken_in_its_simplest_form() {
    for message in [Message::default(), messages::huge()] {
        check_quiet(&message);
        check_loud(&message);
    }
    for blank in ["", " ", "\n", "\u{200B}", "\u{0}\u{7f}", "\u{202E}\u{2066}", "\u{3164}"] {
        check_quiet(&messages::of_one_text(blank));
    }
    for product in PRODUCTS {
        let seen = visible(product, &simplest(product, &messages::huge(), &[]));
        assert!(seen.contains("the end"), "{product}: the footer's end is the event's id, and stays");
    }
}

#[test]
fn hostile_text_is_text_in_the_simplest_form_too() {
    for text in messages::HOSTILE {
        let message = messages::of_one_text(text);
        check_quiet(&message);
        check_loud(&message);
        let sent = format!("a {text} z");
        let message = Message { title: Text::plain(sent.clone()), ..Message::default() };
        for product in PRODUCTS {
            let seen = visible(product, &simplest(product, &message, &[]));
            let start: String = crate::text::one_line(&sent).chars().take(60).collect();
            assert!(seen.contains(&start), "{product}: {start:?} is not in {seen:?}");
        }
    }
}

#[test]
fn an_address_pings_nobody() {
    let url = "https://example.com/@everyone/@here?a=<@123456789012345678>&b=<!channel>&c=|x";
    let title = Text(vec![Span { text: "t".into(), url: url.into(), ..Span::default() }]);
    let message = Message { title, ..Message::default() };
    check_quiet(&message);
    check_loud(&message);
    for product in PRODUCTS {
        let body = simplest(product, &message, &[]).to_string();
        assert!(body.contains("https://example.com/"), "{product}: {body}");
    }
}

#[test]
fn a_crowd_leaves_room_for_the_words() {
    let crowd: Vec<Mention> = (0..300)
        .map(|n| {
            Mention::Person(Person {
                name: format!("p{n}"),
                slack: Some(format!("U{n:08}")),
                discord: Some(format!("1{n:017}")),
                teams: Some(TeamsPerson { id: format!("p{n}@example.com"), name: "Ä".repeat(80) }),
            })
        })
        .collect();
    for message in [messages::huge(), messages::of_one_text("@*".repeat(1_000).as_str())] {
        for product in PRODUCTS {
            let pinged = check(product, &simplest(product, &message, &crowd)).len();
            assert!(pinged >= 7, "{product}: {pinged}");
        }
    }
}

#[test]
fn a_forum_post_keeps_its_name() {
    let forum = with_options("discord", json!({"thread_name": "{{error.class}}"})).unwrap();
    let message = Message { thread: "Timeout".into(), ..messages::ordinary() };
    let body = forum.compose_simplest(&message, &[]);
    check("discord", &body);
    assert_eq!(body["thread_name"], "Timeout");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_is_taken_in_its_simplest_form_and_mentions_only_the_wanted(message in any_message()) {
        check_quiet(&message);
        check_loud(&message);
    }
}
