//! One test on one field: parsed once, explained in the operator's own words.

use crate::event::Severity;
use crate::rule::field::Field;

/// A field and the patterns of which any must match.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What is looked at.
    pub field: Field,
    /// What it may be; never empty.
    pub patterns: Vec<Pattern>,
}

/// One pattern, as written and as understood.
#[derive(Debug, Clone)]
pub struct Pattern {
    written: String,
    test: Test,
}

/// What a pattern asks of a value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// That this regular expression is found in it.
    Text(String),
    /// That it lies on one side of a bound.
    Comparison(Comparison),
}

/// A bound and a side of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    operator: Operator,
    bound: Bound,
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Severity(u8),
    Number(f64),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `severity` is compared with something that is no severity.
    #[error("`{0}` is no severity to compare with: expected info, warning or error")]
    NoSeverity(String),
    /// Any other field is compared with something that is no number.
    #[error("`{0}` is no number to compare with")]
    NoNumber(String),
    /// A regular expression does not compile.
    #[error("the regular expression does not compile: {0}")]
    Regex(String),
    /// There is nothing between the slashes, which would match everything.
    #[error("there is nothing between the slashes; `*` matches everything that is given")]
    EmptyRegex,
    /// Letters after the closing slash are no flags.
    #[error("`{0}` is no flag of a regular expression: expected i, m, s or x")]
    Flag(char),
}

impl Pattern {
    /// Understands `written` as a pattern for `field`.
    ///
    /// `/…/flags` is a regular expression; `<`, `<=`, `>`, `>=` compare; `= …` is the literal text; `""` is "not
    /// given"; anything else is text, not case-sensitive, in which `*` stands for anything.
    pub fn parse(field: &Field, written: &str) -> Result<Self, PatternError> {
        let test = if let Some(rest) = written.strip_prefix('/')
            && let Some((body, flags)) = rest.rsplit_once('/')
        {
            Test::Text(regular_expression(body, flags)?)
        } else if let Some((operator, bound)) = comparison(written) {
            Test::Comparison(Comparison { operator, bound: Bound::parse(field, bound)? })
        } else if let Some(literal) = written.strip_prefix('=') {
            Test::Text(format!("(?is)^{}$", regex::escape(literal.strip_prefix(' ').unwrap_or(literal))))
        } else if !written.is_empty() && written.bytes().all(|byte| byte == b'*') {
            Test::Text("(?s).".to_owned())
        } else {
            Test::Text(wildcards(written))
        };
        Ok(Self { written: written.to_owned(), test })
    }

    /// The pattern as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The plain word that it stands for, if it is one: no wildcard, no expression, no comparison.
    pub fn plain_word(&self) -> Option<&str> {
        let word = self.written.strip_prefix("= ").unwrap_or(&self.written);
        let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        plain.then_some(word)
    }

    pub(super) fn test(&self) -> &Test {
        &self.test
    }
}

fn regular_expression(body: &str, flags: &str) -> Result<String, PatternError> {
    if body.is_empty() {
        return Err(PatternError::EmptyRegex);
    }
    if let Some(flag) = flags.chars().find(|flag| !"imsx".contains(*flag)) {
        return Err(PatternError::Flag(flag));
    }
    let expression = if flags.is_empty() { body.to_owned() } else { format!("(?{flags}){body}") };
    match regex::Regex::new(&expression) {
        Ok(_) => Ok(expression),
        Err(error) => Err(PatternError::Regex(last_line(&error.to_string()))),
    }
}

/// The regex crate explains an error over several lines, pointing at it with carets; the last line says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

fn comparison(written: &str) -> Option<(Operator, &str)> {
    let operators = [
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ];
    operators.into_iter().find_map(|(sign, operator)| Some((operator, written.strip_prefix(sign)?.trim())))
}

/// Text in which `*` stands for anything. The empty text matches only the empty value: "not given".
fn wildcards(text: &str) -> String {
    let parts: Vec<String> = text.split('*').filter(|part| !part.is_empty()).map(regex::escape).collect();
    // Without an end to find the engine need not look for one: `*word*` is simply `word`.
    let begin = if text.starts_with('*') { "" } else { "^" };
    let end = if text.ends_with('*') { "" } else { "$" };
    format!("(?is){begin}{}{end}", parts.join(".*"))
}

impl Bound {
    fn parse(field: &Field, text: &str) -> Result<Self, PatternError> {
        if field.is_severity() {
            let rank = Severity::read(text).and_then(|severity| severity.rank());
            return rank.map(Self::Severity).ok_or_else(|| PatternError::NoSeverity(text.to_owned()));
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self::Number(number)),
            _ => Err(PatternError::NoNumber(text.to_owned())),
        }
    }
}

impl Comparison {
    /// Whether `value` lies on the right side. A value that cannot be compared lies on none.
    pub(super) fn holds(self, value: &str) -> bool {
        let (value, bound) = match self.bound {
            Bound::Severity(bound) => match Severity::read(value).and_then(|severity| severity.rank()) {
                Some(rank) => (f64::from(rank), f64::from(bound)),
                None => return false,
            },
            Bound::Number(bound) => match value.trim().parse::<f64>() {
                Ok(number) => (number, bound),
                Err(_) => return false,
            },
        };
        match self.operator {
            Operator::Less => value < bound,
            Operator::LessOrEqual => value <= bound,
            Operator::Greater => value > bound,
            Operator::GreaterOrEqual => value >= bound,
        }
    }
}
