//! The address of a webhook before it stands in a configuration: where it is found, and what is wrong with it.
//!
//! The same look that the check takes, for whoever writes a configuration. Nothing here repeats an address.

use std::collections::BTreeMap;
use std::path::Path;

use url::Url;

use super::check::webhook::{Host, look, owner};
use super::environment::Environment;
use super::node::Node;
use super::{file, raw};
use crate::destination::platform;
use crate::secret::Secret;

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFlaw {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The host that would have to be allowed, if that is all.
    pub host: Option<String>,
}

/// Looks at the address of a webhook of `product`, which may lie on an `allowed` host.
pub fn check_address(address: &Secret, product: &str, allowed: &[String]) -> Result<(), AddressFlaw> {
    let Some(Ok(platform)) = platform(product, &Node::Table(BTreeMap::new())) else { return Ok(()) };
    let hosts: Vec<Host> = allowed.iter().filter_map(|text| Host::parse(text)).collect();
    let Err(flaw) = look(address.expose(), &*platform, &hosts) else { return Ok(()) };
    let host = elsewhere(address.expose()).filter(|host| {
        let hosts: Vec<Host> = Host::parse(host).into_iter().collect();
        look(address.expose(), &*platform, &hosts).is_ok_and(|webhook| !webhook.own_host)
    });
    Err(AddressFlaw { message: flaw.message, help: flaw.help, host })
}

/// The host of an address that lies on no platform's own.
fn elsewhere(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str().filter(|host| owner(host).is_none())?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether `text` is a host, with or without a port, that can be allowed.
pub fn is_host(text: &str) -> bool {
    Host::parse(text).is_some()
}

/// Whether a variable can be called `text`.
pub fn is_variable_name(text: &str) -> bool {
    raw::is_variable_name(text)
}

/// The secret in the variable `name`, or why there is none, as the end of a sentence that begins with the variable.
pub fn secret_in_variable(environment: &Environment, name: &str) -> Result<Secret, String> {
    match environment.get(name) {
        None => Err("is not set".to_owned()),
        Some("") => Err("is empty".to_owned()),
        Some(value) => Ok(Secret::new(value)),
    }
}

/// The secret in the file at `path`, or why there is none, as the end of a sentence that begins with the file.
pub fn secret_in_file(path: &Path) -> Result<Secret, String> {
    let text = file::text(path, file::SECRET)?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("is empty".to_owned()),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(address: &str, product: &str, allowed: &[&str]) -> Result<(), AddressFlaw> {
        let allowed: Vec<String> = allowed.iter().copied().map(str::to_owned).collect();
        check_address(&Secret::new(address), product, &allowed)
    }

    #[test]
    fn an_address_elsewhere_names_the_host_to_allow_and_a_mistaken_one_does_not() {
        let host = |address: &str, product: &str| look_at(address, product, &[]).unwrap_err().host;
        assert_eq!(host("http://127.0.0.1:9999/x", "slack").as_deref(), Some("127.0.0.1:9999"));
        assert_eq!(host("https://chat.example.com/hooks/x", "slack").as_deref(), Some("chat.example.com"));
        assert_eq!(look_at("http://127.0.0.1:9999/x", "slack", &["127.0.0.1:9999"]), Ok(()));
        for (address, product) in [
            ("https://discord.com/api/webhooks/1/x", "slack"),
            ("https://hooks.slack.com/services/T0", "slack"),
            ("http://hooks.slack.com/services/T0/B0/x", "slack"),
            ("not an address", "discord"),
            ("", "teams"),
        ] {
            let flaw = look_at(address, product, &[]).unwrap_err();
            assert_eq!(flaw.host, None, "{address}: {flaw:?}");
            assert!(address.is_empty() || !flaw.message.contains(address), "{flaw:?}");
        }
    }
}
