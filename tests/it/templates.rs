//! What `docs/TEMPLATES.md` promises: every field, every helper with its result, the example and the file names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bugle::clock::Moment;
use bugle::event::{Breadcrumb, Cause, Event, EventId, Frame, LinkedIssue, Severity};
use bugle::flood::{Gathering, Kindred, Told};
use bugle::message::{Block, Message};
use bugle::name::SourceName;
use bugle::template::{Telling, TemplateFile, TemplateSet, field_names, gathering_names, helpers};
use jiff::tz::TimeZone;
use regex::Regex;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page() -> String {
    fs::read_to_string(root("docs/TEMPLATES.md")).unwrap()
}

/// The event of the examples: it has everything.
fn event() -> Event {
    let raw = r#"{"error":{"metaData":{"customer":{"plan":"enterprise"}}}}"#;
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", raw);
    event.trigger = "firstException".into();
    event.reason = "New unhandled error".into();
    event.severity = Severity::Error;
    event.title = "Payments::GatewayTimeout".into();
    event.text = "no answer within 3000 ms".into();
    event.status = "open".into();
    event.rate = "1260".into();
    event.url = "https://app.bugsnag.com/shop/errors/1".into();
    event.id = "65b2d01f".into();
    event.at = "2026-11-21T20:55:00Z".into();
    event.app.name = "Shop API".into();
    event.app.url = "https://app.bugsnag.com/shop".into();
    event.app.stage = "production".into();
    event.app.version = "5.2.0".into();
    event.app.build = "1417".into();
    let error = &mut event.error;
    error.id = "66f2a3c0".into();
    error.class = "Payments::GatewayTimeout".into();
    error.context = "checkout#create".into();
    error.handled = "false".into();
    error.occurrences = "2480".into();
    error.users = "57".into();
    error.first_seen = "2026-11-02T07:41:00Z".into();
    error.request_url = "https://api.shop.example/checkout".into();
    error.linked_issue.id = "SHOP-12".into();
    error.linked_issue.url = "https://issues.example/SHOP-12".into();
    let frame = |file: &str, line: &str, method: &str, own| Frame {
        file: file.into(),
        line: line.into(),
        method: method.into(),
        own: Some(own),
        ..Frame::default()
    };
    error.stack = vec![
        frame("gems/http.rb", "9", "post", false),
        frame("app/services/gateway.rb", "64", "charge", true),
    ];
    error.causes = vec![Cause { class: "Net::ReadTimeout".into(), message: "3 s".into() }];
    error.breadcrumbs = vec![Breadcrumb { name: "Charge".into(), kind: "request".into(), at: String::new() }];
    event.state.snooze = "for 6 hours".into();
    event.user.id = "40217".into();
    event.user.name = "Mila Sørensen".into();
    event.user.email = "mila@example.org".into();
    event.actor.name = "Noor Haddad".into();
    event.actor.email = "noor@example.com".into();
    event.device.name = "Pixel 9".into();
    event.device.os = "Android".into();
    event.device.os_version = "16".into();
    event.device.language = "nl-NL".into();
    event.release.version = "5.2.0".into();
    event.release.by = "Noor Haddad".into();
    event.release.at = "2026-11-21T20:00:00Z".into();
    event.release.commit = "b41d09e".into();
    event.release.diff_url = "https://github.example/compare/1...2".into();
    event
}

/// The message of `event` by a template that says no more than `text`.
fn render(text: &str, event: &Event) -> Message {
    let file = TemplateFile { name: "example.hbs".into(), text: text.into() };
    let zone = TimeZone::get("Europe/Madrid").unwrap();
    let (set, problems) = TemplateSet::new(vec![file], zone);
    assert!(problems.is_empty(), "{text}: {problems:?}");
    let now: jiff::Timestamp = "2026-11-21T21:00:00Z".parse().unwrap();
    let id = EventId::parse("2b4k").unwrap();
    set.render(
        Some("example"),
        event,
        &Telling { id, repeat: false, instead_of: Some("oncall"), now: Moment(now.as_millisecond()) },
    )
}

