//! The grammar of `bugle init`.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error};

use crate::name::{DestinationName, NameError, SourceName, nearest};
use crate::{config, destination, source};

/// What a configuration is to be written of.
#[derive(Debug, Default, Args)]
pub struct Init {
    /// A tracker that calls: `backend=bugsnag`, or `bugsnag` alone, which is its name, too. Several are possible
    #[arg(long = "source", value_name = "NAME=TYPE", value_parser = source_wanted)]
    pub sources: Vec<SourceWanted>,

    /// A chat: `team=slack:env:VARIABLE`, `team=slack:file:PATH`, or `team=slack:-` for a line of standard input. Several
    /// are possible
    ///
    /// What follows the type is where its webhook's address is found. The address itself does not belong on a command
    /// line, where other users of the machine see it. Without it, `team=slack`, bugle asks.
    #[arg(long = "destination", value_name = "NAME=TYPE:FROM", value_parser = DestinationParser)]
    pub destinations: Vec<DestinationWanted>,

    /// The address under which the trackers reach bugle, such as `https://bugle.example.com`
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,

    /// Where bugle listens [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// A host beyond the three platforms' own that messages may be posted to, such as a Mattermost server
    #[arg(long = "allow-host", value_name = "HOST", value_parser = host)]
    pub allow_hosts: Vec<String>,

    /// Then wait for the first event, and show what becomes of it. If there is a configuration already, only that
    #[arg(long)]
    pub wait: bool,
}

/// A source that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWanted {
    /// What it is to be called.
    pub name: SourceName,
    /// The product that calls.
    pub product: &'static str,
}

/// A destination that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationWanted {
    /// What it is to be called.
    pub name: DestinationName,
    /// Its platform.
    pub product: &'static str,
    /// Where its address is found.
    pub address: AddressFrom,
}

/// Where the address of a webhook is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressFrom {
    /// Nobody has said: a person is asked.
    Person,
    /// In this variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
    /// In the next line of standard input.
    Input,
}

impl Init {
    /// Whether it says nothing of what to write.
    pub fn is_bare(&self) -> bool {
        let Self { sources, destinations, public_url, listen, allow_hosts, wait: _ } = self;
        sources.is_empty()
            && destinations.is_empty()
            && allow_hosts.is_empty()
            && public_url.is_none()
            && listen.is_none()
    }
}

/// Reads `NAME=TYPE`, or `TYPE` alone.
fn source_wanted(text: &str) -> Result<SourceWanted, String> {
    let (name, product) = text.split_once('=').unwrap_or((text, text));
    let product = known(product, &source::PRODUCTS)?;
    Ok(SourceWanted { name: source_name(name)?, product })
}

/// The name of a source that is to be written.
pub fn source_name(text: &str) -> Result<SourceName, String> {
    let name = SourceName::new(text).map_err(|error| error.to_string())?;
    if name == SourceName::own() {
        return Err(format!("`{name}` is the name under which bugle speaks of itself"));
    }
    Ok(name)
}

/// The product that `word` names, or which there are.
pub fn known(word: &str, products: &'static [&'static str]) -> Result<&'static str, String> {
    products.iter().copied().find(|product| *product == word).ok_or_else(|| {
        match nearest(word, products.iter().copied()) {
            Some(near) => format!("there is no such type, did you mean `{near}`?"),
            None => format!("the types are {}", products.join(", ")),
        }
    })
}

fn host(text: &str) -> Result<String, String> {
    if config::is_host(text) {
        return Ok(text.to_owned());
    }
    Err("a host is a name or a number, with or without a port, such as chat.example.com:8065".to_owned())
}

/// Reads `NAME=TYPE:FROM` and never repeats it: it may be a webhook's address, which is a secret.
#[derive(Debug, Clone)]
struct DestinationParser;

impl TypedValueParser for DestinationParser {
    type Value = DestinationWanted;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Self::Value, Error> {
        let wanted = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned()).and_then(destination_wanted);
        wanted.map_err(|message| {
            let message = format!("--destination: {message}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

const EXPECTED: &str = "expected NAME=TYPE:FROM, such as team=slack:env:SLACK_TEAM_URL";

fn destination_wanted(text: &str) -> Result<DestinationWanted, String> {
    if text.contains("://") {
        return Err(format!(
            "a webhook's address does not belong on the command line, where other users see it; {EXPECTED}, \
             team=slack:file:PATH, or team=slack:- for standard input"
        ));
    }
    let (whole, from) = text.split_once(':').map_or((text, None), |(whole, from)| (whole, Some(from)));
    let (name, product) = whole.split_once('=').unwrap_or((whole, whole));
    let product = known(product, &destination::PRODUCTS).map_err(|words| format!("{words}; {EXPECTED}"))?;
    let name = DestinationName::new(name).map_err(|error: NameError| format!("{error}; {EXPECTED}"))?;
    let address = match from.map(|from| from.split_once(':').unwrap_or((from, ""))) {
        None => AddressFrom::Person,
        Some(("-", "")) => AddressFrom::Input,
        Some(("env", name)) if config::is_variable_name(name) => AddressFrom::Variable(name.to_owned()),
        Some(("env", _)) => return Err(format!("after env: stands the name of a variable; {EXPECTED}")),
        Some(("file", path)) if !path.is_empty() => AddressFrom::File(PathBuf::from(path)),
        Some(_) => return Err("after the type stands env:VARIABLE, file:PATH, or -".to_owned()),
    };
    Ok(DestinationWanted { name, product, address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_name_and_a_type_or_a_type_alone() {
        let read = |text| source_wanted(text).map(|source| (source.name.to_string(), source.product));
        assert_eq!(read("backend=bugsnag"), Ok(("backend".to_owned(), "bugsnag")));
        assert_eq!(read("bugfender"), Ok(("bugfender".to_owned(), "bugfender")));
        for (text, words) in [
            ("", "the types are"),
            ("backend=", "the types are"),
            ("backend=bugsnagg", "did you mean `bugsnag`?"),
            ("Back end=bugsnag", "a name is made of"),
            ("bugle=bugsnag", "speaks of itself"),
            ("../x=bugsnag", "a name is made of"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_destination_says_where_its_address_is_and_never_the_address() {
        let read = |text| destination_wanted(text).map(|wanted| (wanted.name.to_string(), wanted.address));
        let team = |address| Ok(("team".to_owned(), address));
        assert_eq!(read("team=slack"), team(AddressFrom::Person));
        assert_eq!(read("team=slack:-"), team(AddressFrom::Input));
        assert_eq!(read("team=teams:env:TEAMS_URL"), team(AddressFrom::Variable("TEAMS_URL".to_owned())));
        assert_eq!(read("team=discord:file:a:b.url"), team(AddressFrom::File(PathBuf::from("a:b.url"))));
        assert_eq!(read("slack:-"), Ok(("slack".to_owned(), AddressFrom::Input)));
        for text in [
            "",
            "team",
            "team=slak:-",
            "team=slack:",
            "team=slack:env:",
            "team=slack:env:A-B",
            "team=slack:file:",
            "team=slack:hunter2",
            "hunter2=slack=x:-",
            "https://hooks.slack.com/services/T0/B0/hunter2",
            "team=slack:https://hooks.slack.com/services/T0/B0/hunter2",
        ] {
            let error = read(text).unwrap_err();
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
