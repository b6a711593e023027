//! The small templates that stand in the configuration itself, such as the name of a forum thread.
//!
//! They are Handlebars, but of names alone: `{{app.name}} {{app.version}}`. A value is text wherever it lands, so
//! there is nothing to escape.

use handlebars::template::{Template, TemplateElement};

use super::scan::scan;
use super::schema::{self, Kind};
use crate::event::Event;
use crate::name::nearest;

/// A template in one line, understood when the configuration is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A name that the schema knows.
    Name(String),
}

/// Why a text is not such a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InlineError {
    /// It is not Handlebars.
    #[error("the template is broken: {0}")]
    Broken(String),
    /// There is no such field.
    #[error(
        "the template names `{name}`, which is no field that can stand here{}",
        nearest.as_ref().map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default()
    )]
    Unknown {
        /// What is written.
        name: String,
        /// The nearest field.
        nearest: Option<String>,
    },
    /// It has more than names in it.
    #[error("only names of fields in double braces can stand here, such as {{{{app.name}}}}")]
    MoreThanNames,
}

impl Inline {
    /// Understands `text`, every name in it.
    pub fn parse(text: &str) -> Result<Self, InlineError> {
        // The parser recurses and knows no limit; the scan does.
        scan(text).map_err(|error| InlineError::Broken(error.message))?;
        let template =
            Template::compile(text).map_err(|error| InlineError::Broken(error.reason().to_string()))?;
        template.elements.iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// The text for `event`, with its fields in place of their names.
    pub fn render(&self, event: &Event) -> String {
        let value = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => {
                schema::find(name).and_then(reader).map(|read| read(event).to_owned()).unwrap_or_default()
            }
        };
        self.0.iter().map(value).collect()
    }
}

/// How a field is read that is text of its own.
fn reader(kind: Kind) -> Option<fn(&Event) -> &str> {
    match kind {
        Kind::Text(read) | Kind::Number(read) | Kind::Flag(read) => Some(read),
        Kind::Told | Kind::Element | Kind::Group(_) | Kind::List(..) | Kind::Inner(_) | Kind::Raw => None,
    }
}

fn part(element: &TemplateElement) -> Result<Part, InlineError> {
    match element {
        TemplateElement::RawString(text) => Ok(Part::Text(text.clone())),
        TemplateElement::Expression(expression)
            if expression.params.is_empty() && expression.hash.is_empty() =>
        {
            expression.name.as_name().ok_or(InlineError::MoreThanNames).and_then(name)
        }
        _ => Err(InlineError::MoreThanNames),
    }
}

fn name(written: &str) -> Result<Part, InlineError> {
    if schema::find(written).and_then(reader).is_some() {
        return Ok(Part::Name(written.to_owned()));
    }
    let names: Vec<String> = schema::field_names()
        .into_iter()
        .filter(|name| schema::find(name).and_then(reader).is_some())
        .collect();
    let nearest = nearest(written, names.iter().map(String::as_str)).map(str::to_owned);
    Err(InlineError::Unknown { name: written.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::SourceName;

    fn event() -> Event {
        let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
        event.app.name = "Shop {{title}} <b> & \\".into();
        event.app.version = "1.2".into();
        event.error.occurrences = "12".into();
        event
    }

    #[test]
    fn names_become_values_and_values_stay_text() {
        let render = |text: &str| Inline::parse(text).unwrap().render(&event());
        assert_eq!(render("crashes"), "crashes");
        assert_eq!(render("{{app.name}}: {{ app.version }}{{app.stage}}"), "Shop {{title}} <b> & \\: 1.2");
        assert_eq!(render("{{source.name}} by {{source.type}}"), "backend by bugsnag");
        assert_eq!(render("{{error.occurrences}}{{error.handled}}"), "12");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_nearest() {
        let refused = |text: &str| Inline::parse(text).unwrap_err();
        assert_eq!(
            refused("{{app.nam}}"),
            InlineError::Unknown { name: "app.nam".into(), nearest: Some("app.name".into()) }
        );
        assert_eq!(
            refused("{{zzzz}}").to_string(),
            "the template names `zzzz`, which is no field that can stand here"
        );
        for more in [
            "{{#if title}}x{{/if}}",
            "{{upper title}}",
            "{{> part}}",
            "{{@index}}",
            "{{error.stack}}",
            "{{error}}",
            "{{raw.a}}",
            "{{id}}",
        ] {
            assert!(
                matches!(refused(more), InlineError::MoreThanNames | InlineError::Unknown { .. }),
                "{more}"
            );
        }
        for broken in ["{{app.name", "{{{title}}}", "{{#if title}}", "{{app..name}}"] {
            assert!(matches!(refused(broken), InlineError::Broken(_)), "{broken}");
        }
        assert!(refused("{{app.name}").to_string().starts_with("the template is broken: "));
    }

    #[test]
    fn nesting_never_reaches_the_parser() {
        let refused = |text: &str| Inline::parse(text).unwrap_err();
        assert!(matches!(refused(&"{{#if a}}".repeat(50_000)), InlineError::Broken(_)));
    }
}
