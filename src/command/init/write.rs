//! From answers to files: all of them or none, and none in the place of another.
//!
//! What is to be written is first written into a folder of its own and read from there as `bugle serve` would.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::answers::{Address, Answers};
use super::text::{SECRETS, address_file, text, token_file};
use crate::config::{self, Environment, Secrets};
use crate::secret::Secret;

/// A configuration that is to be written.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where it goes.
    pub(super) path: PathBuf,
    /// What it is made of.
    pub(super) answers: Answers,
    /// The token of each source, in their order.
    pub(super) tokens: Vec<Secret>,
}

/// Says why there can be no new configuration at `path`, if so.
pub(super) fn expect_room(path: &Path) -> Result<()> {
    let shown = path.display();
    if fs::symlink_metadata(path).is_ok() {
        bail!(
            "{shown} is there already; nothing was changed. `bugle check` says whether it is in order, `bugle init --wait` \
             waits with it for the first event; to write another one, name it: --config FILE"
        );
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        bail!("there is no folder {} for {shown}: make it first", folder.display());
    }
    Ok(())
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A token that nobody can guess: 32 bytes of the operating system's randomness.
pub(super) fn fresh_token() -> Result<Secret> {
    let mut bytes = [0_u8; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        bail!("the operating system gives no randomness: {error}");
    }
    let token: String = bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect();
    Ok(Secret::new(token))
}

impl Draft {
    /// Checks it, then writes it; gives the files that were written, as they are called from here.
    pub(super) fn write(&self, environment: &Environment) -> Result<Vec<PathBuf>> {
        expect_room(&self.path)?;
        let folder = folder_of(&self.path);
        let secrets = self.secrets();
        for (file, _) in &secrets {
            let file = folder.join(file);
            if fs::symlink_metadata(&file).is_ok() {
                let file = file.display();
                bail!(
                    "{file} is there already, and a secret is not written over; nothing was changed. Move it away first"
                );
            }
        }
        self.check(environment, &secrets)?;
        let mut written = Written::default();
        let secrets_folder = folder.join(SECRETS);
        if !secrets.is_empty() {
            written.folder(&secrets_folder)?;
        }
        for (file, secret) in &secrets {
            written.file(&folder.join(file), 0o600, secret.expose())?;
        }
        // Last of all: once it is there, the configuration is complete.
        let own_files = |path: &Path| named_from(&folder, path);
        written.file(&self.path, 0o666, &text(&self.answers, &own_files))?;
        Ok(written.keep())
    }

    /// The files with secrets, by their paths relative to the configuration.
    fn secrets(&self) -> Vec<(PathBuf, &Secret)> {
        let tokens = self.answers.sources.iter().zip(&self.tokens);
        let tokens = tokens.map(|(source, token)| (token_file(source), token));
        let addresses = self.answers.rooms.iter().filter_map(|room| match &room.address {
            Address::Typed(address) => Some((address_file(room), address)),
            Address::Variable(_) | Address::File(_) => None,
        });
        tokens.chain(addresses).collect()
    }

    /// Reads it as `bugle serve` would, from a folder that is gone afterwards.
    fn check(&self, environment: &Environment, secrets: &[(PathBuf, &Secret)]) -> Result<()> {
        let folder = folder_of(&self.path);
        let stage = tempfile::Builder::new()
            .prefix(".bugle-init-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&folder)
            .with_context(|| format!("nothing can be written to the folder {}", folder.display()))?;
        let mut staged = Written::default();
        staged.folder(&stage.path().join(SECRETS))?;
        for (file, secret) in secrets {
            staged.file(&stage.path().join(file), 0o600, secret.expose())?;
        }
        let path = stage.path().join("config.toml");
        staged.file(&path, 0o600, &text(&self.answers, &Path::to_owned))?;
        let loaded = config::load(&path, environment, Secrets::Resolve);
        drop(staged.keep());
        let here = |words: &str| words.replace(&path.display().to_string(), &self.path.display().to_string());
        match loaded {
            Err(problems) => bail!(
                "nothing was written, since `bugle check` would find problems in it:\n{}",
                here(&problems.to_string())
            ),
            Ok(loaded) => {
                let mut errors = io::stderr().lock();
                for warning in loaded.warnings {
                    writeln!(errors, "{}\n", here(&warning.render(false)))?;
                }
                Ok(())
            }
        }
    }
}

/// A file that is there already, as a configuration in `folder` names it.
fn named_from(folder: &Path, path: &Path) -> PathBuf {
    let inside = std::path::absolute(folder)
        .ok()
        .and_then(|folder| path.strip_prefix(folder).ok().map(Path::to_owned));
    inside.unwrap_or_else(|| path.to_owned())
}

/// What has been written so far; goes again if it is not kept.
#[derive(Debug, Default)]
struct Written {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Written {
    /// Makes a folder that only its owner can look into, if there is none.
    fn folder(&mut self, path: &Path) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.folders.push(path.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(error).with_context(|| not_written(path)),
        }
        Ok(())
    }

    /// Writes a file that must not be there yet.
    fn file(&mut self, path: &Path, mode: u32, text: &str) -> Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .with_context(|| not_written(path))?;
        self.files.push(path.to_owned());
        let ending = if text.ends_with('\n') { "" } else { "\n" };
        file.write_all(format!("{text}{ending}").as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| not_written(path))
    }

    /// Lets it stay.
    fn keep(mut self) -> Vec<PathBuf> {
        self.folders.clear();
        std::mem::take(&mut self.files)
    }
}

fn not_written(path: &Path) -> String {
    format!("{} cannot be written; nothing was left behind", path.display())
}

impl Drop for Written {
    fn drop(&mut self) {
        // What cannot be taken back is no reason to leave the rest.
        for file in &self.files {
            drop(fs::remove_file(file));
        }
        for folder in &self.folders {
            drop(fs::remove_dir(folder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_another_one_each_time() {
        let tokens: Vec<Secret> = (0..3).map(|_| fresh_token().unwrap()).collect();
        for (i, token) in tokens.iter().enumerate() {
            assert_eq!(token.expose().len(), 64);
            assert!(token.expose().bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(tokens.iter().skip(i + 1).all(|other| other.expose() != token.expose()));
        }
    }

    #[test]
    fn what_is_not_kept_goes_again_and_what_was_there_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("file"), "theirs").unwrap();
        let mut written = Written::default();
        written.folder(&ours).unwrap();
        written.folder(&theirs).unwrap();
        written.file(&ours.join("file"), 0o600, "text").unwrap();
        written.file(&theirs.join("other"), 0o600, "text").unwrap();
        assert!(written.file(&theirs.join("file"), 0o600, "text").is_err());
        drop(written);
        assert!(!ours.exists());
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(theirs.join("file")).unwrap(), "theirs");
    }
}
