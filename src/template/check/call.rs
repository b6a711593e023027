//! What stands within a tag: a helper and its arguments.

use std::collections::HashMap;
use std::ops::Range;

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use serde_json::Value as Json;

use super::super::helper::{self, Helper, Literal, Takes};
use super::super::schema::{FRAME, Field};
use super::super::scope::{Scope, Shape};
use super::Check;
use crate::name::nearest;

impl Check<'_> {
    /// The helper of this name; a problem if there is none.
    pub(super) fn helper(&mut self, name: &str, tag: &Range<usize>) -> Option<&'static Helper> {
        let found = helper::find(name);
        if found.is_none() {
            let near = nearest(name, helper::helpers().map(|helper| helper.name));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            self.problem_with_help(tag, name, format!("there is no helper `{name}`"), help);
        }
        found
    }

    /// Checks what a helper is called with; gives what each argument stands for, as far as that is known.
    pub(super) fn arguments(
        &mut self,
        helper: &Helper,
        arguments: &[Parameter],
        options: &HashMap<String, Parameter>,
        tag: &Range<usize>,
        scope: &Scope,
    ) -> Vec<Option<Shape>> {
        let name = helper.name;
        if arguments.len() < helper.least || arguments.len() > helper.most {
            let message = format!("`{name}` is called with {}", counted(arguments.len()));
            self.problem_with_help(tag, name, message, Some(format!("write `{}`", helper.usage)));
        }
        let shapes: Vec<_> = arguments.iter().map(|argument| self.argument(argument, tag, scope)).collect();
        for (place, (argument, shape)) in arguments.iter().zip(&shapes).enumerate() {
            if let Some(shape) = shape {
                self.fits(helper, place, argument, *shape, tag);
            }
        }
        for (place, literal) in helper.literals {
            if let Some(Parameter::Literal(value)) = arguments.get(*place) {
                self.literal(name, *literal, value, tag);
            }
        }
        let mut options: Vec<_> = options.iter().collect();
        options.sort_by_key(|(option, _)| option.as_str());
        for (option, value) in options {
            if !helper.options.contains(&option.as_str()) {
                let help = Some(format!("write `{}`", helper.usage));
                self.problem_with_help(tag, option, format!("`{name}` has no option `{option}`"), help);
            }
            let shape = self.argument(value, tag, scope);
            self.printed(shape, value.as_name().unwrap_or_default(), tag);
        }
        shapes
    }

    /// What an argument stands for; nothing if that is wrong already.
    pub(super) fn argument(
        &mut self,
        argument: &Parameter,
        tag: &Range<usize>,
        scope: &Scope,
    ) -> Option<Shape> {
        match argument {
            Parameter::Literal(Json::Array(_) | Json::Object(_)) => {
                self.problem(tag, "", "a list cannot be written out in a template");
                None
            }
            Parameter::Literal(_) => Some(Shape::Text),
            Parameter::Subexpression(inner) => self.parentheses(inner, tag, scope),
            Parameter::Path(path) => {
                let written = argument.as_name().unwrap_or_default();
                match scope.resolve(path, written) {
                    Ok(found) => {
                        self.uses.raw |= found.is_raw;
                        self.uses.id |= found.is_id;
                        Some(found.shape)
                    }
                    Err(lost) => {
                        self.problem_with_help(tag, written, lost.message, lost.help);
                        None
                    }
                }
            }
            _ => {
                self.problem(tag, "", "this is neither a name nor a value");
                None
            }
        }
    }

    /// `(helper one two)` as an argument.
    fn parentheses(&mut self, inner: &Subexpression, tag: &Range<usize>, scope: &Scope) -> Option<Shape> {
        let TemplateElement::Expression(call) = inner.as_element() else { return None };
        let HelperTemplate { name, params, hash, .. } = &**call;
        let Some(name) = name.as_name() else {
            self.problem(tag, "", "in parentheses a helper comes first");
            return None;
        };
        if helper::find(name).is_none() && params.is_empty() && hash.is_empty() {
            self.problem(tag, name, format!("`{name}` is no helper, and needs no parentheses"));
            return None;
        }
        let helper = self.helper(name, tag)?;
        if helper.is_block() || helper.is_markup() {
            let what = if helper.is_block() { "is a block" } else { "writes mark-up" };
            self.problem(tag, name, format!("`{name}` {what} and cannot stand in parentheses"));
        }
        let shapes = self.arguments(helper, params, hash, tag, scope);
        let gives_text = name != "default" || shapes.iter().all(|shape| matches!(shape, Some(Shape::Text)));
        Some(if gives_text { Shape::Text } else { Shape::Anything })
    }

    /// Whether an argument is of the kind that the helper takes.
    fn fits(
        &mut self,
        helper: &Helper,
        place: usize,
        argument: &Parameter,
        shape: Shape,
        tag: &Range<usize>,
    ) {
        let written = argument.as_name().unwrap_or_default();
        let problem = match (helper.takes, place, shape) {
            (Takes::Anything, ..)
            | (_, _, Shape::Anything)
            | (Takes::Text | Takes::Texts | Takes::List | Takes::Frames, 1.., Shape::Text)
            | (Takes::Text | Takes::Texts, 0, Shape::Text)
            | (Takes::List, 0, Shape::List(_) | Shape::Group(_) | Shape::Raw) => return,
            (Takes::Frames, 0, Shape::List(fields)) if is_stack(fields) => return,
            (Takes::Frames, 0, _) => format!("`{}` takes a stack: `{}`", helper.name, helper.usage),
            (Takes::List, 0, _) => format!("`{}` takes a list", helper.name),
            _ => return self.printed(Some(shape), written, tag),
        };
        self.problem(tag, written, problem);
    }

    fn literal(&mut self, name: &str, literal: Literal, value: &Json, tag: &Range<usize>) {
        let (fits, wanted) = match literal {
            Literal::Count => (value.is_u64(), "a whole number, without quotes"),
            Literal::Format => {
                (value.as_str().is_some_and(helper::is_format), "the form of a date, such as \"%H:%M\"")
            }
        };
        if !fits {
            self.problem(tag, name, format!("`{name}` takes {wanted}, not `{value}`"));
        }
    }

    /// Whether what is to be shown is text.
    pub(super) fn printed(&mut self, shape: Option<Shape>, written: &str, tag: &Range<usize>) {
        let (what, help) = match shape {
            None | Some(Shape::Text | Shape::Anything) => return,
            Some(Shape::List(fields)) if is_stack(fields) => (
                "a list",
                format!("write `{{{{frames {written}}}}}`, or go over it with `{{{{#each {written}}}}}`"),
            ),
            Some(Shape::List(_)) => ("a list", format!("go over it with `{{{{#each {written}}}}}`")),
            Some(Shape::Group(fields)) => {
                let names: Vec<_> = fields.iter().take(6).map(|field| field.name).collect();
                ("a group of names", format!("name one of them: {}", names.join(", ")))
            }
            Some(Shape::Raw) => ("the whole element", format!("write a path in it: `{written}.…`")),
        };
        self.problem_with_help(tag, written, format!("`{written}` is {what}, not a text"), Some(help));
    }

    /// What `#each` goes over.
    pub(super) fn iterated(&mut self, shape: Shape, arguments: &[Parameter], tag: &Range<usize>) -> Shape {
        if let (Shape::Text, Some(argument)) = (shape, arguments.first()) {
            let written = argument.as_name().unwrap_or_default();
            self.problem(tag, written, "`#each` goes over a list, and this is a text");
        }
        shape
    }
}

fn is_stack(fields: &[Field]) -> bool {
    fields.iter().map(|field| field.name).eq(FRAME.iter().map(|field| field.name))
}

fn counted(arguments: usize) -> String {
    match arguments {
        0 => "nothing".to_owned(),
        1 => "one argument".to_owned(),
        count => format!("{count} arguments"),
    }
}
