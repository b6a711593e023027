//! What the rules made of an event: those that were in force when it came, as they were kept.

use serde_json::{Value, json};

use crate::command::listing::{counted, cut, time};
use crate::event::Event;
use crate::name::{DestinationName, RuleName};
use crate::outbox::{RulesRecord, Trail};
use crate::rule::{Explanation, Finding, Look, Pattern, Routing, Rule, RuleSet, differences};

/// An event, the rules of its time, and what today's would do.
pub(super) struct Decision<'t> {
    trail: &'t Trail,
    event: Event,
    /// Nothing if the rules as they were kept cannot be understood.
    then: Option<RuleSet>,
    now: Option<RuleSet>,
}

/// Of a value or a pattern so much is shown.
const SHOWN: usize = 80;

impl<'t> Decision<'t> {
    pub(super) fn of(trail: &'t Trail) -> Self {
        let read = |rules: &RulesRecord| RuleSet::read(&rules.text).ok();
        Self {
            trail,
            event: trail.stored.read(),
            then: read(&trail.rules),
            now: trail.rules_now.as_ref().and_then(read),
        }
    }

    /// Its page in the tracker.
    pub(super) fn url(&self) -> &str {
        &self.event.url
    }

    /// Why nobody was to hear of it.
    pub(super) fn why_nobody(&self) -> String {
        match self.trail.matched.last() {
            Some(rule) => {
                format!(
                    "Nobody was told, and nobody was to be: the rule {:?} drops it (send_to = []).",
                    cut(rule, 200)
                )
            }
            None if self.trail.routing == "unmatched" => {
                "Nobody was told: no rule matched it, and there was no default_destination.".to_owned()
            }
            None => "Nobody was told: it was owed to nobody.".to_owned(),
        }
    }

    pub(super) fn words(&self) -> Vec<String> {
        if self.trail.stored.is_own() {
            return vec![
                "rules       none: bugle says this of itself, to `notices_to` or to a fallback".to_owned(),
            ];
        }
        let Some(then) = &self.then else {
            return vec!["rules       those that decided cannot be read any more".to_owned()];
        };
        let mut lines = vec![format!("rules       {}", in_force(&self.trail.rules, then.len()))];
        let differences = self.brought().into_iter().map(|line| format!("              {}", cut(&line, 300)));
        lines.extend(differences);
        let explained = then.explain(&self.event);
        lines.extend(finding_lines(&explained));
        if explained.routing.matched.is_empty() {
            let default = match explained.routing.routes.first() {
                Some(route) => {
                    format!("no rule matched: it goes to the default destination, {}", route.destination)
                }
                None => "no rule matched, and there is no default destination".to_owned(),
            };
            lines.push(format!("  {default}"));
        }
        if !self.agrees(&explained.routing) {
            let matched: Vec<String> = self.trail.matched.iter().map(|rule| cut(rule, 100)).collect();
            let matched = if matched.is_empty() { "none".to_owned() } else { matched.join(", ") };
            lines.push(format!("  This bugle reads the event otherwise than the one that decided: then the rules that matched were {matched}."));
        }
        lines.extend(self.today().map(|today| format!("  {today}")));
        lines
    }

    /// What came with the rules that decided, if there were others before.
    fn brought(&self) -> Vec<String> {
        let RulesRecord { text, came } = &self.trail.rules;
        let before = came.as_ref().and_then(|came| came.before.as_deref());
        before.map(|before| differences(before, text)).unwrap_or_default()
    }

    fn agrees(&self, routing: &Routing) -> bool {
        let names = routing.matched.iter().map(RuleName::as_str);
        names.eq(self.trail.matched.iter().map(String::as_str))
    }

    /// What the rules of today would do, if they are others.
    fn today(&self) -> Option<String> {
        let (rules, now) = (self.trail.rules_now.as_ref()?, self.now.as_ref()?);
        let since = rules.came.as_ref().map(|came| format!(" (in force since {})", time(came.at)));
        let routing = now.route(&self.event);
        let then = self.then.as_ref().map(|then| then.route(&self.event));
        let would = if then.is_some_and(|then| then.routes == routing.routes) {
            "would do the same".to_owned()
        } else if routing.routes.is_empty() {
            "would tell nobody".to_owned()
        } else {
            let by = routing.matched.iter().map(|rule| format!("{:?}", rule.as_str())).collect::<Vec<_>>();
            let by = if by.is_empty() { String::new() } else { format!(", by {}", by.join(" and ")) };
            format!("would tell {}{by}", destinations(&routing))
        };
        Some(format!("Today's rules{} {would}.", since.unwrap_or_default()))
    }

