//! The dialogue on a real terminal: what is typed as an address is not shown, and the terminal is left as it was.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::{Fresh, SLACK};
use crate::bugle::PATIENCE;

/// A terminal with `bugle init` on it.
struct Terminal {
    keyboard: File,
    other_end: OwnedFd,
    child: Child,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(fresh: &Fresh, arguments: &[&str]) -> Self {
        let pair = openpty(None, None).unwrap();
        let end = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut command = fresh.command(arguments);
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let keyboard = File::from(pair.master);
        let (mut shown, screen) = (keyboard.try_clone().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let seen = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut part = [0; 1024];
            // The end of a terminal is an error.
            while let Ok(count) = shown.read(&mut part) {
                seen.lock().unwrap().extend(&part[..count]);
            }
        });
        Self { keyboard, other_end: pair.slave, child, screen }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until the screen has `words`, then types `answer`.
    fn answer(&mut self, words: &str, answer: &str) {
        let begun = Instant::now();
        while !self.screen().contains(words) {
            assert!(begun.elapsed() < PATIENCE, "no {words:?} on:\n{}", self.screen());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        self.keyboard.write_all(answer.as_bytes()).unwrap();
    }

    fn shows_what_is_typed(&self) -> bool {
        let flags = tcgetattr(&self.other_end).unwrap().local_flags;
        flags.contains(LocalFlags::ECHO | LocalFlags::ISIG)
    }
}

/// The dialogue of the README, as it stands on a screen, without what is never the same.
fn dialogue_of_the_readme() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let block = page.split("$ bugle init\n").nth(1).unwrap().split("   ```\n").next().unwrap();
    let lines = block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_person_is_asked_as_the_readme_shows_and_what_is_secret_is_not_shown() {
    let fresh = Fresh::new();
    let mut terminal = Terminal::start(&fresh, &["init"]);
    terminal.answer("Tracker (bugsnag, bugfender): ", "bugsnag\n");
    terminal.answer("[backend]: ", "\n");
    terminal.answer("bugfender; Enter: no more): ", "\n");
    terminal.answer("Chat (slack, teams, discord): ", "slack\n");
    terminal.answer("[team]: ", "\n");
    terminal.answer("(is not shown): ", &format!("{SLACK}\n"));
    terminal.answer("discord; Enter: no more): ", "\n");
    terminal.answer("not known yet): ", "https://bugle.example.com\n");
    assert!(terminal.child.wait().unwrap().success(), "{}", terminal.screen());
    terminal.answer("curl -d @-", "");
    terminal.answer("backend.token)\"\r\n", "");
    let screen = terminal.screen();
    assert!(!screen.contains("hunter2"), "{screen}");
    assert!(terminal.shows_what_is_typed());
    let token = fresh.read("secrets/backend.token");
    assert!(screen.contains(token.trim_end()), "{screen}");
    let seen = screen.replace(token.trim_end(), "7f19c0d2…");
    let seen: Vec<_> = seen.lines().map(str::trim_end).collect();
    assert_eq!(seen.join("\n"), dialogue_of_the_readme());
    assert_eq!(fresh.read("secrets/team.url").trim_end(), SLACK);
    assert!(fresh.command(&["check"]).output().unwrap().status.success());
}

#[test]
fn an_interrupt_while_nothing_is_shown_leaves_the_terminal_as_it_was_and_nothing_behind() {
    let fresh = Fresh::new();
    let arguments = ["init", "--source", "bugsnag", "--destination", "team=slack"];
    let mut terminal = Terminal::start(&fresh, &arguments);
    terminal.answer("(is not shown): ", "https://hooks.sl\u{3}");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(1));
    terminal.answer("interrupted; nothing was written", "");
    assert!(terminal.shows_what_is_typed());
    assert!(fresh.files().is_empty());
}
