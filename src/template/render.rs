//! Renders a template: from an event to what the template writes, within bounds.

use std::io;

use handlebars::{Context, Handlebars, RenderErrorReason};
use serde_json::Value as Json;

use super::value::{Marked, TooManyValues, unmark};

/// The most that one rendering may write, in bytes.
const LONGEST: usize = 32 * 1024 * 1024;

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A helper could not do its work, or a path leads where nothing can lie.
    #[error("{}{reason}", place(file, *line))]
    Failed {
        /// The template or partial.
        file: String,
        /// The line in it, if that is known.
        line: Option<usize>,
        /// Why.
        reason: String,
    },
    /// It does not end.
    #[error("it writes more than {} MiB", LONGEST / (1024 * 1024))]
    TooLong,
    /// It writes more values than can be told apart.
    #[error("it writes too many values")]
    TooManyValues,
    /// A native template's JSON has a value where none can be.
    #[error(
        "on line {line} of its JSON a value stands outside of quotes; `{{{{json name}}}}` can stand there"
    )]
    BareValue {
        /// The line of what it yields.
        line: usize,
    },
    /// What a native template yields is not JSON.
    #[error("line {line} of its JSON is broken: {reason}")]
    NotJson {
        /// The line of what it yields.
        line: usize,
        /// Why.
        reason: String,
    },
    /// What a native template yields is JSON, but not a body.
    #[error("its JSON is no object, as a body has to be")]
    NoObject,
}

impl RenderError {
    /// Whether it is about what a native template yields and not about how it came to that.
    pub(super) fn is_of_json(&self) -> bool {
        matches!(self, Self::BareValue { .. } | Self::NotJson { .. } | Self::NoObject)
    }
}

fn place(file: &str, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("`{file}`, line {line}: "),
        None => String::new(),
    }
}

impl From<TooManyValues> for RenderError {
    fn from(_: TooManyValues) -> Self {
        Self::TooManyValues
    }
}

/// What the template `name` writes about `context`.
pub(super) fn render(registry: &Handlebars<'_>, name: &str, context: Json) -> Result<Marked, RenderError> {
    let mut written = Bounded::default();
    registry.render_with_context_to_write(name, &Context::from(context), &mut written).map_err(|error| {
        match error.reason() {
            RenderErrorReason::IOError(_) => RenderError::TooLong,
            reason => RenderError::Failed {
                file: error.template_name.clone().unwrap_or_else(|| name.to_owned()),
                line: error.line_no,
                reason: reason.to_string(),
            },
        }
    })?;
    // Handlebars writes whole strings, so this never loses anything.
    let text = String::from_utf8(written.0).unwrap_or_default();
    Ok(unmark(&text)?)
}

/// Takes what is written until it is too much.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
