//! Turns template files into templates that can be rendered: reads them, bounds them, finds out what includes what.

mod line;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use handlebars::template::{HelperTemplate, Template, TemplateElement};
use handlebars::{Handlebars, TemplateErrorReason};
use jiff::tz::TimeZone;

use super::check::{Compiled, Uses, check};
use super::helper::{self, Form};
use super::scan::scan;
use super::written::{TemplateFile, TemplateProblem, Written};
use crate::name::nearest;

/// The platforms that a native template can be for, as in `default.slack.json.hbs`.
const PLATFORMS: [&str; 3] = ["slack", "teams", "discord"];

/// The most files; what includes what is found out by recursion.
const FILES: usize = 200;

/// The longest file.
const LONGEST: usize = 64 * 1024;

/// How many partials may include one another.
const PARTIALS: usize = 8;

/// How many blocks and partials may lie within one another, wherever they are written.
const LEVELS: usize = 100;

/// How much work one rendering may be, in elements that are written.
const COST: usize = 100_000;

/// What an inclusion costs besides what is included: it copies what the partial can see.
const INCLUSION: usize = 250;

/// How often a list may repeat what is in its block.
const REPETITIONS: usize = 100;

/// The templates that can be rendered.
#[derive(Debug)]
pub(super) struct Library {
    /// Those that yield Markdown.
    pub(super) markdown: Handlebars<'static>,
    /// Those that yield a platform's JSON.
    pub(super) native: Handlebars<'static>,
    /// Each by its name, which is its file's without `.hbs`, and what it uses.
    pub(super) templates: BTreeMap<String, Uses>,
    /// The names of all that are built in, partials too.
    pub(super) built_in: BTreeSet<String>,
}

/// The name that a template is asked for by: without the platform of a native one.
pub(super) fn base_name(name: &str) -> &str {
    let without = |platform: &&str| name.strip_suffix(".json")?.strip_suffix(*platform)?.strip_suffix('.');
    PLATFORMS.iter().find_map(without).unwrap_or(name)
}

/// Whether it is included by others and never rendered by itself.
pub(super) fn is_partial(name: &str) -> bool {
    name.starts_with('_')
}

/// Reads all files; `own` ones replace the built-in of the same name.
pub(super) fn load(
    built_in: impl Iterator<Item = TemplateFile>,
    own: Vec<TemplateFile>,
    zone: &TimeZone,
) -> (Library, Vec<TemplateProblem>) {
    let built_in = built_in.map(|file| Written::new(file, true));
    let own = own.into_iter().map(|file| Written::new(file, false));
    let mut load = Load { files: HashMap::new(), broken: HashSet::new(), problems: Vec::new() };
    let all: BTreeMap<String, Written> =
        built_in.chain(own).filter_map(|file| Some((name(&file)?, file))).collect();
    for (index, (name, written)) in all.into_iter().enumerate() {
        if index < FILES {
            load.read(name, written);
        } else {
            load.problems.push(written.problem(format!("there are more than {FILES} templates")));
        }
    }
    line::restore(&mut load.files);
    load.unused();
    load.include();
    let library = load.finish(zone);
    load.problems.sort();
    load.problems.dedup();
    (library, load.problems)
}

/// A template's name; nothing for a file that is none.
fn name(file: &Written) -> Option<String> {
    file.file.strip_suffix(".hbs").filter(|name| !name.is_empty()).map(str::to_owned)
}

struct Load {
    /// What was understood.
    files: HashMap<String, Compiled>,
    /// What was not.
    broken: HashSet<String>,
    problems: Vec<TemplateProblem>,
}

impl Load {
    fn read(&mut self, name: String, mut written: Written) {
        match compile(&name, &mut written) {
            Ok(template) => {
                self.files.insert(name, Compiled { written, template });
            }
            Err(problem) => {
                self.problems.push(problem);
                self.broken.insert(name);
            }
        }
    }

    /// Finds out what includes what, and takes out what cannot be included.
    fn include(&mut self) {
        let mut names: Vec<String> = self.files.keys().cloned().collect();
        names.sort();
        let mut graph = Graph {
            files: &self.files,
            broken: &self.broken,
            measured: HashMap::new(),
            problems: Vec::new(),
        };
        for name in &names {
            graph.measure(name, &mut Vec::new());
        }
        let Graph { measured, problems, .. } = graph;
        for (name, measure) in measured {
            match measure {
                Some(measure) if measure.cost > COST => {
                    if let Some(file) = self.files.remove(&name) {
                        let message =
                            format!("it may write more than {COST} elements, which is too much work");
                        let help = "what is in `#each` counts a hundred times, and a partial as much as 250 elements";
                        self.problems.push(file.written.problem(message).help(Some(help)));
                    }
                    self.broken.insert(name);
                }
                Some(_) => {}
                None => {
                    self.files.remove(&name);
                    self.broken.insert(name);
                }
            }
        }
        self.problems.extend(problems);
    }

