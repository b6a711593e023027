//! The configuration: one file, environment variables over it, rules from files of their own.
//!
//! `load` gives [`Settings`], in which every name is resolved and every pattern understood, or all problems at once.
//! This is the only place that reads the environment.

mod address;
mod changes;
mod check;
mod document;
mod environment;
mod file;
mod findings;
mod kept;
mod layer;
mod names;
mod node;
mod partial;
mod place;
mod problem;
mod raw;
mod read;
mod unit;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use self::check::secret::Vault;
use self::findings::{Finding, Findings};
use self::node::Node;
use self::place::Place;

use crate::api::Api;
use crate::destination::Destination;
use crate::message::Mention;
use crate::name::DestinationName;
use crate::rule::RuleSet;
use crate::source::{Source, Token};
use crate::template::{TemplateFile, TemplateSet};
use crate::tls::Identity;

pub use address::{
    AddressFlaw, check_address, is_host, is_variable_name, secret_in_file, secret_in_variable,
};
pub use changes::Written;
pub use environment::Environment;
pub use kept::{Keeping, Kept};
pub use partial::{AdminDoor, Care, load_admin, load_care, load_listening, load_store};
pub use problem::{Problem, ProblemSeverity, Problems};
pub use watched::Watched;

/// Where the configuration is looked for if nobody says where it is.
const PLACES: [&str; 2] = ["config.toml", "/etc/bugle/config.toml"];

/// Whether secrets are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// They are, and what is wrong with one is a problem.
    Resolve,
    /// They are left alone: no token opens a source, and no destination has an address that could be posted to. For
    /// checks where the secrets are not at hand, and for commands that neither receive nor send.
    Skip,
}

/// A configuration that bugle can run with.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What was probably not meant so, by file and line.
    pub warnings: Vec<Problem>,
    /// What is written in it, to tell what another reading changes.
    pub written: Written,
    /// Where its secrets are kept.
    pub secrets: Vec<Kept>,
    /// Where it was read from, to read it again.
    pub origin: Origin,
    /// The files that it was read from.
    pub watched: Watched,
}

/// Where a configuration comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    path: PathBuf,
    environment: Environment,
    secrets: Secrets,
}

/// A configuration that bugle cannot run with.
#[derive(Debug)]
pub struct Refused {
    /// Everything that is wrong with it.
    pub problems: Problems,
    /// The files that it was read from.
    pub watched: Watched,
}

/// Finds the configuration: where `explicit` says, else in the working folder, else in `/etc`.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, Problems> {
    if let Some(path) = explicit {
        return Ok(path.to_owned());
    }
    let mut places = PLACES.iter().map(PathBuf::from);
    places.find(|place| place.exists()).ok_or_else(|| {
        let message = format!("there is no configuration: looked for {}", PLACES.join(" and "));
        let help = Some("`bugle init` writes one; or name one with --config".to_owned());
        Problems::new(vec![Problem { help, ..Problem::of_file(None, message) }])
    })
}

/// Loads the file at `path` with the variables of `environment` over it, and the files that it includes.
pub fn load(path: &Path, environment: &Environment, secrets: Secrets) -> Result<Loaded, Problems> {
    let origin = Origin { path: path.to_owned(), environment: environment.clone(), secrets };
    origin.load().map_err(|refused| refused.problems)
}

impl Origin {
    /// Loads it, once more if it has been before.
    pub fn load(&self) -> Result<Loaded, Refused> {
        let mut findings = Findings::new(&self.environment);
        let made = read(&mut findings, &self.path, &self.environment).and_then(|(top, node)| {
            let vault = Vault::new(&self.environment, folder_of(&self.path), self.secrets);
            let settings = check::check(&mut findings, &vault, &top, &node)?;
            let written = Written::of(&node, findings.secrets());
            let written = written.with(&settings.rules, &settings.templates.files);
            Some((settings, written))
        });
        let (watched, secrets) = (findings.watched(), findings.kept());
        match finish(findings, made) {
            Ok(((settings, written), warnings)) => {
                Ok(Loaded { settings, warnings, written, secrets, origin: self.clone(), watched })
            }
            Err(problems) => Err(Refused { problems, watched }),
        }
    }
}

/// What is in a template's file, or what is wrong with it as a file.
pub fn read_template(path: &Path) -> Result<String, String> {
    check::templates::text(path)
}

/// All templates with `files` of `folder` among them, tried on events of every kind, and everything wrong with them.
pub fn try_templates(
    files: &[TemplateFile],
    folder: Option<&Path>,
    time_zone: &jiff::tz::TimeZone,
) -> (TemplateSet, Vec<Problem>) {
    check::templates::tried(files, folder, time_zone)
}

/// A span of time as the configuration has them, such as `2d`.
pub fn duration(text: &str) -> Option<Duration> {
    unit::duration(text).ok()
}

/// Every key that a configuration can have, in all of its tables, with those of the products' own options.
pub fn keys() -> Vec<&'static str> {
    raw::all_keys()
}

/// Every table of a configuration, by its path, with its keys. `NAME` stands for a name that the operator chooses,
/// `SECRET` for the place of any secret.
pub fn tables() -> Vec<(&'static str, Vec<&'static str>)> {
    raw::tables()
}

