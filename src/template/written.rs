//! A template as it was written: its text, where its tags stand, and what is wrong with it, each with its place.

use std::ops::Range;

use super::scan::{ScanError, Tag};

/// A file of the template folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// Its name in the folder, such as `default.hbs`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What is wrong with a template, or looks like it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplateProblem {
    /// The file's name in the folder.
    pub file: String,
    /// Whether that is a built-in file, which is in no folder.
    pub built_in: bool,
    /// The line, from one; zero where it is the file as a whole.
    pub line: usize,
    /// The column, from one, in characters.
    pub column: usize,
    /// How many characters it spans.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the template can be used all the same.
    pub is_warning: bool,
}

impl TemplateProblem {
    /// The same, with a word about what to do.
    #[must_use]
    pub(super) fn help(self, help: Option<impl Into<String>>) -> Self {
        Self { help: help.map(Into::into), ..self }
    }

    /// The same as a warning.
    #[must_use]
    pub(super) fn warning(self) -> Self {
        Self { is_warning: true, ..self }
    }
}

/// A template's text and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The file's name.
    pub(super) file: String,
    /// Whether it is a built-in one.
    pub(super) built_in: bool,
    /// The text, its lines ended by `\n` alone.
    pub(super) text: String,
    /// Its tags, in order; none until they have been looked for.
    pub(super) tags: Vec<Tag>,
}

impl Written {
    /// Takes a file's text, whatever its lines end with and whether it begins with a byte order mark or not.
    pub(super) fn new(file: TemplateFile, built_in: bool) -> Self {
        let text = file.text.strip_prefix('\u{FEFF}').unwrap_or(&file.text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Self { file: file.name, built_in, text, tags: Vec::new() }
    }

    /// What is wrong with the file as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) -> TemplateProblem {
        TemplateProblem {
            file: self.file.clone(),
            built_in: self.built_in,
            line: 0,
            column: 0,
            length: 0,
            message: message.into(),
            help: None,
            is_warning: false,
        }
    }

    /// What is wrong at a place.
    pub(super) fn problem_at(&self, span: Range<usize>, message: impl Into<String>) -> TemplateProblem {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let in_line = |text: &str| text.chars().take_while(|c| *c != '\n').count();
        TemplateProblem {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).map_or(0, in_line) + 1,
            length: self.text.get(span).map_or(0, in_line),
            ..self.problem(message)
        }
    }

    /// What the scan has found.
    pub(super) fn scan_problem(&self, error: ScanError) -> TemplateProblem {
        self.problem_at(error.span, error.message).help(error.help)
    }

    /// The byte at a line and a column, both from one.
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let mut lines = self.text.split_inclusive('\n');
        let before: usize = lines.by_ref().take(line.saturating_sub(1)).map(str::len).sum();
        let line = lines.next().unwrap_or_default();
        before + line.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
    }

    /// The end of the tag in which `start` lies, or which starts there; else the end of that character.
    pub(super) fn end_of_tag(&self, start: usize) -> usize {
        let tag = self.tags.iter().find(|tag| tag.span.contains(&start));
        let letter = self.text.get(start..).and_then(|rest| rest.chars().next());
        tag.map_or(start + letter.map_or(0, char::len_utf8), |tag| tag.span.end)
    }

    /// Where `word` stands on its own within a tag; where it does not, the tag's beginning.
    pub(super) fn find(&self, tag: &Range<usize>, word: &str) -> Range<usize> {
        let text = self.text.get(tag.clone()).unwrap_or_default();
        let mut found = text.match_indices(word).filter(|(start, _)| {
            let before = text.get(..*start).and_then(|before| before.chars().next_back());
            let after = text.get(start + word.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(is_part_of_name) && !after.is_some_and(is_part_of_name)
        });
        match found.next() {
            Some((start, _)) if !word.is_empty() => tag.start + start..tag.start + start + word.len(),
            _ => tag.clone(),
        }
    }
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '$' | '[' | ']' | '"' | '\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Written {
        Written::new(TemplateFile { name: "a.hbs".into(), text: text.into() }, false)
    }

    #[test]
    fn a_place_is_given_in_lines_and_characters() {
        let written = written("\u{FEFF}a\r\nüö {{b}}\rc");
        assert_eq!(written.text, "a\nüö {{b}}\nc");
        let span = written.text.find('b').map(|start| start..start + 1).unwrap();
        let problem = written.problem_at(span.clone(), "no");
        assert_eq!((problem.line, problem.column, problem.length), (2, 6, 1));
        assert_eq!(written.offset(2, 6), span.start);
        assert_eq!(written.offset(9, 9), written.text.len());
        let across = written.problem_at(2..written.text.len(), "no");
        assert_eq!((across.line, across.column, across.length), (2, 1, 8));
    }

    #[test]
    fn a_name_is_found_where_it_stands_alone() {
        let text = "{{join app.name (upper name) sep=\"name\" x=app.name}}";
        let written = written(text);
        assert_eq!(written.find(&(0..text.len()), "name"), 23..27);
        assert_eq!(written.find(&(0..text.len()), "app.name"), 7..15);
        assert_eq!(written.find(&(0..text.len()), "nam"), 0..text.len());
    }
}
