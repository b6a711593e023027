//! Templates: Handlebars files that turn an event into Markdown, or into a platform's own body.
//!
//! The way is: a template, rendered with the event's context, writes its own text with marked values in it
//! (`render`); the values are taken out, and a placeholder is left for each (`value`); what remains is read as
//! Markdown (`grammar`) or as JSON (`native`), which so never meets a character of a value. At load every template
//! is bounded (`scan`, `library`) and every name in it checked (`check`, `scope`). No I/O, and no clock: whoever
//! calls brings the files and the moment.

mod built_in;
mod check;
mod context;
mod gathered;
mod grammar;
mod helper;
mod inline;
mod library;
mod native;
mod render;
mod scan;
mod schema;
mod scope;
mod value;
mod written;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::clock::Moment;
use crate::event::{Event, EventId};
use crate::flood::{Gathering, Told};
use crate::message::{Message, Text};
use crate::text::is_blank;

pub use helper::{Helper, helpers};
pub use inline::{Inline, InlineError};
pub use native::{Native, Part};
pub use render::RenderError;
pub use schema::{field_names, gathering_names};
pub use written::{TemplateFile, TemplateProblem};

use context::{caught_up, marks};
use gathered::About;
use helper::Form;
use library::{Library, base_name, is_partial, load};

/// All templates, ready to be rendered. Cloning it gives another handle on the same.
#[derive(Debug, Clone)]
pub struct TemplateSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    library: Library,
    zone: TimeZone,
}

/// What belongs to one telling of an event and not to the event.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// The event's number in the store.
    pub id: EventId,
    /// Whether the message may have been posted before.
    pub repeat: bool,
    /// The destination that it was first meant for, if that is another.
    pub instead_of: Option<&'a str>,
    /// When the message is written.
    pub now: Moment,
}

/// A template that could not say what it should have, so that something plainer was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// Its name; nothing if there is none that could be used.
    pub template: Option<String>,
    /// What is wrong, as a note in the message says it.
    pub words: String,
}

impl TemplateSet {
    /// The built-in templates and `files`, each of which replaces the built-in one of the same name. Times are shown
    /// in `zone`. What is wrong comes along; a template with a problem is not in the set.
    pub fn new(files: Vec<TemplateFile>, zone: TimeZone) -> (Self, Vec<TemplateProblem>) {
        let (library, problems) = load(built_in::files(), files, &zone);
        (Self(Arc::new(Inner { library, zone })), problems)
    }

    /// The built-in templates alone.
    pub fn built_in(zone: TimeZone) -> Self {
        Self::new(Vec::new(), zone).0
    }