    fn finish(&mut self, zone: &TimeZone) -> Library {
        let mut library = Library {
            markdown: helper::registry(Form::Markdown, zone),
            native: helper::registry(Form::Json, zone),
            templates: BTreeMap::new(),
            built_in: self
                .files
                .iter()
                .filter(|(_, file)| file.written.built_in)
                .map(|(name, _)| name.clone())
                .collect(),
        };
        let mut names: Vec<&String> = self.files.keys().collect();
        names.sort();
        for name in names {
            let Some(file) = self.files.get(name) else { continue };
            if is_partial(name) {
                library.markdown.register_template(name, file.template.clone());
                library.native.register_template(name, file.template.clone());
                continue;
            }
            let is_native = base_name(name) != name;
            let form = if is_native { Form::Json } else { Form::Markdown };
            let (uses, mut problems) = check(name, form, &self.files);
            if is_native && !uses.id {
                let help = "people paste it to ask why a message came";
                let message = "a native template has to show `{{id}}`, the message's short id";
                problems.push(file.written.problem(message).help(Some(help)));
            }
            if problems.is_empty() {
                let registry = if is_native { &mut library.native } else { &mut library.markdown };
                registry.register_template(name, file.template.clone());
                library.templates.insert(name.clone(), uses);
            }
            self.problems.append(&mut problems);
        }
        library
    }

    /// A partial of one's own that nothing includes is probably misspelt somewhere, and has not been checked.
    fn unused(&mut self) {
        if !self.broken.is_empty() {
            return;
        }
        let included: HashSet<String> =
            self.files.values().flat_map(|file| inclusions(&file.template)).map(|(name, _)| name).collect();
        let unused = self
            .files
            .iter()
            .filter(|(name, file)| is_partial(name) && !file.written.built_in && !included.contains(*name));
        let warnings = unused.map(|(_, file)| file.written.problem("no template includes it").warning());
        self.problems.extend(warnings);
    }
}

/// Understands a file as Handlebars.
fn compile(name: &str, written: &mut Written) -> Result<Template, TemplateProblem> {
    if written.text.len() > LONGEST {
        return Err(written.problem(format!("it is longer than {} KiB", LONGEST / 1024)));
    }
    if base_name(name) == name && !is_partial(name) && name.strip_suffix(".json").is_some() {
        let help =
            "a native template is called `<name>.slack.json.hbs`, `.teams.json.hbs` or `.discord.json.hbs`";
        return Err(written.problem("its name has no platform that there is").help(Some(help)));
    }
    line::trim(name, written);
    written.tags = scan(&written.text).map_err(|error| written.scan_problem(error))?;
    let mut registry = Handlebars::new();
    registry.set_prevent_indent(true);
    if let Err(error) = registry.register_template_string(name, &written.text) {
        let message = match error.reason() {
            TemplateErrorReason::InvalidParam(written) => format!("`{written}` cannot be read"),
            _ => "this cannot be read as Handlebars".to_owned(),
        };
        let problem = match error.pos() {
            Some((line, column)) => {
                let start = written.offset(line, column);
                written.problem_at(start..written.end_of_tag(start), message)
            }
            None => written.problem(message),
        };
        return Err(problem.help(Some(
            "in the braces stands a name, as in `{{app.name}}`, or a helper and what it takes, as in `{{upper app.name}}`",
        )));
    }
    registry.get_template(name).cloned().ok_or_else(|| written.problem("it is empty"))
}

/// The partials that a template includes, each with its place in the file; without a name where that is made up.
fn inclusions(template: &Template) -> Vec<(String, Option<(usize, usize)>)> {
    let mut found = Vec::new();
    for (index, element) in template.elements.iter().enumerate() {
        match element {
            TemplateElement::PartialExpression(partial) => {
                let place = template.mapping.get(index).map(|mapping| (mapping.0, mapping.1));
                found.push((partial.name.as_name().unwrap_or_default().to_owned(), place));
            }
            TemplateElement::HelperBlock(block) => found.extend(branches(block).flat_map(inclusions)),
            _ => {}
        }
    }
    found
}

