//! Rules in files of their own: `include`.

use std::path::{Path, PathBuf};

use super::super::findings::{Finding, Findings};
use super::super::names::keys_of;
use super::super::node::Node;
use super::super::place::Place;
use super::super::problem::Problem;
use super::super::{layer, raw, read_text};
use super::rule;

/// The rules of all files that `include` names: pattern by pattern, in order of name.
pub(in crate::config) fn included(
    findings: &mut Findings<'_>,
    folder: &Path,
    place: &Place,
    written: &raw::List<String>,
) -> Vec<(Place, Node)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (i, pattern) in written.iter().enumerate() {
        let Some(pattern) = pattern else { continue };
        for file in matching(findings, folder, &place.index(i), pattern) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files.iter().flat_map(|file| rules_of(findings, file)).collect()
}

/// The files that a pattern names.
fn matching(findings: &mut Findings<'_>, folder: &Path, place: &Place, pattern: &str) -> Vec<PathBuf> {
    let path = folder.join(pattern);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = path.parent().unwrap_or(Path::new(""));
    if Path::new(pattern).parent().is_some_and(|folder| folder.to_string_lossy().contains('*')) {
        findings.add(Finding::problem(place, "a `*` can stand in the last part of a path only"));
        return Vec::new();
    }
    if !name.contains('*') {
        findings.watch(&path);
        if !path.is_file() {
            findings.add(Finding::problem(place, format!("there is no file `{}`", path.display())));
            return Vec::new();
        }
        return vec![path];
    }
    let readable = if parent == Path::new("") { Path::new(".") } else { parent };
    findings.watch(readable);
    let entries = std::fs::read_dir(readable).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|file| fits(name, file)))
        .map(|entry| parent.join(entry.file_name()))
        .filter(|file| file.is_file() && !findings.is_main_file(file))
        .collect();
    files.sort();
    if files.is_empty() {
        let finding = Finding::warning(place, "no file fits this pattern");
        findings.add(finding.help(format!("looked in `{}`", parent.display())));
    }
    files
}

/// Whether `name` fits `pattern`, in which `*` stands for anything. A file that is hidden is meant only if that is said.
fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let parts: Vec<_> = pattern.split('*').map(regex::escape).collect();
    regex::Regex::new(&format!("(?s)^{}$", parts.join(".*"))).is_ok_and(|regex| regex.is_match(name))
}

fn rules_of(findings: &mut Findings<'_>, file: &Path) -> Vec<(Place, Node)> {
    let name = file.display().to_string();
    findings.watch(file);
    let text = match read_text(file) {
        Ok(text) => text,
        Err(message) => {
            findings.add_problem(Problem::of_file(Some(name), message));
            return Vec::new();
        }
    };
    let Some(top) = findings.add_file(name, text) else { return Vec::new() };
    let Ok(node) = layer::alone(findings.text(&top)) else { return Vec::new() };
    let known = keys_of::<raw::File>();
    if let Node::Table(table) = &node {
        for key in table.keys().filter(|key| !raw::INCLUDED.contains(&key.as_str())) {
            let mut finding =
                Finding::problem(&top.key(key), format!("`{key}` cannot stand in an included file"));
            if known.contains(&key.as_str()) {
                finding = finding.help("it belongs into the main file");
            }
            findings.add(finding.at_key().expected("only [[rules]]"));
        }
    }
    rule::written(findings, &top, &node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_but_a_hidden_file() {
        assert!(fits("*.toml", "a.toml") && fits("a*c*", "abcd") && fits("x.toml", "x.toml"));
        assert!(!fits("*.toml", ".#a.toml") && !fits("*.toml", "a.toml~") && !fits("a.c", "abc"));
        assert!(fits(".*", ".hidden"));
    }
}
