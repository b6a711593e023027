//! Collects what is wrong, and finds where it stands: in which line of which file, or in which variable.

use std::collections::HashSet;
use std::path::Path;

use super::document::{Document, Part, SyntaxError};
use super::environment::Environment;
use super::kept::Kept;
use super::names::any_of;
use super::place::Place;
use super::problem::{Problem, ProblemSeverity};
use super::unit::UnitError;
use super::watched::Watched;
use crate::event::digest;
use crate::name::nearest;
use crate::secret::Secret;

/// What is wrong at a place, before it is known where that is.
#[derive(Debug)]
pub(super) struct Finding {
    severity: ProblemSeverity,
    place: Place,
    part: Part,
    message: String,
    expected: Option<String>,
    help: Option<String>,
}

impl Finding {
    /// Something that bugle cannot run with.
    pub(super) fn problem(place: &Place, message: impl Into<String>) -> Self {
        Self::new(ProblemSeverity::Error, place, message.into())
    }

    /// Something that was probably not meant so.
    pub(super) fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self::new(ProblemSeverity::Warning, place, message.into())
    }

    /// A name that is none of `candidates`, the one that was probably meant with it.
    pub(super) fn unknown<'a>(
        place: &Place,
        message: impl Into<String>,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let finding = Self::problem(place, message).help_opt(did_you_mean(word, candidates.clone()));
        let mut candidates = candidates.into_iter().peekable();
        if candidates.peek().is_none() { finding } else { finding.expected(any_of(candidates)) }
    }

    /// Says what was expected.
    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self { expected: Some(expected.into()), ..self }
    }

    /// Says what to do.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Says what to do, if there is anything to say.
    pub(super) fn help_opt(self, help: Option<String>) -> Self {
        Self { help: help.or(self.help), ..self }
    }

    /// Points at the key, not at the value.
    pub(super) fn at_key(self) -> Self {
        Self { part: Part::Key, ..self }
    }

    /// The same, but bugle can run with it.
    pub(super) fn only_a_warning(self) -> Self {
        Self { severity: ProblemSeverity::Warning, ..self }
    }

    fn new(severity: ProblemSeverity, place: &Place, message: String) -> Self {
        Self { severity, place: place.clone(), part: Part::Value, message, expected: None, help: None }
    }
}

/// The question that names what was probably meant.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// A value as it may stand in a message: what looks like an address or is long is left out, for it may be a secret.
pub(super) fn quoted(value: &str) -> String {
    const SHOWN: usize = 60;
    if value.contains("://") || value.chars().count() > SHOWN {
        "this".to_owned()
    } else {
        format!("`{value}`")
    }
}

/// Everything found so far.
pub(super) struct Findings<'e> {
    environment: &'e Environment,
    documents: Vec<Document>,
    problems: Vec<Problem>,
    broken: HashSet<Place>,
    watched: Watched,
    secrets: Vec<(Place, [u8; 32])>,
    kept: Vec<Kept>,
}

