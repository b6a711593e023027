//! Walks a template at load, as rendering will: every name must be known where it stands, every helper called as it
//! is meant, every partial there.

mod call;

use std::collections::HashMap;
use std::ops::Range;

use handlebars::template::{
    BlockParam, DecoratorTemplate, HelperTemplate, Parameter, Template, TemplateElement,
};

use super::helper::{self, Form};
use super::library::base_name;
use super::scan::TagKind;
use super::scope::{Scope, Shape};
use super::written::{TemplateProblem, Written};

/// A template that was understood as Handlebars.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    /// What was written.
    pub(super) written: Written,
    /// What was understood.
    pub(super) template: Template,
}

/// What a template uses of what there is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uses {
    /// The raw element.
    pub(super) raw: bool,
    /// The message's short id.
    pub(super) id: bool,
}

/// Checks a template, and the partials that it includes where it includes them. All of these must exist, without a
/// cycle.
pub(super) fn check(
    name: &str,
    form: Form,
    files: &HashMap<String, Compiled>,
) -> (Uses, Vec<TemplateProblem>) {
    let Some(file) = files.get(name) else { return (Uses::default(), Vec::new()) };
    let mut check = Check { files, form, file, last: 0, problems: Vec::new(), uses: Uses::default() };
    check.template(&file.template, &Scope::root(base_name(name)));
    (check.uses, check.problems)
}

struct Check<'a> {
    files: &'a HashMap<String, Compiled>,
    form: Form,
    /// The file that is looked at.
    file: &'a Compiled,
    /// The tag that was looked at last.
    last: usize,
    problems: Vec<TemplateProblem>,
    uses: Uses,
}

