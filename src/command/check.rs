//! `bugle check`: everything that is wrong with the configuration, before it runs.

use std::io::{self, Write};
use std::path::Path;

use crate::command::EXIT_CONFIG;
use crate::config::{self, Environment, Loaded, Problem, ProblemSeverity, Secrets, Settings};

/// Checks the configuration and writes every finding to `out`: as JSON, or for people, in colour if `out` shows it.
/// Gives the exit code: 0, or [`EXIT_CONFIG`] with at least one problem.
pub fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    json: bool,
    without_secrets: bool,
    colour: bool,
    environment: &Environment,
) -> io::Result<u8> {
    let secrets = if without_secrets { Secrets::Skip } else { Secrets::Resolve };
    let path = config::find(config);
    let name = path.as_ref().map_or_else(|_| "config.toml".to_owned(), |path| path.display().to_string());
    let (findings, settings) = match path.and_then(|path| config::load(&path, environment, secrets)) {
        Ok(Loaded { settings, warnings, .. }) => (warnings, Some(settings)),
        Err(problems) => (problems.into_all(), None),
    };
    if json {
        write_json(out, &findings, settings.is_some())?;
    } else {
        for finding in &findings {
            writeln!(out, "{}\n", finding.render(colour))?;
        }
        writeln!(out, "{name}{}", summary(&findings, settings.as_ref()))?;
    }
    Ok(if settings.is_some() { 0 } else { EXIT_CONFIG })
}

/// Writes findings as JSON, and whether bugle can run with them.
pub(super) fn write_json(out: &mut dyn Write, findings: &[Problem], ok: bool) -> io::Result<()> {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).collect::<Vec<_>>();
    let report = serde_json::json!({
        "ok": ok,
        "problems": of(ProblemSeverity::Error),
        "warnings": of(ProblemSeverity::Warning),
    });
    writeln!(out, "{report:#}")
}

/// The last line, after the file's name.
fn summary(findings: &[Problem], settings: Option<&Settings>) -> String {
    let problems = findings.iter().filter(|finding| finding.severity == ProblemSeverity::Error).count();
    let mut parts = Vec::new();
    if let Some(settings) = settings {
        parts.push(counted(settings.sources.len(), "source"));
        parts.push(counted(settings.destinations.len(), "destination"));
        parts.push(counted(settings.rules.len(), "rule"));
    } else {
        parts.push(counted(problems, "problem"));
    }
    if findings.len() > problems {
        parts.push(counted(findings.len() - problems, "warning"));
    }
    let verdict = if settings.is_some() { " is in order" } else { "" };
    format!("{verdict}: {}", parts.join(", "))
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0, "rule"), "0 rules");
        assert_eq!(counted(1, "rule"), "1 rule");
        assert_eq!(counted(2, "rule"), "2 rules");
    }
}
