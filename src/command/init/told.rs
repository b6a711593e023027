//! What a person does with a new configuration: which address to paste where, and what to type next.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::text::token_file;
use super::write::Draft;
use crate::cli::SourceWanted;
use crate::command::listing::counted;
use crate::secret::Secret;

/// What stands for the host until somebody knows it.
const SOME_HOST: &str = "https://YOUR-HOST";

/// What Bugfender's older format does not say, so that the address does.
const BUGFENDER_TYPES: [&str; 3] = ["crash", "issue", "feedback"];

/// Tells a person. The addresses, with their tokens, are shown this once.
pub(super) fn tell(
    out: &mut dyn Write,
    draft: &Draft,
    files: &[PathBuf],
    named: Option<&Path>,
) -> io::Result<()> {
    let secrets = counted(files.len().saturating_sub(1) as u64, "secret");
    writeln!(out, "Wrote {}, and {secrets} into files that only you can read.", draft.path.display())?;
    writeln!(out, "\nPaste these addresses. Whoever has one can post to bugle, so treat it as a password.")?;
    for (source, token) in draft.answers.sources.iter().zip(&draft.tokens) {
        let address = address(draft, source, token);
        writeln!(out, "\n{} ({})", source.name, source.product)?;
        writeln!(out, "  {address}")?;
        if let Some(clicks) = clicks(source.product) {
            writeln!(out, "  {clicks}")?;
        }
        for (kind, address) in typed(source, &address) {
            writeln!(out, "    {kind:9} {address}")?;
        }
    }
    if draft.answers.public_url.is_none() {
        writeln!(
            out,
            "\nIn place of {SOME_HOST} goes the address under which the trackers reach bugle; docs/INSTALL.md"
        )?;
        writeln!(out, "tells of proxies and TLS.")?;
    }
    writeln!(out, "\nNext:")?;
    for (command, words) in next(draft, named) {
        writeln!(out, "  {command:28} {words}")?;
    }
    if let Some(source) = draft.answers.sources.first() {
        writeln!(out, "\nTo try it here while it serves:")?;
        writeln!(out, "  {}", sample(draft, source))?;
    }
    out.flush()
}

/// The same for programs. The fields are listed in `docs/OPERATIONS.md`, which a test compares.
pub(super) fn as_json(draft: &Draft, files: &[PathBuf], named: Option<&Path>) -> Value {
    let sources = draft.answers.sources.iter().zip(&draft.tokens).map(|(source, token)| {
        let address = address(draft, source, token);
        let typed: Map<String, Value> =
            typed(source, &address).map(|(kind, address)| (kind.to_owned(), json!(address))).collect();
        json!({
            "name": source.name.as_str(),
            "type": source.product,
            "address": address,
            "typed_addresses": typed,
            "where": clicks(source.product),
        })
    });
    let rooms =
        draft.answers.rooms.iter().map(|room| json!({ "name": room.name.as_str(), "type": room.product }));
    json!({
        "config": draft.path.display().to_string(),
        "files": files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "public_url": draft.answers.public_url,
        "sources": sources.collect::<Vec<_>>(),
        "destinations": rooms.collect::<Vec<_>>(),
        "next": next(draft, named).into_iter().map(|(command, _)| command).collect::<Vec<_>>(),
    })
}

fn address(draft: &Draft, source: &SourceWanted, token: &Secret) -> String {
    let host = draft.answers.public_url.as_deref().unwrap_or(SOME_HOST);
    format!("{host}/hooks/{}/{}", source.name, token.expose())
}

/// The addresses that say what a webhook is, where its body may not.
fn typed(source: &SourceWanted, address: &str) -> impl Iterator<Item = (&'static str, String)> {
    let is_meant = source.product == "bugfender";
    let kinds = BUGFENDER_TYPES.into_iter().filter(move |_| is_meant);
    kinds.map(move |kind| (kind, format!("{address}?type={kind}")))
}

/// Where in the tracker the address is pasted.
fn clicks(product: &str) -> Option<&'static str> {
    match product {
        "bugsnag" => Some(
            "Project settings → Integrations and email → Data forwarding → Webhook: paste, choose the events, save, press Test",
        ),
        "bugfender" => Some(
            "The app's Settings → Webhooks. The older format does not say what it is: then each kind has an address of its own",
        ),
        _ => None,
    }
}

fn next(draft: &Draft, named: Option<&Path>) -> Vec<(String, &'static str)> {
    let config = with_config(named);
    let mut next = vec![
        (format!("bugle check{config}"), "is it in order?"),
        (format!("bugle doctor{config}"), "can everything be reached?"),
    ];
    let rooms = draft.answers.rooms.iter();
    next.extend(rooms.map(|room| (format!("bugle send-test {}{config}", room.name), "post a test message")));
    next.push((format!("bugle init --wait{config}"), "wait for the first event, and see what becomes of it"));
    next.push((format!("bugle serve{config}"), "receive and deliver"));
    next
}

/// What a command needs besides to find the configuration that somebody has named.
pub(super) fn with_config(named: Option<&Path>) -> String {
    named.map(|path| format!(" --config {}", in_a_shell(path))).unwrap_or_default()
}

/// A line that posts a sample to bugle on this machine.
fn sample(draft: &Draft, source: &SourceWanted) -> String {
    let file = draft.path.with_file_name("").join(token_file(source));
    let trigger = if source.product == "bugfender" { "crash" } else { "firstException" };
    format!(
        "bugle sample {} {trigger} | curl -d @- \"http://{}/hooks/{}/$(cat {})\"",
        source.product,
        draft.answers.listen,
        source.name,
        in_a_shell(&file)
    )
}

/// `path` as one word of a shell.
fn in_a_shell(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) { text } else { Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(in_a_shell(Path::new("etc/config.toml")), "etc/config.toml");
        assert_eq!(in_a_shell(Path::new("my files/it's")), r"'my files/it'\''s'");
    }
}