/// All that the only block of a message says.
fn said(message: &Message) -> String {
    match message.blocks.as_slice() {
        [Block::Paragraph(text)] => text.to_string(),
        [Block::Code(code)] => code.clone(),
        [Block::Links(links)] => links.iter().map(|link| link.label.as_str()).collect(),
        [] => String::new(),
        other => panic!("{other:?}"),
    }
}

/// The rows of the table whose first column is called `first`: each cell as it is written.
fn rows(first: &str) -> Vec<[String; 3]> {
    let page = page();
    let lines = page.lines().skip_while(|line| !line.starts_with(&format!("| {first} |"))).skip(2);
    let cells = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("three cells: {cells:?}"))
    });
    let rows: Vec<_> = cells.collect();
    assert!(rows.len() > 10, "{first}");
    rows
}

#[test]
fn every_field_is_in_the_page_with_what_it_gives() {
    let mut listed = BTreeSet::new();
    for [field, _, example] in rows("field") {
        let name = field.trim_matches('`').to_owned();
        let mut event = event();
        // These two make another message of the event.
        if name == "comment.text" {
            event.trigger = "comment".into();
            event.text = "Rolling back.".into();
        }
        if name == "state.change" {
            event.state.change = "snoozed".into();
        }
        assert_eq!(said(&render(&format!("{{{{{name}}}}}"), &event)), example, "{name}");
        listed.insert(name);
    }
    let lists = ["error.stack", "error.causes", "error.breadcrumbs"];
    for list in lists {
        assert!(page().contains(&format!("`{{{{#each {list}}}}}`")), "{list}");
    }
    let known: BTreeSet<String> = field_names()
        .into_iter()
        .filter(|name| name != "raw" && !lists.iter().any(|list| name.starts_with(list)))
        .collect();
    for part in field_names().iter().filter_map(|name| lists.iter().find_map(|list| name.strip_prefix(list)))
    {
        let part = part.rsplit('.').next().unwrap_or_default();
        assert!(page().contains(&format!("`{part}`")), "{part}");
    }
    assert_eq!(listed, known, "the page and the code know the same fields");
}

