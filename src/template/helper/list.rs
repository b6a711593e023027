//! Helpers for lists and for JSON.

use handlebars::{
    Context, Handlebars, Helper as Call, HelperDef, HelperResult, JsonRender as _, Output, RenderContext,
    RenderError, ScopedJson,
};
use serde_json::Value as Json;

use super::super::schema::ELEMENTS;
use super::super::value::mark;
use super::{Arguments, Given, Helper, Literal, MANY, Run, Takes, Value, is_empty};

const fn helper(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    takes: Takes,
    run: fn(&Arguments<'_>) -> Given,
) -> Helper {
    Helper { name, usage, about, least: 1, most: 1, options: &[], takes, literals: &[], run: Run::Value(run) }
}

pub(super) const HELPERS: &[Helper] = &[
    Helper {
        most: MANY,
        options: &["sep"],
        ..helper(
            "join",
            "join one other … [sep=\" · \"]",
            "what is not empty, with commas between, or what is asked for",
            Takes::Texts,
            |a| Ok(join(a).into()),
        )
    },
    helper("len", "len list", "how many elements a list has, up to a hundred", Takes::List, |a| {
        Ok(match a.value(0) {
            Json::Array(elements) => elements.len().into(),
            Json::Object(entries) => entries.len().into(),
            _ => 0.into(),
        })
    }),
    Helper {
        most: 2,
        literals: &[(1, Literal::Count)],
        ..helper(
            "frames",
            "frames error.stack [5]",
            "so many lines of a stack: the project's own, or the innermost where none is known as such",
            Takes::Frames,
            frames,
        )
    },
    Helper {
        options: &["pretty"],
        ..helper("json", "json value [pretty=true]", "any value as JSON", Takes::Anything, json)
    },
];

/// How many frames are shown where no number is given.
const FRAMES: usize = 5;

fn join(arguments: &Arguments<'_>) -> String {
    let separator = arguments.option("sep").unwrap_or_else(|| ", ".to_owned());
    let mut texts = Vec::new();
    for value in &arguments.values {
        match value {
            Json::Array(elements) => texts.extend(elements.iter().filter_map(scalar)),
            value => texts.extend(scalar(value)),
        }
    }
    texts.join(&separator)
}

fn scalar(value: &Json) -> Option<String> {
    let is_scalar = !matches!(value, Json::Array(_) | Json::Object(_));
    (is_scalar && !is_empty(value)).then(|| value.render().trim().to_owned())
}

fn frames(arguments: &Arguments<'_>) -> Given {
    let most = arguments.count(1)?.unwrap_or(FRAMES).min(ELEMENTS);
    let Json::Array(stack) = arguments.value(0) else { return Ok(Json::String(String::new())) };
    let own: Vec<&Json> = stack.iter().filter(|frame| frame.get("own") == Some(&Json::Bool(true))).collect();
    let shown = if own.is_empty() { stack.iter().collect() } else { own };
    let lines: Vec<String> =
        shown.into_iter().map(frame).filter(|line| !line.is_empty()).take(most).collect();
    Ok(lines.join("\n").into())
}

/// `file:line in method`, as far as they are known.
fn frame(frame: &Json) -> String {
    let part = |name: &str| frame.get(name).map(|part| part.render().trim().to_owned()).unwrap_or_default();
    let joined = |between: &str, one: String, other: String| match (one.is_empty(), other.is_empty()) {
        (false, false) => one + between + &other,
        _ => one + &other,
    };
    joined(" in ", joined(":", part("file"), part("line")), part("method"))
}

fn json(arguments: &Arguments<'_>) -> Given {
    let value = arguments.value(0);
    let pretty = arguments.option("pretty").is_some_and(|pretty| pretty == "true");
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map(Json::String).map_err(|error| error.to_string())
}

/// `json` where JSON is written: outside of parentheses it writes not a text but the value itself.
pub(super) struct JsonText {
    pub(super) run: Value,
}

impl HelperDef for JsonText {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.run.call_inner(call, registry, context, render)
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let mut written = String::new();
        write_json(call.param(0).map_or(&Json::Null, handlebars::PathAndJson::value), &mut written);
        out.write(&written)?;
        Ok(())
    }
}

/// Writes a value as JSON in which each text, keys too, is marked.
fn write_json(value: &Json, out: &mut String) {
    match value {
        Json::String(text) => write_text(text, out),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_json(element, out);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (key, entry)) in entries.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write_text(key, out);
                out.push(':');
                write_json(entry, out);
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&value.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(&mark(text));
    out.push('"');
}
