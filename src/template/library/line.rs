//! Where the line of an inclusion ends. Handlebars takes a partial with the line end that its file has, and swallows the
//! one behind an inclusion that stands alone; so a partial within a line would break it. Here a partial has no line end
//! of its own, and what stands alone keeps its.

use std::collections::HashMap;

use handlebars::template::{Template, TemplateElement};

use super::super::check::Compiled;
use super::super::scan::{Tag, TagKind};
use super::super::written::Written;
use super::{PARTIALS, is_partial, tag};

/// Takes the line ends from the end of a partial.
pub(super) fn trim(name: &str, written: &mut Written) {
    if is_partial(name) {
        written.text.truncate(written.text.trim_end_matches('\n').len());
    }
}

/// Puts a line end behind each inclusion that stands alone on its line.
pub(super) fn restore(files: &mut HashMap<String, Compiled>) {
    let ended: Vec<String> = files.keys().filter(|name| has_end(name, files, PARTIALS)).cloned().collect();
    for Compiled { written, template } in files.values_mut() {
        within(template, written, &ended);
    }
}

fn within(template: &mut Template, written: &Written, ended: &[String]) {
    let mut places = Vec::new();
    for (index, element) in template.elements.iter_mut().enumerate() {
        match element {
            TemplateElement::PartialExpression(partial) => {
                let place = template.mapping.get(index).map(|mapping| (mapping.0, mapping.1));
                let span = tag(written, place);
                let after = written.text.get(span.end..).unwrap_or_default();
                let swallowed = is_alone(written, span.start, after) && after.contains('\n');
                let trimmed = written.text.get(span).is_some_and(|tag| tag.ends_with("~}}"));
                let has_end =
                    partial.name.as_name().is_some_and(|name| ended.iter().any(|ended| ended == name));
                if swallowed && !trimmed && !has_end {
                    places.push(index + 1);
                }
            }
            TemplateElement::HelperBlock(block) => {
                for branch in block.template.iter_mut().chain(&mut block.inverse) {
                    within(branch, written, ended);
                }
            }
            _ => {}
        }
    }
    for place in places.into_iter().rev() {
        if let Some(mapping) = template.mapping.get(place - 1).cloned() {
            template.elements.insert(place, TemplateElement::RawString("\n".to_owned()));
            template.mapping.insert(place, mapping);
        }
    }
}

/// Whether nothing else is on the line of a tag that starts at `start` and has `after` behind it.
fn is_alone(written: &Written, start: usize, after: &str) -> bool {
    let blank = |text: &str| text.chars().all(|c| matches!(c, ' ' | '\t'));
    let before = written.text.get(..start).unwrap_or_default();
    before.rsplit('\n').next().is_some_and(blank) && after.split('\n').next().is_some_and(blank)
}

/// Whether what a partial writes has its line end already: its last line is the end of a block alone, whose lines each
/// have theirs, or the inclusion of such a partial.
fn has_end(name: &str, files: &HashMap<String, Compiled>, depth: usize) -> bool {
    let Some((Compiled { written, .. }, Some(Tag { span, kind, .. }))) =
        files.get(name).filter(|_| is_partial(name)).map(|file| (file, file.written.tags.last()))
    else {
        return false;
    };
    let after = written.text.get(span.end..).unwrap_or_default();
    if !is_alone(written, span.start, after) || after.contains('\n') {
        return false;
    }
    let inner = written.text.get(span.clone()).unwrap_or_default();
    match kind {
        TagKind::Close => true,
        TagKind::Plain if depth > 0 => {
            let inner = inner.trim_matches(['{', '}', '~']);
            let name = inner.strip_prefix('>').and_then(|inner| inner.split_whitespace().next());
            name.is_some_and(|name| has_end(name, files, depth - 1))
        }
        _ => false,
    }
}
