//! What is explained is what was decided, by the rules as they were kept.

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::event::Severity;
use crate::name::SourceName;
use crate::rule::condition::Test;

/// Fields, and for each the patterns and values that the property chooses from: often enough they meet.
const WORLD: &[(&str, &[&str])] = &[
    ("trigger", &["crash", "release", "*", "", "/^c/", "= crash"]),
    ("severity", &[">= warning", "error", "< warning", "fatal", ""]),
    ("app", &["Shop *", "*api*", "shop web", "", "/shop/", "/shop/i"]),
    ("occurrences", &["> 10", "<= 10", "10", "*"]),
    ("user", &["ann*", "*@example.com", ""]),
    ("raw.plan.name", &["enterprise", "", "*"]),
];

fn any_condition() -> impl Strategy<Value = Condition> {
    (0..WORLD.len()).prop_flat_map(|place| {
        let (field, patterns) = WORLD[place];
        proptest::sample::subsequence(patterns, 1..=2.min(patterns.len())).prop_map(move |patterns| {
            let field = Field::parse(field).unwrap();
            let patterns = patterns.iter().map(|text| Pattern::parse(&field, text).unwrap()).collect();
            Condition { field, patterns }
        })
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let conditions = || proptest::collection::vec(any_condition(), 0..3);
    let names = || proptest::sample::subsequence(vec!["team", "oncall", "managers"], 0..=3);
    let people = proptest::sample::subsequence(vec!["here", "ann", "bob"], 0..=2);
    (conditions(), conditions(), names(), people, any::<(bool, bool, bool)>()).prop_map(
        |(when, unless, send_to, mention, (urgent, stop, template))| Rule {
            name: RuleName::new("a rule").unwrap(),
            when,
            unless,
            send_to: send_to.into_iter().map(|name| DestinationName::new(name).unwrap()).collect(),
            mention: mention.into_iter().map(str::to_owned).collect(),
            template: template.then(|| "own".to_owned()),
            urgent,
            stop,
        },
    )
}

fn any_rules() -> impl Strategy<Value = RuleSet> {
    (proptest::collection::vec(any_rule(), 0..6), any::<bool>()).prop_map(|(mut rules, has_default)| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.name = RuleName::new(&format!("rule {number}")).unwrap();
        }
        RuleSet::new(rules, has_default.then(|| DestinationName::new("team").unwrap())).unwrap()
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let one_of = |words: &'static [&'static str]| proptest::sample::select(words);
    (
        one_of(&["crash", "release", "", "Crash"]),
        one_of(&["error", "info", "fatal", "warning"]),
        one_of(&["Shop web", "shop api", "", "other"]),
        one_of(&["9", "11", "", "many"]),
        one_of(&["", "ann@example.com", "bob"]),
        one_of(&["{}", r#"{"plan":{"name":"Enterprise"}}"#, "null"]),
    )
        .prop_map(|(trigger, severity, app, occurrences, user, raw)| {
            let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", raw);
            trigger.clone_into(&mut event.trigger);
            event.severity = Severity::read(severity).unwrap();
            app.clone_into(&mut event.app.name);
            occurrences.clone_into(&mut event.error.occurrences);
            user.clone_into(&mut event.user.email);
            event
        })
}

/// Whether any of the values that were seen matches, looked at one by one and without the set that all rules share.
fn holds(Look { condition, saw }: &Look<'_>) -> bool {
    condition.patterns.iter().any(|pattern| match pattern.test() {
        Test::Text(expression) => {
            let expression = Regex::new(expression).unwrap();
            saw.iter().any(|value| expression.is_match(value))
        }
        Test::Comparison(comparison) => saw.iter().any(|value| comparison.holds(value)),
    })
}

/// Where in `conditions` the one stands that was looked at: that very one, not its equal.
fn place_of(look: &Look<'_>, conditions: &[Condition]) -> usize {
    conditions.iter().position(|condition| std::ptr::eq(condition, look.condition)).expect("one of them")
}

/// Whether `condition` holds of `event`, by a rule that has no other.
fn is_met(condition: &Condition, event: &Event) -> bool {
    let rule = Rule {
        name: RuleName::new("alone").unwrap(),
        when: vec![condition.clone()],
        unless: Vec::new(),
        send_to: Vec::new(),
        mention: Vec::new(),
        template: None,
        urgent: false,
        stop: false,
    };
    !RuleSet::new(vec![rule], None).unwrap().route(event).matched.is_empty()
}

proptest! {
    #[test]
    fn what_is_explained_is_what_was_decided(rules in any_rules(), event in any_event()) {
        let decided = rules.route(&event);
        // As they are kept, and read again when somebody asks.
        let kept = RuleSet::read(rules.text()).unwrap();
        prop_assert_eq!(kept.text(), rules.text());
        let explained = kept.explain(&event);
        prop_assert_eq!(&explained.routing, &decided);
        let matched = explained.rules.iter().filter(|(_, finding)| matches!(finding, Finding::Matched));
        prop_assert_eq!(matched.map(|(rule, _)| rule.name.clone()).collect::<Vec<_>>(), decided.matched);
        for (rule, finding) in &explained.rules {
            let all = |conditions: &[Condition]| conditions.iter().all(|condition| is_met(condition, &event));
            let any = |conditions: &[Condition]| conditions.iter().any(|condition| is_met(condition, &event));
            match finding {
                Finding::Misses(look) => {
                    let place = place_of(look, &rule.when);
                    prop_assert!(!holds(look), "{} {look:?}", rule.name);
                    prop_assert!(all(&rule.when[..place]), "one before {look:?} misses in {rule:?}");
                }
                Finding::Excepts(look) => {
                    let place = place_of(look, &rule.unless);
                    prop_assert!(holds(look), "{} {look:?}", rule.name);
                    prop_assert!(all(&rule.when), "{rule:?} misses");
                    prop_assert!(!any(&rule.unless[..place]), "one before {look:?} holds in {rule:?}");
                }
                Finding::Matched => prop_assert!(all(&rule.when) && !any(&rule.unless), "{rule:?}"),
                Finding::NotReached => {}
            }
        }
        let over = explained.rules.iter().position(|(rule, finding)| {
            matches!(finding, Finding::Matched) && rule.ends_the_list()
        });
        for (place, (rule, finding)) in explained.rules.iter().enumerate() {
            let is_after = over.is_some_and(|over| place > over);
            prop_assert_eq!(matches!(finding, Finding::NotReached), is_after, "{}", rule.name);
        }
    }
}

#[test]
fn rules_that_are_none_are_refused_and_say_why() {
    let with = |field: &str, pattern: &str| {
        serde_json::json!({ "rules": [{
            "name": "a", "when": [{ "field": field, "any_of": [pattern] }], "unless": [], "send_to": [],
            "mention": [], "template": null, "urgent": false, "stop": false,
        }], "default_destination": null })
        .to_string()
    };
    assert!(RuleSet::read(&with("app", "*")).is_ok());
    assert!(matches!(RuleSet::read("{}"), Err(ReadError::Shape(_))));
    assert!(matches!(RuleSet::read(&with("colour", "*")), Err(ReadError::Field(_))));
    assert!(matches!(RuleSet::read(&with("app", "/(/")), Err(ReadError::Pattern(_))));
    let wrong_name = with("app", "*").replace("\"a\"", "\"\"");
    assert!(matches!(RuleSet::read(&wrong_name), Err(ReadError::Name(_))));
}
