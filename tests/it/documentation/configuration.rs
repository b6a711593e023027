//! What `docs/CONFIGURATION.md` promises: every key with its default and an example, and nothing that is no key.

use std::collections::BTreeSet;
use std::fs;

use bugle::config::{Environment, Secrets, Settings, Templates, load, tables};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use toml::{Table, Value};

use super::{blocks, pages, read};

/// What every example is laid over.
const BASE: &str = r#"
[sources.backend]
type = "bugsnag"
tokens = [{ env = "BUGLE_BACKEND_TOKEN" }]
[sources.mobile]
type = "bugfender"
tokens = [{ env = "BUGLE_MOBILE_TOKEN" }]
[destinations.team]
type = "slack"
url = { env = "SLACK_TEAM_URL" }
[destinations.oncall]
type = "discord"
url = { env = "DISCORD_ONCALL_URL" }
[destinations.managers]
type = "teams"
url = { env = "TEAMS_MANAGERS_URL" }
[people.ann]
slack = "U012AB3CD"
[[rules]]
name = "everything"
send_to = "team"
"#;

/// Keys whose value cannot be seen in the settings: what they are for is done while the configuration is checked.
const UNSEEN: [&str; 1] = ["delivery.allowed_hosts"];

/// A key's part of the page.
struct Section {
    path: String,
    text: String,
}

impl Section {
    fn all() -> Vec<Self> {
        let page = read("docs/CONFIGURATION.md");
        let parts = page.split("\n### ").skip(1).map(|part| part.split("\n## ").next().unwrap());
        let sections = parts.filter_map(|part| {
            let heading = part.lines().next().unwrap().strip_prefix('`')?.strip_suffix('`').unwrap();
            let secret = heading.strip_prefix("{ ").and_then(|rest| rest.split(' ').next());
            let path = secret.map_or_else(|| heading.to_owned(), |key| format!("SECRET.{key}"));
            Some(Self { path, text: part.to_owned() })
        });
        sections.collect()
    }

    /// The line under the heading.
    fn facts(&self) -> &str {
        self.text.lines().nth(2).unwrap_or_default()
    }

    /// Whether it is only the place of others.
    fn is_no_setting(&self) -> bool {
        self.path.starts_with("SECRET.") || self.path == "delivery.retry"
    }

    /// What its first example sets, and where.
    fn example(&self) -> Option<(Table, Vec<String>, Value)> {
        let text = blocks(&self.text, "toml").into_iter().next()?;
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let steps: Vec<&str> = self.path.split('.').collect();
        let (path, value) =
            find(&table, &steps).unwrap_or_else(|| panic!("the example of {} lacks it", self.path));
        Some((table, path, value))
    }
}

/// The value at `steps`, in which `NAME` is any name, and the names that it goes by.
fn find(table: &Table, steps: &[&str]) -> Option<(Vec<String>, Value)> {
    let (first, rest) = steps.split_first()?;
    let entries = table.iter().filter(|(key, _)| *first == "NAME" || *key == first);
    let mut found = entries.filter_map(|(key, value)| {
        let (mut path, value) = match value {
            _ if rest.is_empty() => (Vec::new(), value.clone()),
            Value::Table(table) => find(table, rest)?,
            Value::Array(list) => list.iter().find_map(|entry| find(entry.as_table()?, rest))?,
            _ => return None,
        };
        path.insert(0, key.clone());
        Some((path, value))
    });
    found.next()
}

/// Sets what is at `path`, or removes it. Of a list of tables the first is meant.
fn set(table: &mut Table, path: &[String], value: Option<Value>) {
    let (first, rest) = path.split_first().unwrap();
    match (rest, value) {
        ([], Some(value)) => drop(table.insert(first.clone(), value)),
        ([], None) => drop(table.remove(first)),
        (rest, value) => match table.get_mut(first) {
            Some(Value::Table(inner)) => set(inner, rest, value),
            Some(Value::Array(list)) => set(list[0].as_table_mut().unwrap(), rest, value),
            _ => panic!("{path:?} leads nowhere"),
        },
    }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            // A secret has one place, so another one takes its place.
            (Some(Value::Table(inner)), Value::Table(value)) if !value.contains_key("file") => {
                merge(inner, value);
            }
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// `example` with whatever a configuration needs besides.
fn complete(example: &Table) -> Table {
    let mut table: Table = BASE.parse().unwrap();
    merge(&mut table, example.clone());
    table
}

/// A value as it is written in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => serde_json::to_string(text).unwrap(),
        Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entry =
                |(key, value)| format!("{} = {}", inline(&Value::String(String::clone(key))), inline(value));
            format!("{{ {} }}", table.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::Integer(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        other => panic!("no key has such a value: {other:?}"),
    }
}

/// A secret that looks like what `name` says.
fn secret(name: &str) -> &'static str {
    let name = name.to_lowercase();
    let about = |word| name.contains(word);
    if about("discord") || about("oncall") {
        "https://discord.com/api/webhooks/123456789012345678/made-up-secret"
    } else if about("teams") || about("managers") {
        include_str!("../../fixtures/config/teams.url").trim_end()
    } else if about("mattermost") {
        "https://chat.example.com/hooks/made-up-secret"
    } else if about("url") {
        "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/made-up-secret"
    } else {
        "a-token-for-tests-0123456789"
    }
}

