//! Reading what `/metrics` shows, as strictly as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use reqwest::Method;

use crate::bugle::{Bugle, PATIENCE};

/// One family: what its comment lines say, and its samples.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A name, some of its labels, and the sum that is to be shown.
pub(crate) type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Everything that is shown at one moment.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) families: BTreeMap<String, Family>,
    pub(crate) text: String,
}

impl Family {
    /// The names under which it can be asked for.
    pub(crate) fn names(&self, family: &str) -> Vec<String> {
        let endings: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "gauge" => &[""],
            other => panic!("{family} is a {other}"),
        };
        endings.iter().map(|ending| format!("{family}{ending}")).collect()
    }

    /// Its labels, without those that every histogram has.
    pub(crate) fn labels(&self) -> BTreeSet<&str> {
        let all = self.samples.iter().flat_map(|sample| sample.labels.keys());
        all.map(String::as_str).filter(|label| *label != "le").collect()
    }
}

impl Exposition {
    pub(crate) async fn of(bugle: &Bugle) -> Self {
        let response = bugle.admin_request(Method::GET, "/metrics").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        Self::read(response.text().await.unwrap())
    }

    /// Asks until what `look` sees in the answer is so.
    pub(crate) async fn until(bugle: &Bugle, look: impl Fn(&Self) -> bool) -> Self {
        let begun = Instant::now();
        loop {
            let seen = Self::of(bugle).await;
            if look(&seen) {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "it never comes about: {}", seen.text);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn read(text: String) -> Self {
        let mut families = BTreeMap::<String, Family>::new();
        let mut current = String::new();
        let body = text.strip_suffix("# EOF\n").expect("it ends as it should");
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let [what, name, rest] = [(); 3].map(|()| words.next().unwrap());
                if what == "HELP" {
                    assert!(!families.contains_key(name), "{name} comes twice");
                    name.clone_into(&mut current);
                }
                assert_eq!(name, current, "{line}");
                let family = families.entry(name.to_owned()).or_default();
                let field = match what {
                    "HELP" => &mut family.help,
                    "TYPE" => &mut family.kind,
                    "UNIT" => &mut family.unit,
                    _ => panic!("{line}"),
                };
                rest.clone_into(field);
                continue;
            }
            let sample = Sample::read(line);
            let family = families.get_mut(&current).unwrap();
            assert!(family.names(&current).contains(&sample.name), "{line} is none of {current}");
            let is_new =
                family.samples.iter().all(|s| (&s.name, &s.labels) != (&sample.name, &sample.labels));
            assert!(is_new, "{line} comes twice");
            family.samples.push(sample);
        }
        Self { families, text }
    }

    /// The sum of all samples of `name` that have `labels`; nothing if there is none.
    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let wanted = samples.filter(|sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        });
        wanted.map(|sample| sample.value).reduce(|all, value| all + value)
    }

    /// The same of what must be there.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {}", self.text))
    }

    /// Holds each expectation (name, labels, sum) against what is shown.
    pub(crate) fn shows(&self, expected: &[Expected<'_>]) {
        for (name, labels, sum) in expected {
            let shown = self.sum(name, labels);
            assert!((shown - sum).abs() < 1e-9, "{name} {labels:?} is {shown}, not {sum}: {}", self.text);
        }
    }
}

impl Sample {
    /// `name{label="value",…} 1`. No value that we show has a quote or a backslash in it.
    fn read(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
            None => (series, ""),
        };
        let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
            let (key, value) = label.split_once('=').unwrap();
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap();
            assert!(!value.contains(['"', '\\']), "{line}");
            (key.to_owned(), value.to_owned())
        });
        Self { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
    }
}
