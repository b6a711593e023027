//! Who hears of an event: the flat list of rules, compiled once, so that a thousand cost hardly more than ten.
//!
//! Every text pattern of every rule on one field goes into one [`RegexSet`]; an event's value is looked at once per
//! field, and each condition then only looks up whether one of its own patterns was among those that matched.

mod choice;
mod condition;
mod difference;
mod explain;
mod field;

use regex::{RegexSet, RegexSetBuilder};

use crate::event::Event;
use crate::name::{DestinationName, RuleName};

pub use choice::{Choice, ChoiceError};
pub use condition::{Condition, Pattern, PatternError};
pub use difference::differences;
pub use explain::{Explanation, Finding, Look, ReadError};
pub use field::{Field, FieldError};

/// One rule, as written: names resolved, patterns understood.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, unique in the set.
    pub name: RuleName,
    /// All of these must hold.
    pub when: Vec<Condition>,
    /// None of these may hold.
    pub unless: Vec<Condition>,
    /// Who hears of it. Empty: nobody, knowingly, and later rules do not see the event.
    pub send_to: Vec<DestinationName>,
    /// Whom to mention: `here`, `channel`, or names of people and groups.
    pub mention: Vec<String>,
    /// The template to use instead of the trigger's own.
    pub template: Option<String>,
    /// Whether it goes ahead of everything that waits.
    pub urgent: bool,
    /// Whether later rules do not see the event.
    pub stop: bool,
}

impl Rule {
    fn ends_the_list(&self) -> bool {
        self.stop || self.send_to.is_empty()
    }
}

/// What the rules decide for one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// The rules that matched, in order.
    pub matched: Vec<RuleName>,
    /// Who hears of it, each once.
    pub routes: Vec<Route>,
}

/// One destination's part in an event: by which rules it was picked and how it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Who hears of it.
    pub destination: DestinationName,
    /// The first rule that picked it; none: it is the default destination.
    pub rule: Option<RuleName>,
    /// That rule's template.
    pub template: Option<String>,
    /// Whether any rule that picked it says so.
    pub urgent: bool,
    /// The mentions of all rules that picked it, each once.
    pub mention: Vec<String>,
}

impl Route {
    /// A route that no rule has picked.
    pub fn to(destination: DestinationName) -> Self {
        Self { destination, rule: None, template: None, urgent: false, mention: Vec::new() }
    }
}

/// The rules are too large to compile.
#[derive(Debug, thiserror::Error)]
#[error("the patterns of all rules on `{field}` together are too large to compile")]
pub struct CompileError {
    field: String,
    #[source]
    cause: regex::Error,
}

/// All rules, compiled.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<CompiledRule>,
    fields: Vec<CompiledField>,
    default_destination: Option<DestinationName>,
    text: String,
}

#[derive(Debug)]
struct CompiledRule {
    rule: Rule,
    when: Vec<CompiledCondition>,
    unless: Vec<CompiledCondition>,
}

/// A condition whose field is a place in [`RuleSet::fields`] and whose text patterns are places in that field's set.
#[derive(Debug)]
struct CompiledCondition {
    field: usize,
    texts: Vec<usize>,
    comparisons: Vec<condition::Comparison>,
}

#[derive(Debug)]
struct CompiledField {
    field: Field,
    texts: RegexSet,
}

/// More than this and a pattern is not something that a person wrote: bytes of compiled program per field.
const COMPILED_LIMIT: usize = 64 << 20;

impl RuleSet {
    /// No rules: what is sent all the same is sent by none.
    pub fn empty() -> Self {
        let text = describe(&[], None);
        Self { rules: Vec::new(), fields: Vec::new(), default_destination: None, text }
    }

    /// Compiles `rules`, in their order. An event that none of them matches goes to `default_destination`.
    pub fn new(rules: Vec<Rule>, default_destination: Option<DestinationName>) -> Result<Self, CompileError> {
        let text = describe(&rules, default_destination.as_ref());
        let mut collected: Vec<(Field, Vec<String>)> = Vec::new();
        let rules = rules
            .into_iter()
            .map(|rule| CompiledRule {
                when: rule.when.iter().map(|c| collect(c, &mut collected)).collect(),
                unless: rule.unless.iter().map(|c| collect(c, &mut collected)).collect(),
                rule,
            })
            .collect();
        let fields = collected.into_iter().map(compile_field).collect::<Result<_, _>>()?;
        Ok(Self { rules, fields, default_destination, text })
    }

    /// Decides who hears of `event`.
    pub fn route(&self, event: &Event) -> Routing {
        let mut seen = Seen::new(self, event);
        let mut routing = Routing::default();
        for compiled in &self.rules {
            let holds = compiled.when.iter().all(|condition| seen.holds(condition))
                && !compiled.unless.iter().any(|condition| seen.holds(condition));
            if holds {
                routing.add(&compiled.rule);
                if compiled.rule.ends_the_list() {
                    break;
                }
            }
        }
        self.fall_back(&mut routing);
        routing
    }

