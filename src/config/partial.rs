//! Parts of a configuration, for commands that need no more: whatever is wrong elsewhere does not keep them from it, and
//! no secret is looked at that is not needed.

use std::path::Path;

use super::check::secret::Vault;
use super::check::{server, store};
use super::findings::Findings;
use super::node::Node;
use super::{Environment, Listening, Problems, Secrets, Store, finish, folder_of, read};
use crate::name::{DestinationName, SourceName};
use crate::secret::Secret;

/// What is needed to look after what is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Care {
    /// Where it is.
    pub store: Store,
    /// The destinations that there are.
    pub destinations: Vec<DestinationName>,
    /// The sources that there are.
    pub sources: Vec<SourceName>,
}

/// Where the server that runs takes orders.
#[derive(Debug)]
pub struct AdminDoor {
    /// `host:port` that it listens on.
    pub listen: String,
    /// What callers must show, if anything.
    pub token: Option<Secret>,
}

/// Loads `[store]` alone, for commands that only look into it.
pub fn load_store(path: &Path, environment: &Environment) -> Result<Store, Problems> {
    load_care(path, environment).map(|care| care.store)
}

/// Loads `[store]` and the names of the destinations and sources.
pub fn load_care(path: &Path, environment: &Environment) -> Result<Care, Problems> {
    let mut findings = Findings::new(environment);
    let care = read(&mut findings, path, environment).map(|(top, node)| {
        let place = top.key("store");
        let written = node.get("store").and_then(|node| findings.read(&place, node));
        let store = store::store(&mut findings, &folder_of(path), &place, written.unwrap_or_default());
        let destinations = names(&node, "destinations", |name| DestinationName::new(name).ok());
        let sources = names(&node, "sources", |name| SourceName::new(name).ok());
        Care { store, destinations, sources }
    });
    finish(findings, care).map(|(care, _)| care)
}

/// What stands in the `table`. What is no name is left out; `check` says so.
fn names<T>(node: &Node, table: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
    match node.get(table) {
        Some(Node::Table(table)) => table.keys().filter_map(|name| read(name)).collect(),
        _ => Vec::new(),
    }
}

/// Loads from `[server]` alone where it listens, for who asks the server that runs. No certificate and no secret is
/// looked at.
pub fn load_listening(path: &Path, environment: &Environment) -> Result<Listening, Problems> {
    let mut findings = Findings::new(environment);
    let listening = read(&mut findings, path, environment).map(|(top, node)| {
        let place = top.key("server");
        let written = node.get("server").and_then(|node| findings.read(&place, node));
        server::listening(&mut findings, &place, &written.unwrap_or_default())
    });
    finish(findings, listening).map(|(listening, _)| listening)
}

/// Loads `[admin]` alone, with its token.
pub fn load_admin(path: &Path, environment: &Environment) -> Result<AdminDoor, Problems> {
    let mut findings = Findings::new(environment);
    let door = read(&mut findings, path, environment).map(|(top, node)| {
        let place = top.key("admin");
        let written = node.get("admin").and_then(|node| findings.read(&place, node));
        let vault = Vault::new(environment, folder_of(path), Secrets::Resolve);
        let (listen, token) = server::door(&mut findings, &vault, &place, written.unwrap_or_default());
        AdminDoor { listen, token }
    });
    finish(findings, door).map(|(door, _)| door)
}
