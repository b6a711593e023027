//! From an event to the body of a request: what the template says, in the platform's form. Pure.

use serde_json::Value;

use crate::destination::Platform;
use crate::event::Event;
use crate::message::{Mention, Message};
use crate::report::Report;
use crate::template::{Shortfall, Telling, TemplateSet};

/// One event as it is told to one destination.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The template that the rule asks for.
    pub template: Option<&'a str>,
    /// When it is told, and whether again or in another's place.
    pub telling: Telling<'a>,
    /// Whom the rules mention.
    pub mentions: &'a [Mention],
}

/// What is to be posted, and what could not be said as a template has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The body of the request.
    pub body: Value,
    /// The templates that fell short.
    pub shortfalls: Vec<Shortfall>,
}

impl Letter<'_> {
    /// The body of the request alone.
    pub fn body(&self, templates: &TemplateSet, platform: &dyn Platform) -> Value {
        self.write(templates, platform).body
    }

    /// The body of the request. A native template comes first; what it cannot say is left to the Markdown template,
    /// with a note.
    pub fn write(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        let failed = match self.native(templates, platform) {
            Some(Ok(body)) => return Written { body, shortfalls: Vec::new() },
            Some(Err(shortfall)) => Some(shortfall),
            None => None,
        };
        let (mut message, mut shortfalls) = self.message(templates, platform);
        if let Some(shortfall) = failed {
            message.note(shortfall.words.clone());
            shortfalls.insert(0, shortfall);
        }
        Written { body: platform.compose(&message, self.mentions), shortfalls }
    }

    /// The body in the platform's simplest form, for a platform that has refused the other one.
    pub fn write_simplest(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        let (message, shortfalls) = self.message(templates, platform);
        Written { body: platform.compose_simplest(&message, self.mentions), shortfalls }
    }

    /// What a native template makes of it, if there is one for this platform; or why it cannot be sent.
    fn native(&self, templates: &TemplateSet, platform: &dyn Platform) -> Option<Result<Value, Shortfall>> {
        if !platform.takes_native() {
            return None;
        }
        let product = platform.product();
        let filled = match templates.native(product, self.template, self.event, &self.telling)? {
            Ok(native) => platform
                .fill(&native, self.mentions, &self.thread(platform))
                .map_err(|error| Report(&error).to_string()),
            Err(error) => Err(Report(&error).to_string()),
        };
        Some(filled.map_err(|words| Shortfall {
            template: templates.native_name(product, self.template, self.event),
            words: format!("the native template could not be used: {words}"),
        }))
    }

    fn thread(&self, platform: &dyn Platform) -> String {
        platform.thread_name().map(|name| name.render(self.event)).unwrap_or_default()
    }

    fn message(&self, templates: &TemplateSet, platform: &dyn Platform) -> (Message, Vec<Shortfall>) {
        let (message, shortfalls) = templates.render_and_tell(self.template, self.event, &self.telling);
        (Message { thread: self.thread(platform), ..message }, shortfalls)
    }
}