    /// What no rule has matched goes to the default destination, if there is one.
    fn fall_back(&self, routing: &mut Routing) {
        if routing.matched.is_empty()
            && let Some(destination) = &self.default_destination
        {
            routing.routes.push(Route::to(destination.clone()));
        }
    }

    /// The rules as text, without secrets: what is kept in the store, so that a decision can be explained later.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Routing {
    fn add(&mut self, rule: &Rule) {
        self.matched.push(rule.name.clone());
        for destination in &rule.send_to {
            match self.routes.iter_mut().find(|route| route.destination == *destination) {
                Some(route) => {
                    route.urgent |= rule.urgent;
                    for name in &rule.mention {
                        if !route.mention.contains(name) {
                            route.mention.push(name.clone());
                        }
                    }
                }
                None => self.routes.push(Route {
                    destination: destination.clone(),
                    rule: Some(rule.name.clone()),
                    template: rule.template.clone(),
                    urgent: rule.urgent,
                    mention: rule.mention.clone(),
                }),
            }
        }
    }
}

fn collect(condition: &Condition, fields: &mut Vec<(Field, Vec<String>)>) -> CompiledCondition {
    let field = fields.iter().position(|(field, _)| *field == condition.field).unwrap_or_else(|| {
        fields.push((condition.field.clone(), Vec::new()));
        fields.len() - 1
    });
    let mut compiled = CompiledCondition { field, texts: Vec::new(), comparisons: Vec::new() };
    if let Some((_, texts)) = fields.get_mut(field) {
        for pattern in &condition.patterns {
            match pattern.test() {
                condition::Test::Text(regex) => {
                    compiled.texts.push(texts.len());
                    texts.push(regex.clone());
                }
                condition::Test::Comparison(comparison) => compiled.comparisons.push(*comparison),
            }
        }
    }
    compiled
}

fn compile_field((field, texts): (Field, Vec<String>)) -> Result<CompiledField, CompileError> {
    let texts = RegexSetBuilder::new(texts)
        .size_limit(COMPILED_LIMIT)
        .dfa_size_limit(COMPILED_LIMIT)
        .build()
        .map_err(|cause| CompileError { field: field.to_string(), cause })?;
    Ok(CompiledField { field, texts })
}

/// What has been looked at so far of one event: each field at most once, and only if a rule asks.
struct Seen<'a> {
    set: &'a RuleSet,
    event: &'a Event,
    fields: Vec<Option<SeenField<'a>>>,
}

struct SeenField<'a> {
    values: Vec<std::borrow::Cow<'a, str>>,
    matches: Vec<regex::SetMatches>,
}

impl<'a> Seen<'a> {
    fn new(set: &'a RuleSet, event: &'a Event) -> Self {
        let mut fields = Vec::new();
        fields.resize_with(set.fields.len(), || None);
        Self { set, event, fields }
    }

    fn holds(&mut self, condition: &CompiledCondition) -> bool {
        let Some(field) = self.look(condition.field) else { return false };
        field.matches.iter().any(|matches| condition.texts.iter().any(|text| matches.matched(*text)))
            || condition.comparisons.iter().any(|c| field.values.iter().any(|value| c.holds(value)))
    }

    fn look(&mut self, place: usize) -> Option<&SeenField<'a>> {
        let compiled = self.set.fields.get(place)?;
        let event = self.event;
        let seen = self.fields.get_mut(place)?;
        Some(seen.get_or_insert_with(|| {
            let values = compiled.field.values(event);
            let matches = if compiled.texts.is_empty() {
                Vec::new()
            } else {
                values.iter().map(|value| compiled.texts.matches(value)).collect()
            };
            SeenField { values, matches }
        }))
    }
}

/// Writes the rules down as JSON: the names and patterns as the operator wrote them.
fn describe(rules: &[Rule], default_destination: Option<&DestinationName>) -> String {
    let conditions = |conditions: &[Condition]| {
        conditions
            .iter()
            .map(|condition| {
                serde_json::json!({
                    "field": condition.field.to_string(),
                    "any_of": condition.patterns.iter().map(Pattern::as_str).collect::<Vec<_>>(),
                })
            })
            .collect::<Vec<_>>()
    };
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            serde_json::json!({
                "name": rule.name.as_str(),
                "when": conditions(&rule.when),
                "unless": conditions(&rule.unless),
                "send_to": rule.send_to.iter().map(DestinationName::as_str).collect::<Vec<_>>(),
                "mention": rule.mention,
                "template": rule.template,
                "urgent": rule.urgent,
                "stop": rule.stop,
            })
        })
        .collect();
    let default = default_destination.map(DestinationName::as_str);
    serde_json::json!({ "rules": rules, "default_destination": default }).to_string()
}

#[cfg(test)]
mod tests;
