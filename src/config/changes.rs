//! What differs between two readings of the configuration, in words that can be logged: no secret is among them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::node::Node;
use super::place::Place;
use super::raw::may_be_secret;
use crate::event::digest;
use crate::rule::RuleSet;
use crate::template::TemplateFile;

/// What was written, as far as it matters whether it has changed.
#[derive(Debug, Clone, Default)]
pub struct Written {
    values: BTreeMap<String, Value>,
    rules: Vec<(String, String)>,
    templates: BTreeMap<String, [u8; 32]>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// As it may be shown.
    Open(String),
    /// Of one that is or may be a secret only whether it has changed.
    Hidden([u8; 32]),
}

/// Tables of named tables, and what one of those is called.
const NAMED: [(&str, &str); 4] =
    [("sources", "source"), ("destinations", "destination"), ("people", "person"), ("groups", "group")];

/// Parts that are compared by name, not by place.
const ELSEWHERE: [&str; 2] = ["rules", "tests"];

impl Written {
    /// What is written in the main file and the variables over it, with the digests of the `secrets` that it refers to.
    pub(super) fn of(node: &Node, secrets: &[(Place, [u8; 32])]) -> Self {
        let mut values = BTreeMap::new();
        collect(node, &mut Vec::new(), &mut values);
        for (place, digest) in secrets {
            values.insert(place.to_string(), Value::Hidden(*digest));
        }
        Self { values, ..Self::default() }
    }

    /// The same with the rules of all files, and the templates' files.
    pub(super) fn with(self, rules: &RuleSet, templates: &[TemplateFile]) -> Self {
        let described: Json = serde_json::from_str(rules.text()).unwrap_or_default();
        let rules = described.get("rules").and_then(Json::as_array).into_iter().flatten();
        let name = |rule: &Json| rule.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
        let templates = templates.iter().map(|file| (file.name.clone(), digest(&[&file.text])));
        Self {
            rules: rules.map(|rule| (name(rule), rule.to_string())).collect(),
            templates: templates.collect(),
            ..self
        }
    }

    /// What is different in `newer`, each as a fragment of a sentence.
    pub fn changes_to(&self, newer: &Self) -> Vec<String> {
        let mut words = self.named(newer);
        words.extend(self.keys(newer));
        words.extend(self.rules(newer));
        words.extend(self.templates(newer));
        words
    }

    /// A short digest of all that was written: the same for the same configuration, on whichever machine.
    pub fn hash(&self) -> String {
        let whole = format!("{self:?}");
        digest(&[&whole]).iter().take(6).fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"))
    }

    /// Sources, destinations, people and groups that are new or gone.
    fn named(&self, newer: &Self) -> Vec<String> {
        let mut words = Vec::new();
        for (table, noun) in NAMED {
            let (old, new) = (self.names(table), newer.names(table));
            words.extend(new.difference(&old).map(|name| format!("{noun} `{name}` is new")));
            words.extend(old.difference(&new).map(|name| format!("{noun} `{name}` is gone")));
        }
        words
    }

    /// Keys whose values differ, but for those of what is new or gone as a whole.
    fn keys(&self, newer: &Self) -> Vec<String> {
        let in_both = |path: &str| {
            let Some((table, rest)) = path.split_once('.') else { return true };
            let name = rest.split('.').next().unwrap_or_default();
            !NAMED.iter().any(|(known, _)| *known == table)
                || (self.names(table).contains(name) && newer.names(table).contains(name))
        };
        let paths: BTreeSet<&String> = self.values.keys().chain(newer.values.keys()).collect();
        let paths = paths.into_iter().filter(|path| in_both(path));
        paths.filter_map(|path| change(path, self.values.get(path), newer.values.get(path))).collect()
    }

    fn rules(&self, newer: &Self) -> Vec<String> {
        let old: BTreeMap<_, _> = self.rules.iter().map(|(name, rule)| (name, rule)).collect();
        let new: BTreeMap<_, _> = newer.rules.iter().map(|(name, rule)| (name, rule)).collect();
        let mut words = differences("rule", &old, &new);
        let order = |rules: &[(String, String)], other: &BTreeMap<&String, &String>| {
            let names = rules.iter().map(|(name, _)| name.clone());
            names.filter(|name| other.contains_key(name)).collect::<Vec<_>>()
        };
        if order(&self.rules, &new) != order(&newer.rules, &old) {
            words.push("the rules stand in another order".to_owned());
        }
        words
    }

    fn templates(&self, newer: &Self) -> Vec<String> {
        let old: BTreeMap<_, _> = self.templates.iter().collect();
        differences("template", &old, &newer.templates.iter().collect())
    }

    fn names(&self, table: &str) -> BTreeSet<&str> {
        let within = self.values.keys().filter_map(|path| path.strip_prefix(table)?.strip_prefix('.'));
        within.filter_map(|rest| rest.split('.').next()).collect()
    }
}

/// What is new, gone or different, by its name.
fn differences<V: PartialEq>(
    noun: &str,
    old: &BTreeMap<&String, V>,
    new: &BTreeMap<&String, V>,
) -> Vec<String> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let words = names.into_iter().filter_map(|name| match (old.get(name), new.get(name)) {
        (None, Some(_)) => Some(format!("{noun} `{name}` is new")),
        (Some(_), None) => Some(format!("{noun} `{name}` is gone")),
        (old, new) => (old != new).then(|| format!("{noun} `{name}` has changed")),
    });
    words.collect()
}

