//! The doors: `[sources.NAME]`.

use super::super::findings::{Finding, Findings, quoted};
use super::super::names::{any_of, keys_of};
use super::super::node::Node;
use super::super::place::Place;
use super::super::raw;
use super::api::api;
use super::secret::{Vault, check_strength};
use super::server::networks;
use crate::api::Api;
use crate::name::{NameError, SourceName};
use crate::secret::Secret;
use crate::source::{PRODUCTS, Source, Token, tracker};

/// All sources that are in order, and the names of all.
#[derive(Debug, Default)]
pub(in crate::config) struct Sources {
    /// Those in order.
    pub(in crate::config) in_order: Vec<Source>,
    /// The trackers' own APIs, as far as they are in order.
    pub(in crate::config) apis: Vec<Api>,
    /// The names of all that are written, so that a rule which names one at fault is not blamed as well.
    pub(in crate::config) names: Vec<String>,
}

/// Checks `[sources]`.
pub(in crate::config) fn sources(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    node: Option<&Node>,
) -> Sources {
    let mut sources = Sources::default();
    for (name, at, node) in findings.named_tables(place, node) {
        sources.names.push(name.to_owned());
        let (source, api) = source(findings, vault, &at, name, node);
        sources.in_order.extend(source);
        sources.apis.extend(api);
    }
    if sources.names.is_empty() && !findings.is_broken(place) {
        let finding = Finding::problem(place, "there is no source");
        findings.add(finding.expected("at least one [sources.NAME] with its `type` and `tokens`"));
    }
    sources
}

fn source(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    name: &str,
    node: &Node,
) -> (Option<Source>, Option<Api>) {
    let name = findings.named(place, SourceName::new(name)).filter(|name| is_free(findings, place, name));
    let keys = keys_of::<raw::Source>();
    let (common, options) = node.split(keys);
    let written: raw::Source = findings.read(place, &common).unwrap_or_default();
    let product = findings.product(place, written.product.as_deref(), &PRODUCTS);
    let tracker = product
        .and_then(|product| findings.read_with(place, &options, keys, |tracked| tracker(product, tracked)));
    let secrets = tokens(findings, vault, &place.key("tokens"), written.tokens);
    let allow_from = networks(findings, &place.key("allow_from"), written.allow_from);
    let api = product.and_then(|product| {
        let parts = (written.api, written.catch_up);
        api(findings, vault, place, (name.as_ref()?, product), parts, secrets.first())
    });
    let tokens = secrets.iter().map(Token::new).collect();
    let source = name.zip(tracker).map(|(name, tracker)| Source { name, tracker, tokens, allow_from });
    (source, api)
}

/// Whether a source may have `name`: one is bugle's own, under which it says that it is unwell.
fn is_free(findings: &mut Findings<'_>, place: &Place, name: &SourceName) -> bool {
    let is_free = *name != SourceName::own();
    if !is_free {
        let finding =
            Finding::problem(place, format!("`{name}` is the name under which bugle speaks of itself"));
        findings.add(finding.at_key().expected("another name for this source"));
    }
    is_free
}

fn tokens(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: Option<raw::List<raw::Secret>>,
) -> Vec<Secret> {
    const EXPECTED: &str = "a list of secrets, such as [{ env = \"BACKEND_TOKEN\" }]";
    let Some(written) = findings.required(place, written, EXPECTED) else { return Vec::new() };
    if written.is_empty() {
        let finding = Finding::problem(place, "nobody can call a source without a token");
        findings.add(finding.expected(EXPECTED));
    }
    let mut tokens = Vec::new();
    for (i, token) in written.iter().enumerate() {
        let Some(token) = token else { continue };
        if let Some(secret) = vault.open(findings, &place.index(i), token) {
            check_strength(findings, &place.index(i), &secret);
            tokens.push(secret);
        }
    }
    tokens
}

impl Node {
    /// This table's entries under `keys`, and the others.
    pub(in crate::config) fn split(&self, keys: &[&str]) -> (Self, Self) {
        let Self::Table(table) = self else { return (self.clone(), Self::Taken) };
        let (ours, others) = table.clone().into_iter().partition(|(key, _)| keys.contains(&key.as_str()));
        (Self::Table(ours), Self::Table(others))
    }
}

impl Findings<'_> {
    /// The name that a table's key is; what is none is a problem.
    pub(in crate::config) fn named<T>(&mut self, place: &Place, name: Result<T, NameError>) -> Option<T> {
        name.map_err(|error| self.add(Finding::problem(place, error.to_string()).at_key())).ok()
    }

    /// The product that a `type` names.
    pub(in crate::config) fn product(
        &mut self,
        place: &Place,
        written: Option<&str>,
        products: &'static [&'static str],
    ) -> Option<&'static str> {
        let place = place.key("type");
        let word = self.required(&place, written, &any_of(products.iter().copied()))?;
        let known = products.iter().copied().find(|product| *product == word);
        if known.is_none() {
            let message = format!("there is no type {}", quoted(word));
            self.add(Finding::unknown(&place, message, word, products.iter().copied()));
        }
        known
    }
}
