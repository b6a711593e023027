//! The configuration as a user meets it: what loads, what does not, and what is said about it.

#[path = "config/apis.rs"]
mod apis;
#[path = "config/folder.rs"]
mod folder;
#[path = "config/mistakes.rs"]
mod mistakes;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bugle::config::{Loaded, Problem, Secrets, find, load, load_store};
use bugle::message::Mention;
use serde_json::Value;

use folder::{COMPLETE, EXAMPLE, Folder, SUPPORT};

fn paths(findings: &[Problem]) -> Vec<&str> {
    findings.iter().map(|finding| finding.path.as_str()).collect()
}

#[test]
fn a_complete_configuration_loads() {
    let folder = Folder::new();
    let Loaded { settings, warnings, .. } = folder.loaded();
    assert_eq!(settings.server.max_body, 5 << 20);
    assert_eq!(settings.server.trusted_proxies, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(settings.store.path, folder.folder.path().join("bugle.db"));
    assert_eq!(settings.store.keep, Duration::from_hours(30 * 24));
    assert_eq!(settings.store.max_size, 2 << 30);
    assert_eq!(settings.templates.folder, Some(folder.folder.path().join("templates")));
    assert_eq!(settings.templates.time_zone.iana_name(), Some("Europe/Madrid"));
    let doors: Vec<_> =
        settings.sources.iter().map(|s| (s.name.as_str(), s.tokens.len(), s.allow_from.len())).collect();
    assert_eq!(doors, [("backend", 1, 2), ("mobile", 2, 0)]);
    assert_eq!(settings.rules.len(), 7);
    assert_eq!(settings.notices_to.unwrap().as_str(), "team");
    assert!(matches!(settings.people.find("ann"), Some(Mention::Person(_))));
    assert!(matches!(settings.people.find("backend"), Some(Mention::Group(_))));
    assert_eq!(paths(&warnings), ["sources.mobile.tokens[1]"], "one secret is inline");
}

#[test]
fn a_destination_inherits_what_it_does_not_say() {
    let settings = Folder::new().loaded().settings;
    let destination = |name: &str| settings.destinations.iter().find(|d| d.name.as_str() == name).unwrap();
    let (lab, team) = (destination("lab"), destination("team"));
    assert_eq!((lab.timeout, team.timeout), (Duration::from_secs(3), Duration::from_secs(10)));
    assert_eq!(lab.retry.most, Duration::from_mins(1));
    assert_eq!((lab.retry.first, lab.retry.give_up_after), (team.retry.first, team.retry.give_up_after));
    let oncall = destination("oncall").pace;
    assert_eq!((oncall.count, oncall.per, oncall.burst), (30, Duration::from_mins(1), 5));
    let groups = ["team", "oncall", "managers", "lab"].map(|name| destination(name).pace_group.as_str());
    assert_eq!(groups, ["destination team", "destination oncall", "group microsoft", "destination lab"]);
}

#[test]
fn a_destination_keeps_floods_away_as_it_says_or_else_as_all_do() {
    let (ten, hours) = (Duration::from_mins(10), Duration::from_hours);
    let (window, over) = ("collapse      = \"10m\"", "digest_over   = 10");
    for (change, to, team, managers) in [
        (window, window, (Some(ten), Some(10)), (Some(ten), Some(3))),
        (window, "", (Some(ten), Some(10)), (Some(ten), Some(3))),
        (over, "", (Some(ten), Some(10)), (Some(ten), Some(3))),
        (window, "collapse = \"off\"", (None, Some(10)), (None, Some(3))),
        (window, "collapse = \"24h\"", (Some(hours(24)), Some(10)), (Some(hours(24)), Some(3))),
        (over, "digest_over = \"off\"", (Some(ten), None), (Some(ten), Some(3))),
        ("digest_over = 3", "digest_over = \"off\"", (Some(ten), Some(10)), (Some(ten), None)),
        ("digest_over = 3", "collapse = \"1h\"", (Some(ten), Some(10)), (Some(hours(1)), Some(10))),
    ] {
        let settings = Folder::new().changed(change, to).loaded().settings;
        let flood = |name: &str| {
            let destination = settings.destinations.iter().find(|d| d.name.as_str() == name).unwrap();
            (destination.flood.collapse, destination.flood.digest_over)
        };
        assert_eq!((flood("team"), flood("managers")), (team, managers), "{to}");
    }
}

#[test]
fn a_fallback_serves_after_a_quarter_of_an_hour_unless_it_says_otherwise() {
    for (change, expected) in [("fallback_after = \"15m\"", 15), ("fallback_after = \"2h\"", 120), ("", 15)] {
        let settings = Folder::new().changed("fallback_after = \"15m\"", change).loaded().settings;
        let fallback = |name: &str| {
            let destination = settings.destinations.iter().find(|d| d.name.as_str() == name).unwrap();
            destination.fallback.as_ref().map(|fallback| (fallback.to.to_string(), fallback.after))
        };
        let expected = ("team".to_owned(), Duration::from_mins(expected));
        assert_eq!((fallback("oncall"), fallback("team")), (Some(expected), None));
    }
}

#[test]
fn a_message_may_be_given_up_before_the_longest_delay() {
    let folder = Folder::new().changed("give_up_after = \"3d\"", "give_up_after = \"1m\"");
    assert_eq!(folder.loaded().settings.destinations[0].retry.give_up_after, Duration::from_mins(1));
}

#[test]
fn included_rules_come_after_the_main_file_in_order_of_name() {
    let settings = Folder::new().loaded().settings;
    let text: Value = serde_json::from_str(settings.rules.text()).unwrap();
    let names: Vec<_> =
        text["rules"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    assert_eq!(
        names[4..],
        ["everything that is at least a warning", "what support asked for", "the lab watches itself"]
    );
}

#[test]
fn the_paths_of_raw_fields_may_be_quoted_or_not() {
    let settings = Folder::new().loaded().settings;
    let text: Value = serde_json::from_str(settings.rules.text()).unwrap();
    let conditions = text["rules"][3]["when"].as_array().unwrap();
    let conditions: Vec<_> =
        conditions.iter().map(|c| (c["field"].as_str().unwrap(), c["any_of"].to_string())).collect();
    let expected = [
        ("handled", r#"["false"]"#),
        ("message", r#"["/timed? ?out/i"]"#),
        ("raw.error.metaData.customer.plan", r#"["enterprise"]"#),
        ("raw.error.metaData.seats", r#"["> 100"]"#),
        ("users", r#"["1",">= 50"]"#),
    ];
    let mut sorted = conditions.clone();
    sorted.sort();
    assert_eq!(sorted, expected.map(|(field, patterns)| (field, patterns.to_owned())));
}

#[test]
fn the_smallest_configuration_has_defaults_for_the_rest() {
    let text = "default_destination = \"team\"\n[sources.a]\ntype = \"bugsnag\"\ntokens = [{ env = \"BUGLE_BACKEND_TOKEN\" }]\n\
        [destinations.team]\ntype = \"slack\"\nurl = { env = \"SLACK_TEAM_URL\" }\n";
    let Loaded { settings, warnings, .. } = Folder::new().config(text).loaded();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        (settings.server.listen.as_str(), settings.admin.listen.as_str()),
        ("127.0.0.1:8080", "127.0.0.1:8081")
    );
    assert_eq!(settings.server.max_body, 5 << 20);
    assert_eq!(settings.store.dead_letters_keep, Duration::from_hours(90 * 24));
    assert_eq!(settings.destinations[0].retry.give_up_after, Duration::from_hours(3 * 24));
    assert_eq!(settings.destinations[0].timeout, Duration::from_secs(10));
    assert!(settings.templates.folder.is_none() && settings.rules.is_empty());
}

#[test]
fn the_example_loads_and_has_every_key() {
    let folder = Folder::new().config(EXAMPLE);
    for line in EXAMPLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some((_, rest)) = line.split_once("{ env = \"") {
            let name = rest.split('"').next().unwrap();
            assert!(EXAMPLE.contains(&format!("# {name}=…")), "{name} is not listed at the top");
        }
    }
    let folder = folder
        .variable("TEAMS_MANAGERS_URL", include_str!("../fixtures/config/teams.url").trim_end())
        .variable("BUGLE_MOBILE_TOKEN", "mobile-token-0123456789abcdef");
    let Loaded { settings, warnings, .. } = folder.loaded();
    assert!(warnings.is_empty(), "{warnings:#?}");
    assert!(settings.sources.len() >= 2 && settings.destinations.len() >= 3 && settings.rules.len() >= 4);
    for key in bugle::config::keys() {
        let is_there = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            let begins = line.trim_start_matches('[').strip_prefix(key);
            let begins = begins.is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']));
            // A table may stand in another.
            let begins = begins || line.starts_with('[') && line.ends_with(&format!(".{key}]"));
            begins || line.contains(&format!("{{ {key} = ")) || line.contains(&format!(", {key} = "))
        });
        assert!(is_there, "`{key}` is not in config.toml.example");
    }
}

#[test]
fn all_mistakes_are_shown_at_once_in_the_order_of_the_file() {
    let text = COMPLETE
        .replace("listen          = \"127.0.0.1:8080\"", "listen = 8080\nlisten_on = 1\nmax = 2")
        .replace("max_body        = \"5MiB\"", "max_body = 5")
        .replace("type       = \"bugsnag\"", "type = \"bugsnak\"\ncolour = 1")
        .replace("send_to       = \"team\"", "send_to = [\"taem\", 5, \"maneger\"]\nmentions = \"ann\"");
    let folder =
        Folder::new().config(&text).file("rules/20-lab.toml", "[[rules]]\nname = 5\nsend_to = [\"labs\"]\n");
    let errors = folder.errors();
    assert_eq!(
        paths(&errors),
        [
            "server.listen",
            "server.listen_on",
            "server.max",
            "server.max_body",
            "sources.backend.type",
            "rules[4].send_to[0]",
            "rules[4].send_to[1]",
            "rules[4].send_to[2]",
            "rules[4].mentions",
            "rules[0].name",
            "rules[0].send_to[0]",
        ]
    );
    assert!(errors[9].file.as_deref().unwrap().ends_with("rules/20-lab.toml"));
    assert_eq!((errors[9].line, errors[10].line), (Some(2), Some(3)));
}

#[test]
fn all_mistakes_of_syntax_are_shown_at_once() {
    let errors =
        Folder::new().config("[server\nlisten = = 1\n[admin]\nlisten = \"a\"\nlisten = \"b\"\n").errors();
    let lines: Vec<_> = errors.iter().map(|error| error.line.unwrap()).collect();
    assert!(lines.contains(&1) && lines.contains(&2) && lines.contains(&5), "{errors:#?}");
}

#[test]
fn a_mistake_in_an_included_file_is_shown_there() {
    let text = "[server]\nlisten = \"x\"\n[[rules]]\nname = \"a\"\nsend_to = []\nwhen.apps = \"x\"\n";
    let errors = Folder::new().file("rules/15-extra.toml", text).errors();
    assert_eq!(paths(&errors), ["server", "rules[0].when.apps"]);
    assert!(errors.iter().all(|error| error.file.as_deref().unwrap().ends_with("rules/15-extra.toml")));
    assert_eq!(errors.iter().map(|error| error.line.unwrap()).collect::<Vec<_>>(), [1, 6]);
    let errors = Folder::new().file("rules/15-extra.toml", "[[rules]\n").errors();
    assert_eq!((errors.len(), errors[0].line), (1, Some(1)));
    let same = SUPPORT.replace("what support asked for", "big customers");
    let errors = Folder::new().file("rules/10-support.toml", &same).errors();
    assert!(
        errors[0].message.contains("already")
            && errors[0].file.as_deref().unwrap().ends_with("10-support.toml")
    );
}

#[test]
fn a_main_file_that_its_own_pattern_fits_is_not_included_again() {
    let folder = Folder::new()
        .changed("[\"rules/*.toml\"]", "[\"*.toml\", \"rules/*.toml\", \"rules/10-support.toml\"]");
    assert_eq!(folder.file("more.toml", "").loaded().settings.rules.len(), 7);
}

#[test]
fn what_there_is_not_is_said_in_one_problem() {
    let messages =
        |folder: &Folder| folder.errors().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(messages(&Folder::new().config("# nothing\n")).contains("the configuration is empty"));
    assert!(messages(&Folder::new().config("[server]\n")).contains("there is no source"));
    let folder = Folder::new();
    fs::remove_file(folder.path()).unwrap();
    assert!(messages(&folder).contains("cannot be read"));
    fs::write(folder.path(), b"listen = \"\xFF\"").unwrap();
    assert!(messages(&folder).contains("not UTF-8"));
    let folder = Folder::new().variable("SLACK_TEAM_URL", "").file("mobile.token", "\n");
    assert_eq!(paths(&folder.errors()), ["sources.mobile.tokens[0].file", "destinations.team.url.env"]);
    assert_eq!(paths(&Folder::new().without_variable("LAB_URL").errors()), ["destinations.lab.url.env"]);
}

#[test]
fn variables_lie_over_the_file() {
    let folder = Folder::new()
        .variable("BUGLE__SERVER__LISTEN", "0.0.0.0:80")
        .variable("BUGLE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1")
        .variable("BUGLE__DELIVERY__RETRY__FIRST", "2s")
        .variable("BUGLE__DESTINATIONS__LAB__URL", "https://hooks.slack.com/services/T1/B1/from-variable")
        .variable("BUGLE__SOURCES__BACKEND__TOKENS", "01234567890123456789,98765432109876543210")
        .variable("BUGLE__SOURCES__EXTRA-1__TYPE", "bugsnag")
        .variable("BUGLE__SOURCES__EXTRA-1__TOKENS", "01234567890123456789")
        .variable("bugle__server__listen", "not a setting")
        .variable("BUGLE_SERVER__LISTEN", "not a setting");
    let Loaded { settings, warnings, .. } = folder.loaded();
    assert_eq!(settings.server.listen, "0.0.0.0:80");
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.destinations[0].retry.first, Duration::from_secs(2));
    let doors: Vec<_> =
        settings.sources.iter().map(|source| (source.name.as_str(), source.tokens.len())).collect();
    assert_eq!(doors, [("backend", 2), ("extra-1", 1), ("mobile", 2)]);
    assert_eq!(paths(&warnings), ["sources.mobile.tokens[1]"], "what a variable holds is not inline");
}

#[test]
fn a_mistake_in_a_variable_names_it() {
    for (name, value, path, words) in [
        ("BUGLE__SERVER__LISEN", "x", "server.lisen", "did you mean `listen`?"),
        ("BUGLE__SERVER__LISTEN", "x", "server.listen", "expected host:port"),
        ("BUGLE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,x", "server.trusted_proxies[1]", "is no network"),
        ("BUGLE__SERVER", "x", "server", "expected a table"),
        ("BUGLE__RULES", "x", "rules", "[[rules]]"),
        ("BUGLE__RULES__0__NAME", "x", "rules", "cannot be set by a variable"),
        ("BUGLE__SOURCES__NEW__TOKENS", "01234567890123456789", "sources.new.type", "`type` is missing"),
    ] {
        let errors = Folder::new().variable(name, value).errors();
        let [error] = &errors[..] else { panic!("{name}: {errors:#?}") };
        assert_eq!((error.variable.as_deref(), error.path.as_str()), (Some(name), path));
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.line.is_none() && error.file.is_none(), "{error:?}");
    }
    let folder = Folder::new().variable("BUGLE__SERVER", "x").variable("BUGLE__SERVER__LISTEN", "y");
    assert!(folder.errors()[0].message.contains("cannot both be set"));
}

#[test]
fn only_the_platforms_own_hosts_and_allowed_ones_are_posted_to() {
    for (url, words) in [
        ("http://hooks.slack.com/services/T1/B1/hunter2", "only https"),
        ("https://example.com/services/T1/B1/hunter2", "list `example.com` in `allowed_hosts`"),
        ("https://hooks.slack.com:8443/services/T1/B1/hunter2", "list `hooks.slack.com:8443`"),
        ("https://hooks.slack.com.evil.example/services/T1/B1/hunter2", "is no host of slack"),
        ("https://discord.com/api/webhooks/1/hunter2", "it is one of discord"),
        ("https://hooks.slack.com/hunter2", "/services/"),
        ("https://hooks.slack.com/services/T1/B1/hunter2#x", "a `#`"),
        ("hooks.slack.com/services/T1/B1/hunter2", "no web address"),
        ("https://hooks.slack.com/services/T1/B1/hunter2\n", "a space or a line break"),
    ] {
        let folder = Folder::new().variable("SLACK_TEAM_URL", url);
        let errors = folder.errors();
        let [error] = &errors[..] else { panic!("{url}: {errors:#?}") };
        assert_eq!(error.path, "destinations.team.url");
        assert!(error.to_string().contains(words), "{url}: {error}");
        assert!(!format!("{errors:?}{}", folder.check(true, false).0).contains("hunter2"), "{url}");
    }
    let retired = "https://x.webhook.office.com/webhookb2/hunter2";
    let errors = Folder::new().file("teams.url", retired).errors();
    assert!(errors[0].to_string().to_lowercase().contains("workflow"), "{errors:?}");
    let allowed = Folder::new()
        .file("teams.url", retired)
        .changed("[\"127.0.0.1:9999\"]", "[\"127.0.0.1\", \"x.webhook.office.com\"]");
    assert!(allowed.load().is_ok());
}

#[test]
fn a_secret_is_never_shown() {
    for (old, new) in [
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = \"https://example.com/hunter2\""),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "urll = \"https://example.com/hunter2\""),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "address = \"hunter2\""),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = { env = \"https://example.com/hunter2\" }"),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = { env = \"hunter2!\" }"),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = { text = \"hunter2\" }"),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = [\"hunter2\"]"),
        ("url  = { env = \"SLACK_TEAM_URL\" }", "url = \"https://example.com/hunter2"),
        ("[{ file = \"mobile.token\" }, \"second-token-during-rotation\"]", "[\n  \"hunter2\", 5,\n]"),
        ("[{ file = \"mobile.token\" }, \"second-token-during-rotation\"]", "[\n  \"hunter2, 5,\n]"),
        ("[destinations.lab]", "[destinations.lab]\nx = 1\n[destination.b]\nurl = \"hunter2\""),
        ("\"127.0.0.1:9999\"", "\"https://example.com/hunter2\""),
        ("\"sqlite:bugle.db\"", "\"postgres://bugle:hunter2@db/bugle\""),
        ("listen = \"127.0.0.1:8081\"", "listen = \"127.0.0.1:8081\"\ntoken = \"hunter2\"\nx = 1"),
    ] {
        let folder = Folder::new().changed(old, new);
        let findings = folder.findings();
        assert!(!findings.is_empty(), "{new}");
        let (text, json) = (folder.check(false, false).0, folder.check(true, false).0);
        assert!(!format!("{findings:?}{text}{json}").contains("hunter2"), "{new}\n{text}");
    }
}

