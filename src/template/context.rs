//! What a template sees of an event: every name of the schema, whether the tracker gave something or not.

use serde_json::{Map, Value as Json};

use super::Telling;
use super::check::Uses;
use super::helper::Form;
use super::schema::{FIELDS, Field, Kind, as_number};
use crate::event::Event;
use crate::message::{Tone, tone};
use crate::source::lenient::whole;

/// What stands after the id of a message that was meant for another destination, or may have been posted before.
pub(super) fn marks(telling: &Telling<'_>) -> impl Iterator<Item = String> {
    let instead = telling.instead_of.map(|destination| format!("instead of {destination}"));
    instead.into_iter().chain(telling.repeat.then(|| "may be a repeat".to_owned()))
}

/// What stands there, too, if no webhook has brought the event.
pub(super) fn caught_up(event: &Event) -> Option<String> {
    event.caught_up.then(|| "caught up".to_owned())
}

/// The context of a rendering.
pub(super) fn context(event: &Event, telling: &Telling<'_>, uses: Uses, form: Form) -> Json {
    let mut context = group(FIELDS, event);
    tell(&mut context, telling, (form, caught_up(event)), tone(event));
    context.insert("test".to_owned(), event.test.into());
    context.insert("caught_up".to_owned(), event.caught_up.into());
    context.insert("raw".to_owned(), if uses.raw { whole(&event.raw) } else { Json::Null });
    Json::Object(context)
}

/// Adds what belongs to the message and not to what it is about, but for a `remark` on that.
pub(super) fn tell(
    context: &mut Map<String, Json>,
    telling: &Telling<'_>,
    (form, remark): (Form, Option<String>),
    tone: Tone,
) {
    let told = [
        ("id", id(telling, form, remark)),
        ("instead_of", telling.instead_of.unwrap_or_default().to_owned()),
        ("now", telling.now.to_string()),
        ("tone", tone_word(tone).to_owned()),
    ];
    context.extend(told.map(|(name, value)| (name.to_owned(), value.into())));
}

/// A native template has no footer that we could put the marks into.
fn id(telling: &Telling<'_>, form: Form, remark: Option<String>) -> String {
    let id = format!("#{}", telling.id);
    match form {
        Form::Json => [id].into_iter().chain(remark).chain(marks(telling)).collect::<Vec<_>>().join(" · "),
        Form::Markdown => id,
    }
}

/// The word for a colour, in templates.
pub(super) fn tone_word(tone: Tone) -> &'static str {
    match tone {
        Tone::Error => "error",
        Tone::Warning => "warning",
        Tone::Info => "info",
        Tone::Resolved => "resolved",
        Tone::Other => "other",
    }
}

/// The names in `fields`, as `event` has them; what belongs to the message is left to be told.
pub(super) fn group(fields: &[Field], event: &Event) -> Map<String, Json> {
    let value = |field: &Field| match field.kind {
        Kind::Text(read) => read(event).into(),
        Kind::Number(read) => as_number(read(event)),
        Kind::Flag(read) => match read(event) {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        Kind::Group(fields) => Json::Object(group(fields, event)),
        Kind::List(_, read) => read(event).into(),
        Kind::Told | Kind::Element | Kind::Inner(_) | Kind::Raw => Json::Null,
    };
    fields.iter().map(|field| (field.name.to_owned(), value(field))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::schema::field_names;
    use super::*;
    use crate::clock::Moment;
    use crate::event::{EventId, Frame};
    use crate::name::SourceName;

    fn telling(repeat: bool) -> Telling<'static> {
        Telling {
            id: EventId(5),
            repeat,
            instead_of: repeat.then_some("oncall"),
            now: Moment(1_741_082_400_123),
        }
    }

    fn event() -> Event {
        Event::blank(SourceName::new("backend").unwrap(), "bugsnag", r#"{"a":1,"project":{"apiKey":"s"}}"#)
    }

    #[test]
    fn every_name_is_there_even_of_an_event_of_which_nothing_is_known() {
        let context = context(&event(), &telling(false), Uses { raw: true, id: false }, Form::Markdown);
        for name in field_names() {
            let pointer = format!("/{}", name.replace('.', "/"));
            let in_list = ["/error/stack/", "/error/causes/", "/error/breadcrumbs/"];
            if !in_list.iter().any(|list| pointer.starts_with(list)) {
                assert!(context.pointer(&pointer).is_some_and(|value| !value.is_null()), "{name}");
            }
        }
        assert_eq!(context["raw"], serde_json::json!({ "a": 1, "project": {} }));
        assert_eq!(context["id"], "#2227");
        assert_eq!(context["now"], "2025-03-04T10:00:00.123Z");
    }

    #[test]
    fn numbers_and_flags_are_what_they_are_and_lists_have_an_end() {
        let mut event = event();
        event.error.occurrences = "32".into();
        event.error.handled = "false".into();
        event.error.stack = vec![Frame { own: Some(true), ..Frame::default() }; 300];
        event.test = true;
        event.caught_up = true;
        let context = context(&event, &telling(true), Uses::default(), Form::Json);
        assert_eq!(context["error"]["occurrences"], 32);
        assert_eq!(context["error"]["handled"], false);
        assert_eq!(context["error"]["users"], "");
        assert_eq!(context["error"]["stack"].as_array().unwrap().len(), 100);
        assert_eq!(context["error"]["stack"][0]["own"], true);
        assert_eq!(context["test"], true);
        assert_eq!(context["raw"], Json::Null);
        assert_eq!(context["caught_up"], true);
        assert_eq!(context["id"], "#2227 · caught up · instead of oncall · may be a repeat");
        assert_eq!(context["instead_of"], "oncall");
    }

    #[test]
    fn a_comment_is_only_what_a_comment_says() {
        let mut event = event();
        event.text = "hello".into();
        let text = |event: &Event| context(event, &telling(false), Uses::default(), Form::Markdown);
        assert_eq!(text(&event)["comment"]["text"], "");
        event.trigger = "comment".into();
        assert_eq!(text(&event)["comment"]["text"], "hello");
        assert_eq!(text(&event)["error"]["message"], "hello");
    }
}
