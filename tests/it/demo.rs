//! The README's one command, on a machine where nothing is set up.

use predicates::prelude::*;

#[test]
fn the_demo_shows_messages_of_both_trackers_on_all_platforms() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = assert_cmd::Command::new(env!("CARGO_BIN_EXE_bugle"));
    let shown = demo.args(["demo", "--once"]).current_dir(folder.path()).assert().success();
    let text = String::from_utf8_lossy(&shown.get_output().stdout).into_owned();
    for platform in ["Slack", "Teams", "Discord"] {
        assert!(predicate::str::contains(platform).eval(&text), "{platform}\n{text}");
    }
    for tracker in ["Open in Bugsnag", "Open in Bugfender"] {
        assert!(text.matches(tracker).count() >= 3, "{tracker} on each platform\n{text}");
    }
    assert!(!text.contains("\u{1b}["), "no colour where there is no terminal");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}
