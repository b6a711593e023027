//! From templates and events to messages, and what must hold whatever an event says.

use proptest::prelude::*;

use super::*;
use crate::event::{Breadcrumb, Cause, Frame, Severity};
use crate::message::{Block, Tone, plain};
use crate::name::SourceName;

const TELLING: Telling<'static> =
    Telling { id: EventId(27_000), repeat: false, instead_of: None, now: Moment(1_741_082_400_000) };

fn event() -> Event {
    let mut event =
        Event::blank(SourceName::new("backend").unwrap(), "bugsnag", r#"{"error":{"tags":["a","b"]}}"#);
    event.trigger = "ordinary".into();
    event.severity = Severity::Error;
    event.title = "Boom".into();
    event.text = "It *broke*".into();
    event.url = "https://a.example/1".into();
    event.id = "e1".into();
    event.at = "2025-03-04T09:55:00Z".into();
    event.app.name = "Shop".into();
    event.error.occurrences = "1204".into();
    event.error.stack = vec![Frame { file: "a.rs".into(), line: "3".into(), ..Frame::default() }];
    event
}

fn set(files: &[(&str, &str)]) -> TemplateSet {
    let files = files
        .iter()
        .map(|(name, text)| TemplateFile { name: (*name).into(), text: (*text).into() })
        .collect();
    let (set, problems) = TemplateSet::new(files, TimeZone::UTC);
    assert!(problems.iter().all(|problem| problem.is_warning), "{problems:?}");
    set
}

fn titled(set: &TemplateSet, ask: Option<&str>, event: &Event) -> String {
    set.render(ask, event, &TELLING).title.to_string()
}

fn notes(message: &Message) -> Vec<String> {
    let note = |block: &Block| match block {
        Block::Paragraph(text) => text.0.iter().all(|span| span.style.italic).then(|| text.to_string()),
        _ => None,
    };
    message.blocks.iter().filter_map(note).collect()
}

#[test]
fn a_template_makes_a_message() {
    let set = set(&[(
        "default.hbs",
        "# [{{title}} in {{app.name}}]({{url}})\n*{{severity}}*\n\n{{text}}\n\n- **Seen:** {{number error.occurrences}}\n- **Users:** {{error.users}}\n\n{{codeblock (frames error.stack)}}\n\n[Open]({{url}})\n\n*{{event.id}}*\n",
    )]);
    let message = set.render(None, &event(), &TELLING);
    assert_eq!(
        (message.title.to_string().as_str(), message.title.url()),
        ("Boom in Shop", "https://a.example/1")
    );
    assert_eq!(message.subtitle.to_string(), "error");
    assert_eq!(message.footer.to_string(), "e1 · #3222");
    assert_eq!((message.tone, message.at.as_str()), (Tone::Error, "2025-03-04T09:55:00Z"));
    let [Block::Paragraph(text), Block::Fields(fields), Block::Code(code), Block::Links(links)] =
        message.blocks.as_slice()
    else {
        panic!("{:?}", message.blocks)
    };
    assert_eq!(text.to_string(), "It *broke*");
    assert_eq!((fields.len(), fields[0].value.to_string().as_str()), (1, "1,204"));
    assert_eq!((code.as_str(), links.len()), ("a.rs:3", 1));
}

#[test]
fn the_first_template_that_there_is_tells_it() {
    let set = set(&[
        ("default.hbs", "# default"),
        ("firstException.hbs", "# first"),
        ("short.hbs", "# short"),
        ("test.hbs", "# test"),
        ("_part.hbs", "# part"),
    ]);
    let mut event = Event { trigger: "firstException".into(), ..event() };
    assert_eq!(titled(&set, None, &event), "first");
    assert_eq!(titled(&set, Some("short"), &event), "short");
    event.trigger = "somethingNew".into();
    assert_eq!(titled(&set, None, &event), "default");
    event.trigger = "_part".into();
    assert_eq!(titled(&set, None, &event), "default");
    event.test = true;
    assert_eq!(titled(&set, None, &event), "test");
    assert_eq!(titled(&set, Some("short"), &event), "short");
    let names: Vec<_> =
        set.names().into_iter().filter(|name| ["short", "test", "_part"].contains(name)).collect();
    assert_eq!(names, ["short", "test"]);
}

#[test]
fn a_template_that_is_gone_is_told_and_the_next_one_speaks() {
    let set = set(&[("default.hbs", "# default")]);
    let message = set.render(Some("gone"), &event(), &TELLING);
    assert_eq!(message.title.to_string(), "default");
    assert_eq!(notes(&message), ["the template `gone` does not exist any more"]);
    assert_eq!(notes(&set.render(Some("default"), &event(), &TELLING)), Vec::<String>::new());
}

#[test]
fn a_template_that_fails_costs_beauty_and_not_the_message() {
    let set = set(&[("default.hbs", "# {{title}}\n{{#if text}}\n{{date event.at raw.format}}{{/if}}")]);
    let mut event = event();
    assert_eq!(titled(&set, None, &event), "Boom");
    event.raw = r#"{"format":"%!"}"#.into();
    let message = set.render(None, &event, &TELLING);
    let mut expected = plain(&event, TELLING.id, &TimeZone::UTC);
    assert_eq!(message.title, expected.title);
    let [note] = notes(&message).try_into().unwrap();
    assert!(
        note.starts_with(
            "the template `default` failed: `default`, line 3: `date`: `%!` is no form of a date"
        ),
        "{note}"
    );
    expected.blocks.push(message.blocks.last().unwrap().clone());
    assert_eq!(message, expected);
    let problems = set.try_with(&[event], &[]);
    assert_eq!(
        (problems.len(), problems[0].file.as_str(), problems[0].line, problems[0].built_in),
        (1, "default.hbs", 3, false)
    );
    assert!(problems[0].message.starts_with("it fails for an event with the trigger `ordinary`: `date`"));
}

#[test]
fn without_any_template_there_is_still_a_message() {
    let broken = TemplateFile { name: "default.hbs".into(), text: "{{titel}}".into() };
    let (set, problems) = TemplateSet::new(vec![broken], TimeZone::UTC);
    assert_eq!(problems.len(), 1);
    let mut event = event();
    event.trigger = "none of ours".into();
    let message = set.render(None, &event, &TELLING);
    assert_eq!(message.title, plain(&event, TELLING.id, &TimeZone::UTC).title);
    assert_eq!(notes(&message), ["there is no template that can be used"]);
    assert!(set.native("slack", None, &event, &TELLING).is_none());
}

#[test]
fn a_rendering_without_end_is_stopped() {
    let inner = "{{@root.text}}".repeat(9);
    let set =
        set(&[("default.hbs", &format!("# {{{{title}}}}\n{{{{#each error.stack}}}}{inner}{{{{/each}}}}"))]);
    let mut event = event();
    event.text = "x".repeat(1024 * 1024);
    event.error.stack = vec![Frame::default(); 100];
    let note = notes(&set.render(None, &event, &TELLING)).pop().unwrap();
    assert_eq!(note, "the template `default` failed: it writes more than 32 MiB");
    let many = "{{this}}".repeat(7);
    let set = self::set(&[(
        "default.hbs",
        &format!("{{{{#each raw.a}}}}{{{{#each this}}}}{many}{{{{/each}}}}{{{{/each}}}}"),
    )]);
    event.raw = serde_json::json!({ "a": vec![vec![1; 100]; 100] }).to_string();
    let note = notes(&set.render(None, &event, &TELLING)).pop().unwrap();
    assert_eq!(note, "the template `default` failed: it writes too many values");
}

#[test]
fn the_footer_ends_with_the_id_and_says_that_it_may_be_a_repeat() {
    let footer = |text: &str, repeat| {
        let set = set(&[("default.hbs", text)]);
        set.render(None, &event(), &Telling { repeat, ..TELLING }).footer.to_string()
    };
    assert_eq!(footer("# x", false), "#3222");
    assert_eq!(footer("# x", true), "#3222 · may be a repeat");
    assert_eq!(footer("# x\n\nb\n\n*a*\n\n*{{id}}*", true), "a · #3222 · may be a repeat");
    assert_eq!(footer("# x\n\nb\n\n*{{id}} a*", false), "#3222 a · #3222", "that may be of a value");
    assert_eq!(footer("# x\n\nb\n\n*{{id}}4*", false), "#32224 · #3222", "that was another id");
}

#[test]
fn the_footer_says_whose_message_it_took_the_place_of() {
    let set = set(&[
        ("default.hbs", "# x\n\n- **Instead of:** {{instead_of}}"),
        ("n.teams.json.hbs", r#"{"a":"{{id}}"}"#),
    ]);
    let telling = Telling { instead_of: Some("oncall"), ..TELLING };
    let message = set.render(None, &event(), &telling);
    assert_eq!((message.footer.to_string().as_str(), message.blocks.len()), ("#3222 · instead of oncall", 1));
    assert!(set.render(None, &event(), &TELLING).blocks.is_empty());
    let caught_up = Event { caught_up: true, ..event() };
    let footer = set.render(None, &caught_up, &telling).footer.to_string();
    assert_eq!(footer, "#3222 · caught up · instead of oncall");
    let again = Telling { repeat: true, ..telling };
    let footer = set.render(None, &event(), &again).footer.to_string();
    assert_eq!(footer, "#3222 · instead of oncall · may be a repeat");
    let native = set.native("teams", Some("n"), &event(), &again).unwrap().unwrap();
    let parts: Vec<_> = native.parts(native.body["a"].as_str().unwrap()).collect();
    assert_eq!(parts, [Part::Value(footer.as_str())]);
}

#[test]
fn the_footer_says_when_it_happened_if_that_is_a_while_ago() {
    let set = set(&[("default.hbs", "# x")]);
    let footer = |at: &str| {
        let event = Event { at: at.into(), ..event() };
        set.render(None, &event, &TELLING).footer.to_string()
    };
    assert_eq!(footer("2025-03-04T09:51:00Z"), "#3222");
    assert_eq!(footer("2025-03-04T09:49:00Z"), "#3222 · happened 4 Mar 2025, 09:49 UTC");
    assert_eq!(footer("2026-03-04T09:49:00Z"), "#3222");
    assert_eq!(footer("yesterday"), "#3222");
}

#[test]
fn a_message_has_a_title_whatever_the_template_says() {
    let set = set(&[("default.hbs", "# {{error.class}}\n{{text}}")]);
    let message = set.render(None, &event(), &TELLING);
    assert_eq!(message.title, plain(&event(), TELLING.id, &TimeZone::UTC).title);
}

#[test]
fn a_native_template_is_asked_where_it_is_the_first_that_there_is() {
    let set = set(&[
        (
            "default.slack.json.hbs",
            r#"{"text":"{{title}} {{id}}","n":{{json error.occurrences}},"all":{{json app}}}"#,
        ),
        ("crash.hbs", "# crash"),
        ("short.teams.json.hbs", r#"{"a":"{{id}}"}"#),
        ("broken.discord.json.hbs", "{ \"a\": {{id}} }"),
    ]);
    let mut event = event();
    let native = set.native("slack", None, &event, &TELLING).unwrap().unwrap();
    let parts: Vec<_> = native.parts(native.body["text"].as_str().unwrap()).collect();
    assert_eq!(parts, [Part::Value("Boom"), Part::Own(" "), Part::Value("#3222")]);
    assert_eq!(native.body["n"], 1204);
    assert_eq!(native.body["all"].as_object().unwrap().len(), 5);
    assert!(set.native("teams", None, &event, &TELLING).is_none());
    assert!(set.native("slack", Some("crash"), &event, &TELLING).is_none(), "the Markdown one comes first");
    assert!(set.native("teams", Some("short"), &event, &TELLING).unwrap().is_ok());
    let elsewhere = set.render(Some("short"), &event, &TELLING);
    assert_eq!(notes(&elsewhere), Vec::<String>::new(), "it exists, though not for every platform");
    event.trigger = "crash".into();
    assert!(set.native("slack", None, &event, &TELLING).is_none());
    let repeated =
        set.native("teams", Some("short"), &event, &Telling { repeat: true, ..TELLING }).unwrap().unwrap();
    let parts: Vec<_> = repeated.parts(repeated.body["a"].as_str().unwrap()).collect();
    assert_eq!(parts, [Part::Value("#3222 · may be a repeat")]);
    let broken = set.native("discord", Some("broken"), &event, &TELLING).unwrap().unwrap_err();
    assert_eq!(broken, RenderError::BareValue { line: 1 });
    let other = Event { trigger: "other".into(), ..event.clone() };
    let problems = set.try_with(&[event, other], &[]);
    assert_eq!((problems.len(), problems[0].file.as_str()), (1, "broken.discord.json.hbs"));
    assert_eq!(problems[0].message, broken.to_string(), "it is so for every event, and told once");
}

#[test]
fn a_path_that_leads_nowhere_is_an_empty_value() {
    let blocks = |text: &str| {
        let set = set(&[("default.hbs", &format!("# x\n\n{text}"))]);
        set.render(None, &event(), &TELLING).blocks
    };
    for text in [
        "a {{raw.nope}}",
        "- a {{error.stack.40.file}}",
        "- **A:** {{raw.nope}}",
        "## a {{raw.nope}}",
        "[c](https://x.example/{{raw.nope}})",
        "**a** *{{raw.nope}}*",
        "a `{{raw.nope.nope}}`",
        "```\na {{raw.nope}}\n```",
        "a {{#with user}}{{../raw.nope}}{{/with}}",
    ] {
        assert_eq!(blocks(text), [], "{text}");
    }
    assert_eq!(blocks("a {{raw.nope}} {{title}}").len(), 1);
}

#[test]
fn a_partial_ends_no_line_but_that_which_it_has_alone() {
    let written = |template: &str, partial: &str| {
        let files = [("a.hbs", template), ("_p.hbs", partial), ("_q.hbs", "{{> _p}}\n\n")];
        let set = set(&files);
        let library = &set.0.library;
        let context = context::context(&event(), &TELLING, check::Uses::default(), Form::Markdown);
        render::render(&library.markdown, "a", context).unwrap().text
    };
    let block = "{{#if title}}\nb\n{{/if}}\n";
    for (template, partial, expected) in [
        ("# [x {{> _p}}](y)\n", "b\n", "# [x b](y)\n"),
        ("# [x {{> _q}}](y)\n", "b\r\n", "# [x b](y)\n"),
        ("x\n{{> _p}}\ny\n", "b\n", "x\nb\ny\n"),
        ("x\n{{> _p}}\ny\n", "b", "x\nb\ny\n"),
        ("x\n{{> _q}}\n\ny\n", "b\n\n", "x\nb\n\ny\n"),
        ("{{> _p}}\n{{> _p}}", "b\n", "b\nb"),
        ("- x\n  {{> _p}} \n- y", "b\n", "- x\n  b\n- y"),
        ("x\n{{~> _p}}\ny", "b\n", "xb\ny"),
        ("x\n{{> _p ~}}\ny", "b\n", "x\nby"),
        ("{{#if title}}\n{{> _p}}\n{{/if}}\ny", "b\n", "b\ny"),
        ("x\n{{> _p}}\ny\n", block, "x\nb\ny\n"),
        ("x\n{{> _q}}\ny\n", block, "x\nb\ny\n"),
        ("x\n{{> _p}}\ny\n", "{{#if title}}b{{/if}}\n", "x\nb\ny\n"),
    ] {
        assert_eq!(written(template, partial), expected, "{template:?} {partial:?}");
    }
}

#[test]
fn the_built_in_templates_have_no_problem() {
    let (set, problems) = TemplateSet::new(Vec::new(), TimeZone::UTC);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(set.names().contains("default"));
    let blank = Event::blank(SourceName::new("backend").unwrap(), "bugfender", "{}");
    assert_eq!(set.try_with(&[event(), blank], &[]), []);
}

/// A template that shows values in every place that there is.
const EVERYWHERE: &str = "# {{emoji}} [{{title}} in {{app.name}}]({{url}})
*{{join reason app.stage sep=\" · \"}}*

{{text}} and **{{text}}** and `{{title}}` and {{code app.name}} and [{{title}}](https://a.example/{{app.version}})

> {{text}}

- **{{title}}:** {{text}}
- **B:** {{truncate text 5000 keep=\"ends\"}}

{{codeblock text}}

{{#each error.stack}}
- {{file}}:{{line}} {{upper method}}
{{/each}}

{{#each error.breadcrumbs}}
1. {{name}} {{default kind \"none\"}}
{{/each}}

## {{#each error.causes}}{{class}} {{/each}}

<b>{{title}}</b> {{link title url}} {{json app}}

[{{title}}]({{url}}) [x]({{error.linked_issue.url}})

{{raw.a}} {{#with user}}{{name}}{{/with}}

*{{source.name}} {{id}}*
";

/// Text that is never blank, so that nothing vanishes, and is often mark-up.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => any::<String>(),
        2 => prop::sample::select(vec![
            "*", "_", "**", "`", "```\n", "\n\n", "\n# ", "\n- ", "\n> ", "[a](https://e.example)", "]: ", "](", "<b>", "<!-- ", "&amp;", "\\",
            "{{title}}", "{{{", "}}", "\n---\n", "|", "~~", "@everyone", "<!channel>", "http://e.example", "\u{100000}", "\u{10F001}", "\u{10F003}", "\u{10F004}",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("x{}x", pieces.concat()))
}

fn told(texts: &[String]) -> Event {
    let mut texts = texts.iter().cycle().cloned();
    let mut next = || texts.next().unwrap_or_default();
    let mut event = event();
    (event.title, event.text, event.reason) = (next(), next(), next());
    (event.app.name, event.app.stage, event.app.version) = (next(), next(), next());
    (event.user.name, event.error.linked_issue.url) = (next(), "https://a.example/2".into());
    event.error.stack = vec![Frame { file: next(), method: next(), line: next(), ..Frame::default() }; 2];
    event.error.breadcrumbs = vec![Breadcrumb { name: next(), kind: next(), at: next() }];
    event.error.causes = vec![Cause { class: next(), message: next() }];
    event.raw = serde_json::json!({ "a": next() }).to_string();
    event
}

/// What a message is made of, without what it says.
fn structure(message: &Message) -> Vec<String> {
    let text = |text: &Text| {
        text.0
            .iter()
            .map(|span| format!("{:?} {} {}", span.style, span.code, span.url.is_empty()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let block = |block: &Block| match block {
        Block::Heading(heading) => format!("heading {}", text(heading)),
        Block::Paragraph(paragraph) => format!("paragraph {}", text(paragraph)),
        Block::Quote(quote) => format!("quote {}", text(quote)),
        Block::List(list) => {
            format!("list {:?} {:?}", list.first, list.items.iter().map(text).collect::<Vec<_>>())
        }
        Block::Fields(fields) => {
            format!(
                "fields {:?}",
                fields.iter().map(|field| (text(&field.label), text(&field.value))).collect::<Vec<_>>()
            )
        }
        Block::Code(_) => "code".to_owned(),
        Block::Links(links) => format!("links {}", links.len()),
    };
    let mut structure = vec![text(&message.title), text(&message.subtitle), text(&message.footer)];
    structure.extend(message.blocks.iter().map(block));
    structure
}

proptest! {
    #[test]
    fn no_text_of_an_event_can_change_what_a_message_is_made_of(texts in prop::collection::vec(hostile(), 1..8)) {
        let set = set(&[("default.hbs", EVERYWHERE)]);
        let harmless = set.render(None, &told(&["x".to_owned()]), &TELLING);
        prop_assert_eq!(harmless.blocks.len(), 10);
        let event = told(&texts);
        let message = set.render(None, &event, &TELLING);
        prop_assert_eq!(structure(&message), structure(&harmless));
        prop_assert_eq!(&message, &set.render(None, &event, &TELLING));
        let Some(Block::Quote(quote)) = message.blocks.get(1) else { panic!("{:?}", message.blocks) };
        prop_assert_eq!(quote.to_string(), event.text);
    }

    #[test]
    fn no_text_of_an_event_can_change_a_native_body(texts in prop::collection::vec(hostile(), 1..8)) {
        let set = set(&[("default.slack.json.hbs", r#"{"{{title}}":"{{text}}","b":[{"c":"<{{url}}|{{title}}> {{id}}"},{{json raw}},{{json error.causes}}]}"#)]);
        let native = |event: &Event| set.native("slack", None, event, &TELLING).unwrap().unwrap();
        let event = told(&texts);
        let (hostile, harmless) = (native(&event), native(&told(&["x".to_owned()])));
        prop_assert_eq!(&hostile.body, &harmless.body, "the placeholders are the same, and all else is");
        let values: Vec<Part<'_>> = hostile.parts(hostile.body["b"][0]["c"].as_str().unwrap()).collect();
        prop_assert_eq!(values, [Part::Own("<"), Part::Value(&event.url), Part::Own("|"), Part::Value(&event.title), Part::Own("> "), Part::Value("#3222")]);
    }
}
