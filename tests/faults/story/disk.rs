//! The disk is full: a small file system where we may mount one, else a limit on how long the relay's files may grow.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use crate::stage::Stage;
use crate::tracker::Way;

/// A file system of its own for the store. Unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct Disk(PathBuf);

/// Room for a story, and little more.
const SIZE: &str = "size=32m";

impl Disk {
    /// Mounts one, if we may.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(at))
            .then(|| Self(at.to_owned()))
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }

    /// Fills it but for `left` bytes.
    fn fill(&self, left: u64) {
        let mut filling = File::create(self.filling()).unwrap();
        while filling.write_all(&[0; 4_096]).is_ok() {}
        let length = filling.metadata().unwrap().len();
        filling.set_len(length.saturating_sub(left)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

/// Whether `command` went well.
fn run(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

pub(crate) async fn is_full(stage: &mut Stage) {
    let wants_disk = stage.dice.u32(..3) > 0;
    let folder = stage.ground.path().join("disk");
    stage.disk = wants_disk.then(|| Disk::mount(&folder)).flatten();
    if stage.disk.is_some() {
        stage.ground.knobs.store = Some(folder);
        stage.ground.configure();
    }
    // What has been committed goes over and over through the same log: it takes much to fill it.
    stage.padding = 400_000;
    for round in 0..stage.rounds {
        let is_start = round > 0 && stage.disk.is_some() && stage.dice.u32(..4) == 0;
        if is_start {
            stage.stop().await;
        } else if stage.relay.is_none() {
            stage.start().await;
        }
        let load = stage.load(4, 4, Duration::from_millis(300), &[Way::Whole]);
        sleep(stage.moment(300)).await;
        fill(stage);
        if is_start {
            stage.begin();
        }
        sleep(stage.trouble()).await;
        empty(stage);
        if !stage.is_ready().await {
            // There was no room to start in; a supervisor would start it again.
            stage.start().await;
        }
        load.ends().await;
    }
}

fn fill(stage: &mut Stage) {
    let left = stage.dice.u64(..40_000);
    if let Some(disk) = &stage.disk {
        return disk.fill(left);
    }
    limit(stage, &format!("--fsize={left}:"));
}

fn empty(stage: &Stage) {
    match &stage.disk {
        Some(disk) => fs::remove_file(disk.filling()).unwrap(),
        None => limit(stage, "--fsize=unlimited:"),
    }
}

fn limit(stage: &Stage, how: &str) {
    let Some(relay) = &stage.relay else { return };
    let is_set = run(Command::new("prlimit").args(["--pid", &relay.pid().to_string(), how]));
    assert!(is_set, "neither a file system nor a limit can be had here");
}