/// The digest of the examples: an error of which there are many, and a comment.
fn gathering() -> Gathering {
    let at = |text: &str| Moment(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let (first_at, last_at) = (at("2026-11-21T20:51:00Z"), at("2026-11-21T20:55:00Z"));
    let triggers = ["firstException", "exception"].map(str::to_owned).to_vec();
    let mut comment = event();
    comment.trigger = "comment".into();
    comment.severity = Severity::Info;
    comment.text = "Rolling back.".into();
    Gathering {
        caught_up: 0,
        told: Told::Digest,
        urgent: false,
        count: 4_412,
        severities: vec![("error".into(), 3_100), ("info".into(), 1_312)],
        first_at,
        last_at,
        errors: vec![Kindred {
            event: event(),
            severity: "error".into(),
            triggers,
            count: 1_204,
            first_at,
            last_at,
        }],
        more_errors: 38,
        notices: vec![comment],
        more_notices: 4,
    }
}

/// The digest by a template that says no more than `text`.
fn render_digest(text: &str) -> Message {
    let file = TemplateFile { name: "digest.hbs".into(), text: text.into() };
    let zone = TimeZone::get("Europe/Madrid").unwrap();
    let (set, problems) = TemplateSet::new(vec![file], zone);
    assert!(problems.is_empty(), "{text}: {problems:?}");
    let now: jiff::Timestamp = "2026-11-21T21:00:00Z".parse().unwrap();
    let id = EventId::parse("2b4k").unwrap();
    let telling =
        Telling { id, repeat: false, instead_of: Some("oncall"), now: Moment(now.as_millisecond()) };
    let (message, shortfalls) = set.gathered(&gathering(), &telling);
    assert!(shortfalls.is_empty(), "{text}: {shortfalls:?}");
    message
}

#[test]
fn every_name_of_several_events_is_in_the_page_with_what_it_gives() {
    let mut listed = BTreeSet::new();
    for [name, _, example] in rows("name") {
        let name = name.trim_matches('`').to_owned();
        let text = match name.split_once('.') {
            Some((list, name)) => {
                format!(
                    "{{{{#each {list}}}}}{{{{#unless @first}}}}, {{{{/unless}}}}{{{{{name}}}}}{{{{/each}}}}"
                )
            }
            None => format!("{{{{{name}}}}}"),
        };
        assert_eq!(said(&render_digest(&text)), example, "{name}");
        listed.insert(name);
    }
    let lists = ["severities", "errors", "notices"];
    let of_events: BTreeSet<String> = field_names().into_iter().collect();
    for name in gathering_names() {
        let of_its_event = name.split_once('.').is_some_and(|(_, name)| of_events.contains(name));
        let is_known = listed.contains(&name) || of_its_event || lists.contains(&name.as_str());
        assert!(is_known, "{name} is not in the page");
    }
    let known: BTreeSet<String> = gathering_names().into_iter().collect();
    assert!(listed.is_subset(&known));
}

#[test]
fn the_pages_own_digest_is_in_order() {
    let page = page();
    let (_, rest) = page.split_once("A small digest of one's own").unwrap();
    let template = rest.split("```handlebars\n").nth(1).unwrap().split("```").next().unwrap();
    let message = render_digest(template);
    assert_eq!(message.title.to_string(), "🔴 4,412 events: 3,100 errors, 1,312 infos");
    let Block::List(list) = &message.blocks[0] else { panic!("{:?}", message.blocks) };
    let expected = "🔴 Payments::GatewayTimeout in Shop API: 1,204 since 21:51";
    assert_eq!(list.items[0].to_string(), expected);
}

#[test]
fn every_helper_gives_what_the_page_says() {
    let mut listed = String::new();
    for [helper, _, result] in rows("helper") {
        let template = helper.trim_matches('`');
        assert_eq!(said(&render(template, &event())), result, "{template}");
        listed.extend([template, " "]);
    }
    let known: BTreeSet<&str> = helpers().map(|helper| helper.name).collect();
    let tag = Regex::new(r"(?:\{\{#?|\()(\w+)[ }]").unwrap();
    let shown: BTreeSet<&str> = tag
        .captures_iter(&listed)
        .map(|found| found.get(1).unwrap().as_str())
        .filter(|name| known.contains(name))
        .collect();
    assert_eq!(shown, known, "the page has an example of every helper");
}

#[test]
fn the_example_renders_as_the_page_shows_and_what_is_not_given_vanishes() {
    let page = page();
    let (_, rest) = page.split_once("This template and what becomes of it:").unwrap();
    let template = rest.split("```handlebars\n").nth(1).unwrap().split("\n```\n\n").next().unwrap();
    let mut event = event();
    event.error.users = String::new();
    event.error.linked_issue = LinkedIssue::default();
    let message = render(template, &event);
    assert_eq!(message.title.to_string(), "🔴 Payments::GatewayTimeout in Shop API");
    assert_eq!(message.subtitle.to_string(), "New error · production");
    let all = format!("{message:?}");
    assert!(!all.contains("Users") && !all.contains("Linked issue"), "{all}");
    assert!(all.contains("Version") && all.contains("gateway.rb:64"), "{all}");
}

#[test]
fn the_pages_first_template_is_in_order() {
    let page = page();
    let template = page.split("   ```handlebars\n").nth(1).unwrap().split("   ```").next().unwrap();
    let template = template.lines().map(str::trim_start).collect::<Vec<_>>().join("\n");
    let message = render(&template, &event());
    let all = format!("{message:?}");
    for said in ["enterprise", "2,480", "times", "Issue SHOP-12", "New error · production"] {
        assert!(all.contains(said), "{said}: {all}");
    }
}

#[test]
fn every_built_in_template_is_in_the_page() {
    let page = page();
    for entry in fs::read_dir(root("templates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".hbs") else { continue };
        let written = if stem.starts_with('_') { format!("`{stem}`") } else { format!("`{name}`") };
        assert!(page.contains(&written), "{name} is not in the page");
    }
}
