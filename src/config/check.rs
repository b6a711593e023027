//! From what is written to what it means: [`Settings`], or everything that is wrong with it.
//!
//! Nothing here stops at the first problem. What is at fault is reported and replaced by its default or left out, so
//! that the rest can be looked at; settings with a problem are thrown away by the caller.

mod api;
pub(super) mod destination;
pub(super) mod include;
pub(super) mod people;
pub(super) mod rule;
pub(super) mod secret;
pub(super) mod server;
pub(super) mod source;
pub(super) mod store;
pub(super) mod templates;
mod tls;
pub(super) mod webhook;

use std::sync::Arc;

use super::findings::{Finding, Findings};
use super::node::Node;
use super::place::Place;
use super::problem::Problem;
use super::{Settings, raw};
use crate::name::DestinationName;
use crate::rule::{Rule, RuleSet};

use self::destination::Rooms;
use self::rule::World;
use self::secret::Vault;

/// Checks the main file, whose values are `node`, and the files that it includes.
pub(super) fn check(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    top: &Place,
    node: &Node,
) -> Option<Settings> {
    if matches!(node, Node::Table(table) if table.is_empty()) {
        let finding = Finding::problem(top, "the configuration is empty");
        findings.add(finding.help("config.toml.example is one to start from"));
        return None;
    }
    let file: raw::File = findings.read(top, node).unwrap_or_default();
    let sources = source::sources(findings, vault, &top.key("sources"), node.get("sources"));
    let base =
        destination::Base::default().with(findings, &top.key("delivery"), file.delivery.unwrap_or_default());
    let rooms =
        destination::destinations(findings, vault, &top.key("destinations"), node.get("destinations"), &base);
    let company = people::people(findings, top, file.people, file.groups);
    let templates = templates::templates(
        findings,
        vault.folder(),
        &top.key("templates"),
        file.templates.unwrap_or_default(),
    );
    let include = file.include.unwrap_or_default();
    let written = rule::written(findings, top, node);
    let included = include::included(findings, vault.folder(), &top.key("include"), &include);
    let written: Vec<_> = written.into_iter().chain(included).collect();
    let template_names: Vec<String> = templates.set.names().into_iter().map(str::to_owned).collect();
    let world =
        World { sources: &sources.names, rooms: &rooms, company: &company, templates: &template_names };
    let rules = rule::rules(findings, &written, &world);

    let default_destination =
        room(findings, &rooms, &top.key("default_destination"), file.default_destination);
    let notices_to = room(findings, &rooms, &top.key("notices_to"), file.notices_to);
    if written.is_empty() && default_destination.is_none() {
        warn_of_silence(findings, top);
    }
    let (server, admin) = server::servers(
        findings,
        vault,
        top,
        file.server.unwrap_or_default(),
        file.admin.unwrap_or_default(),
    );
    let public_url = server.public_url.clone();
    Some(Settings {
        server,
        admin,
        store: store::store(findings, vault.folder(), &top.key("store"), file.store.unwrap_or_default()),
        templates,
        apis: sources.apis.into_iter().map(|api| api.reached_at(public_url.as_deref())).collect(),
        sources: sources.in_order,
        rules: Arc::new(compile(findings, rules, default_destination)?),
        destinations: rooms.destinations,
        people: company.people,
        notices_to,
    })
}

fn warn_of_silence(findings: &mut Findings<'_>, top: &Place) {
    if !findings.is_broken(&top.key("default_destination")) {
        let finding = Finding::warning(&top.key("rules"), "there is no rule and no default destination");
        findings.add(finding.help("no event is sent anywhere: write `[[rules]]` or `default_destination`"));
    }
}

/// The destination that a setting names.
fn room(
    findings: &mut Findings<'_>,
    rooms: &Rooms,
    place: &Place,
    written: Option<String>,
) -> Option<DestinationName> {
    rooms.find(findings, place, &written?)
}

fn compile(
    findings: &mut Findings<'_>,
    rules: Vec<Rule>,
    default_destination: Option<DestinationName>,
) -> Option<RuleSet> {
    match RuleSet::new(rules, default_destination) {
        Ok(rules) => Some(rules),
        Err(error) => {
            findings.add_problem(Problem::of_file(None, crate::report::Report(&error).to_string()));
            None
        }
    }
}

impl Findings<'_> {
    /// The tables in a table of named ones, such as `[sources]`. What is no table there is a problem.
    fn named_tables<'n>(&mut self, place: &Place, node: Option<&'n Node>) -> Vec<(&'n str, Place, &'n Node)> {
        let table = match node {
            Some(Node::Table(table)) => table,
            Some(other) => {
                let message = format!("`{}` is {}", place.last_key(), other.kind());
                self.add(
                    Finding::problem(place, message).expected(format!("[{}.NAME] tables", place.last_key())),
                );
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut tables = Vec::new();
        for (key, entry) in table {
            let at = place.key(key);
            if matches!(entry, Node::Table(_)) {
                tables.push((key.as_str(), at, entry));
            } else {
                let expected = format!("a table of its own, [{}.NAME]", place.last_key());
                self.add(
                    Finding::problem(&at, format!("`{key}` is {}", entry.kind())).at_key().expected(expected),
                );
            }
        }
        tables
    }
}
