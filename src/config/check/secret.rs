//! Secrets: written inline, or found in a variable or a file.

use std::path::{Path, PathBuf};

use super::super::Secrets;
use super::super::environment::Environment;
use super::super::file;
use super::super::findings::{Finding, Findings, did_you_mean};
use super::super::kept::{Keeping, Kept};
use super::super::place::Place;
use super::super::raw;
use crate::secret::Secret;

/// Where secrets are found.
#[derive(Debug)]
pub(in crate::config) struct Vault<'e> {
    environment: &'e Environment,
    folder: PathBuf,
    secrets: Secrets,
}

impl<'e> Vault<'e> {
    /// Secrets in `environment` and in files relative to `folder`; or none at all.
    pub(in crate::config) fn new(environment: &'e Environment, folder: PathBuf, secrets: Secrets) -> Self {
        Self { environment, folder, secrets }
    }

    /// The folder that paths in the configuration are relative to.
    pub(in crate::config) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether secrets are left alone.
    pub(in crate::config) fn is_closed(&self) -> bool {
        self.secrets == Secrets::Skip
    }

    /// The secret that is written at `place`; nothing if there was a problem with it, or if secrets are left alone.
    pub(in crate::config) fn open(
        &self,
        findings: &mut Findings<'_>,
        place: &Place,
        written: &raw::Secret,
    ) -> Option<Secret> {
        let secret = match written {
            raw::Secret::Inline(secret) => {
                self.inline(findings, place, secret);
                secret.expose().to_owned()
            }
            raw::Secret::Reference(raw::Reference { env: Some(name), file: None }) => {
                self.variable(findings, &place.key("env"), name)?
            }
            raw::Secret::Reference(raw::Reference { env: None, file: Some(file) }) => {
                self.file(findings, &place.key("file"), file)?
            }
            raw::Secret::Reference(raw::Reference { env, .. }) => {
                if !findings.is_broken_within(place) {
                    let message =
                        if env.is_some() { "two places for one secret" } else { "no place for the secret" };
                    let finding = Finding::problem(place, message);
                    findings.add(finding.expected("either { env = \"…\" } or { file = \"…\" }"));
                }
                return None;
            }
        };
        if secret.is_empty() || self.is_closed() {
            return None;
        }
        let secret = Secret::new(secret);
        if matches!(written, raw::Secret::Reference(_)) {
            findings.remember(place, &secret);
        }
        let keeping = self.keeping(findings, place, written);
        findings.note_secret(Kept::new(place, keeping, &secret));
        Some(secret)
    }

    /// Where the secret that is written at `place` has been found.
    fn keeping(&self, findings: &Findings<'_>, place: &Place, written: &raw::Secret) -> Keeping {
        match written {
            raw::Secret::Reference(raw::Reference { file: Some(file), .. }) => {
                Keeping::File(self.folder.join(file))
            }
            raw::Secret::Reference(raw::Reference { env: Some(name), .. }) => Keeping::Variable(name.clone()),
            raw::Secret::Reference(_) | raw::Secret::Inline(_) => findings
                .variable(place)
                .map_or(Keeping::Inline, |variable| Keeping::Variable(variable.to_owned())),
        }
    }

    fn inline(&self, findings: &mut Findings<'_>, place: &Place, secret: &Secret) {
        if secret.expose().is_empty() {
            findings.add(Finding::problem(place, "the secret is empty"));
        } else if findings.variable(place).is_none() && !self.is_closed() {
            let finding = Finding::warning(place, "a secret stands in the file itself");
            findings
                .add(finding.help("keep it in a variable, { env = \"…\" }, or in a file, { file = \"…\" }"));
        }
    }

    fn variable(&self, findings: &mut Findings<'_>, place: &Place, name: &str) -> Option<String> {
        if !raw::is_variable_name(name) {
            // It may be the secret itself, so it is not repeated.
            let finding = Finding::problem(place, "this is not the name of a variable");
            findings.add(finding.expected("letters, digits and `_`, such as SLACK_TEAM_URL"));
            return None;
        }
        if self.is_closed() {
            return None;
        }
        match self.environment.get(name) {
            Some("") => findings.add(Finding::problem(place, format!("the variable `{name}` is empty"))),
            Some(value) => return Some(value.to_owned()),
            None => {
                let finding = Finding::problem(place, format!("the variable `{name}` is not set"));
                findings.add(finding.help_opt(did_you_mean(name, self.environment.names())));
            }
        }
        None
    }

    fn file(&self, findings: &mut Findings<'_>, place: &Place, name: &str) -> Option<String> {
        if self.is_closed() {
            return None;
        }
        let path = self.folder.join(name);
        let shown = path.display();
        findings.watch(&path);
        match file::text(&path, file::SECRET) {
            // Editors and `echo` end a file with a line break that is no part of the secret.
            Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                "" => findings.add(Finding::problem(place, format!("the file `{shown}` is empty"))),
                secret => return Some(secret.to_owned()),
            },
            Err(error) => {
                findings.add(Finding::problem(place, format!("the file `{shown}` {error}")));
            }
        }
        None
    }
}

/// Warns of a token that can be guessed or does not fit into an address.
pub(in crate::config) fn check_strength(findings: &mut Findings<'_>, place: &Place, token: &Secret) {
    const SHORTEST: usize = 16;
    let token = token.expose();
    if token.chars().count() < SHORTEST {
        let finding = Finding::warning(place, format!("the token has fewer than {SHORTEST} characters"));
        findings
            .add(finding.help("whoever guesses it is let in: take a random one, of 32 characters or more"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
        let finding = Finding::warning(place, "the token does not fit into an address as it is");
        findings.add(finding.help("take letters, digits, `-`, `.`, `_` and `~` only"));
    }
}
