//! Hints for who looks for something by a word that nothing has: on standard error, beside an answer that is right as it is.

use std::io;

use super::presence::remark;
use crate::name::{SourceName, nearest};
use crate::rule::Choice;
use crate::source::OWN;

/// The severities that bugle knows; a tracker may have words of its own.
const SEVERITIES: [&str; 3] = ["info", "warning", "error"];

/// Says which of the words that are asked for are no source among `sources` and no severity.
pub(super) fn of_words(source: &Choice, severity: &Choice, sources: &[SourceName]) -> io::Result<()> {
    let sources: Vec<&str> = sources.iter().map(SourceName::as_str).chain([OWN]).collect();
    for words in
        unknown("source", source, &sources).into_iter().chain(unknown("severity", severity, &SEVERITIES))
    {
        remark(&words)?;
    }
    Ok(())
}

fn unknown(what: &str, asked: &Choice, known: &[&str]) -> Vec<String> {
    let is_known = |word: &str| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    let say = |word: &str| {
        let near = nearest(word, known.iter().copied());
        let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        format!("There is no {what} `{word}`{near} (known: {})", known.join(", "))
    };
    asked.plain_words().filter(|word| !is_known(word)).map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_that_nothing_has_are_told_of() {
        let known = ["backend", "mobile", OWN];
        for (patterns, told) in [
            (&["backend", "= Mobile", "bugle", "*", "no*", "/x/", ""][..], &[][..]),
            (
                &["bakend"],
                &["There is no source `bakend`, did you mean `backend`? (known: backend, mobile, bugle)"],
            ),
            (
                &["x", "backend", "other"],
                &[
                    "There is no source `x` (known: backend, mobile, bugle)",
                    "There is no source `other` (known: backend, mobile, bugle)",
                ],
            ),
        ] {
            let asked = Choice::parse("source", patterns).unwrap();
            assert_eq!(unknown("source", &asked, &known), told, "{patterns:?}");
        }
        let asked = Choice::parse("severity", &[">= warning", "Error", "nonsense"]).unwrap();
        assert_eq!(
            unknown("severity", &asked, &SEVERITIES),
            ["There is no severity `nonsense` (known: info, warning, error)"]
        );
    }
}
