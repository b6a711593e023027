//! Where something stands in the configuration: a file and a path of keys.

use std::fmt;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// A place in one of the configuration's files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    file: usize,
    steps: Vec<Step>,
}

impl Place {
    /// The top of the file with this number.
    pub(super) fn top(file: usize) -> Self {
        Self { file, steps: Vec::new() }
    }

    /// The place of `key` in the table that stands here.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The place of an element of the list that stands here.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    /// The place that lies `steps` further in.
    pub(super) fn follow(&self, steps: &[Step]) -> Self {
        steps.iter().fold(self.clone(), |place, step| place.step(step.clone()))
    }

    /// The table or the list that this place is in; none for the top.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, steps) = self.steps.split_last()?;
        Some(Self { file: self.file, steps: steps.to_vec() })
    }

    /// Whether it is `whole` or a part of it.
    pub(super) fn is_within(&self, whole: &Self) -> bool {
        self.file == whole.file && self.steps.starts_with(&whole.steps)
    }

    /// The number of its file.
    pub(super) fn file(&self) -> usize {
        self.file
    }

    /// The way from the top of the file.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The key that leads here; empty at the top.
    pub(super) fn last_key(&self) -> &str {
        let keys = self.steps.iter().rev();
        let mut names = keys.filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        names.next().unwrap_or_default()
    }

    /// Whether it is an element of a list.
    pub(super) fn is_element(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Index(_)))
    }

    /// The path as variables write it: keys and numbers with dots between them, nothing quoted.
    pub(super) fn dotted(&self) -> String {
        let steps = self.steps.iter().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    fn step(&self, step: Step) -> Self {
        let mut place = self.clone();
        place.steps.push(step);
        place
    }
}

/// As a person writes it: `rules[2].when."raw.a b"`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut dot = "";
        for step in &self.steps {
            match step {
                Step::Key(key) if is_bare(key) => write!(f, "{dot}{key}")?,
                Step::Key(key) => write!(f, "{dot}{key:?}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
            dot = ".";
        }
        Ok(())
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_it_is_written() {
        let place = Place::top(0).key("rules").index(2).key("when").key("raw.a b");
        assert_eq!(place.to_string(), "rules[2].when.\"raw.a b\"");
        assert_eq!(place.dotted(), "rules.2.when.raw.a b");
        assert_eq!(place.index(1).last_key(), "raw.a b");
    }
}
