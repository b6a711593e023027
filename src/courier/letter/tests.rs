//! What one request says of several events: by which template, whom it mentions, and what its thread is called.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::clock::Moment;
use crate::destination::platform;
use crate::event::EventId;
use crate::sample;
use crate::template::TemplateFile;

const NOW: Moment = Moment(1_790_000_000_000);

const TELLING: Telling<'static> =
    Telling { id: EventId(27_000), repeat: true, instead_of: Some("oncall"), now: NOW };

fn made(product: &str, options: Value) -> Arc<dyn Platform> {
    platform(product, options).unwrap().unwrap()
}

fn set(files: &[(&str, &str)]) -> TemplateSet {
    let file = |(name, text): &(&str, &str)| TemplateFile { name: (*name).into(), text: (*text).into() };
    let (set, problems) = TemplateSet::new(files.iter().map(file).collect(), TimeZone::UTC);
    assert_eq!(problems, []);
    set
}

#[test]
fn several_events_are_one_body_with_the_mentions_that_are_given() {
    let digest = sample::gatherings(NOW).remove(0);
    let roundup = Roundup { gathering: &digest, telling: TELLING, mentions: &[Mention::Here] };
    for (product, here) in [("slack", "<!here>"), ("discord", "@here")] {
        let platform = made(product, json!({}));
        let Written { body, shortfalls } = roundup.write(&set(&[]), &*platform);
        assert_eq!(shortfalls, []);
        for body in [body, roundup.write_simplest(&set(&[]), &*platform).body] {
            let text = body.to_string();
            for said in [here, "4,422 events", "#3222", "instead of oncall", "may be a repeat"] {
                assert!(text.contains(said), "{product}: {said} is not in {text}");
            }
        }
    }
}

#[test]
fn a_native_template_wins_and_gives_way_with_a_note_where_it_is_too_long() {
    let digest = sample::gatherings(NOW).remove(0);
    let roundup = Roundup { gathering: &digest, telling: TELLING, mentions: &[] };
    let native = r#"{"text":"{{count}} {{#each errors}}{{which}}, {{/each}} {{id}}"}"#;
    let templates = set(&[("digest.slack.json.hbs", native)]);
    let (slack, teams) = (made("slack", json!({})), made("teams", json!({})));
    let text = roundup.write(&templates, &*slack).body["text"].as_str().unwrap().replace('\u{200B}', "");
    assert!(text.starts_with("4422 Payments::GatewayTimeout in Shop API, "), "{text}");
    assert!(text.ends_with("#3222 · instead of oncall · may be a repeat"), "{text}");
    assert!(roundup.write(&templates, &*teams).body.to_string().contains("4,422 events"));
    let without_blocks = made("slack", json!({ "blocks": false }));
    assert!(roundup.write(&templates, &*without_blocks).body.to_string().contains("4,422 events"));

    let long = format!(r#"{{"text":"{{{{id}}}} {}"}}"#, "x".repeat(60_000));
    let Written { body, shortfalls } = roundup.write(&set(&[("digest.slack.json.hbs", &long)]), &*slack);
    assert_eq!(shortfalls.len(), 1);
    assert_eq!(shortfalls[0].template.as_deref(), Some("digest.slack.json"));
    let text = body.to_string();
    assert!(
        text.contains("4,422 events") && text.contains("the native template could not be used"),
        "{text}"
    );
}

#[test]
fn a_thread_is_called_by_the_title_and_not_by_any_event() {
    let digest = sample::gatherings(NOW).remove(0);
    let roundup = Roundup { gathering: &digest, telling: TELLING, mentions: &[] };
    let forum = made("discord", json!({ "thread_name": "{{app.name}}" }));
    let expected = "🔴 4,422 events: 3,100 errors, 1,200 warnings, 112 infos, 10 notices";
    let native = set(&[("digest.discord.json.hbs", r#"{"content":"{{id}}"}"#)]);
    for templates in [set(&[]), native] {
        assert_eq!(roundup.write(&templates, &*forum).body["thread_name"], expected);
    }
    assert_eq!(roundup.write_simplest(&set(&[]), &*forum).body["thread_name"], expected);
}