#[test]
fn without_secrets_the_rest_is_checked_all_the_same() {
    let mut folder = Folder::new().file("teams.url", "").file("mobile.token", "");
    folder.variables.clear();
    assert_eq!(folder.errors().len(), 6);
    let (text, code) = folder.check(false, true);
    assert_eq!((text.as_str(), code), ("config.toml is in order: 2 sources, 4 destinations, 7 rules\n", 0));
    let loaded = load(&folder.path(), &folder.environment(), Secrets::Skip).unwrap();
    assert!(loaded.settings.sources.iter().all(|source| source.tokens.is_empty()));
    let folder = folder.changed("url  = { env = \"SLACK_TEAM_URL\" }", "url = { en = \"X\" }");
    assert_eq!(folder.check(false, true).1, 78);
}

#[test]
fn commands_that_look_into_the_store_need_only_that_part() {
    let folder = Folder::new().changed("[server]", "[server]\nx = 1").variable("BUGLE__STORE__KEEP", "1d");
    let store = load_store(&folder.path(), &folder.environment()).unwrap();
    assert_eq!(store.keep, Duration::from_hours(24));
    let folder = folder.variable("BUGLE__STORE__KEEP", "x");
    assert!(load_store(&folder.path(), &folder.environment()).is_err());
}

#[test]
fn a_configuration_is_where_one_says() {
    let path = PathBuf::from("/nowhere/config.toml");
    assert_eq!(find(Some(&path)).unwrap(), path);
}

