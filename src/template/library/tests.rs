//! What is said at load of templates that are wrong, and that nothing which is written can do harm there.

use proptest::prelude::*;

use super::*;

fn file(name: &str, text: &str) -> TemplateFile {
    TemplateFile { name: name.into(), text: text.into() }
}

fn loaded(files: &[(&str, &str)]) -> (Library, Vec<TemplateProblem>) {
    let files = files.iter().map(|(name, text)| file(name, text)).collect();
    load(std::iter::empty(), files, &TimeZone::UTC)
}

/// The problems as a person would see them: file, line, column, length, what and what to do.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let written = |problem: TemplateProblem| {
        let TemplateProblem { file, line, column, length, message, help, .. } = problem;
        let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{file}:{line}:{column}+{length}: {message}{help}")
    };
    loaded(files).1.into_iter().map(written).collect()
}

/// What is written, and where it is wrong and why.
const WRONG: &[(&str, &str)] = &[
    ("# {{title}}\nüö {{ upper app.nam }}", "2:13+7: there is no `app.nam` (did you mean `app.name`?)"),
    ("{{#if a}}{{/if}}", "1:7+1: there is no `a`"),
    (
        "{{#if title}}\n{{else if (eq titel 1)}}\n{{/if}}",
        "2:15+5: there is no `titel` (did you mean `title`?)",
    ),
    (
        "{{#if title}}{{#if text}}{{else if url}}{{/if}}\n{{else if text}}\n{{else if statu}}{{/if}}",
        "3:11+5: there is no `statu` (did you mean `status`?)",
    ),
    ("{{upper title sep=text}}", "1:15+3: `upper` has no option `sep` (write `upper value`)"),
    (
        "{{error.stack}}",
        "1:3+11: `error.stack` is a list, not a text (write `{{frames error.stack}}`, or go over it with `{{#each error.stack}}`)",
    ),
    (
        "{{upper error.causes}}",
        "1:9+12: `error.causes` is a list, not a text (go over it with `{{#each error.causes}}`)",
    ),
    ("{{user}}", "1:3+4: `user` is a group of names, not a text (name one of them: id, name, email)"),
    ("{{raw}}", "1:3+3: `raw` is the whole element, not a text (write a path in it: `raw.…`)"),
    ("{{raw.app.key}}", "1:3+11: `raw.app.key` is a credential of the sending app and never available"),
    ("{{uper title}}", "1:3+4: there is no helper `uper` (did you mean `upper`?)"),
    ("{{lookup title 1}}", "1:3+6: there is no helper `lookup`"),
    ("{{upper}}", "1:3+5: `upper` is called with nothing (write `upper value`)"),
    (
        "{{join 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21}}",
        "1:3+4: `join` is called with 21 arguments (write `join one other … [sep=\" · \"]`)",
    ),
    ("{{upper title text}}", "1:3+5: `upper` is called with 2 arguments (write `upper value`)"),
    (
        "{{#if}}{{/if}}",
        "1:4+2: `if` is called with nothing (write `{{#if value}} … {{else if other}} … {{else}} … {{/if}}`)",
    ),
    (
        "{{if title}}",
        "1:3+2: `if` is a block (write `{{#if value}} … {{else if other}} … {{else}} … {{/if}}`)",
    ),
    ("{{#upper title}}{{/upper}}", "1:4+5: `upper` takes no block (write `{{upper value}}`)"),
    ("{{upper (code title)}}", "1:10+4: `code` writes mark-up and cannot stand in parentheses"),
    ("{{upper (title)}}", "1:10+5: `title` is no helper, and needs no parentheses"),
    ("{{(upper title)}}", "1:1+17: parentheses stand only around a helper's argument"),
    ("{{truncate title \"x\"}}", "1:3+8: `truncate` takes a whole number, without quotes, not `\"x\"`"),
    ("{{date event.at \"%!\"}}", "1:3+4: `date` takes the form of a date, such as \"%H:%M\", not `\"%!\"`"),
    ("{{frames title}}", "1:10+5: `frames` takes a stack: `frames error.stack [5]`"),
    ("{{len title}}", "1:7+5: `len` takes a list"),
    ("{{#each title}}{{/each}}", "1:9+5: `#each` goes over a list, and this is a text"),
    ("{{#each error.stack as |date|}}{{/each}}", "1:25+4: `date` is a helper; nothing else can be called so"),
    ("{{#if title as |x|}}{{/if}}", "1:13+2: `#if` gives 0 names at most"),
    ("{{join [1]}}", "1:1+12: a list cannot be written out in a template"),
    (
        "{{@index}}",
        "1:3+6: there is no `@index` here (@index, @first and @last are known within #each, @key where it goes over a group)",
    ),
    (
        "{{#each error.stack}}{{title}}{{/each}}",
        "1:24+5: there is no `title` (within this block the names are those of its element; write `@root.title`)",
    ),
    (
        "{{> facts}}",
        "1:1+11: this is not the name of a partial (a partial is a file whose name starts with `_`, as in `{{> _facts}}`)",
    ),
    ("{{> _facts}}", "1:1+12: there is no partial `_facts`: no file `_facts.hbs`"),
    (
        "{{> (upper title)}}",
        "1:1+19: this is not the name of a partial (a partial is a file whose name starts with `_`, as in `{{> _facts}}`)",
    ),
    (
        "a\n{{app..name}}",
        "2:7+7: this cannot be read as Handlebars (in the braces stands a name, as in `{{app.name}}`, or a helper and what it takes, as in `{{upper app.name}}`)",
    ),
    (
        "{{{title}}}",
        "1:1+3: every value is literal text; there is no way around that (write the name in two braces: `{{name}}`; for Markdown there is `{{markdown name}}`)",
    ),
    ("\u{FEFF}\u{10FFFF}", "1:1+1: the character U+10FFFF may not stand in a template"),
];

