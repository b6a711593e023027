//! The configuration, and who else can read what is secret in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::{Keeping, Kept, Loaded, Problem, ProblemSeverity};

use super::super::listing::counted;
use super::verdict::{Check, Health, Part};

/// Looks at a configuration that bugle can run with.
pub(super) fn look(path: &Path, loaded: &Loaded) -> Vec<Check> {
    let mut checks = vec![configuration(path, &loaded.warnings)];
    checks.extend(loaded.secrets.iter().flat_map(|kept| secret(kept, path, &loaded.warnings)));
    checks.extend(twice(&loaded.secrets));
    if let Some(tls) = &loaded.settings.server.tls {
        let what = format!("the private key is in {}", tls.key.display());
        checks.push(private_file("server.tls.key", &what, &tls.key));
    }
    checks
}

/// Looks at one that it cannot run with: `problems` are all that was found. Each is told by itself to programs; people have
/// been shown them.
pub(super) fn look_at_problems(problems: &[Problem], for_programs: bool) -> Vec<Check> {
    let of = |severity| problems.iter().filter(move |problem| problem.severity == severity);
    let warnings = of(ProblemSeverity::Warning).count();
    let mut checks = Vec::new();
    if for_programs {
        checks.extend(of(ProblemSeverity::Error).map(|problem| {
            let about = if problem.path.is_empty() { "file" } else { &problem.path };
            Check::not_ok(Part::Configuration, about, Health::Broken, &problem.to_string(), SHOWN_BY_CHECK)
        }));
    } else {
        let words = number(of(ProblemSeverity::Error).count(), "problem");
        let help = "they are shown above";
        checks.push(Check::not_ok(Part::Configuration, "problems", Health::Broken, &words, help));
    }
    if warnings > 0 {
        let words = number(warnings, "warning");
        checks.push(Check::not_ok(Part::Configuration, "warnings", Health::Warning, &words, SHOWN_BY_CHECK));
    }
    let words = "what needs a configuration that is in order was not looked at";
    let help = "mend it; where only a variable is missing, ask with the variables that bugle itself is given";
    checks.push(Check::not_ok(Part::Configuration, "the rest", Health::Unknown, words, help));
    checks
}

fn number(count: usize, noun: &str) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), noun)
}

const SHOWN_BY_CHECK: &str = "`bugle check` shows each with its line";

fn configuration(path: &Path, warnings: &[Problem]) -> Check {
    let about = path.display().to_string();
    if warnings.is_empty() {
        return Check::ok(Part::Configuration, &about, "in order, templates included");
    }
    let words = format!("bugle can run with it; {}", number(warnings.len(), "warning"));
    Check::not_ok(Part::Configuration, &about, Health::Warning, &words, SHOWN_BY_CHECK)
}

/// A secret that was found: who can read it, and what the check of the configuration warns of.
fn secret(kept: &Kept, configuration: &Path, warnings: &[Problem]) -> Vec<Check> {
    let about = kept.setting.as_str();
    let place = match &kept.keeping {
        Keeping::Variable(name) => {
            Check::ok(Part::Secrets, about, &format!("in the variable {name}, which is set"))
        }
        Keeping::File(file) => private_file(about, &format!("in {}", file.display()), file),
        Keeping::Inline => private_file(about, "in the configuration itself", configuration),
    };
    let warnings = warnings.iter().filter(|warning| warning.path == kept.setting).map(|warning| {
        let help = warning.help.as_deref().unwrap_or(SHOWN_BY_CHECK);
        Check::not_ok(Part::Secrets, about, Health::Warning, &warning.message, help)
    });
    let mut checks: Vec<Check> = warnings.collect();
    if checks.is_empty() || place.health != Health::Ok {
        checks.insert(0, place);
    }
    checks
}

/// A file that nobody but its owner should read: `words` say what it is about it.
fn private_file(about: &str, words: &str, file: &Path) -> Check {
    match exposure(file) {
        None => Check::ok(Part::Secrets, about, words),
        Some(mode) => {
            let words = format!("{words}, which others on this machine can read (its mode is {mode:04o})");
            let help = format!("`chmod 600 {}`, by its owner", file.display());
            Check::not_ok(Part::Secrets, about, Health::Warning, &words, &help)
        }
    }
}

/// The mode of `file` if others than its owner have a right to it.
pub(super) fn exposure(file: &Path) -> Option<u32> {
    let mode = fs::metadata(file).ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Tokens that open more than one source: whoever may call one may call the other, and one that leaks has to be exchanged at
/// both.
fn twice(secrets: &[Kept]) -> Vec<Check> {
    let tokens: Vec<(&str, &Kept)> =
        secrets.iter().filter_map(|kept| Some((source_of(&kept.setting)?, kept))).collect();
    let mut checks = Vec::new();
    for (index, (source, token)) in tokens.iter().enumerate() {
        let earlier = tokens.iter().take(index).find(|(other, same)| other != source && same.is_same(token));
        if let Some((_, first)) = earlier {
            let words = format!("the same token as {}", first.setting);
            let help = "give each source a token of its own: `openssl rand -hex 32` makes one";
            checks.push(Check::not_ok(Part::Secrets, &token.setting, Health::Warning, &words, help));
        }
    }
    checks
}

/// The source whose token a setting is.
fn source_of(setting: &str) -> Option<&str> {
    let (source, rest) = setting.strip_prefix("sources.")?.split_once('.')?;
    rest.starts_with("tokens").then_some(source)
}
