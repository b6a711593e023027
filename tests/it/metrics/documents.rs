//! The alerts, the dashboard and the table of metrics name what a running bugle shows, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};

use crate::bugle::{Place, bugsnag, wait_shown};

use super::RULES;
use super::exposition::Exposition;

/// What one bugle shows that has done a little of everything: each metric that there is, by the names under which it
/// can be asked for, and the labels.
async fn exposed() -> Exposition {
    let place = Place::with("", RULES);
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    wait_shown(&place.slack, 1).await;
    let last = "bugle_destination_last_success_timestamp_seconds";
    Exposition::until(&bugle, |shown| shown.find(last, &[("destination", "slack")]).is_some()).await
}

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)
}

/// The table as it has to be.
fn table(shown: &Exposition) -> String {
    let mut table = "| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n".to_owned();
    for (name, family) in &shown.families {
        let shown_name = match family.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        };
        assert!(family.unit.is_empty() || name.ends_with(&format!("_{}", family.unit)), "{name}");
        let labels: Vec<_> = family.labels().into_iter().map(|label| format!("`{label}`")).collect();
        let (kind, unit, labels, help) = (&family.kind, &family.unit, labels.join(" "), &family.help);
        writeln!(table, "| `{shown_name}` | {kind} | {unit} | {labels} | {help} |").unwrap();
    }
    table
}

#[tokio::test]
async fn the_table_of_metrics_is_what_is_shown() {
    let expected = table(&exposed().await);
    let page = fs::read_to_string(page("METRICS.md")).unwrap();
    assert!(page.contains(&expected), "docs/METRICS.md has to have this table:\n{expected}");
}

/// The names in a query, each with the labels that it is asked about.
fn names(query: &str) -> Vec<(String, BTreeSet<String>)> {
    let name = Regex::new(r"\b(?:bugle|process)_[a-z_]+\b(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let found = name.captures_iter(query).map(|found| {
        let name = found[0].split('{').next().unwrap().to_owned();
        let labels = found.get(1).map_or("", |labels| labels.as_str());
        (name, matcher.captures_iter(labels).map(|found| found[1].to_owned()).collect())
    });
    found.collect()
}

/// The labels that a query groups by, joins on or keeps.
fn grouped(query: &str) -> BTreeSet<String> {
    let clause = Regex::new(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)").unwrap();
    let labels = clause
        .captures_iter(query)
        .flat_map(|found| found[1].split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>());
    labels.filter(|label| !label.is_empty()).collect()
}

/// Labels that Prometheus itself puts on everything, and the one of every histogram.
const EVERYWHERE: [&str; 3] = ["instance", "job", "le"];

struct Known {
    labels: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    fn of(shown: &Exposition) -> Self {
        let labels = shown.families.iter().flat_map(|(name, family)| {
            let labels: BTreeSet<String> = family.labels().into_iter().map(str::to_owned).collect();
            family.names(name).into_iter().map(move |name| (name, labels.clone()))
        });
        Self { labels: labels.collect() }
    }

    fn has(&self, name: &str, label: &str) -> bool {
        EVERYWHERE.contains(&label) || self.labels[name].contains(label)
    }

    /// Whether each name and each label of `query`, which stands in `place`, is one that is shown.
    fn check(&self, place: &str, query: &str) {
        let names = names(query);
        for (name, labels) in &names {
            assert!(self.labels.contains_key(name), "{place} asks for {name}, which is not shown: {query}");
            for label in labels {
                assert!(self.has(name, label), "{place}: {name} has no label {label}: {query}");
            }
        }
        for label in grouped(query) {
            let some = names.iter().any(|(name, _)| self.has(name, &label));
            assert!(some, "{place} groups by {label}, which nothing there has: {query}");
        }
    }
}

/// The value of `key` in lines of YAML, where it fills its line or a block below it.
fn expressions(yaml: &str) -> Vec<(String, String)> {
    let (mut found, mut alert) = (Vec::new(), String::new());
    let mut lines = yaml.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let text = line.trim_start().trim_start_matches("- ");
        if let Some(name) = text.strip_prefix("alert: ") {
            name.clone_into(&mut alert);
        } else if let Some(rest) = text.strip_prefix("expr: ") {
            let mut query = rest.trim_start_matches(['|', '>', '-']).to_owned();
            while let Some(more) = lines.next_if(|more| indent(more) > indent(line)) {
                query.push(' ');
                query.push_str(more.trim());
            }
            found.push((alert.clone(), query));
        }
    }
    found
}

