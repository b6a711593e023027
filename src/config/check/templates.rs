//! Templates: `[templates]`, the files in its folder, and which names rules may use.

use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;

use super::super::file;
use super::super::findings::{Finding, Findings, did_you_mean};
use super::super::place::Place;
use super::super::problem::{Problem, ProblemSeverity};
use super::super::{Templates, raw, unit};
use crate::clock::Moment;
use crate::destination::{self, NativeError, PRODUCTS};
use crate::event::{Event, EventId};
use crate::flood::{Gathering, Told};
use crate::report::Report;
use crate::sample;
use crate::template::{Native, Telling, TemplateFile, TemplateProblem, TemplateSet};

/// What a template's file ends with.
const ENDING: &str = ".hbs";

/// Checks `[templates]` and every file in its folder.
pub(in crate::config) fn templates(
    findings: &mut Findings<'_>,
    base: &Path,
    place: &Place,
    written: raw::Templates,
) -> Templates {
    let at = place.key("time_zone");
    let zone = written.time_zone.as_deref();
    let time_zone = findings.parsed(&at, zone, unit::time_zone).unwrap_or(TimeZone::UTC);
    let folder = written.folder.map(|folder| base.join(folder));
    let files =
        folder.as_deref().map(|folder| read(findings, folder, &place.key("folder"))).unwrap_or_default();
    let (set, problems) = tried(&files, folder.as_deref(), &time_zone);
    for problem in problems {
        findings.add_problem(problem);
    }
    Templates { folder, files, time_zone, set }
}

/// All templates, with `files` of `folder` in place of built-in ones, and everything that is wrong with them: as they
/// are written, or when they are tried on an event of every kind.
pub(in crate::config) fn tried(
    files: &[TemplateFile],
    folder: Option<&Path>,
    time_zone: &TimeZone,
) -> (TemplateSet, Vec<Problem>) {
    let (set, mut problems) = TemplateSet::new(files.to_vec(), time_zone.clone());
    // The built-in ones have been tried before they were built in.
    if !files.is_empty() && problems.iter().all(|problem| problem.is_warning) {
        let (events, gatherings) = (sample::events(), sample::gatherings(Moment(0)));
        problems.extend(set.try_with(&events, &gatherings));
        problems.extend(unfit(&set, &events, &gatherings));
    }
    let problems = problems.into_iter().map(|problem| shown(problem, folder, files)).collect();
    (set, problems)
}

/// The native templates that make a body which their platform would not take, or in which the short id is not seen.
fn unfit(set: &TemplateSet, events: &[Event], gatherings: &[Gathering]) -> Vec<TemplateProblem> {
    let telling = Telling { id: EventId(1_000_000), repeat: false, instead_of: None, now: Moment(0) };
    let mut problems = Vec::new();
    for product in PRODUCTS {
        let mut add = |name: &str, words: String| problems.push(unfit_problem(name, product, words));
        for name in set.names() {
            let native = |event| set.native(product, Some(name), event, &telling)?.ok();
            let mut made = events.iter().filter_map(native);
            if let Some(words) = made.find_map(|native| fault(&native, product, &telling)) {
                add(name, words);
            }
        }
        for told in [Told::Digest, Told::More] {
            let native = |gathering| set.native_gathered(product, gathering, &telling)?.ok();
            let mut made = gatherings.iter().filter(|gathering| gathering.told == told).filter_map(native);
            if let Some(words) = made.find_map(|native| fault(&native, product, &telling)) {
                add(told.as_str(), words);
            }
        }
    }
    problems
}

fn unfit_problem(name: &str, product: &str, message: String) -> TemplateProblem {
    TemplateProblem {
        file: format!("{name}.{product}.json{ENDING}"),
        built_in: false,
        line: 0,
        column: 0,
        length: 0,
        message,
        help: Some("every message would go out by the Markdown template, with a note".to_owned()),
        is_warning: false,
    }
}

/// What is wrong with the body that a native template has made. Too long a one has a way out of its own.
fn fault(native: &Native, product: &str, telling: &Telling<'_>) -> Option<String> {
    let no_options = serde_json::Value::Object(serde_json::Map::new());
    let platform = destination::platform(product, no_options)?.ok()?;
    match platform.fill(native, &[], "thread") {
        Ok(body) if body.to_string().contains(&telling.id.to_string()) => None,
        Ok(_) => {
            Some("the id is not always shown: write {{id}} where no condition can leave it out".to_owned())
        }
        Err(NativeError::TooLong { .. }) => None,
        Err(error) => Some(Report(&error).to_string()),
    }
}

/// The templates in `folder`, in order of name.
fn read(findings: &mut Findings<'_>, folder: &Path, place: &Place) -> Vec<TemplateFile> {
    findings.watch(folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the folder `{}` cannot be read: {error}", folder.display());
            findings.add(Finding::warning(place, message).help("the built-in templates are used alone"));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if !name.ends_with(ENDING) {
            continue;
        }
        findings.watch(&path);
        match text(&path) {
            Ok(text) => files.push(TemplateFile { name, text }),
            Err(message) => findings.add_problem(Problem::of_file(Some(path.display().to_string()), message)),
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// What is in a template's file, with line ends as on Unix; or what is wrong with it as a file.
pub(in crate::config) fn text(path: &Path) -> Result<String, String> {
    let text = file::text(path, file::TEMPLATE).map_err(|error| format!("this template {error}"))?;
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// A template's problem with the line in which it stands.
fn shown(problem: TemplateProblem, folder: Option<&Path>, files: &[TemplateFile]) -> Problem {
    let path = folder.filter(|_| !problem.built_in).map(|folder| folder.join(&problem.file));
    let name =
        path.map_or_else(|| format!("the built-in {}", problem.file), |path| path.display().to_string());
    let mut found = Problem::of_file(Some(name), problem.message);
    found.severity = if problem.is_warning { ProblemSeverity::Warning } else { ProblemSeverity::Error };
    found.help = problem.help;
    let file = files.iter().find(|file| file.name == problem.file && !problem.built_in);
    let line = file.and_then(|file| file.text.lines().nth(problem.line.checked_sub(1)?));
    if let Some(line) = line {
        let byte =
            |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(byte, _)| byte);
        let start = problem.column.saturating_sub(1);
        found.marked = byte(start)..byte(start + problem.length.max(1));
        (found.line, found.column) = (Some(problem.line), Some(problem.column));
        found.text = Some(line.to_owned());
    }
    // After the files of the configuration, in order of name.
    found.file_number = usize::MAX;
    found
}

/// Checks that a template which a rule names exists.
pub(in crate::config) fn check_name(
    findings: &mut Findings<'_>,
    place: &Place,
    name: &str,
    known: &[String],
) {
    if Told::read(name).is_some() {
        let message = format!("the template `{name}` tells of several events, and a rule decides about one");
        let help = "leave it out: bugle uses it by itself where a message stands for several";
        findings.add(Finding::problem(place, message).help(help));
    } else if !known.iter().any(|known| known == name) {
        let finding = Finding::problem(place, format!("there is no template `{name}`"));
        findings.add(
            finding
                .expected(format!(
                    "a built-in template, or a file `{name}.hbs` in the folder of `templates.folder`"
                ))
                .help_opt(did_you_mean(name, known.iter().map(String::as_str))),
        );
    }
}
