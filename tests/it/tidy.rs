//! What no linter sees: every file says what it answers for, none is too long, and the arrows point one way.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    sources(&root.join("tests"), &mut found);
    assert!(found.len() > 50);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_file_says_what_it_answers_for_and_is_short() {
    for (name, text) in files() {
        assert!(text.starts_with("//!"), "{name} does not say what it answers for");
        assert!(text.lines().count() <= 500, "{name} is too long");
        assert!(!name.ends_with("mod.rs"), "{name}: a module is named by its file");
        let unfinished = ["TO", "DO"].concat();
        assert!(!text.contains(&unfinished), "{name} is unfinished");
    }
}

/// The layers, from the ground up: a module may use those of its own line and of the lines above.
const LAYERS: &[&[&str]] = &[
    &["clock", "secret", "name", "report", "event", "text", "pretend", "tls"],
    &["flood"],
    &["message", "delivery", "source", "template", "metrics", "api"],
    &["destination", "rule", "notice", "sample", "order"],
    &["outbox", "config"],
    &["herald"],
    &["intake", "courier", "lifecycle", "telemetry", "sockets", "supervisor"],
    &["catch_up", "subscription"],
    &["admin"],
    &["app"],
    &["command", "cli"],
];

#[test]
fn the_arrows_point_one_way() {
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    for (name, text) in files() {
        let Some(module) = name.strip_prefix("src/").map(|rest| rest.split(['/', '.']).next().unwrap())
        else {
            continue;
        };
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{name} has no layer"));
        for used in text.split("crate::").skip(1) {
            let used = used.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap();
            if let Some(used_layer) = layer(used) {
                assert!(used_layer <= own, "{name} uses {used}, which lies above it");
            }
            let pair = (module, used);
            assert!(
                pair != ("source", "destination") && pair != ("destination", "source"),
                "{name} names {used}"
            );
        }
    }
}

/// What only one place does.
const ONLY: &[(&str, &[&str])] = &[
    (
        "reqwest::Client",
        &[
            "src/api/client.rs",
            "src/destination/client.rs",
            "src/command/neighbour.rs",
            "src/command/order/server.rs",
        ],
    ),
    ("SystemTime::now", &["src/clock.rs"]),
    ("std::env::", &["src/config/environment.rs"]),
    ("tokio::spawn(", &[]),
];

#[test]
fn what_only_one_place_does_is_done_there() {
    for (name, text) in files() {
        if !name.starts_with("src/") || name.contains("tests") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (call, places) in ONLY {
            assert!(!code.contains(call) || places.contains(&name.as_str()), "{name} has {call}");
        }
    }
}