impl Check<'_> {
    fn template(&mut self, template: &Template, scope: &Scope) {
        for (index, element) in template.elements.iter().enumerate() {
            let place = template.mapping.get(index).map(|mapping| (mapping.0, mapping.1));
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) => {
                    let tag = self.tag(place);
                    self.expression(expression, &tag, scope);
                }
                TemplateElement::HelperBlock(block) => {
                    let tag = self.tag(place);
                    self.block(block, &tag, scope);
                }
                TemplateElement::PartialExpression(partial) => {
                    let tag = self.tag(place);
                    self.partial(partial, &tag, scope);
                }
                // The scan has refused these; should one come through, it is refused here.
                _ => {
                    let tag = self.tag(place);
                    self.problem(&tag, "", "this cannot stand in a template");
                }
            }
        }
    }

    /// The tag that an element was made of. The parser tells of none where the element is a further branch.
    fn tag(&mut self, place: Option<(usize, usize)>) -> Range<usize> {
        let written = &self.file.written;
        let found = if let Some(place) = place {
            written.tags.binary_search_by_key(&place, |tag| (tag.line, tag.column)).ok()
        } else {
            let mut later = written.tags.iter().enumerate().skip(self.last + 1);
            later.find(|(_, tag)| tag.kind == TagKind::ElseIf).map(|(index, _)| index)
        };
        self.last = found.unwrap_or(self.last);
        written.tags.get(self.last).map(|tag| tag.span.clone()).unwrap_or_default()
    }

    /// Notes a problem with a word in a tag.
    fn problem(&mut self, tag: &Range<usize>, word: &str, message: impl Into<String>) {
        self.problem_with_help(tag, word, message, None);
    }

    fn problem_with_help(
        &mut self,
        tag: &Range<usize>,
        word: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let span = self.file.written.find(tag, word);
        self.problems.push(self.file.written.problem_at(span, message).help(help));
    }

    /// `{{name}}`, or `{{helper one two}}`.
    fn expression(&mut self, expression: &HelperTemplate, tag: &Range<usize>, scope: &Scope) {
        let Some(name) = expression.name.as_name() else {
            let message = "parentheses stand only around a helper's argument";
            return self.problem(tag, "", message);
        };
        let is_alone = expression.params.is_empty() && expression.hash.is_empty();
        if is_alone && helper::find(name).is_none() {
            let shape = self.argument(&expression.name, tag, scope);
            return self.printed(shape, name, tag);
        }
        if let Some(helper) = self.helper(name, tag) {
            if helper.is_block() {
                let help = Some(format!("write `{}`", helper.usage));
                return self.problem_with_help(tag, name, format!("`{name}` is a block"), help);
            }
            if self.form == Form::Json && helper.is_markdown() {
                let message = format!("`{name}` writes Markdown, which a native template has no use for");
                self.problem(tag, name, message);
            }
            self.arguments(helper, &expression.params, &expression.hash, tag, scope);
        }
    }

    /// `{{#helper one}} … {{else}} … {{/helper}}`.
    fn block(&mut self, block: &HelperTemplate, tag: &Range<usize>, scope: &Scope) {
        let name = block.name.as_name().unwrap_or_default();
        let mut inner = scope.clone();
        match self.helper(name, tag) {
            Some(helper) if helper.is_block() => {
                let shapes = self.arguments(helper, &block.params, &block.hash, tag, scope);
                let names = self.given_names(name, block.block_param.as_ref(), tag);
                let shape = shapes.first().copied().flatten().unwrap_or(Shape::Anything);
                match name {
                    "each" => inner = scope.each(self.iterated(shape, &block.params, tag), &names),
                    "with" => inner = scope.with(shape, &names),
                    _ => {}
                }
            }
            Some(helper) => {
                let help = Some(format!("write `{{{{{}}}}}`", helper.usage));
                self.problem_with_help(tag, name, format!("`{name}` takes no block"), help);
            }
            None => {}
        }
        if let Some(template) = &block.template {
            self.template(template, &inner);
        }
        if let Some(other) = &block.inverse {
            self.template(other, scope);
        }
    }

    /// The names that a block gives: `as |element key|`.
    fn given_names(&mut self, block: &str, names: Option<&BlockParam>, tag: &Range<usize>) -> Vec<String> {
        let parameters = match names {
            Some(BlockParam::Single(one)) => vec![one],
            Some(BlockParam::Pair((one, other))) => vec![one, other],
            _ => return Vec::new(),
        };
        let names: Vec<String> =
            parameters.into_iter().filter_map(Parameter::as_name).map(str::to_owned).collect();
        let most = match block {
            "each" => 2,
            "with" => 1,
            _ => 0,
        };
        if names.len() > most {
            self.problem(tag, "as", format!("`#{block}` gives {most} names at most"));
        }
        for name in &names {
            self.not_a_helper(name, tag);
        }
        names
    }

    fn not_a_helper(&mut self, name: &str, tag: &Range<usize>) {
        if helper::find(name).is_some() {
            self.problem(tag, name, format!("`{name}` is a helper; nothing else can be called so"));
        }
    }

    /// `{{> _partial group label="Version"}}`.
    fn partial(&mut self, partial: &DecoratorTemplate, tag: &Range<usize>, scope: &Scope) {
        let name = partial.name.as_name().unwrap_or_default();
        if partial.params.len() > 1 {
            self.problem(tag, "", "a partial takes one group, and arguments with names");
        }
        let this = partial.params.first().and_then(|parameter| self.argument(parameter, tag, scope));
        let mut arguments: Vec<_> = partial.hash.iter().collect();
        arguments.sort_by_key(|(name, _)| name.as_str());
        let mut given = Vec::new();
        for (name, value) in arguments {
            self.not_a_helper(name, tag);
            given.push((name.clone(), self.argument(value, tag, scope).unwrap_or(Shape::Anything)));
        }
        let this = if partial.params.is_empty() { None } else { Some(this.unwrap_or(Shape::Anything)) };
        if let Some(file) = self.files.get(name) {
            let (outer, last) = (self.file, self.last);
            (self.file, self.last) = (file, 0);
            self.template(&file.template, &scope.partial(this, given));
            (self.file, self.last) = (outer, last);
        }
    }
}
