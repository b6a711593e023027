//! A rule for events like one that has come: proposed to a person, never written.

use std::fs;

use super::toml::{list, quoted};
use crate::config::{self, Environment, Secrets};
use crate::event::{Event, Severity};
use crate::name::DestinationName;
use crate::text::{Place, as_it_is, one_line};

/// The longest name of an application that a rule is called by.
const NAME: usize = 60;

/// The rule as TOML, tried on `event`: of its source, trigger, severity, application and stage, and, if a condition on
/// one of these cannot be written, without those that follow. Nothing if there is none.
pub(super) fn rule_for(event: &Event, destination: &DestinationName) -> Option<String> {
    let conditions = conditions(event);
    (1..=conditions.len()).rev().find_map(|count| {
        let rule = written(event, conditions.get(..count)?, destination);
        matches(&rule, event, destination).then_some(rule)
    })
}

fn conditions(event: &Event) -> Vec<String> {
    let is = |key: &str, value: &str| {
        (!value.is_empty()).then(|| format!("when.{key} = {}", quoted(&literal(value))))
    };
    let severity = match &event.severity {
        // Every severity is at least that.
        Severity::Info => None,
        Severity::Warning => Some("when.severity = \">= warning\"".to_owned()),
        severity => is("severity", severity.as_str()),
    };
    let source = is("source", event.source.as_str());
    let (app, stage) = (is("app", &event.app.name), is("stage", &event.app.stage));
    [source, is("trigger", &event.trigger), severity, app, stage].into_iter().flatten().collect()
}

/// `text` as a pattern that matches it and nothing else.
fn literal(text: &str) -> String {
    let is_special = text.contains('*') || text.starts_with(['/', '<', '>', '=']);
    if is_special { format!("= {text}") } else { text.to_owned() }
}

fn written(event: &Event, conditions: &[String], destination: &DestinationName) -> String {
    let place = Place { write: as_it_is, count: |_| 1 };
    let what = if event.trigger.is_empty() { "events" } else { &event.trigger };
    let of = if event.app.name.is_empty() { event.source.as_str() } else { &event.app.name };
    let name = format!("{} in {}", place.end(&one_line(what), NAME), place.end(&one_line(of), NAME));
    let (name, send_to) = (quoted(&name), list(&[destination.as_str()]));
    format!("[[rules]]\nname = {name}\n{}\nsend_to = {send_to}\n", conditions.join("\n"))
}

/// Whether `rule` is one that a configuration takes, and that picks `destination` for `event`.
fn matches(rule: &str, event: &Event, destination: &DestinationName) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let path = folder.path().join("config.toml");
    let (source, product) = (&event.source, event.product);
    let rest = format!(
        "[sources.{source}]\ntype = \"{product}\"\ntokens = [{{ file = \"token\" }}]\n\
         [destinations.{destination}]\ntype = \"slack\"\nurl = {{ file = \"url\" }}\n"
    );
    if fs::write(&path, format!("{rest}{rule}")).is_err() {
        return false;
    }
    let loaded = config::load(&path, &Environment::default(), Secrets::Skip);
    loaded.is_ok_and(|loaded| {
        let routing = loaded.settings.rules.route(event);
        !routing.matched.is_empty() && routing.routes.iter().any(|route| route.destination == *destination)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::SourceName;

    fn event(app: &str, stage: &str, trigger: &str) -> Event {
        let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
        event.app.name = app.to_owned();
        event.app.stage = stage.to_owned();
        event.trigger = trigger.to_owned();
        event.severity = Severity::Error;
        event
    }

    fn proposed(event: &Event) -> Option<String> {
        rule_for(event, &DestinationName::new("team").unwrap())
    }

    #[test]
    fn a_rule_is_made_of_what_the_event_is() {
        let rule = proposed(&event("Shop API", "production", "firstException")).unwrap();
        let expected = "[[rules]]\nname = \"firstException in Shop API\"\nwhen.source = \"backend\"\n\
                        when.trigger = \"firstException\"\nwhen.severity = \"error\"\nwhen.app = \"Shop API\"\n\
                        when.stage = \"production\"\nsend_to = [\"team\"]\n";
        assert_eq!(rule, expected);
        let rule = proposed(&event("* = /x/", "<prod>", "firstException")).unwrap();
        assert!(
            rule.contains("when.app = \"= * = /x/\"") && rule.contains("when.stage = \"= <prod>\""),
            "{rule}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_an_event_says_there_is_a_rule_for_it_that_a_terminal_does_not_act_on(
            app in any::<String>(), stage in any::<String>(), trigger in any::<String>(),
        ) {
            // That it matches its event is part of making it.
            let rule = proposed(&event(&app, &stage, &trigger)).unwrap();
            prop_assert!(!rule.chars().any(|letter| letter.is_control() && letter != '\n'), "{rule:?}");
        }
    }
}