fn change(path: &str, old: Option<&Value>, new: Option<&Value>) -> Option<String> {
    match (old, new) {
        (old, new) if old == new => None,
        (Some(Value::Open(old)), Some(Value::Open(new))) => Some(format!("`{path}` is now {new}, was {old}")),
        (None, Some(Value::Open(new))) => Some(format!("`{path}` is now {new}, was not set")),
        (Some(Value::Open(old)), None) => Some(format!("`{path}` is not set any more, was {old}")),
        (Some(Value::Hidden(_)), None) => Some(format!("`{path}` is not set any more")),
        (None, Some(Value::Hidden(_))) => Some(format!("`{path}` is set now")),
        _ => Some(format!("`{path}` has changed")),
    }
}

/// Takes down what stands in `node`, whose path is `keys`: tables key by key, lists as a whole.
fn collect(node: &Node, keys: &mut Vec<String>, values: &mut BTreeMap<String, Value>) {
    match node {
        Node::Taken => {}
        Node::Table(table) => {
            for (key, node) in table {
                if keys.is_empty() && ELSEWHERE.contains(&key.as_str()) {
                    continue;
                }
                keys.push(key.clone());
                collect(node, keys, values);
                keys.pop();
            }
        }
        other => {
            let mut is_open = true;
            let text = shown(other, keys, &mut is_open);
            let value = if is_open { Value::Open(text) } else { Value::Hidden(digest(&[&text])) };
            values.insert(keys.join("."), value);
        }
    }
}

/// The value as it would be written; `is_open` becomes false if a part of it may be a secret.
fn shown(node: &Node, keys: &[String], is_open: &mut bool) -> String {
    let path: Vec<&str> = keys.iter().map(String::as_str).collect();
    match node {
        Node::Taken => String::new(),
        Node::Flag(flag) => flag.to_string(),
        Node::Integer(number) => number.to_string(),
        Node::Float(number) => number.to_string(),
        Node::Text(text) | Node::Variable(text) => {
            *is_open &= !may_be_secret(&path, text);
            format!("{text:?}")
        }
        Node::List(list) => {
            let elements: Vec<_> = list.iter().map(|node| shown(node, keys, is_open)).collect();
            format!("[{}]", elements.join(", "))
        }
        Node::Table(table) => {
            let entries = table.iter().map(|(key, node)| {
                let keys = [keys, std::slice::from_ref(key)].concat();
                format!("{key} = {}", shown(node, &keys, is_open))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::super::layer;
    use super::*;

    const OLD: &str = r#"
        default_destination = "team"
        [sources.backend]
        type = "bugsnag"
        tokens = [{ env = "TOKEN" }, "secret-one"]
        [delivery]
        timeout = "10s"
        [destinations.team]
        type = "slack"
        url = "https://hooks.slack.com/services/T/B/one"
        [destinations.old]
        type = "teams"
    "#;

    fn changes(new: &str) -> Vec<String> {
        let written = |text: &str| Written::of(&layer::under(text, &Environment::default()).unwrap(), &[]);
        let (old, new) = (written(OLD), written(new));
        assert_eq!(old.hash() == new.hash(), old.changes_to(&new).is_empty());
        old.changes_to(&new)
    }

    #[test]
    fn the_same_is_no_change() {
        assert_eq!(changes(OLD), Vec::<String>::new());
        assert_eq!(changes(&format!("# a word\n{OLD}")), Vec::<String>::new());
    }

    #[test]
    fn what_has_changed_is_said_without_a_secret() {
        let new = r#"
            notices_to = "team"
            [sources.backend]
            type = "bugsnag"
            tokens = [{ env = "TOKEN" }, "secret-two"]
            [delivery]
            timeout = "20s"
            allowed_hosts = ["127.0.0.1:1", "x"]
            [destinations.team]
            type = "slack"
            url = "https://hooks.slack.com/services/T/B/two"
            [destinations.fresh]
            type = "discord"
        "#;
        let expected = [
            "destination `fresh` is new",
            "destination `old` is gone",
            "`default_destination` is not set any more, was \"team\"",
            "`delivery.allowed_hosts` is now [\"127.0.0.1:1\", \"x\"], was not set",
            "`delivery.timeout` is now \"20s\", was \"10s\"",
            "`destinations.team.url` has changed",
            "`notices_to` is now \"team\", was not set",
            "`sources.backend.tokens` has changed",
        ];
        assert_eq!(changes(new), expected);
    }

    #[test]
    fn rules_are_compared_by_name() {
        let rules = |rules: &[(&str, &str)]| Written {
            rules: rules.iter().map(|(name, rule)| ((*name).to_owned(), (*rule).to_owned())).collect(),
            ..Written::default()
        };
        let old = rules(&[("a", "1"), ("b", "1"), ("c", "1")]);
        assert_eq!(
            old.changes_to(&rules(&[("c", "1"), ("d", "1"), ("b", "2")])),
            [
                "rule `a` is gone",
                "rule `b` has changed",
                "rule `d` is new",
                "the rules stand in another order"
            ]
        );
    }

    #[test]
    fn a_secret_behind_a_reference_is_noticed() {
        let node = layer::under(OLD, &Environment::default()).unwrap();
        let written = |digest| {
            let place = Place::top(0).key("sources").key("backend").key("tokens").index(0);
            Written::of(&node, &[(place, [digest; 32])])
        };
        assert_eq!(written(1).changes_to(&written(2)), ["`sources.backend.tokens[0]` has changed"]);
    }
}
