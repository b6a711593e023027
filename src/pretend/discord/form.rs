//! Discord's form errors: all faults of a body at once, as a tree of its shape.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use url::Url;

use crate::pretend::Answer;
use crate::pretend::shape::Place;

/// The faults of a body so far: a dotted path, Discord's code and sentence.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, &'static str, String)>);

impl Form {
    pub(super) fn is_faulty(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn fault(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.0.push((path.to_owned(), code, message.into()));
    }

    /// Checks the text `key`, if there is one; gives its length as Discord counts it.
    pub(super) fn text(&mut self, parent: &Place<'_>, key: &str, allowed: RangeInclusive<usize>) -> usize {
        let Some(place) = parent.at(key) else { return 0 };
        let Some(text) = place.value.as_str() else {
            self.fault(&place.path, "STRING_TYPE_CONVERT", "Could not interpret value as string.");
            return 0;
        };
        let length = text.trim().chars().count();
        let most = allowed.end();
        if length == 0 && *allowed.start() > 0 {
            self.fault(&place.path, "BASE_TYPE_REQUIRED", "This field is required");
        } else if length > *most {
            self.fault(&place.path, "BASE_TYPE_MAX_LENGTH", format!("Must be {most} or fewer in length."));
        }
        length
    }

    /// Checks the text `key`, which must be there.
    pub(super) fn required(&mut self, parent: &Place<'_>, key: &str, most: usize) -> usize {
        if let Err(fault) = parent.need(key) {
            self.fault(&fault.path, "BASE_TYPE_REQUIRED", "This field is required");
        }
        self.text(parent, key, 1..=most)
    }

    /// The elements of the list `key`; none if it is absent or faulty.
    pub(super) fn list<'a>(&mut self, parent: &Place<'a>, key: &str, most: usize) -> Vec<Place<'a>> {
        let Some(place) = parent.at(key) else { return Vec::new() };
        if !place.value.is_array() {
            self.fault(&place.path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
            return Vec::new();
        }
        place.list(0..=most).unwrap_or_else(|_| {
            self.fault(&place.path, "BASE_TYPE_MAX_LENGTH", format!("Must be {most} or fewer in length."));
            Vec::new()
        })
    }

    /// Checks the address `key`, if there is one. A host without a dot makes Discord refuse the whole message.
    pub(super) fn url(&mut self, parent: &Place<'_>, key: &str, further_schemes: &[&str]) {
        let Some(place) = parent.at(key) else { return };
        let text = place.value.as_str().unwrap_or_default();
        let parsed = Url::parse(text);
        let scheme = parsed.as_ref().map_or("", |url| url.scheme());
        if further_schemes.contains(&scheme) {
            return;
        }
        if text.chars().count() > 2048 {
            self.fault(&place.path, "BASE_TYPE_MAX_LENGTH", "Must be 2048 or fewer in length.");
        } else if parsed.is_ok() && scheme != "http" && scheme != "https" {
            let message =
                format!("Scheme \"{scheme}\" is not supported. Scheme must be one of ('http', 'https').");
            self.fault(&place.path, "URL_TYPE_INVALID_SCHEME", message);
        } else if !parsed.is_ok_and(|url| url.host_str().is_some_and(|host| host.contains('.'))) {
            self.fault(&place.path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
        }
    }

    /// The answer that lists all faults.
    pub(super) fn answer(&self) -> Answer {
        let mut errors = json!({});
        for (path, code, message) in &self.0 {
            insert(&mut errors, path, json!({ "code": code, "message": message }));
        }
        let why: Vec<_> = self.0.iter().map(|(path, _, message)| format!("{path}: {message}")).collect();
        Answer::json(400, &json!({ "message": "Invalid Form Body", "code": 50035, "errors": errors }))
            .because(why.join("; "))
    }
}

fn insert(tree: &mut Value, path: &str, fault: Value) {
    let Some(branch) = tree.as_object_mut() else { return };
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let below = branch.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !rest.is_empty() {
        return insert(below, rest, fault);
    }
    if let Some(leaf) = below.as_object_mut()
        && let Some(list) = leaf.entry("_errors").or_insert_with(|| json!([])).as_array_mut()
    {
        list.push(fault);
    }
}
