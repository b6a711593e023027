//! Every helper, by what it makes of what.

use handlebars::Context;
use serde_json::json;

use super::super::value::{Piece, unmark};
use super::*;

fn message() -> Json {
    json!({
        "now": "2025-03-04T10:00:00Z",
        "tone": "warning",
        "id": "#2b4k",
        "text": "a *b* `c` 🦀 and more",
        "none": "",
        "blank": "  ",
        "zero": 0,
        "yes": true,
        "no": false,
        "n": 1204,
        "big": "12345678",
        "at": "2025-03-04T09:55:00.5Z",
        "list": ["a", "", "b", {"x": 1}],
        "empty": [],
        "group": {"one": 1, "two": "zwei"},
        "frames": [
            {"file": "lib.rs", "line": 1, "column": "", "method": "call", "own": false, "code": []},
            {"file": "app.rs", "line": 10, "column": "", "method": "run", "own": true, "code": []},
            {"file": "", "line": "", "column": "", "method": "", "own": true, "code": []},
            {"file": "main.rs", "line": "", "column": "", "method": "", "own": true, "code": []},
        ],
    })
}

/// What a template yields, each value in it between ‹ and ›.
fn yields_in(form: Form, zone: &str, template: &str) -> Result<String, String> {
    let registry = registry(form, &TimeZone::get(zone).unwrap());
    let rendered = registry
        .render_template_with_context(template, &Context::from(message()))
        .map_err(|error| error.reason().to_string())?;
    let marked = unmark(&rendered).unwrap();
    let piece = |piece: Piece<'_>| match piece {
        Piece::Own(text) => text.to_owned(),
        Piece::Value(value) => match value.markdown {
            None => format!("‹{}›", value.text),
            Some(markdown) => format!("‹markdown {:?} {}›", markdown.limit, value.text),
        },
    };
    Ok(marked.pieces(&marked.text).map(piece).collect())
}

fn yields(template: &str) -> String {
    yields_in(Form::Markdown, "Europe/Madrid", template).unwrap()
}

#[test]
fn a_helper_makes_of_its_arguments_what_the_documentation_says() {
    let table = [
        ("{{truncate text 6}}", "‹a *b*…›"),
        ("{{truncate text 12}}", "‹a *b* `c` 🦀…›"),
        ("{{truncate text 100}}", "‹a *b* `c` 🦀 and more›"),
        ("{{truncate text 1}}", "‹…›"),
        ("{{truncate none 5}}", "‹›"),
        (
            "{{default none \"other\"}}{{default blank \"x\"}}{{default zero 5}}{{default no 5}}",
            "‹other›‹x›‹0›‹false›",
        ),
        ("{{default missing text}}", "‹a *b* `c` 🦀 and more›"),
        ("{{upper \"straße\"}}{{lower \"ÄB\"}}", "‹STRASSE›‹äb›"),
        (
            "{{number n}} {{number big}} {{number -1204}} {{number \"1.5\"}} {{number none}}",
            "‹1,204› ‹12,345,678› ‹-1,204› ‹1.5› ‹›",
        ),
        ("{{bytes 0}} {{bytes 1023}} {{bytes 1024}} {{bytes n}}", "‹0 B› ‹1023 B› ‹1 KiB› ‹1.2 KiB›"),
        ("{{bytes big}} {{bytes \"18446744073709551615\"}} {{bytes \"x\"}}", "‹11.8 MiB› ‹16777216 TiB› ‹x›"),
        (
            "{{pluralize n \"time\"}} {{pluralize 1 \"time\"}} {{pluralize 0 \"box\" \"boxes\"}} {{pluralize none \"time\"}}",
            "‹times› ‹time› ‹boxes› ‹›",
        ),
        ("{{join text none \"x\" n sep=\" · \"}}", "‹a *b* `c` 🦀 and more · x · 1204›"),
        ("{{join list \"c\"}}", "‹a, b, c›"),
        ("{{len list}} {{len empty}} {{len group}}", "‹4› ‹0› ‹2›"),
        ("{{frames frames}}", "‹app.rs:10 in run\nmain.rs›"),
        ("{{frames frames 1}}", "‹app.rs:10 in run›"),
        ("{{frames empty}}{{frames none}}", "‹›‹›"),
        ("{{json group}} {{json \"a\"}}", "‹{\"one\":1,\"two\":\"zwei\"}› ‹\"a\"›"),
        (
            "{{json empty pretty=true}}{{json group pretty=true}}",
            "‹[]›‹{\n  \"one\": 1,\n  \"two\": \"zwei\"\n}›",
        ),
        ("{{code text}}|{{code none}}", "`‹a *b* `c` 🦀 and more›`|‹›"),
        ("{{codeblock text}}", "\n```\n‹a *b* `c` 🦀 and more›\n```\n"),
        ("{{codeblock \"x\" \"c++` x\"}}{{codeblock none}}", "\n```c++x\n‹x›\n```\n‹›"),
        ("{{link text \"https://a.example/\"}}", "[‹a *b* `c` 🦀 and more›](‹https://a.example/›)"),
        (
            "{{link none \" https://a.example/\"}}{{link text none}}",
            "[‹ https://a.example/›](‹https://a.example/›)[‹a *b* `c` 🦀 and more›](‹›)",
        ),
        (
            "{{markdown text}}{{markdown text 40}}",
            "‹markdown None a *b* `c` 🦀 and more›‹markdown Some(40) a *b* `c` 🦀 and more›",
        ),
        (
            "{{emoji}}{{emoji \"error\"}}{{emoji \"Info\"}}{{emoji \"fixed\"}}{{emoji \"resolved\"}}{{emoji text}}",
            "🟠🔴🔵🟢🟢⚪",
        ),
        (
            "{{#if (and text n)}}1{{/if}}{{#if (and text none)}}2{{/if}}{{#if (or none zero text)}}3{{/if}}{{#if (not none)}}4{{/if}}",
            "134",
        ),
    ];
    for (template, expected) in table {
        assert_eq!(yields(template), expected, "{template}");
    }
}