fn branches(block: &HelperTemplate) -> impl Iterator<Item = &Template> {
    block.template.iter().chain(&block.inverse)
}

/// How much a template is, with all that it includes.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// How many partials lie within one another.
    partials: usize,
    /// How many blocks and partials lie within one another.
    levels: usize,
    /// How many elements may be written.
    cost: usize,
}

struct Graph<'a> {
    files: &'a HashMap<String, Compiled>,
    broken: &'a HashSet<String>,
    /// Nothing for what cannot be used.
    measured: HashMap<String, Option<Measure>>,
    problems: Vec<TemplateProblem>,
}

impl Graph<'_> {
    /// Measures a template; `within` are those that include it. Nothing if it cannot be used.
    fn measure(&mut self, name: &str, within: &mut Vec<String>) -> Option<Measure> {
        if let Some(measure) = self.measured.get(name) {
            return *measure;
        }
        let file = self.files.get(name)?;
        within.push(name.to_owned());
        let sound = self.inclusions(file, within);
        within.pop();
        let measure = sound.then(|| self.template(&file.template));
        let measure = measure.filter(|measure| {
            let fits = measure.partials <= PARTIALS && measure.levels <= LEVELS;
            if !fits {
                let message =
                    format!("more than {PARTIALS} partials, or {LEVELS} blocks, lie within one another");
                self.problems.push(file.written.problem(message));
            }
            fits
        });
        self.measured.insert(name.to_owned(), measure);
        measure
    }

    /// Whether all that a file includes can be included.
    fn inclusions(&mut self, file: &Compiled, within: &mut Vec<String>) -> bool {
        let mut sound = true;
        for (name, place) in inclusions(&file.template) {
            let problem = if within.contains(&name) {
                Some((format!("`{name}` includes itself: {} → {name}", within.join(" → ")), None))
            } else if !is_partial(&name) {
                let help = "a partial is a file whose name starts with `_`, as in `{{> _facts}}`";
                Some(("this is not the name of a partial".to_owned(), Some(help.to_owned())))
            } else if self.files.contains_key(&name) {
                sound &= self.measure(&name, within).is_some();
                None
            } else if self.broken.contains(&name) {
                sound = false;
                None
            } else {
                let partials = self.files.keys().map(String::as_str).filter(|name| is_partial(name));
                let help = nearest(&name, partials).map(|near| format!("did you mean `{near}`?"));
                Some((format!("there is no partial `{name}`: no file `{name}.hbs`"), help))
            };
            if let Some((message, help)) = problem {
                sound = false;
                let span = tag(&file.written, place);
                self.problems.push(file.written.problem_at(span, message).help(help));
            }
        }
        sound
    }

    fn template(&self, template: &Template) -> Measure {
        let mut sum = Measure { partials: 0, levels: 0, cost: 0 };
        for element in &template.elements {
            let one = match element {
                TemplateElement::HelperBlock(block) => self.block(block),
                TemplateElement::PartialExpression(partial) => {
                    let name = partial.name.as_name().unwrap_or_default();
                    let inner = self.measured.get(name).copied().flatten();
                    let inner = inner.unwrap_or(Measure { partials: 0, levels: 0, cost: 0 });
                    Measure {
                        partials: inner.partials + 1,
                        levels: inner.levels + 1,
                        cost: inner.cost.saturating_add(INCLUSION),
                    }
                }
                _ => Measure { partials: 0, levels: 0, cost: 1 },
            };
            sum = sum.and(one);
        }
        sum
    }

    fn block(&self, block: &HelperTemplate) -> Measure {
        let is_list = block.name.as_name() == Some("each");
        let mut sum = Measure { partials: 0, levels: 0, cost: 1 };
        for branch in branches(block) {
            sum = sum.and(self.template(branch));
        }
        let times = if is_list { REPETITIONS } else { 1 };
        Measure { levels: sum.levels + 1, cost: sum.cost.saturating_mul(times), ..sum }
    }
}

impl Measure {
    /// What both are, one after the other.
    fn and(self, other: Self) -> Self {
        Self {
            partials: self.partials.max(other.partials),
            levels: self.levels.max(other.levels),
            cost: self.cost.saturating_add(other.cost),
        }
    }
}

fn tag(written: &Written, place: Option<(usize, usize)>) -> Range<usize> {
    let tag = place.and_then(|place| {
        let found = written.tags.binary_search_by_key(&place, |tag| (tag.line, tag.column)).ok()?;
        written.tags.get(found)
    });
    tag.map(|tag| tag.span.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
