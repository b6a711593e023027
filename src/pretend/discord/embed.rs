//! Embeds: the limits of each part and of all texts together.

use jiff::Timestamp;
use serde_json::Value;

use crate::pretend::shape::Place;

use super::form::Form;

/// All texts of all embeds of a message.
const TEXT_IN_ALL: usize = 6000;
/// The largest colour, 0xFFFFFF.
const COLOUR: u64 = 16_777_215;

/// Checks the embeds of a message.
pub(super) fn check(embeds: &[Place<'_>], form: &mut Form) {
    let length: usize = embeds.iter().map(|embed| one(embed, form)).sum();
    if length > TEXT_IN_ALL {
        let message = format!("Embed size exceeds maximum size of {TEXT_IN_ALL}");
        form.fault("embeds", "MAX_EMBED_SIZE_EXCEEDED", message);
    }
}

/// Checks one embed; gives the length of its texts.
fn one(embed: &Place<'_>, form: &mut Form) -> usize {
    if !embed.value.is_object() {
        form.fault(&embed.path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used.");
        return 0;
    }
    let mut length = form.text(embed, "title", 0..=256) + form.text(embed, "description", 0..=4096);
    for field in form.list(embed, "fields", 25) {
        length += form.required(&field, "name", 256) + form.required(&field, "value", 1024);
        if field.at("inline").is_some_and(|inline| !inline.value.is_boolean()) {
            form.fault(
                &format!("{}.inline", field.path),
                "BOOLEAN_TYPE_CONVERT",
                "Must be either true or false.",
            );
        }
    }
    if let Some(footer) = embed.at("footer") {
        length += form.required(&footer, "text", 2048);
        form.url(&footer, "icon_url", &["attachment"]);
    }
    if let Some(author) = embed.at("author") {
        length += form.required(&author, "name", 256);
        form.url(&author, "url", &[]);
        form.url(&author, "icon_url", &["attachment"]);
    }
    form.url(embed, "url", &[]);
    for picture in ["image", "thumbnail"].iter().filter_map(|key| embed.at(key)) {
        form.url(&picture, "url", &["attachment"]);
    }
    rest(embed, form);
    length
}

fn rest(embed: &Place<'_>, form: &mut Form) {
    if let Some(colour) = embed.at("color") {
        match colour.value.as_u64() {
            Some(0..=COLOUR) => {}
            Some(_) => {
                let message = "int value should be less than or equal to 16777215.";
                form.fault(&colour.path, "NUMBER_TYPE_MAX", message);
            }
            None => {
                let message = format!("Value \"{}\" is not int.", colour.value);
                form.fault(&colour.path, "NUMBER_TYPE_COERCE", message);
            }
        }
    }
    if let Some(time) = embed.at("timestamp")
        && time.value.as_str().is_none_or(|time| time.parse::<Timestamp>().is_err())
    {
        form.fault(&time.path, "DATE_TIME_TYPE_PARSE", "Could not parse. Should be ISO8601.");
    }
}

/// Whether there is anything in an embed that a reader sees.
pub(super) fn shows_something(embed: &Value) -> bool {
    let texts = ["/title", "/description", "/footer/text", "/author/name", "/image/url", "/thumbnail/url"];
    let has_text = texts
        .iter()
        .any(|path| embed.pointer(path).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty()));
    has_text || embed.get("fields").and_then(Value::as_array).is_some_and(|fields| !fields.is_empty())
}