#[test]
fn both_ends_of_a_text_can_be_kept() {
    let text = "ab".repeat(500);
    let cut = yields(&format!("{{{{truncate \"{text}\" 100 keep=\"ends\"}}}}"));
    assert!(
        cut.starts_with("‹abab") && cut.ends_with("abab›") && cut.contains("characters left out …"),
        "{cut}"
    );
    assert!((90..=102).contains(&cut.chars().count()), "{cut}");
}

#[test]
fn things_are_compared_as_what_they_are() {
    let holds =
        |question: &str| yields(&format!("{{{{#if ({question})}}}}yes{{{{else}}}}no{{{{/if}}}}")) == "yes";
    for question in [
        "eq n 1204",
        "eq n \"1204\"",
        "eq yes true",
        "eq yes \"true\"",
        "eq none \"\"",
        "ne \"1.1\" \"1.10\"",
        "ne \"a\" \"A\"",
        "gt 10 9",
        "gt \"10\" 9",
        "gt \"1.5\" \"1.25\"",
        "lt -2 1",
        "gt \"error\" \"warning\"",
        "gt \"Warning\" \"info\"",
        "gte \"error\" \"error\"",
        "lt \"alpha\" \"beta\"",
        "lte 5 5",
        "gt \"inf\" \"9\"",
        "gt \"99999999999999999999999999\" 1",
    ] {
        assert!(holds(question), "{question}");
    }
    for question in
        ["eq n 1205", "gt 9 10", "gt 9 9", "lt \"error\" \"warning\"", "gte 1 2", "lte 2 1", "ne n 1204"]
    {
        assert!(!holds(question), "{question}");
    }
}

#[test]
fn times_are_shown_in_the_zone_and_from_now() {
    assert_eq!(yields("{{date at}}"), "‹4 Mar 2025, 10:55 CET›");
    assert_eq!(yields("{{date at \"%H:%M\"}}"), "‹10:55›");
    assert_eq!(
        yields_in(Form::Markdown, "America/New_York", "{{date at}}").unwrap(),
        "‹4 Mar 2025, 04:55 EST›"
    );
    assert_eq!(
        yields("{{date none}}{{date text}}{{ago none}}{{ago \"soon\"}}"),
        "‹›‹a *b* `c` 🦀 and more›‹›‹soon›"
    );
    assert!(is_format("%d") && is_format("") && !is_format("%!"));
    for (time, expected) in [
        ("2025-03-04T09:59:30Z", "just now"),
        ("2025-03-04T10:00:59Z", "just now"),
        ("2025-03-04T09:59:00Z", "1 minute ago"),
        ("2025-03-04T09:55:00Z", "5 minutes ago"),
        ("2025-03-04T07:00:00Z", "3 hours ago"),
        ("2025-03-02T10:00:00Z", "2 days ago"),
        ("2025-01-01T10:00:00Z", "2 months ago"),
        ("2020-01-01T10:00:00Z", "5 years ago"),
        ("2025-03-04T10:05:00Z", "in 5 minutes"),
        ("-009999-01-02T01:59:59Z", "12032 years ago"),
    ] {
        assert_eq!(yields(&format!("{{{{ago \"{time}\"}}}}")), format!("‹{expected}›"), "{time}");
    }
}