    /// The names that a rule can ask for, in order.
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.library.templates.keys().map(|name| base_name(name)).filter(|name| is_of_one(name)).collect()
    }

    /// What is said of `event`: by the template `ask` that a rule asks for, else by that of its trigger, else by
    /// `default`. This never fails: where a template does, the message goes out in the plain form, and says so.
    pub fn render(&self, ask: Option<&str>, event: &Event, telling: &Telling<'_>) -> Message {
        self.render_and_tell(ask, event, telling).0
    }

    /// The same, and what fell short on the way.
    pub fn render_and_tell(
        &self,
        ask: Option<&str>,
        event: &Event,
        telling: &Telling<'_>,
    ) -> (Message, Vec<Shortfall>) {
        let Inner { library, zone } = &*self.0;
        let mut shortfalls = Vec::new();
        if let Some(ask) = ask.filter(|ask| !self.names().contains(ask)) {
            let words = format!("the template `{ask}` does not exist any more");
            shortfalls.push(Shortfall { template: Some(ask.to_owned()), words });
        }
        let usable = |name: &&str| library.templates.contains_key(*name) && base_name(name) == *name;
        let found = order(ask, event).find(usable);
        let late = helper::late(&event.at, telling.now, zone);
        let remarks = late.into_iter().chain(caught_up(event)).collect();
        self.finish(found, shortfalls, About::One(event), (telling, remarks))
    }

    /// The message about something by the template `found`, else the plain one; signed, and with what fell short.
    fn finish(
        &self,
        found: Option<&str>,
        mut shortfalls: Vec<Shortfall>,
        about: About<'_>,
        (telling, remarks): (&Telling<'_>, Vec<String>),
    ) -> (Message, Vec<Shortfall>) {
        if found.is_none() {
            let words = "there is no template that can be used".to_owned();
            shortfalls.push(Shortfall { template: None, words });
        }
        let written = found.and_then(|name| match self.markdown(name, about, telling) {
            Ok(message) => Some(message),
            Err(error) => {
                let words = format!("the template `{name}` failed: {error}");
                shortfalls.push(Shortfall { template: Some(name.to_owned()), words });
                None
            }
        });
        let mut message = written.unwrap_or_else(|| about.plain(telling, &self.0.zone));
        for shortfall in &shortfalls {
            message.note(shortfall.words.clone());
        }
        sign(&mut message.footer, telling, remarks);
        (message, shortfalls)
    }

    /// The body that a native template for `product` makes, if the first of the templates that are looked up is one;
    /// nothing if that is a Markdown template.
    pub fn native(
        &self,
        product: &str,
        ask: Option<&str>,
        event: &Event,
        telling: &Telling<'_>,
    ) -> Option<Result<Native, RenderError>> {
        self.native_name(product, ask, event).map(|native| self.json(&native, About::One(event), telling))
    }

    /// The name of that template.
    pub fn native_name(&self, product: &str, ask: Option<&str>, event: &Event) -> Option<String> {
        let templates = &self.0.library.templates;
        order(ask, event).find_map(|name| {
            let native = format!("{name}.{product}.json");
            if templates.contains_key(&native) {
                return Some(Some(native));
            }
            templates.contains_key(name).then_some(None)
        })?
    }

    /// Renders every template with each of `events`, or with each of `gatherings` that it is for; what fails is a problem.
    pub fn try_with(&self, events: &[Event], gatherings: &[Gathering]) -> Vec<TemplateProblem> {
        let telling = Telling { id: EventId(1), repeat: false, instead_of: None, now: Moment(0) };
        let mut problems = Vec::new();
        for name in self.0.library.templates.keys() {
            let mut has_json = true;
            for about in gathered::occasions(base_name(name), events, gatherings) {
                let tried = if base_name(name) == name {
                    self.markdown(name, about, &telling).map(drop)
                } else {
                    self.json(name, about, &telling).map(drop)
                };
                // Broken JSON is so for most events; each would only say it again.
                let error = tried.err().filter(|error| has_json || !error.is_of_json());
                has_json &= !error.as_ref().is_some_and(RenderError::is_of_json);
                problems.extend(error.map(|error| self.problem(name, about, &error)));
            }
        }
        problems.sort();
        problems.dedup();
        problems
    }

    fn markdown(&self, name: &str, about: About<'_>, telling: &Telling<'_>) -> Result<Message, RenderError> {
        let Inner { library, zone } = &*self.0;
        let uses = library.templates.get(name).copied().unwrap_or_default();
        let context = about.context(telling, uses, (Form::Markdown, zone));
        let parts = grammar::parts(&render::render(&library.markdown, name, context)?);
        let title =
            if is_blank(&parts.title.to_string()) { about.plain(telling, zone).title } else { parts.title };
        Ok(Message {
            tone: about.tone(),
            title,
            subtitle: parts.subtitle,
            blocks: parts.blocks,
            footer: parts.footer,
            at: about.at(),
            thread: String::new(),
        })
    }

    fn json(&self, name: &str, about: About<'_>, telling: &Telling<'_>) -> Result<Native, RenderError> {
        let Inner { library, zone } = &*self.0;
        let uses = library.templates.get(name).copied().unwrap_or_default();
        let context = about.context(telling, uses, (Form::Json, zone));
        Native::read(render::render(&library.native, name, context)?)
    }

    fn problem(&self, name: &str, about: About<'_>, error: &RenderError) -> TemplateProblem {
        let (file, line, message) = match error {
            RenderError::Failed { file, line, reason } => (file.as_str(), line.unwrap_or(0), reason.clone()),
            error => (name, 0, error.to_string()),
        };
        TemplateProblem {
            file: format!("{file}.hbs"),
            built_in: self.0.library.built_in.contains(file),
            line,
            column: usize::from(line > 0),
            length: 0,
            message: if error.is_of_json() { message } else { format!("it fails for {about}: {message}") },
            help: None,
            is_warning: false,
        }
    }
}

/// Whether the template `name` tells of one event, as those do that rules and triggers ask for.
fn is_of_one(name: &str) -> bool {
    Told::read(name).is_none()
}

/// The names under which a template for `event` is looked up, in order.
fn order<'a>(ask: Option<&'a str>, event: &'a Event) -> impl Iterator<Item = &'a str> {
    let test = event.test.then_some("test");
    let names = ask.into_iter().chain(test).chain([event.trigger.as_str(), "default"]);
    names.filter(|name| !is_partial(name) && is_of_one(name))
}

/// Puts the message's short id at the end of its footer, unless that shows it, the `remarks` about its event, and the words for
/// one that was meant for another destination and for one that may be a repeat.
fn sign(footer: &mut Text, telling: &Telling<'_>, remarks: Vec<String>) {
    let id = format!("#{}", telling.id);
    let text = footer.to_string();
    // Elsewhere it may come from a value, and be anything's.
    let shown = text.trim_end().ends_with(&id);
    let id = (!shown).then_some(id);
    for part in id.into_iter().chain(remarks).chain(marks(telling)) {
        if !footer.is_empty() {
            footer.push(" · ");
        }
        footer.push(part);
    }
}

#[cfg(test)]
mod tests;
