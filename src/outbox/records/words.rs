//! Words that a person looks for.

use regex::{Regex, RegexBuilder};

/// Words that must all occur in what is looked through, not case-sensitive; without any, everything will do.
#[derive(Debug, Clone, Default)]
pub struct Words(Vec<Word>);

/// One of them, as written and as looked for.
#[derive(Debug, Clone)]
struct Word {
    written: String,
    anywhere: Regex,
}

/// A word is too long to look for.
#[derive(Debug, thiserror::Error)]
#[error("a word is too long to look for")]
pub struct WordsError(#[source] regex::Error);

impl Words {
    /// The words in `texts`: what stands between spaces is a word.
    pub fn new<T: AsRef<str>>(texts: &[T]) -> Result<Self, WordsError> {
        let words = texts.iter().flat_map(|text| text.as_ref().split_whitespace()).map(|word| {
            let expression = RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build();
            Ok(Word { written: word.to_owned(), anywhere: expression.map_err(WordsError)? })
        });
        words.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether each word occurs in one of `texts`, or is one of `ids`.
    pub(super) fn occur_in(&self, texts: &[&str], ids: &[&str]) -> bool {
        self.0.iter().all(|word| {
            texts.iter().any(|text| word.anywhere.is_match(text)) || ids.contains(&word.written.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_occurs_somewhere_in_any_case_or_is_an_id() {
        let texts = ["Payments::GatewayTimeout", "Größe überschritten", "Shop API"];
        for (words, expected) in [
            (&["timeout"][..], true),
            (&["TIMEOUT shop"], true),
            (&["timeout", "basket"], false),
            (&["GRÖSSE"], false),
            (&["GRÖßE ÜBER"], true),
            (&["p.i"], false),
            (&["5f3a"], false),
            (&["5f3a9c"], true),
            (&["  "], true),
            (&[], true),
        ] {
            let words = Words::new(words).unwrap();
            assert_eq!(words.occur_in(&texts, &["5f3a9c", "x"]), expected, "{words:?}");
        }
    }
}
