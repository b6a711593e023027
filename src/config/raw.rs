//! What is written in the files, key by key, before it means anything.
//!
//! Every key may be absent here: what is required is said in `check`, which knows whether a key is missing or was at
//! fault and has been reported. Durations, sizes, rates and the like are text until then. A source's and a
//! destination's own options are not here but with their product.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::names::{keys_of, platform_keys, tracker_keys};
use crate::secret::Secret as Hidden;
use crate::{destination, source};

/// A list, or a single value in its place. An element that was at fault is a hole, so that no other changes its number.
pub(super) type List<T> = Vec<Option<T>>;

/// The main file.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) default_destination: Option<String>,
    pub(super) notices_to: Option<String>,
    pub(super) include: Option<List<String>>,
    pub(super) server: Option<Server>,
    pub(super) admin: Option<Admin>,
    pub(super) store: Option<Store>,
    pub(super) templates: Option<Templates>,
    /// Read one by one as [`Source`], and as the options of its product.
    #[serde(rename = "sources")]
    _sources: Option<IgnoredAny>,
    pub(super) delivery: Option<Delivery>,
    /// Read one by one as [`Destination`], and as the options of its product.
    #[serde(rename = "destinations")]
    _destinations: Option<IgnoredAny>,
    pub(super) people: Option<BTreeMap<String, Option<Person>>>,
    pub(super) groups: Option<BTreeMap<String, Option<Group>>>,
    /// Read one by one as [`Rule`].
    #[serde(rename = "rules")]
    _rules: Option<IgnoredAny>,
    /// Not ours to read.
    #[serde(rename = "tests")]
    _tests: Option<IgnoredAny>,
}

/// The keys of a file named by `include`.
pub(super) const INCLUDED: [&str; 2] = ["rules", "tests"];

/// `[server]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) listen: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) max_body: Option<String>,
    pub(super) max_connections: Option<Scalar>,
    pub(super) trusted_proxies: Option<List<String>>,
    pub(super) tls: Option<Tls>,
}

/// `[server.tls]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

/// `[admin]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub(super) listen: Option<String>,
    pub(super) token: Option<Secret>,
}

/// `[store]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Option<String>,
    pub(super) keep: Option<String>,
    pub(super) max_size: Option<String>,
    pub(super) dead_letters_keep: Option<String>,
}

/// `[templates]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Templates {
    pub(super) folder: Option<String>,
    pub(super) time_zone: Option<String>,
}

/// `[sources.NAME]`, without the product's own options.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    #[serde(rename = "type")]
    pub(super) product: Option<String>,
    pub(super) tokens: Option<List<Secret>>,
    pub(super) allow_from: Option<List<String>>,
    pub(super) api: Option<Api>,
    pub(super) catch_up: Option<CatchUp>,
}

/// `[sources.NAME.api]`: of each product the keys that it has a use for.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    pub(super) url: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) token: Option<Secret>,
    pub(super) client_id: Option<Secret>,
    pub(super) client_secret: Option<Secret>,
    pub(super) apps: Option<List<App>>,
    pub(super) projects: Option<List<String>>,
}

/// `[sources.NAME.catch_up]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatchUp {
    pub(super) every: Option<String>,
    pub(super) triggers: Option<List<String>>,
}

/// `[delivery]`: what holds for every destination that does not say otherwise. Each of these may stand there, too.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) retry: Option<Retry>,
    pub(super) collapse: Option<Scalar>,
    pub(super) digest_over: Option<Scalar>,
    pub(super) allowed_hosts: Option<List<String>>,
    pub(super) timeout: Option<String>,
}

/// `[destinations.NAME]`, without what is of [`Delivery`] and without the product's own options.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Destination {
    #[serde(rename = "type")]
    pub(super) product: Option<String>,
    pub(super) url: Option<Secret>,
    pub(super) rate: Option<String>,
    pub(super) pace_group: Option<String>,
    pub(super) fallback: Option<String>,
    pub(super) fallback_after: Option<String>,
}

/// `retry = { … }`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    pub(super) first: Option<String>,
    pub(super) most: Option<String>,
    pub(super) give_up_after: Option<String>,
}

