//! `[[rules]]`: fields, patterns, and the names of everything else.

use std::collections::BTreeSet;

use super::super::findings::{Finding, Findings, did_you_mean};
use super::super::names::any_of;
use super::super::node::Node;
use super::super::place::Place;
use super::super::raw;
use super::destination::Rooms;
use super::people::{Company, WORDS};
use super::templates;
use crate::event::UNREADABLE;
use crate::message::Mention;
use crate::name::{DestinationName, RuleName};
use crate::rule::{Condition, Field, FieldError, Pattern, PatternError, Rule};
use crate::source::{PRODUCTS, plain_tracker};

/// What rules can name.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct World<'a> {
    /// The names of all sources.
    pub(in crate::config) sources: &'a [String],
    /// All destinations.
    pub(in crate::config) rooms: &'a Rooms,
    /// All people and groups.
    pub(in crate::config) company: &'a Company,
    /// The names of all templates.
    pub(in crate::config) templates: &'a [String],
}

/// The words of `severity` that have an order.
const SEVERITIES: [&str; 3] = ["info", "warning", "error"];

/// The rules as they are written in a file.
pub(in crate::config) fn written(
    findings: &mut Findings<'_>,
    top: &Place,
    node: &Node,
) -> Vec<(Place, Node)> {
    let place = top.key("rules");
    match node.get("rules") {
        Some(Node::List(rules)) => {
            rules.iter().enumerate().map(|(i, rule)| (place.index(i), rule.clone())).collect()
        }
        Some(other) => {
            let finding = Finding::problem(&place, format!("`rules` is {}", other.kind())).at_key();
            findings.add(finding.expected("[[rules]], in double brackets, once for each rule"));
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Checks all rules, in their order.
pub(in crate::config) fn rules(
    findings: &mut Findings<'_>,
    written: &[(Place, Node)],
    world: &World<'_>,
) -> Vec<Rule> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (place, node) in written {
        let rule = rule(findings, place, node, world);
        if let Some(rule) = rule {
            if !names.insert(rule.name.clone()) {
                let message = format!("there is a rule `{}` already", rule.name);
                let finding = Finding::problem(&place.key("name"), message);
                findings.add(finding.help("names tell rules apart wherever a decision is explained"));
            }
            rules.push(rule);
        }
    }
    rules
}

fn rule(findings: &mut Findings<'_>, place: &Place, node: &Node, world: &World<'_>) -> Option<Rule> {
    let written: raw::Rule = findings.read(place, node)?;
    let at = place.key("name");
    let name =
        findings.required(&at, written.name, "a sentence that says what the rule is for").and_then(|name| {
            RuleName::new(&name).map_err(|error| findings.add(Finding::problem(&at, error.to_string()))).ok()
        });
    let when = conditions(findings, &place.key("when"), node.get("when"), world);
    let unless = conditions(findings, &place.key("unless"), node.get("unless"), world);
    let at = place.key("send_to");
    let expected = "the names of destinations; [] if nobody is to hear of it";
    let send_to = findings.required(&at, written.send_to, expected).unwrap_or_default();
    let send_to: Vec<_> = send_to
        .iter()
        .enumerate()
        .filter_map(|(i, name)| world.rooms.find(findings, &at.index(i), name.as_deref()?))
        .collect();
    let mention = mentions(findings, &place.key("mention"), written.mention, &send_to, world);
    if let Some(template) = &written.template {
        templates::check_name(findings, &place.key("template"), template, world.templates);
    }
    Some(Rule {
        name: name?,
        when,
        unless,
        send_to,
        mention,
        template: written.template,
        urgent: written.urgent.unwrap_or(false),
        stop: written.stop.unwrap_or(false),
    })
}

/// The names in `mention`. Somebody whom a destination cannot mention is only warned of: another one may.
fn mentions(
    findings: &mut Findings<'_>,
    place: &Place,
    written: Option<raw::List<String>>,
    send_to: &[DestinationName],
    world: &World<'_>,
) -> Vec<String> {
    let known = WORDS.iter().copied().chain(world.company.names.iter().map(String::as_str));
    let mut mentions = Vec::new();
    for (i, name) in written.into_iter().flatten().enumerate() {
        let Some(name) = name else { continue };
        let at = place.index(i);
        if !known.clone().any(|known| known == name) {
            let message = format!("there is nobody called `{name}`");
            let finding = Finding::unknown(&at, message, &name, known.clone());
            findings.add(finding.expected("here, channel, or a name from [people] or [groups]"));
            continue;
        }
        let Some(mention) = world.company.people.find(&name) else { continue };
        warn_of_mention(findings, &at, &name, &mention, send_to, world);
        mentions.push(name);
    }
    mentions
}

fn warn_of_mention(
    findings: &mut Findings<'_>,
    place: &Place,
    name: &str,
    mention: &Mention,
    send_to: &[DestinationName],
    world: &World<'_>,
) {
    for destination in send_to {
        let platform = world.rooms.platforms.get(destination.as_str());
        if let Some(platform) = platform
            && !platform.can_mention(mention)
        {
            let product = platform.product();
            let message = format!("`{name}` cannot be mentioned in `{destination}`, which is {product}");
            findings
                .add(Finding::warning(place, message).help("the message goes there without this mention"));
        }
    }
}

/// The conditions in `when` or `unless`.
fn conditions(
    findings: &mut Findings<'_>,
    place: &Place,
    node: Option<&Node>,
    world: &World<'_>,
) -> Vec<Condition> {
    let Some(node) = node else { return Vec::new() };
    let Node::Table(_) = node else {
        let finding = Finding::problem(place, format!("`{}` is {}", place.last_key(), node.kind()));
        findings.add(finding.expected("a field and its patterns, such as when.severity = \"error\""));
        return Vec::new();
    };
    let mut leaves = Vec::new();
    collect("", place, node, &mut leaves);
    leaves.iter().filter_map(|(name, place, node)| condition(findings, name, place, node, world)).collect()
}

/// Dotted names are nested tables to TOML: joins their keys again, whether they were quoted as one or not.
fn collect<'n>(name: &str, place: &Place, node: &'n Node, leaves: &mut Vec<(String, Place, &'n Node)>) {
    match node {
        Node::Table(table) if !table.is_empty() || name.is_empty() => {
            for (key, child) in table {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                collect(&name, &place.key(key), child, leaves);
            }
        }
        _ => leaves.push((name.to_owned(), place.clone(), node)),
    }
}

fn condition(
    findings: &mut Findings<'_>,
    name: &str,
    place: &Place,
    node: &Node,
    world: &World<'_>,
) -> Option<Condition> {
    let field = match Field::parse(name) {
        Ok(field) => Some(field),
        Err(error) => {
            findings.add(unknown_field(place, name, &error));
            None
        }
    };
    let written: raw::List<raw::Scalar> = findings.read(place, node)?;
    if written.is_empty() {
        let finding = Finding::problem(place, "an empty list, which nothing can match");
        findings.add(finding.expected("at least one pattern; \"\" stands for what is not given"));
    }
    let field = field?;
    let mut patterns = Vec::new();
    for (i, text) in written.iter().enumerate() {
        let Some(raw::Scalar(text)) = text else { continue };
        let at = place.index(i);
        match Pattern::parse(&field, text) {
            Ok(pattern) => {
                check_word(findings, &at, &field, &pattern, world);
                patterns.push(pattern);
            }
            Err(error) => findings.add(wrong_pattern(&at, &error)),
        }
    }
    Some(Condition { field, patterns })
}

fn unknown_field(place: &Place, name: &str, error: &FieldError) -> Finding {
    let finding = Finding::problem(place, error.to_string()).at_key();
    if !matches!(error, FieldError::Unknown(_)) {
        return finding;
    }
    let finding = finding.expected(format!("{}, or raw.PATH", any_of(Field::names())));
    match in_templates(name) {
        Some(field) => finding.help(format!("in rules it is called `{field}`")),
        None => finding.help_opt(did_you_mean(name, Field::names())),
    }
}

/// What a field is called in rules that has this name in templates.
fn in_templates(name: &str) -> Option<&'static str> {
    match name {
        "text" | "comment.text" => return Some("message"),
        "release.version" => return Some("version"),
        _ => {}
    }
    let (first, last) = name.split_once('.')?;
    // Most names of templates are a group and a field, which in rules has one or the other name, or both.
    let joined = format!("{first}_{last}");
    let by_name = |wanted: &str| Field::names().find(|field| *field == wanted);
    let of_group = if matches!(last, "name" | "id" | "email") { by_name(first) } else { None };
    by_name(&joined).or(of_group).or_else(|| by_name(last))
}

fn wrong_pattern(place: &Place, error: &PatternError) -> Finding {
    let finding = Finding::problem(place, error.to_string());
    match error {
        PatternError::NoSeverity(word) => finding.help_opt(did_you_mean(word, SEVERITIES)),
        PatternError::NoNumber(_) => finding.help("to look for the text itself, write it after `= `"),
        PatternError::Regex(_) | PatternError::Flag(_) | PatternError::EmptyRegex => finding.help(
            "between slashes stands a regular expression; to look for the text itself, write it after `= `",
        ),
    }
}

/// Looks whether a plain word is one that can ever occur.
fn check_word(
    findings: &mut Findings<'_>,
    place: &Place,
    field: &Field,
    pattern: &Pattern,
    world: &World<'_>,
) {
    let Some(plain) = pattern.plain_word() else { return };
    let is_one_of = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(plain));
    if field.is("source") {
        let names: Vec<_> = world.sources.iter().map(String::as_str).collect();
        if !is_one_of(&names) {
            let message = format!("there is no source `{plain}`");
            findings.add(Finding::unknown(place, message, plain, names));
        }
    } else if field.is("severity") && !is_one_of(&SEVERITIES) {
        let message = format!("no tracker is known to send the severity `{plain}`");
        findings.add(Finding::unknown(place, message, plain, SEVERITIES).only_a_warning());
    } else if field.is("trigger") {
        let triggers = triggers();
        if !is_one_of(&triggers) {
            let message = format!("no tracker is known to send the trigger `{plain}`");
            findings.add(Finding::unknown(place, message, plain, triggers).only_a_warning());
        }
    }
}

fn triggers() -> Vec<&'static str> {
    let trackers = PRODUCTS.iter().filter_map(|product| plain_tracker(product));
    trackers.flat_map(|tracker| tracker.triggers()).copied().chain([UNREADABLE]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_templates_leads_to_the_one_of_rules() {
        for (template, rule) in [
            ("app.name", "app"),
            ("app.stage", "stage"),
            ("error.class", "error_class"),
            ("error.message", "message"),
            ("text", "message"),
            ("error.id", "error_id"),
            ("event.id", "event_id"),
            ("error.occurrences", "occurrences"),
            ("state.change", "state_change"),
            ("error.request_url", "request_url"),
            ("user.email", "user"),
            ("device.os_version", "os_version"),
            ("source.name", "source"),
        ] {
            assert_eq!(in_templates(template), Some(rule), "{template}");
        }
        assert_eq!(in_templates("nonsense"), None);
        assert_eq!(in_templates("no.sense"), None);
    }
}
