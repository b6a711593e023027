//! The helpers that a template can call: one table of what each takes and gives, for the check at load and for the
//! documentation, and the registry that they are called in.

mod block;
mod list;
mod logic;
mod markup;
mod time;
mod words;

use std::collections::BTreeMap;

use handlebars::{
    Context, Handlebars, Helper as Call, HelperDef, HelperResult, JsonRender as _, Output, RenderContext,
    RenderError, RenderErrorReason, ScopedJson,
};
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::value::mark;
use crate::text::is_blank;

pub(super) use time::{is_format, late};

/// The most arguments of a helper that takes as many as there are.
const MANY: usize = 20;

/// A helper, as the documentation and the check know it.
#[derive(Debug, Clone, Copy)]
pub struct Helper {
    /// What it is called.
    pub name: &'static str,
    /// How it is written.
    pub usage: &'static str,
    /// What it gives, in a line.
    pub about: &'static str,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) options: &'static [&'static str],
    pub(super) takes: Takes,
    pub(super) literals: &'static [(usize, Literal)],
    run: Run,
}

/// What a helper's arguments may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Text alone.
    Text,
    /// Anything at all.
    Anything,
    /// Text, and lists of texts.
    Texts,
    /// First a list, then text.
    List,
    /// First a stack, then text.
    Frames,
}

/// What an argument has to be, if it is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Literal {
    /// A whole number.
    Count,
    /// The form of a date.
    Format,
}

#[derive(Debug, Clone, Copy)]
enum Run {
    /// Gives a value.
    Value(fn(&Arguments<'_>) -> Given),
    /// Writes mark-up around values.
    MarkUp(fn(&Arguments<'_>) -> Written),
    /// Writes a block, or not.
    Block,
}

/// The value that a helper gives, or why it cannot.
type Given = Result<Json, String>;

/// What a helper writes, or why it cannot.
type Written = Result<String, String>;

impl Helper {
    /// Whether it takes a block: `{{#if …}} … {{/if}}`.
    pub fn is_block(&self) -> bool {
        matches!(self.run, Run::Block)
    }

    /// Whether it writes mark-up and so cannot be another helper's argument.
    pub fn is_markup(&self) -> bool {
        matches!(self.run, Run::MarkUp(_))
    }

    /// Whether its mark-up is Markdown, which no native template can have.
    pub(super) fn is_markdown(&self) -> bool {
        self.is_markup() && self.name != "emoji"
    }
}

/// All helpers, in the order of the documentation.
pub fn helpers() -> impl Iterator<Item = &'static Helper> {
    [block::HELPERS, logic::HELPERS, words::HELPERS, time::HELPERS, list::HELPERS, markup::HELPERS]
        .into_iter()
        .flatten()
}

/// The helper of this name.
pub(super) fn find(name: &str) -> Option<&'static Helper> {
    helpers().find(|helper| helper.name == name)
}

/// What the templates yield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Markdown, for all platforms.
    Markdown,
    /// A platform's own JSON.
    Json,
}

/// A registry with these helpers and no others, without templates.
pub(super) fn registry(form: Form, zone: &TimeZone) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.register_escape_fn(mark);
    registry.set_prevent_indent(true);
    for built_in in ["log", "lookup", "raw"] {
        registry.unregister_helper(built_in);
    }
    registry.register_helper("helperMissing", Box::new(Missing));
    for helper in helpers() {
        let zone = zone.clone();
        match helper.run {
            Run::Value(run) if helper.name == "json" && form == Form::Json => {
                registry.register_helper("json", Box::new(list::JsonText { run: Value { run, zone } }));
            }
            Run::Value(run) => registry.register_helper(helper.name, Box::new(Value { run, zone })),
            Run::MarkUp(run) => registry.register_helper(helper.name, Box::new(MarkUp { run, zone })),
            Run::Block if helper.name == "each" => registry.register_helper("each", Box::new(block::Each)),
            // The others are Handlebars' own.
            Run::Block => {}
        }
    }
    registry
}

/// What a helper is called with.
struct Arguments<'a> {
    values: Vec<&'a Json>,
    options: BTreeMap<&'a str, &'a Json>,
    /// The whole context, for what belongs to the message and not to the call.
    message: &'a Json,
    zone: &'a TimeZone,
}

impl<'a> Arguments<'a> {
    fn of(call: &'a Call<'_>, context: &'a Context, zone: &'a TimeZone) -> Self {
        Self {
            values: call.params().iter().map(handlebars::PathAndJson::value).collect(),
            options: call.hash().iter().map(|(name, value)| (*name, value.value())).collect(),
            message: context.data(),
            zone,
        }
    }

    fn value(&self, place: usize) -> &'a Json {
        self.values.get(place).copied().unwrap_or(&Json::Null)
    }

    fn text(&self, place: usize) -> String {
        self.value(place).render()
    }

    /// The argument at `place` as a count; nothing where it is not given.
    fn count(&self, place: usize) -> Result<Option<usize>, String> {
        match self.value(place) {
            Json::Null => Ok(None),
            Json::String(text) if text.is_empty() => Ok(None),
            value => match value.render().parse() {
                Ok(count) => Ok(Some(count)),
                Err(_) => Err(format!("`{}` is no count", value.render())),
            },
        }
    }

    fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).map(|value| value.render())
    }

    fn of_message(&self, name: &str) -> &'a str {
        self.message.get(name).and_then(Json::as_str).unwrap_or_default()
    }
}

/// A helper whose value is escaped when it is written, as any other.
struct Value {
    run: fn(&Arguments<'_>) -> Given,
    zone: TimeZone,
}

impl HelperDef for Value {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = (self.run)(&Arguments::of(call, context, &self.zone));
        value.map(ScopedJson::Derived).map_err(|problem| failed(call, &problem))
    }
}

/// A helper that writes mark-up; it marks the values in it itself.
struct MarkUp {
    run: fn(&Arguments<'_>) -> Written,
    zone: TimeZone,
}

impl HelperDef for MarkUp {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let written = (self.run)(&Arguments::of(call, context, &self.zone));
        out.write(&written.map_err(|problem| failed(call, &problem))?)?;
        Ok(())
    }
}

/// What stands where a path leads nowhere: an empty value, so that what holds it vanishes as with any other.
struct Missing;

impl HelperDef for Missing {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        if !call.params().is_empty() {
            return Err(RenderErrorReason::HelperNotFound(call.name().to_owned()).into());
        }
        out.write(&mark(""))?;
        Ok(())
    }
}

fn failed(call: &Call<'_>, problem: &str) -> RenderError {
    RenderErrorReason::Other(format!("`{}`: {problem}", call.name())).into()
}

/// Whether there is nothing in a value: no text, no elements. Zero and false are something.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => is_blank(text),
        Json::Array(elements) => elements.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
