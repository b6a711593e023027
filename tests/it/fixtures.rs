//! Every fixture, posted to the built binary, becomes a message on each platform: one that its official schema and
//! its limits allow, and that shows what the payload has.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bugle::pretend::Product;
use jsonschema::Validator;
use serde_json::Value;

use crate::bugle::{Place, fixtures, visible, wait_shown};

fn schema(name: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schemas").join(name);
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

struct Schemas {
    envelope: Validator,
    card: Validator,
    discord: Validator,
}

impl Schemas {
    fn check(&self, product: Product, body: &Value) {
        let valid = |validator: &Validator, value: &Value| {
            let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{product}: {errors:#?}\n{value:#}");
        };
        match product {
            // Slack publishes no schema; its pretend server is the judge.
            Product::Slack => {}
            Product::Teams => {
                valid(&self.envelope, body);
                let mut card = body["attachments"][0]["content"].clone();
                card.as_object_mut().unwrap().remove("msteams");
                valid(&self.card, &card);
            }
            Product::Discord => valid(&self.discord, body),
        }
    }
}

/// What a message about `element` must show.
fn facts(tracker: &str, element: &Value) -> Vec<String> {
    let error = &element["error"];
    let kind = element["trigger"]["type"].as_str().unwrap_or_default();
    let first_of = |values: &[&Value]| {
        values.iter().find_map(|value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    // A comment and a change of state are told in our words, with their author.
    let said_otherwise = ["comment", "errorStateManualChange"];
    let mut facts = match tracker {
        "backend" => vec![
            first_of(&[&error["exceptionClass"]]),
            first_of(&[&element["project"]["name"]]),
            first_of(&[&error["severity"]]),
            first_of(&[
                &error["app"]["releaseStage"],
                &error["releaseStage"],
                &element["release"]["releaseStage"],
            ]),
            first_of(&[&error["app"]["version"], &error["appVersion"], &element["release"]["version"]]),
            if kind == "comment" {
                first_of(&[&element["comment"]["message"]])
            } else {
                first_of(&[&error["message"]])
            },
            first_of(&[&error["url"], &element["release"]["url"], &element["project"]["url"]]),
            first_of(&[&error["id"], &element["release"]["id"]]),
            first_of(&[&element["trigger"]["message"]]).filter(|_| !said_otherwise.contains(&kind)),
        ],
        "mobile" => vec![
            first_of(&[&element["title"]]),
            first_of(&[&element["app"]["name"]]),
            first_of(&[&element["session"]["app_version"]["version"]]),
            first_of(&[&element["text"]]).and_then(|text| first_words(&text)),
            first_of(&[&element["self"]]),
            first_of(&[&element["id"]]),
            Some(match element["type"].as_str() {
                Some("crash") => "error".to_owned(),
                Some("feedback") => "info".to_owned(),
                _ => "warning".to_owned(),
            }),
        ],
        other => panic!("{other}: say here what a message about one of its events must show"),
    };
    let stacks = [&error["exceptions"][0]["stacktrace"], &error["stackTrace"], &error["stacktrace"]];
    let stack = stacks.into_iter().find_map(Value::as_array);
    let own = stack.and_then(|frames| frames.iter().find(|frame| frame["inProject"] == true));
    if let Some(frame) = own {
        facts.push(first_of(&[&frame["file"]]));
        facts.push(first_of(&[&frame["lineNumber"]]));
        facts.push(first_of(&[&frame["method"]]));
    }
    facts.into_iter().flatten().collect()
}

/// The longest piece without mark-up of the first line that is more than a fence.
fn first_words(text: &str) -> Option<String> {
    let line = text.lines().find(|line| !line.starts_with("```") && !line.trim().is_empty())?;
    let pieces = line.split(['*', '_', '`', '[', ']', '(']).map(str::trim);
    pieces.max_by_key(|piece| piece.len()).map(str::to_owned)
}

#[tokio::test]
async fn every_fixture_is_shown_on_every_platform() {
    let place = Place::new();
    let bugle = place.serve();
    let schemas = Schemas {
        envelope: schema("teams-workflow-message.schema.json"),
        card: schema("adaptive-card-1.4.0.schema.json"),
        discord: schema("discord-execute-webhook.schema.json"),
    };
    // By short id: the same event may come in several fixtures, and is then sent once.
    let mut expected: HashMap<String, (String, Vec<String>)> = HashMap::new();
    for (source, name, body) in fixtures() {
        let elements = match serde_json::from_slice(&body).unwrap() {
            Value::Array(elements) => elements,
            element => vec![element],
        };
        let ids = bugle.accept(source, body).await;
        assert_eq!(ids.len(), elements.len());
        for (id, element) in ids.into_iter().zip(&elements) {
            expected.entry(id).or_insert_with(|| (name.clone(), facts(source, element)));
        }
    }
    for chat in place.chats() {
        let messages = wait_shown(chat, expected.len()).await;
        assert_eq!(messages.len(), expected.len());
        assert_eq!(chat.count(), expected.len(), "{}: nothing was refused", chat.product());
        let texts: Vec<_> = messages.iter().map(|message| visible(message.json.as_ref().unwrap())).collect();
        for message in &messages {
            schemas.check(chat.product(), message.json.as_ref().unwrap());
            assert!(message.pings.is_empty());
        }
        for (id, (name, facts)) in &expected {
            let text = texts.iter().find(|text| text.contains(&format!("#{id}")));
            let text = text.unwrap_or_else(|| panic!("{}: no message with the id of {name}", chat.product()));
            for fact in facts {
                assert!(
                    text.contains(fact.as_str()),
                    "{}: {name} does not show {fact:?}:\n{text}",
                    chat.product()
                );
            }
        }
    }
    place.until("SELECT count(*) FROM deliveries WHERE state <> 'delivered'", "0").await;
}
