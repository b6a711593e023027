//! The fuzz targets over their seeds, over every fixture and over what is hostile, as plain tests.

#[expect(unreachable_pub, reason = "elsewhere this file is the root of a crate")]
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

/// The files in a folder of the repository.
fn files(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

type Target = (&'static str, fn(&[u8]), usize);

/// Each target, and how often its seeds are changed at random.
const TARGETS: [Target; 4] = [
    ("bugsnag", targets::bugsnag, 1_000),
    ("bugfender", targets::bugfender, 1_000),
    ("message", targets::message, 60),
    ("template", targets::template, 300),
];

/// Pieces that mean something to one of the readers.
const WORDS: [&str; 20] = [
    "{{",
    "}}",
    "{{#if title}}",
    "{{/if}}",
    "{{> _facts}}",
    "```",
    "](",
    "[x](",
    "]: ",
    "**",
    "> ",
    "- **A:** ",
    "<!here>",
    "@everyone",
    "\u{100000}",
    "\u{202E}",
    "\"error\":{",
    "[[",
    "\\u0000",
    "\n\n",
];

#[test]
fn changed_seeds_hold() {
    for (target, run, times) in TARGETS {
        let seeds: Vec<Vec<u8>> = files(&format!("fuzz/seeds/{target}"))
            .into_iter()
            .map(|(_, bytes)| bytes)
            .filter(|b| b.len() < 5_000)
            .collect();
        let mut dice = fastrand::Rng::with_seed(7);
        for number in 0..times {
            let mut bytes = dice.choice(&seeds).unwrap().clone();
            for _ in 0..dice.usize(1..8) {
                change(&mut bytes, &mut dice, &seeds);
            }
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "{target}, change {number}: {:?}", String::from_utf8_lossy(&bytes));
        }
    }
}

/// Changes a piece of `bytes`: another byte, a word, a piece less, a piece twice, a piece of another seed.
fn change(bytes: &mut Vec<u8>, dice: &mut fastrand::Rng, seeds: &[Vec<u8>]) {
    let at = dice.usize(0..=bytes.len());
    let end = (at + dice.usize(0..40)).min(bytes.len());
    match dice.u8(0..5) {
        0 if at < bytes.len() => bytes[at] = dice.u8(..),
        1 => drop(bytes.splice(at..at, dice.choice(WORDS).unwrap().bytes())),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let piece = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        _ => {
            let other = dice.choice(seeds).unwrap();
            let from = dice.usize(0..=other.len());
            let piece = other[from..(from + 40).min(other.len())].to_vec();
            drop(bytes.splice(at..end, piece));
        }
    }
}

#[test]
fn the_seeds_of_each_target_hold() {
    for (target, run, _) in TARGETS {
        for (path, bytes) in files(&format!("fuzz/seeds/{target}")) {
            let outcome = std::panic::catch_unwind(|| run(&bytes));
            assert!(outcome.is_ok(), "{} fails", path.display());
        }
    }
}

#[test]
fn every_fixture_holds_for_both_trackers() {
    for folder in ["tests/fixtures/bugsnag", "tests/fixtures/bugfender"] {
        for (_, bytes) in files(folder) {
            targets::bugsnag(&bytes);
            targets::bugfender(&bytes);
        }
    }
}
