//! Templates: for now the small ones that stand in the configuration itself, such as the name of a forum thread.
//!
//! They are Handlebars, but of names alone: `{{app.name}} {{app.version}}`. A value is text wherever it lands, so
//! there is nothing to escape.

use handlebars::template::{Template, TemplateElement};

use crate::event::Event;

/// A template in one line, understood when the configuration is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A name, by its place in [`NAMES`].
    Name(usize),
}

/// Why a text is not such a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InlineError {
    /// It is not Handlebars.
    #[error("the template is broken: {0}")]
    Broken(String),
    /// There is no such field.
    #[error("the template names `{name}`, which is no field; did you mean `{nearest}`?")]
    Unknown {
        /// What is written.
        name: String,
        /// The nearest field.
        nearest: &'static str,
    },
    /// It has more than names in it.
    #[error("only names of fields in double braces can stand here, such as {{{{app.name}}}}")]
    MoreThanNames,
}

type Read = fn(&Event) -> &str;

/// The fields that are one line of text, by their names in templates.
const NAMES: &[(&str, Read)] = &[
    ("source.name", |e| e.source.as_str()),
    ("source.type", |e| e.product),
    ("trigger", |e| &e.trigger),
    ("reason", |e| &e.reason),
    ("severity", |e| e.severity.as_str()),
    ("title", |e| &e.title),
    ("status", |e| &e.status),
    ("rate", |e| &e.rate),
    ("app.name", |e| &e.app.name),
    ("app.stage", |e| &e.app.stage),
    ("app.version", |e| &e.app.version),
    ("app.build", |e| &e.app.build),
    ("error.class", |e| &e.error.class),
    ("error.context", |e| &e.error.context),
    ("error.id", |e| &e.error.id),
    ("event.id", |e| &e.id),
    ("state.change", |e| &e.state.change),
    ("actor.name", |e| &e.actor.name),
    ("device.name", |e| &e.device.name),
    ("device.os", |e| &e.device.os),
    ("device.os_version", |e| &e.device.os_version),
    ("device.language", |e| &e.device.language),
    ("release.version", |e| &e.release.version),
];

impl Inline {
    /// Understands `text`, every name in it.
    pub fn parse(text: &str) -> Result<Self, InlineError> {
        let template =
            Template::compile(text).map_err(|error| InlineError::Broken(error.reason().to_string()))?;
        template.elements.iter().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// The text for `event`, with its fields in place of their names.
    pub fn render(&self, event: &Event) -> String {
        let value = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(place) => {
                NAMES.get(*place).map(|(_, read)| read(event).to_owned()).unwrap_or_default()
            }
        };
        self.0.iter().map(value).collect()
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
    if let Some(place) = NAMES.iter().position(|(name, _)| *name == written) {
        return Ok(Part::Name(place));
    }
    let likeness = |name: &str| strsim::jaro_winkler(name, written);
    let nearest = NAMES.iter().map(|(name, _)| *name).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Err(InlineError::Unknown { name: written.to_owned(), nearest: nearest.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::SourceName;

    fn event() -> Event {
        let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
        event.app.name = "Shop {{title}} <b> & \\".into();
        event.app.version = "1.2".into();
        event
    }

    #[test]
    fn names_become_values_and_values_stay_text() {
        let render = |text: &str| Inline::parse(text).unwrap().render(&event());
        assert_eq!(render("crashes"), "crashes");
        assert_eq!(render("{{app.name}}: {{ app.version }}{{app.stage}}"), "Shop {{title}} <b> & \\: 1.2");
        assert_eq!(render("{{source.name}} by {{source.type}}"), "backend by bugsnag");
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_nearest() {
        let refused = |text: &str| Inline::parse(text).unwrap_err();
        assert_eq!(
            refused("{{app.nam}}"),
            InlineError::Unknown { name: "app.nam".into(), nearest: "app.name" }
        );
        for more in ["{{#if title}}x{{/if}}", "{{{title}}}", "{{upper title}}", "{{> part}}", "{{@index}}"] {
            assert!(
                matches!(refused(more), InlineError::MoreThanNames | InlineError::Unknown { .. }),
                "{more}"
            );
        }
        assert!(matches!(refused("{{app.name"), InlineError::Broken(_)));
        assert!(refused("{{app.name}").to_string().starts_with("the template is broken: "));
    }
}