#[test]
fn a_wrong_name_is_told_with_its_place_and_what_was_meant() {
    for (text, expected) in WRONG {
        assert_eq!(problems(&[("a.hbs", text)]), [format!("a.hbs:{expected}")], "{text}");
        assert!(loaded(&[("a.hbs", text)]).0.templates.is_empty(), "{text}");
    }
}

#[test]
fn what_is_right_has_no_problem() {
    for text in [
        "",
        "no tags",
        "{{#each error.stack as |frame n|}}{{n}} {{frame.file}} {{#each code}}{{text}} {{../line}}{{/each}}{{/each}}",
        "{{#each app}}{{@key}}: {{this}}{{/each}}",
        "{{#with app}}{{name}} {{../title}} {{@root.app.name}}{{/with}}",
        "{{raw.any.thing}} {{#each raw.list}}{{this}} {{x.y}}{{/each}} {{json raw}} {{raw.[a key].b}}",
        "{{#if (and (eq severity \"error\") error.stack)}}x{{/if}}",
        "{{codeblock (frames (default error.stack raw.stack) 3) \"text\"}}",
        "{{emoji}} {{emoji severity}} {{truncate text 80 keep=\"ends\"}} {{join app.name raw.tags sep=\" \"}}",
        "{{~title~}} {{! a {{comment}} {{!-- {{#if}} --}} \\{{literal}}",
        "{{date event.at \"%H:%M\"}} {{ago error.first_seen}} {{#unless test}}{{tone}} {{now}} {{id}}{{/unless}}",
        "{{error.stack.0.file}} {{len error.causes}}",
    ] {
        assert_eq!(problems(&[("a.hbs", text)]), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_partial_is_checked_where_it_is_included() {
    let row = ("_row.hbs", "{{label}}: {{name}}\n");
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _row app label=\"App\"}}{{> _row user label=title}}")]),
        Vec::<String>::new()
    );
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _row app}}")]),
        ["_row.hbs:1:3+5: there is no `label`"],
        "the argument is missing"
    );
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _row label=1}}")])[0],
        "_row.hbs:1:14+4: there is no `name` (did you mean `rate`?)"
    );
    let inner = ("_frame.hbs", "{{file}} {{@index}} {{../title}}");
    assert_eq!(
        problems(&[inner, ("a.hbs", "{{#each error.stack}}{{> _frame}}{{/each}}")]),
        [
            "_frame.hbs:1:23+8: there is no `../title` (within this block the names are those of its element; write `@root.title`)"
        ]
    );
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _row app user label=1}}")]),
        ["a.hbs:1:1+27: a partial takes one group, and arguments with names"]
    );
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _row app label=1 upper=2}}")]),
        ["a.hbs:1:22+5: `upper` is a helper; nothing else can be called so"]
    );
    assert_eq!(
        problems(&[row, ("a.hbs", "{{> _roww}}")])[1],
        "a.hbs:1:1+11: there is no partial `_roww`: no file `_roww.hbs` (did you mean `_row`?)"
    );
}

