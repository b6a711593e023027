//! The server, if one runs: whether it is alive and ready, and whether what is in force is what is written.

use crate::clock::Moment;
use crate::command::listing::time;
use crate::command::neighbour::{self, Silence};
use crate::command::{Setting, healthcheck};
use crate::config::{self, AdminDoor};

use super::PATIENCE;
use super::store::Seen;
use super::verdict::{Check, Health, Part};

/// Asks the server that runs here; `hash` is that of the configuration as it is written, if it is in order.
pub(super) async fn look(setting: Setting<'_>, seen: &Seen, hash: Option<String>) -> Vec<Check> {
    let Ok(path) = config::find(setting.config) else { return Vec::new() };
    let listening = config::load_listening(&path, setting.environment);
    let admin = config::load_admin(&path, setting.environment);
    let alive = async {
        match listening {
            Ok(listening) => health(&listening, seen.is_served()).await,
            Err(_) => Vec::new(),
        }
    };
    let in_force = async {
        match (admin, hash) {
            (Ok(door), Some(hash)) if seen.is_served() => Some(configuration(&door, &hash, seen).await),
            _ => None,
        }
    };
    let (mut checks, in_force) = tokio::join!(alive, in_force);
    checks.extend(in_force);
    checks
}

async fn health(listening: &config::Listening, is_served: bool) -> Vec<Check> {
    let urls =
        healthcheck::url(listening, false).and_then(|url| Ok((url, healthcheck::url(listening, true)?)));
    let (alive, ready) = match urls {
        Ok(urls) => urls,
        Err(error) => {
            let help = "name a port in `server.listen`";
            return vec![Check::not_ok(Part::Server, "alive", Health::Unknown, &format!("{error:#}"), help)];
        }
    };
    let (living, readiness) = tokio::join!(healthcheck::ask(&alive), healthcheck::ask(&ready));
    match living {
        Ok((200, _)) => {
            let mut checks = vec![Check::ok(Part::Server, "alive", &format!("{alive} answers"))];
            if !is_served {
                let words = "a server answers there, but not from this store";
                let help = "is this the configuration that it was started with?";
                checks.push(Check::not_ok(Part::Server, "alive", Health::Warning, words, help));
            }
            checks.push(is_ready(&ready, readiness));
            checks
        }
        Ok((status, _)) => {
            let words = format!("something else than bugle answers at {alive}, with {status}");
            let help = "another program has the port: give one of them another";
            vec![Check::not_ok(Part::Server, "alive", Health::Broken, &words, help)]
        }
        Err(words) if is_served => {
            let words = format!("a bugle serves from the store, and at {alive}: {words}");
            let help =
                "it was started with another configuration, or on sockets that systemd has passed to it";
            vec![Check::not_ok(Part::Server, "alive", Health::Warning, &words, help)]
        }
        // That nobody serves is said of the store.
        Err(_) => Vec::new(),
    }
}

fn is_ready(url: &str, found: Result<(u16, Option<String>), String>) -> Check {
    let (health, words) = match found {
        Ok((200, _)) => {
            return Check::ok(Part::Server, "ready", "the store can be written, and couriers are at work");
        }
        Ok((_, Some(reason))) => (Health::Broken, reason),
        Ok((status, None)) => (Health::Broken, format!("{url} answers with {status}")),
        Err(words) => (Health::Unknown, format!("{url}: {words}")),
    };
    Check::not_ok(Part::Server, "ready", health, &words, "the end of bugle's log says more")
}

/// What the figures call the configuration in force.
const IN_FORCE: &str = "bugle_configuration_info{hash=\"";

/// Compares what is in force with what is written.
async fn configuration(door: &AdminDoor, hash: &str, seen: &Seen) -> Check {
    let about = "configuration in force";
    let unknown = |words: &str, help: &str| Check::not_ok(Part::Server, about, Health::Unknown, words, help);
    let Ok(host) = neighbour::host(&door.listen, "admin.listen") else {
        return unknown(
            "the port of `admin.listen` is not known beforehand",
            "name a port in `admin.listen`",
        );
    };
    let url = format!("http://{host}/metrics");
    let token = door.token.as_ref().map(crate::secret::Secret::expose);
    let help = "look at `admin.listen` and `admin.token`; without it nobody can tell whether the last reload was refused";
    let answer = match neighbour::ask(&url, token, PATIENCE).await {
        Ok(answer) => answer,
        Err(Silence::Nobody) => return unknown(&format!("nothing answers at {url}"), help),
        Err(Silence::Timeout) => return unknown(&format!("no answer in time at {url}"), help),
        Err(Silence::Broken) => return unknown(&format!("no HTTP answer at {url}"), help),
    };
    let in_force = answer.body.split_once(IN_FORCE).and_then(|(_, rest)| rest.split_once('"'));
    match (answer.status, in_force) {
        (200, Some((found, _))) if found == hash => Check::ok(Part::Server, about, "the one that is written"),
        (200, Some(_)) => {
            let words = "the running bugle has another configuration than the one that is written";
            let words = words.to_owned() + &refused(seen).unwrap_or_default();
            let help = "its last reload was refused, or it needs a restart, or its variables are others: its log says which";
            Check::not_ok(Part::Server, about, Health::Warning, &words, help)
        }
        (status, _) => unknown(&format!("{url} answers with {status} and no figures"), help),
    }
}

/// Why the configuration that was read last was refused, if it was.
fn refused(seen: &Seen) -> Option<String> {
    let read = seen.ask(|records| records.configurations(Moment(0), Moment(i64::MAX), 1))?.ok()?;
    let last = read.first().filter(|last| last.how == "refused")?;
    let line = last.lines.first().map(|line| format!(": {line}")).unwrap_or_default();
    Some(format!("; what was read at {} was refused{line}", time(last.at)))
}
