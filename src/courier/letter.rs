//! From an event to the body of a request: what the template says, in the platform's form. Pure.

use serde_json::Value;

use crate::destination::Platform;
use crate::event::Event;
use crate::message::{Mention, Message};
use crate::report::Report;
use crate::template::{Telling, TemplateSet};

/// One event as it is told to one destination.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// What happened.
    pub event: &'a Event,
    /// The template that the rule asks for.
    pub template: Option<&'a str>,
    /// When it is told, and whether again.
    pub telling: Telling,
    /// Whom the rules mention.
    pub mentions: &'a [Mention],
}

impl Letter<'_> {
    /// The body of the request. A native template comes first; what it cannot say is left to the Markdown template,
    /// with a note.
    pub fn body(&self, templates: &TemplateSet, platform: &dyn Platform) -> Value {
        match self.native(templates, platform) {
            Some(Ok(body)) => body,
            Some(Err(words)) => {
                let mut message = self.message(templates, platform);
                message.note(format!("the native template could not be used: {words}"));
                platform.compose(&message, self.mentions)
            }
            None => platform.compose(&self.message(templates, platform), self.mentions),
        }
    }

    /// The body in the platform's simplest form, for a platform that has refused the other one.
    pub fn simplest(&self, templates: &TemplateSet, platform: &dyn Platform) -> Value {
        platform.compose_simplest(&self.message(templates, platform), self.mentions)
    }

    /// What a native template makes of it, if there is one for this platform; or why it cannot be sent.
    fn native(&self, templates: &TemplateSet, platform: &dyn Platform) -> Option<Result<Value, String>> {
        if !platform.takes_native() {
            return None;
        }
        let native = templates.native(platform.product(), self.template, self.event, &self.telling)?;
        Some(match native {
            Ok(native) => platform
                .fill(&native, self.mentions, &self.thread(platform))
                .map_err(|error| Report(&error).to_string()),
            Err(error) => Err(Report(&error).to_string()),
        })
    }

    fn thread(&self, platform: &dyn Platform) -> String {
        platform.thread_name().map(|name| name.render(self.event)).unwrap_or_default()
    }

    fn message(&self, templates: &TemplateSet, platform: &dyn Platform) -> Message {
        Message {
            thread: self.thread(platform),
            ..templates.render(self.template, self.event, &self.telling)
        }
    }
}