#[test]
fn partials_neither_go_in_circles_nor_too_deep() {
    assert_eq!(
        problems(&[("_a.hbs", "x {{> _a}}"), ("t.hbs", "{{> _a}}")]),
        ["_a.hbs:1:3+8: `_a` includes itself: _a → _a"]
    );
    let circle = problems(&[
        ("_a.hbs", "{{> _b}}"),
        ("_b.hbs", "\n{{#if title}}{{> _a}}{{/if}}"),
        ("t.hbs", "{{> _b}}"),
    ]);
    assert_eq!(circle, ["_b.hbs:2:14+8: `_a` includes itself: _a → _b → _a"]);
    let chain = |length: usize| {
        let mut files: Vec<(String, String)> =
            (1..length).map(|n| (format!("_{n}.hbs"), format!("{{{{> _{}}}}}", n + 1))).collect();
        files.push((format!("_{length}.hbs"), "end".to_owned()));
        files.push(("t.hbs".to_owned(), "{{> _1}}".to_owned()));
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        problems(&files)
    };
    assert_eq!(chain(PARTIALS), Vec::<String>::new());
    assert_eq!(
        chain(PARTIALS + 1),
        ["t.hbs:0:0+0: more than 8 partials, or 100 blocks, lie within one another"]
    );
    assert!(!chain(FILES - 1).is_empty());
}

#[test]
fn work_is_bounded_before_any_is_done() {
    let nested = |depth: usize, inner: &str| {
        format!("{}{inner}{}", "{{#each raw.a}}".repeat(depth), "{{/each}}".repeat(depth))
    };
    assert_eq!(problems(&[("a.hbs", &nested(2, "{{this}}"))]), Vec::<String>::new());
    let message = "a.hbs:0:0+0: it may write more than 100000 elements, which is too much work (what is in `#each` counts a hundred times, and a partial as much as 250 elements)";
    assert_eq!(problems(&[("a.hbs", &nested(3, "{{this}}"))]), [message]);
    let doubling: Vec<(String, String)> = (1..=7)
        .map(|n| (format!("_{n}.hbs"), format!("{{{{> _{}}}}}", n + 1).repeat(10)))
        .chain([("_8.hbs".to_owned(), "x".to_owned()), ("a.hbs".to_owned(), "{{> _1}}".to_owned())])
        .collect();
    let files: Vec<(&str, &str)> =
        doubling.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(problems(&files).contains(&message.to_owned()));
    assert_eq!(problems(&[("a.hbs", &"x".repeat(LONGEST + 1))]), ["a.hbs:0:0+0: it is longer than 64 KiB"]);
    let many: Vec<(String, &str)> = (0..=FILES).map(|n| (format!("{n:03}.hbs"), "x")).collect();
    let files: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    assert_eq!(problems(&files), ["200.hbs:0:0+0: there are more than 200 templates"]);
}

#[test]
fn a_native_template_shows_the_id_and_has_no_markdown() {
    let missing = "a.slack.json.hbs:0:0+0: a native template has to show `{{id}}`, the message's short id (people paste it to ask why a message came)";
    assert_eq!(problems(&[("a.slack.json.hbs", "{}")]), [missing]);
    assert_eq!(problems(&[("a.slack.json.hbs", "{\"text\":\"{{id}}\"}")]), Vec::<String>::new());
    assert_eq!(
        problems(&[("_id.hbs", "{{join title id}}"), ("a.slack.json.hbs", "{\"text\":\"{{> _id}}\"}")]),
        Vec::<String>::new()
    );
    assert_eq!(
        problems(&[("a.teams.json.hbs", "{{id}}{{code title}}{{emoji}}")]),
        ["a.teams.json.hbs:1:9+4: `code` writes Markdown, which a native template has no use for"]
    );
    assert!(
        problems(&[("a.json.hbs", "{{id}}")])[0].starts_with("a.json.hbs:0:0+0: its name has no platform")
    );
    assert!(problems(&[("a.slak.json.hbs", "{{id}}")])[0].contains("its name has no platform"));
}

#[test]
fn own_files_replace_built_in_ones_and_others_are_passed_over() {
    let built_in = [file("default.hbs", "{{title}}"), file("_p.hbs", "p"), file("b.hbs", "{{> _p}}")];
    let own = vec![
        file("default.hbs", "{{text}}"),
        file("_p.hbs", "{{titel}}"),
        file("README.md", "{{{"),
        file(".hbs", "{{{"),
    ];
    let (library, problems) = load(built_in.into_iter(), own, &TimeZone::UTC);
    let places: Vec<_> = problems.iter().map(|problem| (problem.file.as_str(), problem.built_in)).collect();
    assert_eq!(places, [("_p.hbs", false)]);
    assert_eq!(library.templates.keys().collect::<Vec<_>>(), ["default"]);
    let (_, problems) = loaded(&[("_unused.hbs", "x"), ("a.hbs", "y")]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].is_warning && problems[0].message == "no template includes it");
}

