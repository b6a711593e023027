//! The servers that are measured, each a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A server under measurement. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process until it took requests.
    pub(crate) started_in: Duration,
    pub(crate) folder: TempDir,
}

pub(crate) const TOKEN: &str = "a-token-for-the-bench-0123456789";

/// What a server is started with.
#[derive(Clone, Default)]
pub(crate) struct Setting {
    /// The chat that messages go to; none: nothing is sent.
    pub(crate) chat: Option<SocketAddr>,
    /// How many rules there are, of which the last matches.
    pub(crate) rules: usize,
    /// A store to begin with.
    pub(crate) store: Option<PathBuf>,
}

impl Server {
    /// bugle itself.
    pub(crate) fn bugle(setting: &Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), configuration(setting)).unwrap();
        if let Some(store) = &setting.store {
            fs::copy(store, folder.path().join("bugle.db")).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_bugle"));
        command.args(["serve", "--json"]).env("RUST_LOG", "warn,bugle::app=info");
        Self::start(command, folder)
    }

    /// A baseline, by its name.
    pub(crate) fn baseline(kind: &str, setting: &Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--baseline", kind]).arg(folder.path());
        command.args(setting.chat.map(|chat| chat.to_string()));
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: TempDir) -> Self {
        let begun = Instant::now();
        let mut child =
            command.current_dir(folder.path()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let address = lines.by_ref().find_map(|line| {
            let fields: Value = serde_json::from_str(&line).unwrap_or_default();
            said.push(line);
            (fields["message"] == "ready").then(|| fields["address"].as_str().unwrap().parse().unwrap())
        });
        let started_in = begun.elapsed();
        // Somebody has to read on, or the server would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.unwrap_or_else(|| panic!("the server did not start: {said:#?}"));
        Self { child, address, started_in, folder }
    }

    /// The memory that is its own, with its part of what it shares, in KiB.
    pub(crate) fn memory_kib(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configuration(setting: &Setting) -> String {
    let send_to = if setting.chat.is_some() { "\"chat\"" } else { "[]" };
    let server = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [store]\nurl = \"sqlite:bugle.db\"\nmax_size = \"20GiB\"\n\
         [sources.backend]\ntype = \"bugsnag\"\ntokens = [\"{TOKEN}\"]\n"
    );
    let chat = setting.chat.map(|chat| {
        format!(
            "[delivery]\nallowed_hosts = [\"{chat}\"]\n\
             [destinations.chat]\ntype = \"slack\"\nurl = \"http://{chat}/services/T0/B0/bench\"\n\
             rate = \"100000/s\"\n"
        )
    });
    let rules = (1..setting.rules.max(1)).map(|number| {
        format!(
            "[[rules]]\nname = \"rule {number}\"\nwhen.app = \"App {number}*\"\n\
             when.error_class = \"Class{number}\"\nsend_to = {send_to}\n"
        )
    });
    let last = format!("[[rules]]\nname = \"the rest\"\nsend_to = {send_to}\n");
    [server].into_iter().chain(chat).chain(rules).chain([last]).collect()
}
