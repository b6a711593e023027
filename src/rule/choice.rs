//! Patterns outside of rules: what a person narrows a listing down with is written as in a rule, and means the same.

use regex::{RegexSet, RegexSetBuilder};

use crate::rule::COMPILED_LIMIT;
use crate::rule::condition::{Comparison, Pattern, PatternError, Test};
use crate::rule::field::{Field, FieldError};

/// Patterns of which any may match; without any, everything is chosen. Compiled once, to be asked of many values.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    patterns: Vec<Pattern>,
    texts: RegexSet,
    comparisons: Vec<Comparison>,
}

/// Why a text is no pattern for a field.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// There is no such field.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It cannot be understood.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Together they are too large.
    #[error("the patterns are too large to compile")]
    TooLarge(#[source] regex::Error),
}

impl Choice {
    /// Understands each of `written` as a rule does in a condition on `field`.
    pub fn parse<T: AsRef<str>>(field: &str, written: &[T]) -> Result<Self, ChoiceError> {
        let field = Field::parse(field)?;
        let patterns: Vec<Pattern> =
            written.iter().map(|text| Pattern::parse(&field, text.as_ref())).collect::<Result<_, _>>()?;
        let (mut texts, mut comparisons) = (Vec::new(), Vec::new());
        for pattern in &patterns {
            match pattern.test() {
                Test::Text(text) => texts.push(text),
                Test::Comparison(comparison) => comparisons.push(*comparison),
            }
        }
        let texts = RegexSetBuilder::new(texts)
            .size_limit(COMPILED_LIMIT)
            .dfa_size_limit(COMPILED_LIMIT)
            .build()
            .map_err(ChoiceError::TooLarge)?;
        Ok(Self { patterns, texts, comparisons })
    }

    /// Whether everything is chosen.
    pub fn is_everything(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether `value` is chosen. An empty one is "not given".
    pub fn chooses(&self, value: &str) -> bool {
        self.is_everything()
            || self.texts.is_match(value)
            || self.comparisons.iter().any(|comparison| comparison.holds(value))
    }

    /// Whether one of the patterns is just this word.
    pub fn names(&self, word: &str) -> bool {
        self.plain_words().any(|plain| plain.eq_ignore_ascii_case(word))
    }

    /// The patterns that are just a word.
    pub fn plain_words(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().filter_map(Pattern::plain_word)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;
    use crate::name::{DestinationName, RuleName, SourceName};
    use crate::rule::{Condition, Rule, RuleSet};

    /// Whether a rule with these patterns on the app matches an event of `app`.
    fn rule_matches(patterns: &[&str], app: &str) -> bool {
        let field = Field::parse("app").unwrap();
        let patterns = patterns.iter().map(|text| Pattern::parse(&field, text).unwrap()).collect();
        let rule = Rule {
            name: RuleName::new("r").unwrap(),
            when: vec![Condition { field, patterns }],
            unless: Vec::new(),
            send_to: vec![DestinationName::new("d").unwrap()],
            mention: Vec::new(),
            template: None,
            urgent: false,
            stop: false,
        };
        let rules = RuleSet::new(vec![rule], None).unwrap();
        let mut event = Event::blank(SourceName::new("s").unwrap(), "bugsnag", "{}");
        app.clone_into(&mut event.app.name);
        !rules.route(&event).matched.is_empty()
    }

    #[test]
    fn what_is_chosen_is_what_a_rule_matches() {
        let patterns = ["Shop *", "shop api", "", "*", "/^sh.p$/i", "= Shop *", "> 7", "<=3.5", "*ß*", "a*b"];
        let values =
            ["Shop API", "shop api", "SHOP", "Shop *", "", "8", "3.5", "Straße", "STRASSE", "aXb", "a\nb"];
        for pattern in patterns {
            for value in values {
                let choice = Choice::parse("app", &[pattern]).unwrap();
                assert_eq!(choice.chooses(value), rule_matches(&[pattern], value), "{pattern:?} {value:?}");
            }
        }
        assert!(Choice::default().chooses("") && Choice::default().chooses("x"));
        let severe = Choice::parse("severity", &[">= warning"]).unwrap();
        assert_eq!(
            ["info", "warning", "error", "odd"].map(|word| severe.chooses(word)),
            [false, true, true, false]
        );
        assert!(Choice::parse("source", &["back*", "Bugle"]).unwrap().names("bugle"));
        assert!(!Choice::parse("source", &["*"]).unwrap().names("bugle"));
        for wrong in [("severity", "> warnin"), ("app", "/(/"), ("app", "//"), ("nothing", "x")] {
            assert!(Choice::parse(wrong.0, &[wrong.1]).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_chosen_as_rules_match_it(
            patterns in prop::collection::vec("[ab*ßS=<> 1]{0,4}", 1..4), value in "[abßsS1 ]{0,4}",
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            if let Ok(choice) = Choice::parse("app", &patterns) {
                prop_assert_eq!(choice.chooses(&value), rule_matches(&patterns, &value));
            }
        }
    }
}