/// Gives what was made of the configuration and the warnings, unless there was a problem with it.
fn finish<T>(findings: Findings<'_>, made: Option<T>) -> Result<(T, Vec<Problem>), Problems> {
    let is_fine = !findings.has_problem();
    let findings = findings.into_sorted();
    match made {
        Some(made) if is_fine => Ok((made, findings)),
        _ => Err(Problems::new(findings)),
    }
}

/// Reads the main file and lays the variables over it; nothing if that shows no more than what is wrong with it.
fn read(findings: &mut Findings<'_>, path: &Path, environment: &Environment) -> Option<(Place, Node)> {
    let name = path.display().to_string();
    findings.watch(path);
    let text = match read_text(path) {
        Ok(text) => text,
        Err(message) => {
            findings.add_problem(Problem::of_file(Some(name), message));
            return None;
        }
    };
    let top = findings.add_file(name, text)?;
    if let Some((whole, part)) = environment.contradiction() {
        let problem = Problem::of_file(None, format!("`{whole}` and `{part}` cannot both be set"));
        findings.add_problem(Problem { variable: Some(whole.to_owned()), ..problem });
        return None;
    }
    if let Some(variable) = environment.sets_rules() {
        let help = Some("write [[rules]] into the file, or into one that it includes".to_owned());
        let problem =
            Problem { help, ..Problem::of_file(None, "rules cannot be set by a variable".to_owned()) };
        let (path, variable) = ("rules".to_owned(), Some(variable.to_owned()));
        findings.add_problem(Problem { path, variable, ..problem });
        return None;
    }
    let node = layer::under(findings.text(&top), environment).ok();
    if node.is_none() {
        // The cause may quote a value, and the file has been read once already: no operator will meet this.
        findings.add(Finding::problem(&top, "the file and the variables cannot be put together"));
    }
    Some((top, node?))
}

/// The text of a file with settings or rules, or why there is none.
fn read_text(path: &Path) -> Result<String, String> {
    file::text(path, file::SETTINGS).map_err(|error| format!("this file {error}"))
}

/// The folder that paths in a configuration are relative to.
fn folder_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// The configuration, checked: nothing in it needs another look.
#[derive(Debug)]
pub struct Settings {
    /// The public listener.
    pub server: Server,
    /// The admin listener.
    pub admin: Admin,
    /// Where events are kept.
    pub store: Store,
    /// Where templates are looked up, and in which zone times are shown.
    pub templates: Templates,
    /// The doors.
    pub sources: Vec<Source>,
    /// The trackers' own APIs, of the sources that have one configured.
    pub apis: Vec<Api>,
    /// The rooms.
    pub destinations: Vec<Destination>,
    /// Who hears of what.
    pub rules: Arc<RuleSet>,
    /// Whom rules can mention.
    pub people: People,
    /// Where bugle says that it is unwell.
    pub notices_to: Option<DestinationName>,
}

/// The public listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `host:port` to listen on.
    pub listen: String,
    /// The address under which the trackers reach it.
    pub public_url: Option<String>,
    /// The largest body, packed and unpacked, in bytes.
    pub max_body: usize,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What it speaks TLS with; nothing: it speaks plain HTTP.
    pub tls: Option<Tls>,
}

/// What a listener speaks TLS with. Two are the same if they name the same files: what is in those may change while
/// the server runs.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The file with the certificate and those above it.
    pub certificate: PathBuf,
    /// The file with the private key.
    pub key: PathBuf,
    /// What was in them; nothing where secrets are left alone.
    pub identity: Option<Identity>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let Self { certificate, key, identity: _ } = self;
        (certificate, key) == (&other.certificate, &other.key)
    }
}

impl Eq for Tls {}

/// Where the public listener is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// `host:port` that it listens on.
    pub listen: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// The admin listener.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `host:port` to listen on.
    pub listen: String,
    /// What callers must show if that is not loopback.
    pub token: Option<Token>,
}

/// Where events are kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// How long history is kept.
    pub keep: Duration,
    /// How large the store may grow, in bytes, before the oldest settled history goes.
    pub max_size: u64,
    /// How long dead letters are kept.
    pub dead_letters_keep: Duration,
}

/// Templates and how times are shown.
#[derive(Debug, Clone)]
pub struct Templates {
    /// Where the files lie that replace built-in ones.
    pub folder: Option<PathBuf>,
    /// What is in it.
    pub files: Vec<TemplateFile>,
    /// The zone in which times are shown.
    pub time_zone: jiff::tz::TimeZone,
    /// All templates, ready to be rendered.
    pub set: TemplateSet,
}

/// Whom rules can mention, by the name in the configuration.
#[derive(Debug, Clone, Default)]
pub struct People(pub Vec<(String, Mention)>);

impl People {
    /// Whom `name` stands for: `here`, `channel`, a person or a group. Nothing for a name that is not (any more) in
    /// the configuration.
    pub fn find(&self, name: &str) -> Option<Mention> {
        match name {
            "here" => Some(Mention::Here),
            "channel" => Some(Mention::Channel),
            _ => self.0.iter().find(|(known, _)| known == name).map(|(_, mention)| mention.clone()),
        }
    }
}