/// `[people.NAME]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub(super) slack: Option<String>,
    pub(super) discord: Option<String>,
    pub(super) teams: Option<TeamsPerson>,
}

/// `teams = { … }` of a person.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamsPerson {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

/// `[groups.NAME]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) slack: Option<String>,
    pub(super) discord: Option<String>,
}

/// `[[rules]]`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    /// Read field by field: its keys are fields of an event.
    #[serde(rename = "when")]
    _when: Option<IgnoredAny>,
    /// The same.
    #[serde(rename = "unless")]
    _unless: Option<IgnoredAny>,
    pub(super) send_to: Option<List<String>>,
    pub(super) mention: Option<List<String>>,
    pub(super) template: Option<String>,
    pub(super) urgent: Option<bool>,
    pub(super) stop: Option<bool>,
}

/// A secret: written here, or where it is to be found.
#[derive(Debug)]
pub(super) enum Secret {
    /// The secret itself.
    Inline(Hidden),
    /// Where it is.
    Reference(Reference),
}

/// `{ env = "…" }` or `{ file = "…" }`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ env = \"…\" }, { file = \"…\" } or text in quotes")
    }

    fn visit_str<E>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::Inline(Hidden::new(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
        Reference::deserialize(MapAccessDeserializer::new(map)).map(Secret::Reference)
    }
}

/// An application of Bugfender: by its number alone, by its id alone, or by all that is known of it.
#[derive(Debug)]
pub(super) enum App {
    /// The number, or the id.
    Short(String),
    /// A table.
    Named(NamedApp),
}

/// `{ number = …, id = "…", name = "…" }`
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedApp {
    pub(super) number: Option<Scalar>,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl<'de> Deserialize<'de> for App {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AppVisitor)
    }
}

struct AppVisitor;

