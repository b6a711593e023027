//! Every built-in template on every platform, as people see it: reviewed as text, whatever the terminal.

use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Map;

use super::*;
use crate::clock::Moment;
use crate::courier::Roundup;
use crate::destination::{Platform, platform};
use crate::flood::{Gathering, Told};
use crate::name::SourceName;
use crate::sample::gatherings;
use crate::source::{self, plain_tracker};

const NOW: Moment = Moment(1_790_000_000_000);

fn source(product: &str) -> Source {
    let name = if product == "bugsnag" { "backend" } else { "mobile" };
    Source {
        name: SourceName::new(name).unwrap(),
        tracker: plain_tracker(product).unwrap(),
        tokens: Vec::new(),
        allow_from: Vec::new(),
    }
}

/// The event in a body, its ids always the same.
fn event(product: &str, body: &str) -> Event {
    let ids = Regex::new("[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{24}").unwrap();
    let body = ids.replace_all(body, "66f0a1b2");
    source(product).trusted().parse(body.as_bytes(), None).unwrap().remove(0)
}

/// The cards of all platforms by the built-in templates, one below the other.
fn cards(event: &Event) -> String {
    cards_by(&TemplateSet::built_in(TimeZone::get("Europe/Madrid").unwrap()), None, event)
}

const TELLING: Telling<'static> = Telling { id: EventId(27_000), repeat: false, instead_of: None, now: NOW };

fn cards_by(templates: &TemplateSet, template: Option<&str>, event: &Event) -> String {
    let letter = Letter { event, template, telling: TELLING, mentions: &[] };
    cards_of(|platform| letter.body(templates, platform))
}

fn cards_of(body: impl Fn(&dyn Platform) -> Value) -> String {
    let mut out = Vec::new();
    for product in PRODUCTS {
        let platform = platform(product, Value::Object(Map::new())).unwrap().unwrap();
        writeln!(out, "{}", heading(product)).unwrap();
        let body = body(&*platform);
        Pen { colour: false }.card(&mut out, &card(product, &body)).unwrap();
        writeln!(out).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_sample_by_its_template() {
    for product in source::PRODUCTS {
        for trigger in triggers(product) {
            let body = sample(product, trigger, NOW).unwrap().to_string();
            let name = format!("{product}_{}", trigger.replace(':', "_"));
            insta::assert_snapshot!(name, cards(&event(product, &body)));
        }
    }
}

#[test]
fn what_bugle_says_of_itself() {
    let cards =
        |event: &Event| cards_by(&TemplateSet::built_in(TimeZone::UTC), Some(notice::TEMPLATE), event);
    for (number, event) in notices(NOW).iter().enumerate() {
        insta::assert_snapshot!(format!("notice_{number}_{}", event.trigger), cards(event));
    }
}

/// The cards of a message that stands for several.
fn cards_of_several(gathering: &Gathering) -> String {
    let templates = TemplateSet::built_in(TimeZone::get("Europe/Madrid").unwrap());
    let roundup = Roundup { gathering, telling: TELLING, mentions: &[] };
    cards_of(|platform| roundup.write(&templates, platform).body)
}

#[test]
fn what_stands_for_several() {
    for (number, gathering) in gatherings(NOW).iter().enumerate() {
        let name = format!("{}_{number}", gathering.told.as_str());
        insta::assert_snapshot!(name, cards_of_several(gathering));
    }
}

#[test]
fn the_pictures_of_what_stands_for_several_are_what_the_built_in_templates_make() {
    let page = include_str!("../../../docs/TEMPLATES.md").replace("\r\n", "\n");
    let gatherings = gatherings(NOW);
    for told in [Told::Digest, Told::More] {
        let first = gatherings.iter().find(|gathering| gathering.told == told).unwrap();
        let shown = cards_of_several(first);
        assert!(page.contains(&format!("```text\n{}\n```", shown.trim())), "the page should show\n{shown}");
    }
}

#[test]
fn what_no_tracker_has_a_sample_of() {
    let bare = event("bugsnag", r#"{"trigger":{"type":"somethingNew","message":"A new kind of thing"}}"#);
    insta::assert_snapshot!("unknown_trigger", cards(&bare));
    insta::assert_snapshot!("unreadable", cards(&event("bugfender", "{}")));
    let body = sample("bugsnag", "exception", NOW).unwrap().to_string().replace("m=oc", "m=te");
    insta::assert_snapshot!("test_message", cards(&event("bugsnag", &body)));
    let body = r#"{"trigger":{"type":"firstException"},"project":{"name":"<!channel> @everyone"},"error":{
        "exceptionClass":"*bold* _x_ [a](https://evil.example)","message":"```\n@here <@U1> &lt;b&gt;\n# h\n- i\n> q"}}"#;
    insta::assert_snapshot!("hostile", cards(&event("bugsnag", body)));
}

#[test]
fn the_pictures_in_the_documentation_are_what_its_template_makes() {
    let page = include_str!("../../../docs/TEMPLATES.md").replace("\r\n", "\n");
    let (_, rest) = page.split_once("This template and what becomes of it:\n\n```handlebars\n").unwrap();
    let (template, _) = rest.split_once("```\n").unwrap();
    let file = TemplateFile { name: "example.hbs".into(), text: template.into() };
    let (set, problems) = TemplateSet::new(vec![file], TimeZone::UTC);
    assert!(problems.is_empty(), "{problems:?}");
    let body = sample("bugsnag", "firstException", NOW).unwrap().to_string();
    let shown = cards_by(&set, Some("example"), &event("bugsnag", &body));
    assert!(page.contains(&format!("```text\n{}\n```", shown.trim())), "the page should show\n{shown}");
}
