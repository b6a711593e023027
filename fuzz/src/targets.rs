//! What each fuzz target does with its bytes. The repository's tests run the same over the seeds.

use std::sync::LazyLock;

use bugle::clock::Moment;
use bugle::destination::{PRODUCTS, platform};
use bugle::event::{Event, EventId};
use bugle::message::Message;
use bugle::name::SourceName;
use bugle::pretend::{Product, Request, Webhook, pings};
use bugle::sample::{sample, triggers};
use bugle::source::{Source, plain_tracker};
use bugle::template::{Telling, TemplateFile, TemplateSet};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

const NOW: Moment = Moment(1_790_000_000_000);

static BUILT_IN: LazyLock<TemplateSet> = LazyLock::new(|| TemplateSet::built_in(TimeZone::UTC));

/// Any bytes as a body from Bugsnag: no panic, and every element of a JSON body becomes an event.
pub fn bugsnag(bytes: &[u8]) {
    parse("bugsnag", bytes);
}

/// Any bytes as a body from Bugfender.
pub fn bugfender(bytes: &[u8]) {
    parse("bugfender", bytes);
}

fn parse(product: &str, bytes: &[u8]) {
    for kind in [None, Some("crash"), Some("no such type")] {
        let events = source(product).trusted().parse(bytes, kind);
        let whole = serde_json::from_slice::<Value>(bytes);
        match (whole, events) {
            (Ok(Value::Array(elements)), Ok(events)) if elements.len() <= 10_000 => {
                assert_eq!(elements.len(), events.len());
            }
            (Ok(Value::Object(_)), Ok(events)) => assert_eq!(events.len(), 1),
            (Ok(Value::Object(_) | Value::Array(_)), Err(error)) => panic!("JSON was refused: {error}"),
            _ => {}
        }
    }
}

fn source(product: &str) -> Source {
    Source {
        name: SourceName::new("backend").unwrap(),
        tracker: plain_tracker(product).unwrap(),
        tokens: Vec::new(),
        allow_from: Vec::new(),
    }
}

/// Texts, separated by 0xFF bytes, in every place of every kind of event: what every platform gets is a message that
/// it takes, and that mentions nobody.
pub fn message(bytes: &[u8]) {
    let texts: Vec<String> =
        bytes.split(|byte| *byte == 0xFF).map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let first = usize::from(bytes.first().copied().unwrap_or_default());
    let all: Vec<(&str, &str)> =
        ["bugsnag", "bugfender"].into_iter().flat_map(|p| triggers(p).iter().map(move |t| (p, *t))).collect();
    let (product, trigger) = all[first % all.len()];
    let mut body = sample(product, trigger, NOW).unwrap();
    let mut count = 0;
    replace(&mut body, &mut |text| {
        count += 1;
        if *text != trigger && !text.is_empty() {
            texts[count % texts.len()].clone_into(text);
        }
    });
    for event in source(product).trusted().parse(body.to_string().as_bytes(), Some("crash")).unwrap() {
        let message = BUILT_IN.render(None, &event, &telling());
        assert_eq!(message, BUILT_IN.render(None, &event, &telling()), "the same input, the same message");
        judge(&message);
    }
}

/// Calls `change` with every text of `value` but the trigger and what frames are numbered by.
fn replace(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(list) => list.iter_mut().for_each(|value| replace(value, change)),
        Value::Object(members) => {
            let keep: Map<String, Value> = members
                .iter()
                .filter(|(key, _)| *key == "type")
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            members.values_mut().for_each(|value| replace(value, change));
            members.extend(keep);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Any text as a template: it is refused with a reason, or renders, and what comes of it is taken.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = TemplateFile { name: "fuzzed.hbs".to_owned(), text };
    let (set, problems) = TemplateSet::new(vec![file], TimeZone::UTC);
    if !problems.is_empty() {
        return;
    }
    for (product, trigger) in [("bugsnag", "firstException"), ("bugfender", "feedback")] {
        let body = sample(product, trigger, NOW).unwrap().to_string();
        for event in source(product).trusted().parse(body.as_bytes(), None).unwrap() {
            judge(&set.render(Some("fuzzed"), &event, &telling()));
        }
        let nothing = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
        judge(&set.render(Some("fuzzed"), &nothing, &telling()));
    }
}

fn telling() -> Telling<'static> {
    Telling { id: EventId(810_000), repeat: false, instead_of: None, now: NOW }
}

/// Panics unless every platform would take `message` and nobody would be told.
fn judge(message: &Message) {
    for (name, product) in PRODUCTS.into_iter().zip([Product::Slack, Product::Teams, Product::Discord]) {
        assert_eq!(name, product.as_str());
        let platform = platform(name, Value::Object(Map::new())).unwrap().unwrap();
        for body in [platform.compose(message, &[]), platform.compose_simplest(message, &[])] {
            let webhook = Webhook::fresh(product);
            let query = if name == "discord" { "wait=true" } else { &webhook.query };
            let answer = webhook.judge(product, &Request::post(&webhook.path, query, &body), 1);
            assert!((200..300).contains(&answer.status), "{name}: {} in {body}", answer.why);
            assert_eq!(pings(product, &body), Vec::<String>::new(), "{name}: {body}");
        }
    }
}