#[test]
fn check_is_written_for_people() {
    let folder = Folder::new().changed("default_destination = \"team\"", "default_destination = \"taem\"");
    let (text, code) = folder.check(false, false);
    assert_eq!(code, 78);
    let expected = [
        "error: there is no destination `taem`",
        " --> config.toml:1:23",
        "  |",
        "1 | default_destination = \"taem\"",
        "  |                       ^^^^^^ expected lab, managers, oncall or team",
        "  |",
        "  = help: did you mean `team`?",
        "",
        "warning: a secret stands in the file itself",
        "  --> config.toml:31:40",
        "   |",
        "31 | tokens   = [{ file = \"mobile.token\" }, \"…\"]",
        "   |                                        ^^^",
        "   |",
        "   = help: keep it in a variable, { env = \"…\" }, or in a file, { file = \"…\" }",
        "",
        "config.toml: 1 problem, 1 warning",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn check_is_written_for_programs() {
    let (text, code) = Folder::new().changed("keep              = \"30d\"", "keep = 30").check(true, false);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["ok"]), (78, &Value::Bool(false)));
    assert_eq!(
        (report["problems"].as_array().unwrap().len(), report["warnings"].as_array().unwrap().len()),
        (1, 1)
    );
    let problem = &report["problems"][0];
    assert_eq!(problem["path"], "store.keep");
    assert_eq!((&problem["line"], &problem["column"]), (&Value::from(16), &Value::from(8)));
    assert_eq!((&problem["text"], &problem["severity"]), (&Value::from("keep = 30"), &Value::from("error")));
    let (text, code) = Folder::new().check(true, false);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)));
}
