//! Rules as an operator reads them: which event takes which route.

use super::*;
use crate::name::SourceName;

fn event() -> Event {
    let mut event = Event::blank(
        SourceName::new("backend").unwrap(),
        "bugsnag",
        r#"{"error":{"metaData":{"customer":{"plan":"enterprise","seats":12}}}}"#,
    );
    event.trigger = "firstException".into();
    event.severity = crate::event::Severity::Error;
    event.app.name = "Shop [web] API".into();
    event.app.stage = "production".into();
    event.text = "connection timed out\nafter 30 s".into();
    event.error.occurrences = "1200".into();
    event.user.email = "sam@example.org".into();
    event
}

fn condition(field: &str, patterns: &[&str]) -> Condition {
    let field = Field::parse(field).unwrap();
    let patterns = patterns.iter().map(|pattern| Pattern::parse(&field, pattern).unwrap()).collect();
    Condition { field, patterns }
}

fn to(name: &str) -> DestinationName {
    DestinationName::new(name).unwrap()
}

fn rule(name: &str, when: Vec<Condition>, send_to: &[&str]) -> Rule {
    Rule {
        name: RuleName::new(name).unwrap(),
        when,
        unless: Vec::new(),
        send_to: send_to.iter().map(|name| to(name)).collect(),
        mention: Vec::new(),
        template: None,
        urgent: false,
        stop: false,
    }
}

fn holds(field: &str, patterns: &[&str], event: &Event) -> bool {
    let rules = vec![rule("r", vec![condition(field, patterns)], &["a"])];
    !RuleSet::new(rules, None).unwrap().route(event).matched.is_empty()
}

#[test]
fn patterns_match_as_documented() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("app", &["shop *"], true),
        ("app", &["shop"], false),
        ("app", &["*[WEB]*"], true),
        ("app", &["nothing", "*api"], true),
        ("stage", &["Production"], true),
        ("stage", &["*"], true),
        ("stage", &["**"], true),
        ("version", &["**"], false),
        ("stage", &["pro*"], true),
        ("stage", &["*tion"], true),
        ("stage", &["*pro"], false),
        ("stage", &["tion*"], false),
        ("stage", &["*duct*"], true),
        ("stage", &[""], false),
        ("version", &[""], true),
        ("version", &["*"], false),
        ("message", &["*timed out*"], true),
        ("message", &["connection*30 s"], true),
        ("message", &["/timed? ?out/"], true),
        ("message", &["/TIMED/"], false),
        ("message", &["/TIMED/i"], true),
        ("message", &["/^after/"], false),
        ("message", &["/^after/m"], true),
        ("message", &["= /timed/"], false),
        ("severity", &[">= warning"], true),
        ("severity", &["< error"], false),
        ("severity", &["<= error"], true),
        ("severity", &["warning", "error"], true),
        ("occurrences", &["> 1000"], true),
        ("occurrences", &["<1200"], false),
        ("occurrences", &[">=1200"], true),
        ("users", &["> 0"], false),
        ("user", &["*@example.org"], true),
        ("actor", &[""], true),
        ("raw.error.metaData.customer.plan", &["Enterprise"], true),
        ("raw.error.metaData.customer.seats", &["> 10"], true),
        ("raw.error.metaData.customer.city", &[""], true),
        ("source", &["backend"], true),
    ];
    for (field, patterns, expected) in cases {
        assert_eq!(holds(field, patterns, &event()), *expected, "{field} {patterns:?}");
    }
}

#[test]
fn literal_text_is_taken_by_the_letter() {
    let mut event = event();
    event.text = "/users/".into();
    assert!(holds("message", &["= /users/"], &event));
    event.text = "a * b".into();
    assert!(holds("message", &["= a * b"], &event));
    assert!(!holds("message", &["= a*"], &event));
}

#[test]
fn an_unknown_severity_satisfies_no_comparison_but_its_own_word() {
    let mut event = event();
    event.severity = crate::event::Severity::Other("fatal".into());
    assert!(!holds("severity", &[">= info"], &event) && !holds("severity", &["<= error"], &event));
    assert!(holds("severity", &["fatal"], &event));
}

#[test]
fn what_is_no_pattern_is_refused() {
    let parse = |field: &str, text| Pattern::parse(&Field::parse(field).unwrap(), text).map(|_| ());
    assert_eq!(parse("severity", ">= warnin"), Err(PatternError::NoSeverity("warnin".into())));
    assert_eq!(parse("users", "> many"), Err(PatternError::NoNumber("many".into())));
    assert_eq!(parse("message", "/a/q"), Err(PatternError::Flag('q')));
    assert_eq!(parse("message", "//"), Err(PatternError::EmptyRegex));
    assert!(matches!(parse("message", "/(/"), Err(PatternError::Regex(_))));
    assert!(matches!(Field::parse("sevrity"), Err(FieldError::Unknown(_))));
    assert!(matches!(Field::parse("raw.project.apiKey"), Err(FieldError::Credential(_))));
    assert!(matches!(Field::parse("raw"), Err(FieldError::NoPath)));
}

#[test]
fn a_destination_hears_once_by_the_first_rule_with_all_mentions() {
    let mut first = rule("first", vec![], &["a"]);
    first.template = Some("short".into());
    first.mention = vec!["ann".into()];
    let mut second = rule("second", vec![], &["a", "b"]);
    second.urgent = true;
    second.mention = vec!["here".into(), "ann".into()];
    let routing = RuleSet::new(vec![first, second], None).unwrap().route(&event());
    assert_eq!(routing.routes.len(), 2);
    let a = &routing.routes[0];
    assert_eq!(a.rule.as_ref().unwrap().as_str(), "first");
    assert_eq!((a.template.as_deref(), a.urgent), (Some("short"), true));
    assert_eq!(a.mention, ["ann", "here"]);
}

#[test]
fn stop_and_an_empty_send_to_end_the_list() {
    let mut stop = rule("stop", vec![], &["a"]);
    stop.stop = true;
    let rules = vec![stop, rule("later", vec![], &["b"])];
    assert_eq!(RuleSet::new(rules, None).unwrap().route(&event()).routes.len(), 1);

    let rules = vec![rule("drop", vec![], &[]), rule("later", vec![], &["b"])];
    let routing = RuleSet::new(rules, Some(to("default"))).unwrap().route(&event());
    assert_eq!(routing.matched.len(), 1);
    assert!(routing.routes.is_empty(), "dropped knowingly, so not for the default destination either");
}

#[test]
fn unless_holds_a_rule_back_and_the_default_hears_of_what_nobody_matched() {
    let mut not_shop = rule("not shop", vec![], &["a"]);
    not_shop.unless = vec![condition("app", &["Shop*"])];
    let rules = RuleSet::new(vec![not_shop], Some(to("default"))).unwrap();
    let routing = rules.route(&event());
    assert_eq!(routing.routes[0].destination, to("default"));
    assert_eq!(routing.routes[0].rule, None);
    assert!(routing.matched.is_empty());
}

#[test]
fn the_rules_can_be_written_down() {
    let rules = RuleSet::new(vec![rule("r", vec![condition("app", &["Shop *"])], &["a"])], None).unwrap();
    assert_eq!(
        rules.text(),
        r#"{"default_destination":null,"rules":[{"mention":[],"name":"r","send_to":["a"],"stop":false,"template":null,"unless":[],"urgent":false,"when":[{"any_of":["Shop *"],"field":"app"}]}]}"#
    );
}