impl<'de> Visitor<'de> for AppVisitor {
    type Value = App;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, an id in quotes or { number = …, id = \"…\" }")
    }

    fn visit_str<E>(self, text: &str) -> Result<App, E> {
        Ok(App::Short(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<App, E> {
        Ok(App::Short(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<App, A::Error> {
        NamedApp::deserialize(MapAccessDeserializer::new(map)).map(App::Named)
    }
}

/// Text, or a number or a truth value, of which only the text counts.
#[derive(Debug)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar(flag.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string()))
    }
}

/// Every table that there is, by its path, with its keys, those of the products' own options included. `NAME` stands
/// for a name that the operator chooses, `SECRET` for the place of any secret.
pub(super) fn tables() -> Vec<(&'static str, Vec<&'static str>)> {
    let with_options = |own: &[&'static str], options: Vec<&[&'static str]>| {
        let mut keys = own.to_vec();
        keys.extend(options.concat());
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    let trackers = source::PRODUCTS.iter().map(|product| tracker_keys(product)).collect();
    let platforms = destination::PRODUCTS.iter().map(|product| platform_keys(product)).collect();
    vec![
        ("", keys_of::<File>().to_vec()),
        ("server", keys_of::<Server>().to_vec()),
        ("server.tls", keys_of::<Tls>().to_vec()),
        ("admin", keys_of::<Admin>().to_vec()),
        ("store", keys_of::<Store>().to_vec()),
        ("templates", keys_of::<Templates>().to_vec()),
        ("sources.NAME", with_options(keys_of::<Source>(), trackers)),
        ("sources.NAME.api", keys_of::<Api>().to_vec()),
        ("sources.NAME.api.apps", keys_of::<NamedApp>().to_vec()),
        ("sources.NAME.catch_up", keys_of::<CatchUp>().to_vec()),
        ("delivery", keys_of::<Delivery>().to_vec()),
        ("delivery.retry", keys_of::<Retry>().to_vec()),
        ("destinations.NAME", with_options(keys_of::<Destination>(), platforms)),
        ("people.NAME", keys_of::<Person>().to_vec()),
        ("people.NAME.teams", keys_of::<TeamsPerson>().to_vec()),
        ("groups.NAME", keys_of::<Group>().to_vec()),
        ("rules", keys_of::<Rule>().to_vec()),
        ("SECRET", keys_of::<Reference>().to_vec()),
    ]
}

/// The keys of every table that there is.
pub(super) fn all_keys() -> Vec<&'static str> {
    let mut keys: Vec<_> = tables().into_iter().flat_map(|(_, keys)| keys).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Tables in which no secret can stand.
const OPEN: [&str; 4] = ["rules", "tests", "people", "groups"];

/// Whether the text at the end of `keys` must not be shown.
pub(super) fn may_be_secret(keys: &[&str], text: &str) -> bool {
    let last = keys.last().copied().unwrap_or_default();
    match keys {
        [first, ..] if OPEN.contains(first) => return false,
        ["server", "public_url"] | ["store", "url"] | ["sources", _, "api", "url"] => {
            return text.contains('@');
        }
        // The file's name is no secret; what should be in it is.
        ["server", "tls", "key"] => return text.contains("-----") || text.contains('\n'),
        _ => {}
    }
    if text.contains("://") {
        return true;
    }
    match last {
        // The name of a variable is no secret; whatever else was written in its place may be one.
        "env" => return !is_variable_name(text),
        "file" => return false,
        _ => {}
    }
    let sounds = |key: &&str| {
        let key = key.to_lowercase();
        ["url", "token", "secret", "password", "webhook"].iter().any(|word| key.contains(word))
    };
    keys.iter().any(sounds) || !is_known(last)
}

/// Whether `text` can be the name of an environment variable.
pub(super) fn is_variable_name(text: &str) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether `text`, which stands before an equals sign, is a key of the configuration.
pub(super) fn is_key(text: &str) -> bool {
    let mut steps = text.trim().split('.').map(str::trim);
    steps.next().is_some_and(is_known)
}

/// Whether any table has `key`; those of Bugfender's severities have no type of ours.
fn is_known(key: &str) -> bool {
    all_keys().contains(&key) || source::PRODUCTS.iter().any(|product| triggers_of(product).contains(&key))
}

fn triggers_of(product: &str) -> &'static [&'static str] {
    source::plain_tracker(product).map_or(&[], |tracker| tracker.triggers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_be_a_secret_is_one() {
        for (keys, text) in [
            (&["destinations", "team", "url"][..], "x"),
            (&["destinations", "team", "urll"], "x"),
            (&["destinations", "team", "adress"], "x"),
            (&["sources", "backend", "tokens"], "x"),
            (&["source", "backend", "tokens"], "x"),
            (&["admin", "token"], "x"),
            (&["destinations", "team", "url", "env"], "https://hooks.slack.com/services/T/B/x"),
            (&["delivery", "allowed_hosts"], "https://hooks.slack.com/services/T/B/x"),
            (&["store", "url"], "postgres://bugle:hunter2@db/bugle"),
            (&["sources", "mobile", "api", "url"], "https://bugle:hunter2@bugfender.example.com"),
            (&["sources", "mobile", "api", "client_secret"], "x"),
            (&["server", "tls", "key"], "-----BEGIN PRIVATE KEY-----"),
        ] {
            assert!(may_be_secret(keys, text), "{keys:?}");
        }
    }

    #[test]
    fn what_is_none_can_be_read_in_a_problem() {
        for (keys, text) in [
            (&["server", "listen"][..], "127.0.0.1:8080"),
            (&["server", "public_url"], "https://bugle.example.com"),
            (&["store", "url"], "sqlite:bugle.db"),
            (&["server", "tls", "key"], "tls/privkey.pem"),
            (&["destinations", "team", "rate"], "30/min"),
            (&["destinations", "team", "url", "env"], "SLACK_TEAM_URL"),
            (&["sources", "mobile", "tokens", "file"], "mobile.token"),
            (&["sources", "mobile", "severity", "crash"], "fatal"),
            (&["sources", "mobile", "api", "url"], "ftp://bugfender.example.com"),
            (&["sources", "mobile", "catch_up", "every"], "often"),
            (&["rules", "when", "url"], "https://*"),
        ] {
            assert!(!may_be_secret(keys, text), "{keys:?}");
        }
    }
}
