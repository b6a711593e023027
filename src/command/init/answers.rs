//! What a configuration is written of: the flags, completed by asking, every address looked at.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::cli::{AddressFrom, DestinationWanted, Init, SourceWanted};
use crate::config::{self, AddressFlaw, Environment};
use crate::name::DestinationName;
use crate::secret::Secret;

use super::dialogue::Dialogue;

/// Where bugle listens if nobody says.
const LISTEN: &str = "127.0.0.1:8080";

/// All that is needed to write a configuration.
#[derive(Debug)]
pub(super) struct Answers {
    /// The doors.
    pub(super) sources: Vec<SourceWanted>,
    /// The rooms.
    pub(super) rooms: Vec<Room>,
    /// The address under which the trackers reach it, without a slash at its end.
    pub(super) public_url: Option<String>,
    /// Where it listens.
    pub(super) listen: String,
    /// Hosts beyond the platforms' own.
    pub(super) allowed_hosts: Vec<String>,
}

/// A destination with where its address is.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: DestinationName,
    pub(super) product: &'static str,
    pub(super) address: Address,
}

/// Where the address of a webhook is to be found.
#[derive(Debug)]
pub(super) enum Address {
    /// In a file that is written.
    Typed(Secret),
    /// In a variable.
    Variable(String),
    /// In a file that is there, by its full path.
    File(std::path::PathBuf),
}

/// Completes what the flags say. Asks only where a person answers; else what is missing is an error that names it.
pub(super) fn complete(
    asked: Init,
    environment: &Environment,
    dialogue: &mut Dialogue<'_>,
) -> Result<Answers> {
    if !dialogue.is_with_a_person() {
        refuse_to_ask(&asked)?;
    }
    let Init { sources, destinations, public_url, listen, allow_hosts: mut allowed_hosts, wait: _ } = asked;
    let asks_for_more = sources.is_empty() || destinations.is_empty();
    let sources = if sources.is_empty() { dialogue.sources()? } else { sources };
    let rooms = if destinations.is_empty() {
        dialogue.rooms(&mut allowed_hosts)?
    } else {
        let rooms =
            destinations.into_iter().map(|wanted| room(wanted, environment, dialogue, &mut allowed_hosts));
        rooms.collect::<Result<_>>()?
    };
    each_once("source", sources.iter().map(|source| source.name.as_str()))?;
    each_once("destination", rooms.iter().map(|room| room.name.as_str()))?;
    let public_url = match public_url {
        None if asks_for_more && dialogue.is_with_a_person() => dialogue.public_url()?,
        given => given.map(|url| web_address(&url)).transpose()?,
    };
    if asks_for_more && dialogue.is_with_a_person() {
        dialogue.say("")?;
    }
    let listen = listen.unwrap_or_else(|| LISTEN.to_owned());
    Ok(Answers { sources, rooms, public_url, listen, allowed_hosts })
}

/// `text` as an address that paths can be appended to.
pub(super) fn web_address(text: &str) -> Result<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let has_credentials = |url: &url::Url| !url.username().is_empty() || url.password().is_some();
    let is_plain = |url: &url::Url| {
        url.host_str().is_some() && url.query().is_none() && url.fragment().is_none() && !has_credentials(url)
    };
    if url.as_ref().is_some_and(has_credentials) {
        bail!(
            "the public address has a user or a password in it: leave them out, it stands in the file for all to read"
        );
    }
    if text.contains(char::is_whitespace) || !url.as_ref().is_some_and(is_plain) {
        bail!("the public address is https:// and a host, such as https://bugle.example.com");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn refuse_to_ask(asked: &Init) -> Result<()> {
    let mut missing = Vec::new();
    if asked.sources.is_empty() {
        missing.push("--source".to_owned());
    }
    if asked.destinations.is_empty() {
        missing.push("--destination".to_owned());
    }
    for wanted in &asked.destinations {
        if wanted.address == AddressFrom::Person {
            let (name, product) = (&wanted.name, wanted.product);
            missing.push(format!(
                "where the address of `{name}` is (--destination {name}={product}:env:VARIABLE)"
            ));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this is no terminal to ask on, and something is missing: {}; such as: bugle init --source backend=bugsnag \
         --destination team=slack:env:SLACK_TEAM_URL",
        missing.join(", ")
    );
}

fn each_once<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!("two {what}s are called `{name}`: give each a name of its own, NAME=TYPE");
        }
    }
    Ok(())
}

fn room(
    wanted: DestinationWanted,
    environment: &Environment,
    dialogue: &mut Dialogue<'_>,
    allowed: &mut Vec<String>,
) -> Result<Room> {
    let DestinationWanted { name, product, address } = wanted;
    let found = |secret: Result<Secret, String>, what: String| match secret {
        Ok(secret) => Ok(secret),
        Err(words) => bail!("{name}: {what} {words}"),
    };
    let (address, secret) = match address {
        AddressFrom::Person | AddressFrom::Input if dialogue.is_with_a_person() => {
            let typed = dialogue.address(name.as_str(), product, allowed)?;
            return Ok(Room { name, product, address: Address::Typed(typed) });
        }
        AddressFrom::Person | AddressFrom::Input => {
            let secret = dialogue.line()?;
            (Address::Typed(secret.clone()), secret)
        }
        AddressFrom::Variable(variable) => {
            let secret = config::secret_in_variable(environment, &variable);
            (Address::Variable(variable.clone()), found(secret, format!("the variable {variable}"))?)
        }
        AddressFrom::File(path) => {
            let secret = config::secret_in_file(&path);
            let secret = found(secret, format!("the file {}", path.display()))?;
            (Address::File(std::path::absolute(path)?), secret)
        }
    };
    if let Err(AddressFlaw { message, help, host }) = config::check_address(&secret, product, allowed) {
        let help = match host {
            Some(host) => Some(format!("if `{host}` is meant: --allow-host {host}")),
            None => help,
        };
        let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
        bail!("the address of {name}: {message}{help}");
    }
    Ok(Room { name, product, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_a_host_and_maybe_a_path_and_nothing_that_is_secret() {
        for (given, read) in [
            ("https://bugle.example.com/", "https://bugle.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://example.com/bugle/", "https://example.com/bugle"),
        ] {
            assert_eq!(web_address(given).unwrap(), read);
        }
        for wrong in
            ["", "bugle.example.com", "ftp://x", "https://x?a=b", "https://x#a", "https://x /", "https://"]
        {
            let error = web_address(wrong).unwrap_err().to_string();
            assert!(error.starts_with("the public address is https:// and a host"), "{wrong}: {error}");
        }
        for secret in ["https://ann:hunter2@x.example", "https://ann@x.example", "https://:hunter2@x.example"]
        {
            let error = web_address(secret).unwrap_err().to_string();
            assert!(
                error.contains("a user or a password") && !error.contains("hunter2"),
                "{secret}: {error}"
            );
        }
    }
}