    pub(super) fn as_json(&self) -> Value {
        if self.trail.stored.is_own() {
            return Value::Null;
        }
        let Trail { rules, matched, .. } = self.trail;
        let explained = self.then.as_ref().map(|then| then.explain(&self.event));
        let came = |rules: &RulesRecord| {
            rules.came.as_ref().map(|came| json!({ "at": came.at.to_string(), "how": came.how }))
        };
        let today = self.trail.rules_now.as_ref().zip(self.now.as_ref()).map(|(rules, now)| {
            let routing = now.route(&self.event);
            json!({ "in_force": came(rules), "matched": names(&routing), "send_to": routing.routes.iter()
                .map(|route| route.destination.as_str()).collect::<Vec<_>>() })
        });
        json!({
            "in_force": came(rules),
            "changes": self.brought(),
            "matched": matched,
            "agrees": explained.as_ref().map(|explained| self.agrees(&explained.routing)),
            "findings": explained.as_ref().map(|explained| {
                explained.rules.iter().map(|(rule, finding)| finding_as_json(rule, finding)).collect::<Vec<_>>()
            }),
            "today": today,
        })
    }
}

fn names(routing: &Routing) -> Vec<&str> {
    routing.matched.iter().map(RuleName::as_str).collect()
}

fn destinations(routing: &Routing) -> String {
    routing.routes.iter().map(|route| route.destination.as_str()).collect::<Vec<_>>().join(", ")
}

/// Since when rules were in force.
fn in_force(rules: &RulesRecord, count: usize) -> String {
    let count = counted(count as u64, "rule");
    let Some(came) = &rules.came else { return format!("{count}, those of that time") };
    let how = if came.how == "start" { "bugle was started with them" } else { "a reload brought them" };
    match came.before {
        Some(_) => format!("{count}, in force since {}: {how}, and changed:", time(came.at)),
        // What was before is not known, or forgotten.
        None => format!("{count}, in force at least since {}", time(came.at)),
    }
}

fn finding_lines(explained: &Explanation<'_>) -> Vec<String> {
    let width = explained.rules.len().to_string().len();
    let mut lines = Vec::new();
    let mut last = 0;
    for (place, (rule, finding)) in explained.rules.iter().enumerate() {
        let number = place + 1;
        if matches!(finding, Finding::NotReached) {
            let left = explained.rules.len() - place;
            let rest = if left == 1 {
                "the rule after it is".to_owned()
            } else {
                format!("the {left} rules after it are")
            };
            lines.push(format!("  rule {last} ends the list: {rest} not asked"));
            break;
        }
        last = number;
        lines.push(format!(
            "  {number:>width$}  {}: {}",
            cut(rule.name.as_str(), 100),
            finding_words(rule, finding)
        ));
    }
    lines
}

fn finding_words(rule: &Rule, finding: &Finding<'_>) -> String {
    match finding {
        Finding::Matched if rule.send_to.is_empty() => "matched, and drops it".to_owned(),
        Finding::Matched => {
            let send_to = rule.send_to.iter().map(DestinationName::as_str).collect::<Vec<_>>().join(", ");
            let mentions = if rule.mention.is_empty() {
                String::new()
            } else {
                format!(", mentions {}", rule.mention.join(" and "))
            };
            let urgent = if rule.urgent { ", urgent" } else { "" };
            format!("matched → {send_to}{mentions}{urgent}")
        }
        Finding::Misses(look) => format!("no, {}; asked for is {}", saw(look), patterns(look)),
        Finding::Excepts(look) => format!("no, {}; excepted is {}", saw(look), patterns(look)),
        Finding::NotReached => "not asked".to_owned(),
    }
}

fn saw(Look { condition, saw }: &Look<'_>) -> String {
    let given: Vec<String> = saw
        .iter()
        .filter(|value| !value.is_empty())
        .map(|value| format!("{:?}", cut(value, SHOWN)))
        .collect();
    match given.as_slice() {
        [] => format!("{} is not given", condition.field),
        given => format!("{} is {}", condition.field, given.join(" and ")),
    }
}

fn patterns(look: &Look<'_>) -> String {
    let all = look.condition.patterns.iter().map(|pattern| format!("{:?}", cut(pattern.as_str(), SHOWN)));
    all.collect::<Vec<_>>().join(" or ")
}

fn finding_as_json(rule: &Rule, finding: &Finding<'_>) -> Value {
    let (word, look) = match finding {
        Finding::Matched => ("matched", None),
        Finding::Misses(look) => ("misses", Some(look)),
        Finding::Excepts(look) => ("excepts", Some(look)),
        Finding::NotReached => ("not_asked", None),
    };
    json!({
        "rule": rule.name.as_str(),
        "finding": word,
        "field": look.map(|look| look.condition.field.to_string()),
        "patterns": look.map(|look| look.condition.patterns.iter().map(Pattern::as_str).collect::<Vec<_>>()),
        "saw": look.map(|look| look.saw.iter().map(|value| cut(value, 1_000)).collect::<Vec<_>>()),
        "send_to": rule.send_to.iter().map(DestinationName::as_str).collect::<Vec<_>>(),
    })
}
