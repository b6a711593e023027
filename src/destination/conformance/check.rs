//! Judges a body as strictly as the platform it is for, and as strictly as we wish: no mark-up from outside anywhere.
//!
//! What a platform documents comes from `tests/fixtures/schemas`; the rest is written out here. Nothing in it shares
//! code with what composes the bodies.

pub(super) mod compatible;
mod discord;
pub(super) mod simplest;
mod slack;
mod teams;

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::text;

static LIMITS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/fixtures/schemas/limits.json")).unwrap()
});

/// The documented limit at `pointer`.
fn limit(pointer: &str) -> usize {
    let limit =
        LIMITS.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("no limit {pointer}"));
    usize::try_from(limit).unwrap()
}

/// Panics unless `product` would take `body` and show nothing in it as anything but text. Returns whom it pings.
pub(super) fn check(product: &str, body: &Value) -> Vec<String> {
    match product {
        "slack" => slack::check(body),
        "teams" => teams::check(body),
        "discord" => discord::check(body),
        _ => panic!("no checker for {product}: a new platform needs one"),
    }
}

/// How a piece of text looks, and where it leads.
#[expect(clippy::struct_excessive_bools, reason = "looks are independent of each other")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) struck: bool,
    pub(super) code: bool,
    pub(super) url: String,
}

/// A piece of text of one look, as people see it.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) text: String,
    pub(super) look: Look,
}

/// What people see below the title and the line under it, in the order of the body.
pub(super) fn runs(product: &str, body: &Value) -> Vec<Run> {
    match product {
        "slack" => slack::runs(body),
        "teams" => teams::runs(body),
        "discord" => discord::runs(body),
        _ => panic!("no checker for {product}: a new platform needs one"),
    }
}

fn words(runs: &[Run]) -> String {
    runs.iter().map(|run| run.text.as_str()).collect()
}

/// What people read, one text after another: escapes undone, invisible separators taken out.
pub(super) fn visible(product: &str, body: &Value) -> String {
    let texts = match product {
        "slack" => slack::visible(body),
        "teams" => teams::visible(body),
        "discord" => discord::visible(body),
        _ => panic!("no checker for {product}: a new platform needs one"),
    };
    texts.join("\n").replace('\u{200B}', "")
}

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn assert_valid(validator: &Validator, instance: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(instance).map(|error| error.instance_path().to_string()).collect();
    assert!(errors.is_empty(), "not valid at {errors:?}\n{instance:#}");
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text `{name}` in {value:#}"))
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no array `{name}` in {value:#}"))
}

/// Panics if `value` is no object, or has a member that is not in `names`.
fn only(value: &Value, names: &[&str]) {
    for name in value.as_object().unwrap_or_else(|| panic!("no object: {value:#}")).keys() {
        assert!(names.contains(&name.as_str()), "unexpected member `{name}` in {value:#}");
    }
}

/// Panics unless something of `text` can be seen, none of it is a control character, and it is within `limit` as code
/// points and as UTF-16 units.
fn assert_text(text: &str, limit: usize) {
    assert_seen(text);
    assert_piece(text, limit);
}

fn assert_seen(text: &str) {
    assert!(
        text.chars().any(|c| !c.is_whitespace() && !matches!(c, '\u{200B}' | '\u{FEFF}' | '\u{3164}')),
        "blank: {text:?}"
    );
}

/// The same for a piece of text, which may be the blank between two others.
fn assert_piece(text: &str, limit: usize) {
    assert!(!text.is_empty());
    assert!(text.encode_utf16().count() <= limit, "over {limit}: {text}");
    let forbidden = |c: char| text::acts(c) && c != '\n';
    assert!(!text.contains(forbidden), "{text:?}");
}

/// Panics unless `url` is an absolute web address that ends where it seems to.
fn assert_url(url: &str, limit: usize) {
    assert!(url.starts_with("https://") || url.starts_with("http://"), "{url}");
    assert!(url.len() <= limit, "over {limit}: {url}");
    assert!(url.bytes().all(|b| b.is_ascii_graphic() && !b"<>|\"\\^`{}".contains(&b)), "{url}");
    assert!(url::Url::parse(url).unwrap().host_str().is_some_and(|host| !host.is_empty()), "{url}");
}
