//! The configuration as text: short, in order, with comments that say what each part is for.

use std::path::{Path, PathBuf};

use super::answers::{Address, Answers, Room};
use super::toml::{list, one_or_list, quoted};
use crate::cli::SourceWanted;

/// The folder, beside the configuration, of the secrets that are written.
pub(super) const SECRETS: &str = "secrets";

/// The file of a source's token, relative to the configuration.
pub(super) fn token_file(source: &SourceWanted) -> PathBuf {
    Path::new(SECRETS).join(format!("{}.token", source.name))
}

/// The file of the address of a destination that was typed, relative to the configuration.
pub(super) fn address_file(room: &Room) -> PathBuf {
    Path::new(SECRETS).join(format!("{}.url", room.name))
}

/// The whole configuration. `refer` gives the path by which it names a file that is there already.
pub(super) fn text(answers: &Answers, refer: &dyn Fn(&Path) -> PathBuf) -> String {
    let mut parts = vec![HEAD.to_owned(), top(answers), server(answers), STORE.to_owned()];
    parts.push(SOURCES.to_owned());
    parts.extend(answers.sources.iter().map(source));
    parts.push(DESTINATIONS.to_owned());
    parts.extend(delivery(answers));
    parts.extend(answers.rooms.iter().map(|room| destination(room, &answers.allowed_hosts, refer)));
    parts.push(RULES.to_owned());
    parts.extend(rules(answers).iter().map(Rule::text));
    parts.join("\n")
}

const HEAD: &str = "\
# The configuration of bugle, written by `bugle init`. Change it as you like, also while bugle runs: what you save is in
# force within two seconds, or, if there is a mistake in it, is not, and the log says why. `bugle check` shows mistakes.
# docs/CONFIGURATION.md explains every key; config.toml.example has all of them in one file.
";

const STORE: &str = "\
[store]
# What came and what is owed, in one file beside this one. Without more words it keeps 30 days and at most 2 GiB.
url = \"sqlite:bugle.db\"
";

const SOURCES: &str = "\
# ---- Who calls: trackers, each at /hooks/NAME/TOKEN. The token is in the file; two may be live, to exchange one. ----
";

const DESTINATIONS: &str = "\
# ---- Where messages go: channels, each by the address of its incoming webhook, which is a secret. ----
";

const RULES: &str = "\
# ---- Who hears of what. Read from top to bottom: all of `when` must hold, and nothing of `unless`. A destination hears
# of an event once, whatever the number of rules that pick it. `bugle preview FILE` shows what a webhook would cause.
# More to ask for: when.source, when.app = \"Shop *\", when.message = '/timed? ?out/i'; to say: mention, urgent. ----
";

fn top(answers: &Answers) -> String {
    let Some(first) = answers.rooms.first() else { return String::new() };
    let first = quoted(first.name.as_str());
    format!(
        "# Hears of every event that no rule below picks, so that you see what there is. Without it they are only kept.\n\
         default_destination = {first}\n\
         # Hears when bugle itself is unwell: a webhook that is gone, messages given up, a disk that is nearly full.\n\
         notices_to = {first}\n"
    )
}

fn server(answers: &Answers) -> String {
    let public = answers.public_url.as_deref().map_or_else(
        || "# public_url = \"https://bugle.example.com\"\n".to_owned(),
        |url| format!("public_url = {}\n", quoted(url)),
    );
    format!(
        "[server]\n\
         # Where webhooks come in. Behind a proxy with TLS, or with a certificate of its own: docs/INSTALL.md.\n\
         listen = {}\n\
         # Under which address the trackers reach it.\n\
         {public}",
        quoted(&answers.listen)
    )
}

fn delivery(answers: &Answers) -> Option<String> {
    let hosts = list(&answers.allowed_hosts);
    let text = format!(
        "[delivery]\n# Beyond the platforms' own hosts, these may be posted to.\nallowed_hosts = {hosts}\n"
    );
    (!answers.allowed_hosts.is_empty()).then_some(text)
}

fn source(source: &SourceWanted) -> String {
    let file = quoted(&token_file(source).to_string_lossy());
    format!("[sources.{}]\ntype = {}\ntokens = [{{ file = {file} }}]\n", source.name, quoted(source.product))
}

fn destination(room: &Room, allowed: &[String], refer: &dyn Fn(&Path) -> PathBuf) -> String {
    let url = match &room.address {
        Address::Typed(_) => format!("{{ file = {} }}", quoted(&address_file(room).to_string_lossy())),
        Address::Variable(name) => format!("{{ env = {} }}", quoted(name)),
        Address::File(path) => format!("{{ file = {} }}", quoted(&refer(path).to_string_lossy())),
    };
    let compatible = if room.product == "slack" && !allowed.is_empty() {
        "# For Mattermost and Rocket.Chat, which take Slack's webhooks but not its blocks:\n# blocks = false\n"
    } else {
        ""
    };
    format!("[destinations.{}]\ntype = {}\nurl = {url}\n{compatible}", room.name, quoted(room.product))
}