/// In a thread with as little stack as any of ours.
fn with_little_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn nothing_that_is_nested_reaches_the_end_of_the_stack() {
    with_little_stack(|| {
        for piece in [
            "{{#if title}}",
            "{{#each error.stack}}",
            "{{upper (",
            "(",
            "{{a [",
            "{{a {",
            "{{#> a}}",
            "{{{{a}}}}",
            "{{!--",
            "{{else if a}}",
            "\\{{",
            "{{#a}}{{! {{/a}}",
            "{{> _a",
            "[",
            "{{a \"{{#if a}}\"",
        ] {
            for many in [40, 5_000, 100_000] {
                assert!(scan(&piece.repeat(many)).is_err() || !piece.contains("{{#"), "{piece}");
                drop(problems(&[("a.hbs", &piece.repeat(many))]));
                let closed = format!("{{{{#if title}}}}{}{{{{/if}}}}", piece.repeat(many));
                drop(problems(&[("a.hbs", &closed)]));
            }
        }
    });
}

#[test]
fn the_deepest_that_is_allowed_is_read_checked_and_rendered() {
    let nested = |inner: &str| {
        let open =
            "{{#if title}}a{{else if (not (not (not (not (not (not (not (not (not (not title))))))))))}}"
                .repeat(20);
        format!("{open}{inner}{}", "{{/if}}".repeat(20))
    };
    let files =
        [("_b.hbs", nested("{{title}}")), ("_a.hbs", nested("{{> _b}}")), ("t.hbs", "{{> _a}}".to_owned())];
    with_little_stack(move || {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (library, problems) = loaded(&files);
        assert!(problems.is_empty(), "{problems:?}");
        let context = serde_json::json!({ "title": "" });
        assert_eq!(library.markdown.render("t", &context).unwrap(), "");
    });
}

/// What templates are made of.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{{",
    "{{{{",
    "}",
    "{{#if ",
    "{{#each error.stack}}",
    "{{/if}}",
    "{{/each}}",
    "{{else}}",
    "{{else if ",
    "{{~",
    "~}}",
    "{{!",
    "{{!--",
    "--}}",
    "{{> _a}}",
    "{{#with app}}",
    "{{/with}}",
    "{{^}}",
    "title",
    "app.name",
    "../",
    "@index",
    "@root.",
    "this",
    " as |x|",
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "\\",
    "|",
    "=",
    "upper ",
    "join ",
    "frames ",
    "1",
    " ",
    "\n",
    "{{title}}",
    "{{#if title}}",
    "&",
    "*",
    ">",
    ".",
    "/",
    "ü",
    "\u{FEFF}",
    "\r",
    "else",
    "true",
    "-",
    "{{raw.a}}",
    "{{json ",
    "sep=",
    "\u{100001}",
];

fn template_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused(text in template_text(), partial in template_text(), any in any::<String>()) {
        let files = [("a.hbs", text.as_str()), ("_a.hbs", &partial), ("b.hbs", &any)];
        let (library, problems) = loaded(&files);
        prop_assert!(library.templates.contains_key("a") || !problems.is_empty());
        for problem in problems {
            let of = match problem.file.as_str() { "a.hbs" => &text, "_a.hbs" => &partial, _ => &any };
            prop_assert!(problem.line <= of.lines().count() + of.matches('\r').count() + 1, "{problem:?}");
        }
        let context = serde_json::json!({ "title": "x", "app": { "name": "y" }, "error": { "stack": [{ "file": "f" }] } });
        for name in library.templates.keys() {
            drop(library.markdown.render(name, &context));
        }
    }

    /// Wherever the parser finds a tag, the scan has found it: else nesting could pass it by.
    #[test]
    fn the_scan_finds_the_parsers_tags(text in template_text()) {
        let text = text.replace(['\u{FEFF}', '\r'], "");
        let Ok(tags) = scan(&text) else { return Ok(()) };
        let Ok(template) = Template::compile(&text) else { return Ok(()) };
        let places: Vec<(usize, usize)> = tags.iter().map(|tag| (tag.line, tag.column)).collect();
        let mut templates = vec![&template];
        while let Some(template) = templates.pop() {
            for (index, element) in template.elements.iter().enumerate() {
                if let TemplateElement::HelperBlock(block) = element {
                    templates.extend(branches(block));
                }
                if let (Some(mapping), false) = (template.mapping.get(index), matches!(element, TemplateElement::RawString(_))) {
                    prop_assert!(places.contains(&(mapping.0, mapping.1)), "{element:?} at {mapping:?}");
                }
            }
        }
    }
}
