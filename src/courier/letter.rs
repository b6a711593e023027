//! From an event, or several, to the body of a request: what the template says, in the platform's form. Pure.

use serde_json::Value;

use crate::destination::Platform;
use crate::event::Event;
use crate::flood::Gathering;
use crate::message::{Mention, Message};
use crate::report::Report;
use crate::template::{Native, RenderError, Shortfall, Telling, TemplateSet};

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

/// Several events as they are told to one destination, in one message.
#[derive(Debug, Clone, Copy)]
pub struct Roundup<'a> {
    /// What happened.
    pub gathering: &'a Gathering,
    /// When it is told, and whether again or in another's place; the id is that of the event which stands for all.
    pub telling: Telling<'a>,
    /// Whom the rules mention, for any of them.
    pub mentions: &'a [Mention],
}

impl Letter<'_> {
    /// The body of the request alone.
    pub fn body(&self, templates: &TemplateSet, platform: &dyn Platform) -> Value {
        self.write(templates, platform).body
    }

    /// The body of the request. A native template comes first; what it cannot say is left to the Markdown template,
    /// with a note.
    pub fn write(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        write(self.native(templates, platform), platform, self.mentions, || self.message(templates, platform))
    }

    /// The body in the platform's simplest form, for a platform that has refused the other one.
    pub fn write_simplest(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        let (message, shortfalls) = self.message(templates, platform);
        Written { body: platform.compose_simplest(&message, self.mentions), shortfalls }
    }

    /// The body of the request, in the simplest form if it is to be.
    pub(super) fn write_as(
        &self,
        simplest: bool,
        templates: &TemplateSet,
        platform: &dyn Platform,
    ) -> Written {
        if simplest { self.write_simplest(templates, platform) } else { self.write(templates, platform) }
    }

    /// What a native template makes of it, if there is one for this platform; or why it cannot be sent.
    fn native(&self, templates: &TemplateSet, platform: &dyn Platform) -> Option<Result<Value, Shortfall>> {
        if !platform.takes_native() {
            return None;
        }
        let product = platform.product();
        let native = templates.native(product, self.template, self.event, &self.telling)?;
        let name = templates.native_name(product, self.template, self.event);
        Some(fill(native, platform, self.mentions, (name, &self.thread(platform))))
    }

    fn thread(&self, platform: &dyn Platform) -> String {
        platform.thread_name().map(|name| name.render(self.event)).unwrap_or_default()
    }

    fn message(&self, templates: &TemplateSet, platform: &dyn Platform) -> (Message, Vec<Shortfall>) {
        let (message, shortfalls) = templates.render_and_tell(self.template, self.event, &self.telling);
        (Message { thread: self.thread(platform), ..message }, shortfalls)
    }
}

impl Roundup<'_> {
    /// The body of the request, as [`Letter::write`] makes it of one event. A thread that it opens is called by its title.
    pub fn write(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        let message = || templates.gathered(self.gathering, &self.telling);
        write(self.native(templates, platform), platform, self.mentions, message)
    }

    /// The body in the platform's simplest form, for a platform that has refused the other one.
    pub fn write_simplest(&self, templates: &TemplateSet, platform: &dyn Platform) -> Written {
        let (message, shortfalls) = templates.gathered(self.gathering, &self.telling);
        Written { body: platform.compose_simplest(&message, self.mentions), shortfalls }
    }

    /// The body of the request, in the simplest form if it is to be.
    pub(super) fn write_as(
        &self,
        simplest: bool,
        templates: &TemplateSet,
        platform: &dyn Platform,
    ) -> Written {
        if simplest { self.write_simplest(templates, platform) } else { self.write(templates, platform) }
    }

    fn native(&self, templates: &TemplateSet, platform: &dyn Platform) -> Option<Result<Value, Shortfall>> {
        if !platform.takes_native() {
            return None;
        }
        let product = platform.product();
        let native = templates.native_gathered(product, self.gathering, &self.telling)?;
        let name = templates.native_name_gathered(product, self.gathering.told);
        let thread = templates.gathered(self.gathering, &self.telling).0.title.to_string();
        Some(fill(native, platform, self.mentions, (name, &thread)))
    }
}

/// What the native template has made, else the message in the platform's form, with a note of why.
fn write(
    native: Option<Result<Value, Shortfall>>,
    platform: &dyn Platform,
    mentions: &[Mention],
    message: impl FnOnce() -> (Message, Vec<Shortfall>),
) -> Written {
    let failed = match native {
        Some(Ok(body)) => return Written { body, shortfalls: Vec::new() },
        Some(Err(shortfall)) => Some(shortfall),
        None => None,
    };
    let (mut message, mut shortfalls) = message();
    if let Some(shortfall) = failed {
        message.note(shortfall.words.clone());
        shortfalls.insert(0, shortfall);
    }
    Written { body: platform.compose(&message, mentions), shortfalls }
}

/// The body of the native template `name`, its values filled in.
fn fill(
    native: Result<Native, RenderError>,
    platform: &dyn Platform,
    mentions: &[Mention],
    (name, thread): (Option<String>, &str),
) -> Result<Value, Shortfall> {
    let filled = match native {
        Ok(native) => platform.fill(&native, mentions, thread).map_err(|error| Report(&error).to_string()),
        Err(error) => Err(Report(&error).to_string()),
    };
    filled.map_err(|words| Shortfall {
        template: name,
        words: format!("the native template could not be used: {words}"),
    })
}

#[cfg(test)]
mod tests;
