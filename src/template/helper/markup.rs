//! Helpers that write mark-up: around a value, which stays literal, or of a value that is Markdown itself.

use super::super::value::{mark, mark_markdown};
use super::{Arguments, Helper, Literal, Run, Takes, Written, is_empty};
use crate::message::Tone;

const fn helper(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    (least, most): (usize, usize),
    run: fn(&Arguments<'_>) -> Written,
) -> Helper {
    Helper {
        name,
        usage,
        about,
        least,
        most,
        options: &[],
        takes: Takes::Text,
        literals: &[],
        run: Run::MarkUp(run),
    }
}

pub(super) const HELPERS: &[Helper] = &[
    helper("code", "code value", "a value as code within a line", (1, 1), |a| Ok(code(a))),
    helper(
        "codeblock",
        "codeblock value [\"language\"]",
        "a value as a block of code; it stands on a line of its own",
        (1, 2),
        |a| Ok(codeblock(a)),
    ),
    helper(
        "link",
        "link words url",
        "words that lead somewhere; just the words where there is no address",
        (2, 2),
        |a| Ok(link(a)),
    ),
    Helper {
        literals: &[(1, Literal::Count)],
        ..helper(
            "markdown",
            "markdown value [1500]",
            "a value that is Markdown itself, at most so many characters of it",
            (1, 2),
            markdown,
        )
    },
    helper(
        "emoji",
        "emoji [severity]",
        "the coloured dot of a severity or a state; of the message's own where none is given",
        (0, 1),
        |a| Ok(emoji(a)),
    ),
];

/// Of no value nothing is written but the value itself, so that what it stands in can vanish with it.
fn code(arguments: &Arguments<'_>) -> String {
    let value = mark(&arguments.text(0));
    if is_empty(arguments.value(0)) { value } else { format!("`{value}`") }
}

fn codeblock(arguments: &Arguments<'_>) -> String {
    let value = mark(&arguments.text(0));
    if is_empty(arguments.value(0)) {
        return value;
    }
    let language: String = arguments
        .text(1)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_'))
        .collect();
    format!("\n```{language}\n{value}\n```\n")
}

fn link(arguments: &Arguments<'_>) -> String {
    let words = if is_empty(arguments.value(0)) { arguments.text(1) } else { arguments.text(0) };
    format!("[{}]({})", mark(&words), mark(arguments.text(1).trim()))
}

fn markdown(arguments: &Arguments<'_>) -> Written {
    Ok(mark_markdown(&arguments.text(0), arguments.count(1)?))
}

fn emoji(arguments: &Arguments<'_>) -> String {
    let word =
        if arguments.values.is_empty() { arguments.of_message("tone").to_owned() } else { arguments.text(0) };
    let tone = match word.to_ascii_lowercase().as_str() {
        "error" => Tone::Error,
        "warning" => Tone::Warning,
        "info" => Tone::Info,
        "resolved" | "fixed" => Tone::Resolved,
        _ => Tone::Other,
    };
    tone.emoji().to_owned()
}