impl<'e> Findings<'e> {
    /// Nothing found yet.
    pub(super) fn new(environment: &'e Environment) -> Self {
        Self {
            environment,
            documents: Vec::new(),
            problems: Vec::new(),
            broken: HashSet::new(),
            watched: Watched::default(),
            secrets: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Takes note of a file or a folder that is about to be read.
    pub(super) fn watch(&mut self, path: &Path) {
        self.watched.note(path);
    }

    /// Everything that was read, as it was just before.
    pub(super) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Takes note of the secret that was found at `place`, so that a change of it is noticed.
    pub(super) fn remember(&mut self, place: &Place, secret: &Secret) {
        self.secrets.push((place.clone(), digest(&[secret.expose()])));
    }

    /// The digests of all secrets that were found.
    pub(super) fn secrets(&self) -> &[(Place, [u8; 32])] {
        &self.secrets
    }

    /// Takes note of where a secret is kept.
    pub(super) fn note_secret(&mut self, kept: Kept) {
        self.kept.push(kept);
    }

    /// Where all secrets that were found are kept.
    pub(super) fn kept(&self) -> Vec<Kept> {
        self.kept.clone()
    }

    /// Takes in a file and the mistakes in its syntax. Gives its top, unless it had any.
    pub(super) fn add_file(&mut self, name: String, text: String) -> Option<Place> {
        let file = self.documents.len();
        let (document, errors) = Document::parse(name, text);
        for error in &errors {
            self.problems.push(syntax_problem(&document, error, file));
        }
        self.documents.push(document);
        errors.is_empty().then(|| Place::top(file))
    }

    /// The text of a file.
    pub(super) fn text(&self, place: &Place) -> &str {
        self.documents.get(place.file()).map(Document::text).unwrap_or_default()
    }

    /// Whether `path` is the main file, by whatever way it leads there.
    pub(super) fn is_main_file(&self, path: &Path) -> bool {
        let main = self.documents.first().map(|document| Path::new(document.name()).canonicalize());
        matches!((main, path.canonicalize()), (Some(Ok(main)), Ok(path)) if main == path)
    }

    /// Takes note of a finding.
    pub(super) fn add(&mut self, finding: Finding) {
        let Finding { severity, place, part, message, expected, help } = finding;
        let document = self.documents.get(place.file());
        let mut problem = Problem::of_file(document.map(|document| document.name().to_owned()), message);
        problem.path = place.to_string();
        let found = document.map(|document| document.find(&place, part));
        let is_in_file = found.as_ref().is_some_and(|found| found.is_exact);
        let variable =
            self.variable(&place).or_else(|| if is_in_file { None } else { self.variable_within(&place) });
        if let Some(variable) = variable {
            problem.variable = Some(variable.to_owned());
            problem.file = None;
        } else if let Some(found) = found {
            problem.path = found.place.to_string();
            if let Some(excerpt) = found.excerpt {
                problem.line = Some(excerpt.line);
                problem.column = Some(excerpt.column);
                problem.text = Some(excerpt.text);
                problem.marked = excerpt.marked;
            }
        }
        problem.file_number = place.file();
        (problem.severity, problem.expected, problem.help) = (severity, expected, help);
        if severity == ProblemSeverity::Error {
            self.broken.insert(place);
        }
        self.problems.push(problem);
    }

    /// Takes note of a problem that stands nowhere in the files, or with a file as a whole.
    pub(super) fn add_problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The variable that `place` is set by, if it is.
    pub(super) fn variable(&self, place: &Place) -> Option<&'e str> {
        // Variables are laid over the main file alone.
        (place.file() == 0).then(|| self.environment.setting(place)).flatten()
    }

    /// A variable that sets a part of `place`, or of the table that should have it if that is in no file either.
    fn variable_within(&self, place: &Place) -> Option<&'e str> {
        let document = self.documents.first().filter(|_| place.file() == 0)?;
        let table = place.parent().filter(|table| !document.find(table, Part::Key).is_exact);
        [Some(place), table.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|place| self.environment.setting_within(place))
    }

    /// Gives the value that must be there. If it is not, that is a problem, unless one was found with it already.
    pub(super) fn required<T>(&mut self, place: &Place, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() && !self.broken.contains(place) {
            self.add(
                Finding::problem(place, format!("`{}` is missing", place.last_key())).expected(expected),
            );
        }
        value
    }

    /// Whether a problem was found at exactly this place.
    pub(super) fn is_broken(&self, place: &Place) -> bool {
        self.broken.contains(place)
    }

    /// Whether a problem was found at this place or within it.
    pub(super) fn is_broken_within(&self, place: &Place) -> bool {
        self.broken.iter().any(|broken| broken.is_within(place))
    }

    /// Gives what `written` stands for; what stands for nothing is a problem.
    pub(super) fn parsed<T>(
        &mut self,
        place: &Place,
        written: Option<&str>,
        parse: impl Fn(&str) -> Result<T, UnitError>,
    ) -> Option<T> {
        match parse(written?) {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("{} is no {}", quoted(written.unwrap_or_default()), error.what);
                self.add(Finding::problem(place, message).expected(error.expected));
                None
            }
        }
    }

    /// Whether anything was found that bugle cannot run with.
    pub(super) fn has_problem(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == ProblemSeverity::Error)
    }

    /// Everything found, by file and line.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.problems.sort_by(|one, other| one.order().cmp(&other.order()));
        self.problems.dedup();
        self.problems
    }
}

fn syntax_problem(document: &Document, error: &SyntaxError, file: usize) -> Problem {
    let excerpt = document.find_error(&error.span);
    Problem {
        line: Some(excerpt.line),
        column: Some(excerpt.column),
        text: Some(excerpt.text),
        marked: excerpt.marked,
        file_number: file,
        ..Problem::of_file(Some(document.name().to_owned()), format!("this is no TOML: {}", error.message))
    }
}
