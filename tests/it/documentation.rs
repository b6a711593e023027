//! What the documents promise: links lead somewhere, commands exist, examples work.

mod configuration;
mod operations;
mod tour;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bugle::cli::{Cli, Command};
use bugle::clock::Moment;
use bugle::sample::sample;
use clap::Parser as _;
use clap::error::ErrorKind;
use regex::Regex;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
fn read(path: &str) -> String {
    let path = root(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every document for people, by its path.
fn pages() -> Vec<(String, String)> {
    let docs =
        fs::read_dir(root("docs")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let docs = docs.filter_map(|name| Some(format!("docs/{}.md", name.strip_suffix(".md")?)));
    let pages = ["README.md", "CHANGELOG.md"].map(str::to_owned).into_iter().chain(docs);
    let pages: Vec<_> = pages.map(|path| (path.clone(), read(&path))).collect();
    assert!(pages.len() > 7);
    pages
}

/// The lines of `page`, each with whether it stands in a fence.
fn lines(page: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut inside = false;
    page.lines().map(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        inside ^= is_fence;
        (line, inside || is_fence)
    })
}

/// The fenced blocks of `page` in `language`, without the indent of a list around them.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let inside = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
        let inside = inside.map(|line| line.get(indent..).unwrap_or_default());
        let block = inside.fold(String::new(), |text, line| text + line + "\n");
        if found == language {
            blocks.push(block);
        }
    }
    blocks
}

/// What a heading is called in an address, as GitHub and most viewers of Markdown make it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The anchors of a page; a heading that comes again has a number.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (line, is_code) in lines(page) {
        if !is_code && line.starts_with('#') {
            let plain = slug(line.trim_start_matches('#').trim());
            let numbered = (1..).map(|number| format!("{plain}-{number}"));
            let fresh =
                std::iter::once(plain.clone()).chain(numbered).find(|anchor| !anchors.contains(anchor));
            anchors.extend(fresh);
        }
    }
    anchors
}

#[test]
fn every_link_leads_somewhere() {
    let target = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let code = Regex::new("`[^`]*`").unwrap();
    let mut followed = 0;
    for (path, page) in pages() {
        for (line, is_code) in lines(&page) {
            // What stands in code is an example of a link.
            let line = code.replace_all(line, "`…`");
            for found in target.captures_iter(&line).filter(|_| !is_code) {
                let target = &found[1];
                if target.starts_with("https://") {
                    continue;
                }
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let file =
                    if file.is_empty() { root(&path) } else { root(&path).parent().unwrap().join(file) };
                assert!(file.exists(), "{path}: {target}");
                let known = || anchors(&fs::read_to_string(&file).unwrap());
                assert!(anchor.is_empty() || known().contains(anchor), "{path}: {target}");
                followed += 1;
            }
        }
    }
    assert!(followed > 30, "{followed}");
}

#[test]
fn an_anchor_is_made_as_viewers_make_it() {
    assert_eq!(slug("`[sources.NAME]`"), "sourcesname");
    assert_eq!(slug("What to do when …"), "what-to-do-when-");
    assert_eq!(anchors("# A b\n```\n# c\n```\n## A b\n"), ["a-b", "a-b-1"].map(str::to_owned).into());
}

/// The commands of a line for a shell, without what they are fed and what becomes of their output.
fn commands(line: &str) -> Vec<Vec<String>> {
    let word = Regex::new(r#""[^"]*"|'[^']*'|\S+"#).unwrap();
    let words = word.find_iter(line).map(|word| word.as_str());
    let words: Vec<_> = words.take_while(|word| !word.starts_with('#')).collect();
    let parts = words.split(|word| ["|", "&&", ";"].contains(word));
    let parts = parts.map(|part| {
        let is_elsewhere = |word: &str| word.starts_with(['>', '<', '&']) || word.starts_with("2>");
        let part = part.iter().take_while(|word| !is_elsewhere(word));
        part.map(|word| word.trim_matches(['"', '\'']).to_owned()).collect::<Vec<_>>()
    });
    parts.filter(|part| part.first().is_some_and(|first| first == "bugle")).collect()
}

/// What is typed into a shell in `page`, line by line.
fn typed(page: &str) -> Vec<String> {
    let consoles = blocks(page, "console").join("\n").replace("\\\n", " ").replace("|\n", "| ");
    let typed = consoles.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned);
    let scripts = blocks(page, "sh").join("\n").replace("\\\n", " ");
    typed.chain(scripts.lines().map(str::to_owned)).collect()
}

fn parse(path: &str, words: &[String]) {
    // What stands for a name is written in capitals, which no name has.
    let is_placeholder = |word: &String| word.chars().all(|letter| letter.is_ascii_uppercase());
    let named =
        words.iter().map(|word| if is_placeholder(word) { word.to_lowercase() } else { word.clone() });
    let parsed = match Cli::try_parse_from(named) {
        Ok(parsed) => parsed,
        // A sentence may name a command without what it takes.
        Err(error) if words.len() == 2 && error.kind() == ErrorKind::MissingRequiredArgument => return,
        Err(error) => panic!("{path}: {words:?}\n{error}"),
    };
    if let Command::Sample { source, trigger } = &parsed.command {
        let is_there = source == "source" || sample(source, trigger, Moment(0)).is_some();
        assert!(is_there, "{path}: there is no sample {source} {trigger}");
    }
}

#[test]
fn every_command_exists() {
    let mention = Regex::new(r"`(bugle [a-z][^`…]*)`").unwrap();
    let mut tried = 0;
    for (path, page) in pages() {
        let spoken = lines(&page).filter(|(_, is_code)| !is_code);
        let spoken =
            spoken.flat_map(|(line, _)| mention.captures_iter(line).map(|found| found[1].to_owned()));
        for line in typed(&page).into_iter().chain(spoken) {
            let all = commands(&line);
            tried += all.len();
            for words in all {
                parse(&path, &words);
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn commands_are_found_where_they_stand() {
    let line =
        "bugle sample bugsnag firstException | curl -d @- http://x > y && bugle check --json # and so on";
    let all = commands(line);
    assert_eq!(all, [vec!["bugle", "sample", "bugsnag", "firstException"], vec!["bugle", "check", "--json"]]);
    assert!(commands("cargo build && ls").is_empty());
}
