//! The relay: the built binary at work, and the signals it gets.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

/// Where the relay can be reached now.
pub(crate) type Door = watch::Sender<Option<SocketAddr>>;

/// What a relay writes about itself, over all its lives.
pub(crate) const LOG: &str = "bugle.log";

/// A running `bugle serve`. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    child: Child,
    reader: Option<thread::JoinHandle<()>>,
}

impl Relay {
    /// Starts it in `folder`; `door` has its address once it is ready.
    pub(crate) fn start(folder: &Path, door: &Door) -> Self {
        let mut command = Command::new("sh");
        // Where a limit on files stands in for a full disk: a signal of its own would come before the error.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" serve", env!("CARGO_BIN_EXE_bugle")]);
        command.current_dir(folder).env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut log = OpenOptions::new().create(true).append(true).open(folder.join(LOG)).unwrap();
        let door = door.clone();
        let reader = thread::spawn(move || {
            for line in lines {
                let fields: Value = serde_json::from_str(&line).unwrap_or_default();
                if fields["message"] == "ready" {
                    let address = fields["address"].as_str().and_then(|address| address.parse().ok());
                    door.send_replace(address);
                }
                drop(writeln!(log, "{line}"));
            }
        });
        Self { child, reader: Some(reader) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // Until it has been waited for there is a process of this number, if only a dead one.
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// How it has ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end; nothing if that takes longer than `patience`.
    pub(crate) async fn ends(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.has_ended() {
                // Everything it said is in the log now.
                if let Some(reader) = self.reader.take() {
                    drop(reader.join());
                }
                return Some(status);
            }
            sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
