//! The helpers that take a block. All but `each` are Handlebars' own.

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper as Call, HelperDef, HelperResult, Output,
    RenderContext, Renderable as _,
};
use serde_json::Value as Json;

use super::super::schema::ELEMENTS;
use super::{Helper, Run, Takes};

const fn block(name: &'static str, usage: &'static str, about: &'static str) -> Helper {
    Helper {
        name,
        usage,
        about,
        least: 1,
        most: 1,
        options: &[],
        takes: Takes::Anything,
        literals: &[],
        run: Run::Block,
    }
}

pub(super) const HELPERS: &[Helper] = &[
    Helper {
        options: &["includeZero"],
        ..block(
            "if",
            "{{#if value}} … {{else if other}} … {{else}} … {{/if}}",
            "what follows, if there is a value; false, zero and the empty text are none",
        )
    },
    Helper {
        options: &["includeZero"],
        ..block("unless", "{{#unless value}} … {{/unless}}", "what follows, if there is no value")
    },
    block(
        "each",
        "{{#each list}} … {{this}} … {{else}} … {{/each}}",
        "what follows, once for each element of a list, at most a hundred times",
    ),
    block("with", "{{#with group}} … {{/with}}", "what follows, with the group's own names"),
];

/// As Handlebars' own, but that it comes to an end: what a tracker sends may have any number of entries.
pub(super) struct Each;

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Call<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let list = call.param(0).map_or(&Json::Null, handlebars::PathAndJson::value);
        let elements = elements(list);
        let Some(template) = call.template().filter(|_| !elements.is_empty()) else {
            return call.inverse().map_or(Ok(()), |other| other.render(registry, context, render, out));
        };
        let path = call.param(0).and_then(|list| list.context_path());
        let end = elements.len() - 1;
        for (index, (key, element)) in elements.into_iter().enumerate() {
            let mut block = BlockContext::new();
            let step = key.as_ref().map_or_else(|| index.to_string(), |key| key.as_str().to_owned());
            match path {
                Some(path) => *block.base_path_mut() = path.iter().cloned().chain([step]).collect(),
                None => block.set_base_value(element.clone()),
            }
            block.set_local_var("index", index.into());
            block.set_local_var("first", (index == 0).into());
            block.set_local_var("last", (index == end).into());
            let key = key.map(|key| Json::from(key.as_str()));
            if let Some(key) = &key {
                block.set_local_var("key", key.clone());
            }
            let key = key.unwrap_or_else(|| index.into());
            block.set_block_params(names(call, path.is_some(), element, key)?);
            render.push_block(block);
            let rendered = template.render(registry, context, render, out);
            render.pop_block();
            rendered?;
        }
        Ok(())
    }
}

/// The first elements, each with its key if it has one.
fn elements(list: &Json) -> Vec<(Option<&String>, &Json)> {
    match list {
        Json::Array(elements) => elements.iter().take(ELEMENTS).map(|element| (None, element)).collect(),
        Json::Object(entries) => {
            entries.iter().take(ELEMENTS).map(|(key, element)| (Some(key), element)).collect()
        }
        _ => Vec::new(),
    }
}

/// What the template calls the element and its key: `{{#each list as |element key|}}`.
fn names<'rc>(
    call: &Call<'rc>,
    has_path: bool,
    element: &Json,
    key: Json,
) -> Result<BlockParams<'rc>, handlebars::RenderError> {
    let mut names = BlockParams::new();
    let (name, key_name) = match (call.block_param(), call.block_param_pair()) {
        (Some(name), _) => (Some(name), None),
        (None, Some((name, key_name))) => (Some(name), Some(key_name)),
        (None, None) => (None, None),
    };
    match name {
        Some(name) if has_path => names.add_path(name, Vec::new())?,
        Some(name) => names.add_value(name, element.clone())?,
        None => {}
    }
    if let Some(key_name) = key_name {
        names.add_value(key_name, key)?;
    }
    Ok(names)
}