#[tokio::test]
async fn the_alerts_ask_only_for_what_is_shown() {
    let known = Known::of(&exposed().await);
    let yaml = fs::read_to_string(page("alerts.yml")).unwrap();
    let alerts = expressions(&yaml);
    assert_eq!(alerts.len(), yaml.matches("alert: ").count(), "each alert has its expression");
    assert!(alerts.len() >= 10);
    for (alert, query) in &alerts {
        assert!(!names(query).is_empty() || query.contains("up{"), "{alert}: {query}");
        known.check(alert, query);
    }
    let label = Regex::new(r"\$labels\.([a-z_]+)").unwrap();
    for block in yaml.split("- alert: ").skip(1) {
        let (alert, query) = expressions(&format!("- alert: {block}")).remove(0);
        for found in label.captures_iter(block) {
            let has = names(&query).iter().any(|(name, _)| known.has(name, &found[1]));
            assert!(has || EVERYWHERE.contains(&&found[1]), "{alert} tells of {}: {query}", &found[1]);
        }
    }
}

/// All values of `key` in a JSON value.
fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key).and_then(Value::as_str));
            map.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_asks_only_for_what_is_shown_and_shows_nearly_all_of_it() {
    let known = Known::of(&exposed().await);
    let dashboard: Value = serde_json::from_slice(&fs::read(page("dashboard.json")).unwrap()).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, "expr", &mut queries);
    assert!(queries.len() > 15);
    for query in &queries {
        known.check("the dashboard", query);
    }
    let used: BTreeSet<String> =
        queries.iter().flat_map(|query| names(query)).map(|(name, _)| name).collect();
    let mut variables = Vec::new();
    collect(&dashboard["templating"], "query", &mut variables);
    for query in variables.iter().filter(|query| query.contains("bugle_")) {
        for (name, _) in names(query) {
            assert!(known.labels.contains_key(&name), "{query}");
        }
    }
    let alerts = fs::read_to_string(page("alerts.yml")).unwrap();
    for name in known.labels.keys().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        assert!(used.contains(name) || alerts.contains(name.as_str()), "nothing that we ship shows {name}");
    }
}

#[tokio::test]
async fn every_metric_that_a_page_names_is_shown() {
    let known = Known::of(&exposed().await);
    let name = Regex::new(r"`((?:bugle|process)_[a-z_]+)(?:\{[^}]*\})?`").unwrap();
    for file in fs::read_dir(page("")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap();
            for found in name.captures_iter(&text) {
                let is_family = known.labels.contains_key(&format!("{}_count", &found[1]));
                assert!(
                    is_family || known.labels.contains_key(&found[1]),
                    "{}: {}",
                    path.display(),
                    &found[1]
                );
            }
        }
    }
}

#[tokio::test]
async fn the_words_in_the_labels_are_all_explained() {
    let shown = exposed().await;
    let page = fs::read_to_string(page("METRICS.md")).unwrap();
    let (_, words) = page.split_once("## The words in the labels").unwrap();
    for sample in shown.families.values().flat_map(|family| &family.samples) {
        for label in ["reason", "outcome", "result", "fate", "state"] {
            let value = sample.labels.get(label);
            assert!(value.is_none_or(|value| words.contains(&format!("`{value}`"))), "{value:?} of {label}");
        }
    }
    let row = Regex::new(r"(?m)^\| `(\w+)` \| [^|]* \| (.*) \|$").unwrap();
    let told: BTreeSet<(String, String)> = row
        .captures_iter(words)
        .flat_map(|row| {
            let reasons = row[2].split(", ").map(|reason| reason.trim_matches('`').to_owned());
            let outcome = row[1].to_owned();
            reasons.map(move |reason| (outcome.clone(), reason)).collect::<Vec<_>>()
        })
        .collect();
    let attempts = &shown.families["bugle_delivery_attempts"].samples;
    let begun: BTreeSet<(String, String)> = attempts
        .iter()
        .map(|sample| (sample.labels["outcome"].clone(), sample.labels["reason"].clone()))
        .collect();
    assert_eq!(told, begun);
}
