//! A folder with a complete configuration, for a test to change.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bugle::command::check;
use bugle::config::{Environment, Loaded, Problem, ProblemSeverity, Problems, Secrets, load};
use tempfile::TempDir;

pub(super) const COMPLETE: &str = include_str!("../../fixtures/config/config.toml");
pub(super) const SUPPORT: &str = include_str!("../../fixtures/config/rules/10-support.toml");
pub(super) const EXAMPLE: &str = include_str!("../../../config.toml.example");

pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("BUGLE_BACKEND_TOKEN", "backend-token-0123456789abcdef"),
    ("SLACK_TEAM_URL", "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/made-up-secret"),
    ("DISCORD_ONCALL_URL", "https://discord.com/api/webhooks/123456789012345678/made-up-secret"),
    ("LAB_URL", "http://127.0.0.1:9999/services/made-up-secret"),
];

/// A folder with a complete configuration, of which a test can change a part.
pub(super) struct Folder {
    pub(super) folder: TempDir,
    pub(super) variables: BTreeMap<String, String>,
}

impl Folder {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let here = Self {
            folder,
            variables: VARIABLES.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        here.file("config.toml", COMPLETE)
            .file("rules/10-support.toml", SUPPORT)
            .file("rules/20-lab.toml", include_str!("../../fixtures/config/rules/20-lab.toml"))
            .file("templates/incident.hbs", include_str!("../../fixtures/config/templates/incident.hbs"))
            .file("mobile.token", include_str!("../../fixtures/config/mobile.token"))
            .file("teams.url", include_str!("../../fixtures/config/teams.url"))
    }

    pub(super) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn config(self, text: &str) -> Self {
        self.file("config.toml", text)
    }

    /// Replaces `old`, which stands there exactly once.
    pub(super) fn changed(self, old: &str, new: &str) -> Self {
        assert_eq!(COMPLETE.matches(old).count(), 1, "`{old}` is not there exactly once");
        self.config(&COMPLETE.replacen(old, new, 1))
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn without_variable(mut self, name: &str) -> Self {
        self.variables.remove(name).unwrap();
        self
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    pub(super) fn environment(&self) -> Environment {
        self.variables.clone().into_iter().collect()
    }

    pub(super) fn load(&self) -> Result<Loaded, Problems> {
        load(&self.path(), &self.environment(), Secrets::Resolve)
    }

    pub(super) fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Everything that is found, whether it loads or not.
    pub(super) fn findings(&self) -> Vec<Problem> {
        match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems.into_all(),
        }
    }

    pub(super) fn errors(&self) -> Vec<Problem> {
        let mut findings = self.findings();
        findings.retain(|finding| finding.severity == ProblemSeverity::Error);
        findings
    }

    /// What `bugle check` writes, and its exit code.
    pub(super) fn check(&self, json: bool, without_secrets: bool) -> (String, u8) {
        let mut out = Vec::new();
        let path = self.path();
        let code =
            check::run(&mut out, Some(&path), json, without_secrets, false, &self.environment()).unwrap();
        let text = String::from_utf8(out).unwrap();
        (text.replace(&format!("{}/", self.folder.path().display()), ""), code)
    }
}
