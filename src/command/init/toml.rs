//! Texts as TOML writes them.

use crate::text::acts;

/// `text` as a string in quotes, in which a terminal finds nothing to act on.
pub(super) fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        _ if acts(letter) => format!("\\u{:04X}", u32::from(letter)),
        _ => letter.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// `texts` as a list of such strings.
pub(super) fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

/// The same, but one by itself as it is.
pub(super) fn one_or_list<T: AsRef<str>>(texts: &[T]) -> String {
    match texts {
        [one] => quoted(one.as_ref()),
        several => list(several),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::any_acting_text as any_text;

    proptest! {
        #[test]
        fn whatever_is_quoted_reads_back_and_holds_nothing_that_a_terminal_acts_on(text in any_text()) {
            let line = format!("key = {}", quoted(&text));
            prop_assert!(!line.chars().any(acts), "{line:?}");
            let table: toml::Table = toml::from_str(&line).unwrap();
            prop_assert_eq!(table["key"].as_str(), Some(text.as_str()));
        }
    }
}
