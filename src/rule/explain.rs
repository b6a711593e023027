//! Why the rules decided as they did: for each of them that it matched, or the first condition that did not hold and what
//! that saw. Computed when somebody asks, from the event and from the rules as they were kept.

use serde::Deserialize;

use super::{
    CompileError, CompiledCondition, CompiledRule, Condition, Pattern, Routing, Rule, RuleSet, Seen,
};
use crate::event::Event;
use crate::name::{DestinationName, RuleName};
use crate::rule::{Field, FieldError, PatternError};

/// What the rules decide for one event, and why.
#[derive(Debug)]
pub struct Explanation<'r> {
    /// Every rule, in order.
    pub rules: Vec<(&'r Rule, Finding<'r>)>,
    /// What follows.
    pub routing: Routing,
}

/// What one rule makes of an event.
#[derive(Debug)]
pub enum Finding<'r> {
    /// It matched.
    Matched,
    /// This is the first of its `when` that does not hold.
    Misses(Look<'r>),
    /// This is the first of its `unless` that holds.
    Excepts(Look<'r>),
    /// A rule before it kept the event from it.
    NotReached,
}

/// A condition, and what it saw.
#[derive(Debug)]
pub struct Look<'r> {
    /// What was asked.
    pub condition: &'r Condition,
    /// The values of its field: any of them may match. One empty value: none is given.
    pub saw: Vec<String>,
}

/// Rules that were kept cannot be understood: they come from another version, or somebody has changed them.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They are no text of [`RuleSet::text`].
    #[error("the rules are not written as this bugle writes them")]
    Shape(#[source] serde_json::Error),
    /// A name is none.
    #[error("{0:?} is no name")]
    Name(String),
    /// They ask for a field that there is not.
    #[error("a rule asks for an unknown field")]
    Field(#[source] FieldError),
    /// They have a pattern that is none.
    #[error("a rule has a pattern that cannot be understood")]
    Pattern(#[source] PatternError),
    /// They are too large.
    #[error("the rules cannot be compiled")]
    Compile(#[source] CompileError),
}

impl RuleSet {
    /// Reads rules as [`RuleSet::text`] has written them.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let written: Written = serde_json::from_str(text).map_err(ReadError::Shape)?;
        let rules = written.rules.into_iter().map(WrittenRule::read).collect::<Result<_, _>>()?;
        let default_destination = written.default_destination.map(destination).transpose()?;
        Self::new(rules, default_destination).map_err(ReadError::Compile)
    }

    /// Says what each rule makes of `event`, and what they decide together.
    pub fn explain(&self, event: &Event) -> Explanation<'_> {
        let mut seen = Seen::new(self, event);
        let (mut routing, mut is_over) = (Routing::default(), false);
        let mut rules = Vec::with_capacity(self.rules.len());
        for compiled in &self.rules {
            let finding = if is_over { Finding::NotReached } else { compiled.explain(&mut seen) };
            if matches!(finding, Finding::Matched) {
                routing.add(&compiled.rule);
                is_over = compiled.rule.ends_the_list();
            }
            rules.push((&compiled.rule, finding));
        }
        self.fall_back(&mut routing);
        Explanation { rules, routing }
    }
}

impl CompiledRule {
    fn explain<'r>(&'r self, seen: &mut Seen<'_>) -> Finding<'r> {
        let all = |compiled: &'r [CompiledCondition], written: &'r [Condition]| compiled.iter().zip(written);
        for (compiled, condition) in all(&self.when, &self.rule.when) {
            if !seen.holds(compiled) {
                return Finding::Misses(seen.told(compiled, condition));
            }
        }
        for (compiled, condition) in all(&self.unless, &self.rule.unless) {
            if seen.holds(compiled) {
                return Finding::Excepts(seen.told(compiled, condition));
            }
        }
        Finding::Matched
    }
}

impl Seen<'_> {
    fn told<'r>(&mut self, compiled: &CompiledCondition, condition: &'r Condition) -> Look<'r> {
        let values = self.look(compiled.field).map(|field| field.values.as_slice()).unwrap_or_default();
        Look { condition, saw: values.iter().map(|value| value.clone().into_owned()).collect() }
    }
}

/// The text of a rule set.
#[derive(Debug, Deserialize)]
struct Written {
    rules: Vec<WrittenRule>,
    default_destination: Option<String>,
}

#[derive(Debug, Deserialize)]
struct WrittenRule {
    name: String,
    when: Vec<WrittenCondition>,
    unless: Vec<WrittenCondition>,
    send_to: Vec<String>,
    mention: Vec<String>,
    template: Option<String>,
    urgent: bool,
    stop: bool,
}

#[derive(Debug, Deserialize)]
struct WrittenCondition {
    field: String,
    any_of: Vec<String>,
}

impl WrittenRule {
    fn read(self) -> Result<Rule, ReadError> {
        let Self { name, when, unless, send_to, mention, template, urgent, stop } = self;
        let conditions = |all: Vec<WrittenCondition>| {
            all.into_iter().map(WrittenCondition::read).collect::<Result<Vec<_>, _>>()
        };
        Ok(Rule {
            name: RuleName::new(&name).or(Err(ReadError::Name(name)))?,
            when: conditions(when)?,
            unless: conditions(unless)?,
            send_to: send_to.into_iter().map(destination).collect::<Result<_, _>>()?,
            mention,
            template,
            urgent,
            stop,
        })
    }
}

impl WrittenCondition {
    fn read(self) -> Result<Condition, ReadError> {
        let field = Field::parse(&self.field).map_err(ReadError::Field)?;
        let patterns = self.any_of.iter().map(|written| Pattern::parse(&field, written));
        let patterns = patterns.collect::<Result<_, _>>().map_err(ReadError::Pattern)?;
        Ok(Condition { field, patterns })
    }
}

fn destination(name: String) -> Result<DestinationName, ReadError> {
    DestinationName::new(&name).or(Err(ReadError::Name(name)))
}

#[cfg(test)]
mod tests;
