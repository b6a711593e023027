//! What the operator reads when the configuration is wrong.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// Whether bugle can run with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemSeverity {
    /// It cannot.
    Error,
    /// It can, but probably not as it was meant.
    Warning,
}

/// One mistake in the configuration: what is wrong, where, and what to do. Secrets in it are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether bugle can run with it.
    pub severity: ProblemSeverity,
    /// The setting, such as `destinations.team.url` or `rules[2].when.app`; empty for a file as a whole.
    pub path: String,
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in that line, in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The line itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The environment variable, if that is where the value comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What to do, or what was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The part of `text` that is meant.
    #[serde(skip)]
    pub(super) marked: Range<usize>,
    /// The number of the file, to sort by.
    #[serde(skip)]
    pub(super) file_number: usize,
}

/// What was expected stands beside the caret if it has no more characters than this.
const BESIDE: usize = 60;

impl Problem {
    /// A problem with a file as a whole, or with none.
    pub(super) fn of_file(file: Option<String>, message: String) -> Self {
        Self {
            severity: ProblemSeverity::Error,
            path: String::new(),
            file,
            line: None,
            column: None,
            text: None,
            variable: None,
            message,
            expected: None,
            help: None,
            marked: 0..0,
            file_number: 0,
        }
    }

    /// The problem as a person reads it, over several lines, with the offending one; in colour for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            ProblemSeverity::Error => Level::ERROR,
            ProblemSeverity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        // What is short stands beside the caret, what is long below.
        let (label, note) = match self.expected.as_ref().map(|expected| format!("expected {expected}")) {
            Some(words) if self.line.is_some() && words.chars().count() <= BESIDE => (Some(words), None),
            words => (None, words),
        };
        if let Some(snippet) = self.snippet(label) {
            // The renderer counts the column in the line that it is shown; a masked secret before it may be shorter.
            let shown = self.text.as_ref().and_then(|text| text.get(..self.marked.start));
            group = if self.column == shown.map(|before| before.chars().count() + 1) {
                group.element(snippet.path(self.file.as_deref()))
            } else {
                group.element(self.origin()).element(snippet)
            };
        } else if self.file.is_some() || self.variable.is_some() {
            group = group.element(self.origin());
        }
        group = group.elements(note.map(|note| Level::NOTE.message(note)));
        group = group.elements(self.help.as_ref().map(|help| Level::HELP.message(help)));
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    fn snippet(&self, label: Option<String>) -> Option<Snippet<'_, Annotation<'_>>> {
        let mark = AnnotationKind::Primary.span(self.marked.clone()).label(label);
        Some(Snippet::source(self.text.as_ref()?).line_start(self.line?).annotation(mark))
    }

    fn origin(&self) -> Origin<'_> {
        match (&self.variable, &self.file) {
            (Some(variable), _) => Origin::path(format!("the variable {variable}")),
            (None, file) => {
                let origin = Origin::path(file.as_deref().unwrap_or_default());
                match (self.line, self.column) {
                    (Some(line), Some(column)) => origin.line(line).char_column(column),
                    _ => origin,
                }
            }
        }
    }

    /// By file, line and column; what comes from variables last.
    pub(super) fn order(&self) -> (bool, usize, Option<usize>, Option<usize>, &str) {
        (self.variable.is_some(), self.file_number, self.line, self.column, &self.path)
    }
}

/// In one line, for a log.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(variable) = &self.variable {
            write!(f, "{variable}: ")?;
        } else if let Some(file) = &self.file {
            write!(f, "{file}:")?;
            if let (Some(line), Some(column)) = (self.line, self.column) {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)?;
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, warnings included: at least one problem that bugle cannot run with.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Takes all findings, sorted.
    pub(super) fn new(findings: Vec<Problem>) -> Self {
        Self(findings)
    }

    /// All findings, by file and line.
    pub fn into_all(self) -> Vec<Problem> {
        self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for problem in &self.0 {
            write!(f, "{gap}{}", problem.render(false))?;
            gap = "\n\n";
        }
        Ok(())
    }
}

impl Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem {
            path: "server.listen".to_owned(),
            line: Some(12),
            column: Some(10),
            text: Some("listen = \"80\"".to_owned()),
            marked: 9..13,
            expected: Some("host:port".to_owned()),
            help: Some("write \"0.0.0.0:80\"".to_owned()),
            ..Problem::of_file(Some("config.toml".to_owned()), "this is no address".to_owned())
        }
    }

    #[test]
    fn a_problem_shows_its_line() {
        let expected = [
            "error: this is no address",
            "  --> config.toml:12:10",
            "   |",
            "12 | listen = \"80\"",
            "   |          ^^^^ expected host:port",
            "   |",
            "   = help: write \"0.0.0.0:80\"",
        ];
        assert_eq!(problem().render(false).lines().collect::<Vec<_>>(), expected);
        assert!(problem().render(true).contains('\u{1b}'));
    }

    #[test]
    fn the_column_is_that_of_the_file_even_if_a_mask_has_moved_it() {
        let problem = Problem {
            text: Some("a = \"…\", listen = \"80\"".to_owned()),
            marked: 20..24,
            column: Some(60),
            ..problem()
        };
        let rendered = problem.render(false);
        assert!(
            rendered.contains("config.toml:12:60") && rendered.contains("^^^^ expected host:port"),
            "{rendered}"
        );
    }

    #[test]
    fn a_problem_in_one_line_is_for_logs() {
        let line = "config.toml:12:10: this is no address; expected host:port; write \"0.0.0.0:80\"";
        assert_eq!(problem().to_string(), line);
    }

    #[test]
    fn a_problem_in_a_variable_names_it() {
        let variable = Some("BUGLE__SERVER__LISTEN".to_owned());
        let problem = Problem { variable, text: None, line: None, ..problem() };
        let expected = [
            "error: this is no address",
            "--> the variable BUGLE__SERVER__LISTEN",
            " = note: expected host:port",
            " = help: write \"0.0.0.0:80\"",
        ];
        assert_eq!(problem.render(false).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_problem_as_json_leaves_out_what_there_is_not() {
        let problem =
            Problem { severity: ProblemSeverity::Warning, ..Problem::of_file(None, "no".to_owned()) };
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(json, r#"{"severity":"warning","path":"","message":"no"}"#);
    }
}