/// A rule of the first set.
struct Rule {
    comment: &'static str,
    name: &'static str,
    when: Vec<(&'static str, String)>,
    send_to: Vec<String>,
}

impl Rule {
    fn text(&self) -> String {
        let when = self.when.iter().map(|(key, value)| format!("when.{key} = {value}\n"));
        let when = when.collect::<Vec<_>>().concat();
        let (comment, name, send_to) = (self.comment, quoted(self.name), list(&self.send_to));
        let comment = if comment.is_empty() { String::new() } else { format!("# {comment}\n") };
        format!("[[rules]]\n{comment}name = {name}\n{when}send_to = {send_to}\n")
    }
}

/// The rules to begin with, for the products that call.
fn rules(answers: &Answers) -> Vec<Rule> {
    let calls = |product: &str| answers.sources.iter().any(|source| source.product == product);
    let of = |triggers: &[(&str, &'static str)]| -> Vec<&'static str> {
        triggers.iter().filter(|(product, _)| calls(product)).map(|(_, trigger)| *trigger).collect()
    };
    let new = of(&[("bugsnag", "firstException"), ("bugsnag", "reopened"), ("bugfender", "crash")]);
    let names: Vec<String> = answers.rooms.iter().map(|room| room.name.to_string()).collect();
    let (first, others) = names.split_at(names.len().min(1));
    let rule = |comment, name, triggers: &[&str]| {
        let when = vec![("trigger", one_or_list(triggers))];
        (!triggers.is_empty()).then(|| Rule { comment, name, when, send_to: first.to_vec() })
    };
    let mut rules = Vec::new();
    if !others.is_empty() {
        rules.extend(
            rule("An empty stage is one that is not given.", "what is new in production", &new).map(
                |mut rule| {
                    rule.when.push(("severity", quoted("error")));
                    rule.when.push(("stage", list(&["production", ""])));
                    Rule { send_to: others.to_vec(), ..rule }
                },
            ),
        );
    }
    rules.extend(rule("", "what is new, or back again", &new).map(|mut rule| {
        rule.when.push(("severity", quoted(">= warning")));
        rule
    }));
    let spikes = of(&[("bugsnag", "projectSpiking"), ("bugsnag", "errorEventFrequency")]);
    rules.extend(rule("", "spikes, and errors that become frequent", &spikes));
    let limits = of(&[("bugsnag", "projectSamplingStarted"), ("bugsnag", "projectApproachingRateLimit")]);
    rules.extend(rule("", "the tracker leaves events out, or soon will", &limits));
    let words = of(&[("bugsnag", "comment"), ("bugfender", "feedback")]);
    rules.extend(rule("", "what people write", &words));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment, Secrets};
    use crate::name::{DestinationName, SourceName};
    use crate::secret::Secret;
    use crate::{destination, source};

    /// Every set of sources with every set of destinations.
    fn all() -> Vec<Answers> {
        let sets = |count: usize| 1..(1_usize << count);
        let mut all = Vec::new();
        for (sources, rooms) in sets(source::PRODUCTS.len())
            .flat_map(|sources| sets(destination::PRODUCTS.len()).map(move |rooms| (sources, rooms)))
        {
            let chosen = |products: &'static [&'static str], set: usize| {
                products
                    .iter()
                    .enumerate()
                    .filter(move |(i, _)| set & (1 << i) != 0)
                    .map(|(_, product)| *product)
            };
            let source = |product| SourceWanted { name: SourceName::new(product).unwrap(), product };
            let room = |product| Room {
                name: DestinationName::new(product).unwrap(),
                product,
                address: Address::Typed(Secret::new("https://example.com/")),
            };
            all.push(Answers {
                sources: chosen(&source::PRODUCTS, sources).map(source).collect(),
                rooms: chosen(&destination::PRODUCTS, rooms).map(room).collect(),
                public_url: (sources == 1).then(|| "https://bugle.example.com/x\"y".to_owned()),
                listen: "127.0.0.1:0".to_owned(),
                allowed_hosts: if rooms == 1 { vec!["chat.example.com".to_owned()] } else { Vec::new() },
            });
        }
        all
    }

    #[test]
    fn whatever_was_answered_the_text_is_in_order_and_no_line_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        for answers in all() {
            let text = text(&answers, &Path::to_owned);
            std::fs::write(&path, &text).unwrap();
            let loaded = config::load(&path, &Environment::default(), Secrets::Skip).unwrap();
            assert_eq!(loaded.warnings, [], "{text}");
            assert_eq!(loaded.settings.sources.len(), answers.sources.len());
            assert_eq!(loaded.settings.destinations.len(), answers.rooms.len());
            assert!(loaded.settings.rules.len() >= 2, "{text}");
            assert_eq!(loaded.settings.server.public_url, answers.public_url);
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
            for room in &answers.rooms {
                assert!(
                    text.matches(&format!("\"{}\"", room.name)).count() >= 2,
                    "nobody sends to {}: {text}",
                    room.name
                );
            }
        }
    }
}
