//! What has changed between two sets of rules, in lines for people: made from the texts that are kept of them.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is different in the rules `after`, as [`super::RuleSet::text`] has written both; nothing if that cannot be read.
pub fn differences(before: &str, after: &str) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::from_str(before), serde_json::from_str(after)) else {
        return Vec::new();
    };
    let (before, after) = (Rules::of(&before), Rules::of(&after));
    let mut lines = Vec::new();
    for name in &before.names {
        if !after.by_name.contains_key(name) {
            lines.push(format!("the rule {name:?} is gone"));
        }
    }
    for name in &after.names {
        match (before.by_name.get(name), after.by_name.get(name)) {
            (Some(was), Some(is)) => lines.extend(changed(name, was, is)),
            _ => lines.push(format!("the rule {name:?} is new")),
        }
    }
    let order = |of: &Rules<'_>, other: &Rules<'_>| -> Vec<String> {
        of.names.iter().filter(|name| other.by_name.contains_key(*name)).map(ToString::to_string).collect()
    };
    if order(&before, &after) != order(&after, &before) {
        lines.push("the rules are in another order".to_owned());
    }
    if before.default_destination != after.default_destination {
        let (was, is) = (words(before.default_destination), words(after.default_destination));
        lines.push(format!("default_destination was {was}, is {is}"));
    }
    lines
}

struct Rules<'v> {
    names: Vec<&'v str>,
    by_name: BTreeMap<&'v str, &'v Value>,
    default_destination: &'v Value,
}

impl<'v> Rules<'v> {
    fn of(text: &'v Value) -> Self {
        let list = text.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let all = list.iter().filter_map(|rule| Some((rule.get("name")?.as_str()?, rule)));
        let names = all.clone().map(|(name, _)| name).collect();
        let default_destination = text.get("default_destination").unwrap_or(&Value::Null);
        Self { names, by_name: all.collect(), default_destination }
    }
}

fn changed(name: &str, was: &Value, is: &Value) -> Vec<String> {
    let keys = ["when", "unless", "send_to", "mention", "template", "urgent", "stop"];
    let changed = keys.into_iter().filter(|key| was.get(key) != is.get(key));
    let value = |rule: &Value, key| rule.get(key).map_or_else(|| words(&Value::Null), words);
    changed
        .map(|key| format!("the rule {name:?}: {key} was {}, is {}", value(was, key), value(is, key)))
        .collect()
}

/// A value as it would be said.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Array(all) if all.is_empty() => "nothing".to_owned(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(condition) => {
            let field = condition.get("field").and_then(Value::as_str).unwrap_or_default();
            let any_of = condition.get("any_of").and_then(Value::as_array).map(Vec::as_slice);
            let any_of: Vec<String> = any_of.unwrap_or_default().iter().map(ToString::to_string).collect();
            format!("{field} {}", any_of.join(" or "))
        }
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rules: &Value, default_destination: Option<&str>) -> String {
        serde_json::json!({ "rules": rules, "default_destination": default_destination }).to_string()
    }

    fn rule(name: &str, app: &[&str], send_to: &[&str]) -> Value {
        let when: Vec<_> = if app.is_empty() {
            Vec::new()
        } else {
            vec![serde_json::json!({ "field": "app", "any_of": app })]
        };
        serde_json::json!({
            "name": name, "when": when, "unless": [], "send_to": send_to, "mention": [], "template": null,
            "urgent": false, "stop": false,
        })
    }

    #[test]
    fn what_has_changed_is_said_rule_by_rule() {
        let before = [rule("a", &["shop*"], &["team"]), rule("b", &[], &["team"]), rule("c", &[], &["team"])];
        let after = [rule("c", &[], &["team"]), rule("a", &["shop*", "web"], &[]), rule("d", &[], &["team"])];
        let lines = differences(&text(&before.into(), Some("team")), &text(&after.into(), None));
        assert_eq!(
            lines,
            [
                r#"the rule "b" is gone"#,
                r#"the rule "a": when was app "shop*", is app "shop*" or "web""#,
                r#"the rule "a": send_to was team, is nothing"#,
                r#"the rule "d" is new"#,
                "the rules are in another order",
                "default_destination was team, is none",
            ]
        );
    }

    #[test]
    fn the_same_rules_differ_in_nothing() {
        let rules = text(&[rule("a", &[], &["team"])].into(), None);
        assert!(differences(&rules, &rules).is_empty());
        assert!(differences("no rules", &rules).is_empty());
    }
}