/// Loads `text`, in a folder that has whatever it names.
fn try_load(folder: &TempDir, text: &str) -> Result<Settings, String> {
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file("config.toml", text);
    file("rules/extra.toml", "[[rules]]\nname = \"extra\"\nsend_to = \"team\"\n");
    fs::create_dir_all(folder.path().join("templates")).unwrap();
    let named = |key: &str| {
        let quoted = regex::Regex::new(&format!("\"?{key}\"? = \"([^\"]+)\"")).unwrap();
        quoted.captures_iter(text).map(|found| found[1].to_owned()).collect::<BTreeSet<_>>()
    };
    for name in named("file") {
        file(&name, secret(&name));
    }
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for name in named("certificate").into_iter().chain(named("authority")) {
        file(&name, &cert.pem());
    }
    for name in named("key") {
        file(&name, &signing_key.serialize_pem());
    }
    let environment: Environment =
        named("env").into_iter().map(|name| (name.clone(), secret(&name).to_owned())).collect();
    // Certificates are not made here; whether they are read has tests of its own.
    let secrets = if text.contains("certificate") { Secrets::Skip } else { Secrets::Resolve };
    let loaded = load(&folder.path().join("config.toml"), &environment, secrets);
    loaded.map(|loaded| loaded.settings).map_err(|problems| problems.to_string())
}

/// The settings that `table` makes, in words. Where they were read from differs, and is left out.
fn settings(table: &Table) -> Result<String, String> {
    let lines: Vec<_> = table.iter().map(|(key, value)| format!("{key} = {}\n", inline(value))).collect();
    let here = tempfile::tempdir().unwrap();
    let settings = try_load(&here, &lines.concat())?;
    let Settings { server, admin, store, templates, sources, apis, destinations, rules, people, notices_to } =
        settings;
    let Templates { folder, files, time_zone, .. } = templates;
    let words = format!(
        "{server:?} {admin:?} {store:?} {folder:?} {files:?} {time_zone:?} {sources:?} {apis:?} {destinations:?} {rules:?} {people:?} {notices_to:?}"
    );
    Ok(words.replace(&here.path().display().to_string(), ""))
}

#[test]
fn every_key_is_in_the_page_and_nothing_that_is_none() {
    let page = read("docs/CONFIGURATION.md");
    let mut known = BTreeSet::new();
    for (table, keys) in tables() {
        for key in keys {
            let path = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
            let chapters = [format!("[{path}]"), format!("[{path}.NAME]"), format!("[[{path}]]")];
            if !chapters.iter().any(|chapter| page.contains(&format!("\n## `{chapter}`\n"))) {
                known.insert(path);
            }
        }
    }
    let sections = Section::all();
    let written: BTreeSet<String> = sections.iter().map(|section| section.path.clone()).collect();
    assert_eq!(written, known, "the page and the code know the same keys");
    assert_eq!(sections.len(), written.len(), "each key stands there once");
}

#[test]
fn defaults_are_those_of_the_code() {
    let mut checked = 0;
    for section in Section::all() {
        let (path, facts) = (&section.path, section.facts());
        if section.is_no_setting() {
            continue;
        }
        let (example, at, value) = section.example().unwrap_or_else(|| panic!("{path} has no example"));
        let mut table = complete(&example);
        let shown = settings(&table).unwrap_or_else(|problems| panic!("{path}: {problems}"));
        set(&mut table, &at, None);
        let without = settings(&table);
        if facts.starts_with("Required.") {
            assert!(without.is_err(), "{path} is not required");
            continue;
        }
        let without = without.unwrap_or_else(|problems| panic!("{path} is required: {problems}"));
        assert!(shown != without || UNSEEN.contains(&path.as_str()), "the example of {path} changes nothing");
        assert!(facts.starts_with("Default: "), "{path} has no default: {facts}");
        if let Some(default) = facts.strip_prefix("Default: `").and_then(|rest| rest.split("`.").next()) {
            let default = format!("default = {default}").parse::<Table>().unwrap().remove("default").unwrap();
            assert!(
                value != default || UNSEEN.contains(&path.as_str()),
                "the example of {path} is its default"
            );
            set(&mut table, &at, Some(default));
            assert_eq!(settings(&table).as_ref(), Ok(&without), "{path} has another default");
            checked += 1;
        }
    }
    assert!(checked > 15, "{checked}");
}

#[test]
fn the_paces_of_the_platforms_are_those_of_the_code() {
    for (destination, rate) in [("team", "1/s"), ("oncall", "30/min")] {
        let mut table: Table = BASE.parse().unwrap();
        let without = settings(&table).unwrap();
        let path = ["destinations", destination, "rate"].map(str::to_owned);
        set(&mut table, &path, Some(Value::String(rate.to_owned())));
        assert_eq!(settings(&table), Ok(without), "{destination}");
    }
}

#[test]
fn every_example_of_every_page_loads() {
    let examples: Vec<_> = pages().iter().flat_map(|(_, page)| blocks(page, "toml")).collect();
    assert!(examples.len() > 50, "{}", examples.len());
    for example in examples {
        let table: Table = example.parse().unwrap_or_else(|error| panic!("{example}\n{error}"));
        settings(&complete(&table)).unwrap_or_else(|problems| panic!("{example}\n{problems}"));
    }
    for page in ["docs/CONFIGURATION.md", "README.md"] {
        let first = blocks(&read(page), "toml").into_iter().next().unwrap();
        try_load(&tempfile::tempdir().unwrap(), &first)
            .unwrap_or_else(|problems| panic!("{page}: the first one loads as it is: {problems}"));
    }
}

#[test]
fn every_key_says_what_a_change_needs() {
    for section in Section::all() {
        let (path, facts) = (&section.path, section.facts());
        if section.is_no_setting() {
            continue;
        }
        let needs_restart =
            path.starts_with("server.") || path.starts_with("store.") || path == "admin.listen";
        let words = if needs_restart { " A change needs a restart." } else { " A reload is enough." };
        assert!(facts.ends_with(words), "{path}: {facts}");
    }
}