#[test]
fn each_comes_to_an_end_and_names_what_it_goes_over() {
    let all = "{{#each list as |item place|}}{{place}}{{@index}}{{#if @first}}f{{/if}}{{#if @last}}l{{/if}} {{/each}}";
    assert_eq!(yields(all), "‹0›‹0›f ‹1›‹1› ‹2›‹2› ‹3›‹3›l ");
    assert_eq!(yields("{{#each group}}{{@key}}={{this}} {{/each}}"), "‹one›=‹1› ‹two›=‹zwei› ");
    assert_eq!(yields("{{#each group as |v k|}}{{k}}={{v}} {{/each}}"), "‹one›=‹1› ‹two›=‹zwei› ");
    assert_eq!(yields("{{#each empty}}x{{else}}none{{/each}}{{#each text}}x{{/each}}"), "none");
    assert_eq!(
        yields("{{#each frames}}{{file}}{{../n}}{{#with this}}{{line}}{{/with}};{{/each}}")
            .matches("‹1204›")
            .count(),
        4
    );
    assert_eq!(
        yields("{{#each frames}}{{#each this}}{{@key}}{{../line}} {{/each}}{{/each}}")
            .matches("‹method›")
            .count(),
        4
    );
    let many = json!({ "many": vec![1; 1_000], "keys": (0..1_000).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>() });
    let registry = registry(Form::Markdown, &TimeZone::UTC);
    let count = |template: &str| registry.render_template(template, &many).unwrap().matches('x').count();
    assert_eq!(count("{{#each many}}x{{/each}}"), 100);
    assert_eq!(count("{{#each keys}}x{{/each}}"), 100);
}

#[test]
fn what_a_helper_cannot_do_is_an_error_with_its_name() {
    let failed = |template: &str| yields_in(Form::Markdown, "UTC", template).unwrap_err();
    assert_eq!(failed("{{truncate text \"x\"}}"), "`truncate`: `x` is no count");
    assert_eq!(failed("{{truncate text none}}"), "`truncate`: a number of characters is missing");
    assert_eq!(
        failed("{{truncate text 5 keep=\"y\"}}"),
        "`truncate`: keep=\"y\" is neither \"start\" nor \"ends\""
    );
    assert!(failed("{{date at \"%!\"}}").starts_with("`date`: `%!` is no form of a date: "));
    assert_eq!(failed("{{frames frames \"-1\"}}"), "`frames`: `-1` is no count");
    for absent in ["log", "lookup"] {
        assert!(failed(&format!("{{{{{absent} text 1}}}}")).starts_with("Helper not found"));
    }
}

#[test]
fn json_is_written_as_json_where_json_is_written() {
    let native = |template: &str| yields_in(Form::Json, "UTC", template).unwrap();
    assert_eq!(native("{{json group}}"), "{\"‹one›\":1,\"‹two›\":\"‹zwei›\"}");
    assert_eq!(
        native("{{json text}} {{json zero}} {{json yes}} {{json missing}}"),
        "\"‹a *b* `c` 🦀 and more›\" 0 true null"
    );
    assert_eq!(native("{{json list}}"), "[\"‹a›\",\"‹›\",\"‹b›\",{\"‹x›\":1}]");
    assert_eq!(native("\"{{truncate (json group) 9}}\""), "\"‹{\"one\":1…›\"");
    assert_eq!(native("\"{{code text}}\""), "\"`‹a *b* `c` 🦀 and more›`\"");
}

#[test]
fn the_table_of_helpers_is_whole() {
    let names: Vec<_> = helpers().map(|helper| helper.name).collect();
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for helper in helpers() {
        let call = if helper.is_block() {
            format!("{{{{#{0} none}}}}{{{{/{0}}}}}", helper.name)
        } else {
            format!("{{{{{} none 1}}}}", helper.name)
        };
        let called = yields_in(Form::Markdown, "UTC", &call);
        assert!(!called.is_err_and(|error| error.starts_with("Helper not found")), "{}", helper.name);
        assert!(helper.usage.contains(helper.name) && !helper.about.is_empty(), "{}", helper.name);
    }
    // A field that is called like a helper could never be shown by its name alone.
    for field in super::super::field_names() {
        assert!(!names.contains(&field.as_str()), "{field}");
    }
}
