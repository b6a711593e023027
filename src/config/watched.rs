//! Whether anything that a configuration was read from has changed since.
//!
//! Looked up by asking the file system, not by waiting for its word: on network drives and in containers, where a
//! folder of the host is mounted, no word comes. Asking after thirty files takes some fifty microseconds.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files and folders that a configuration was read from, as they were just before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched(Vec<(PathBuf, Stamp)>);

/// What tells whether a file, or the list of names in a folder, is another now; nothing if it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<[i64; 7]>);

impl Watched {
    /// Takes note of a file or a folder that is about to be read.
    pub(super) fn note(&mut self, path: &Path) {
        self.0.push((path.to_owned(), Stamp::of(path)));
    }

    /// The same files and folders as they are now. Blocks for as long as the file system does.
    #[must_use]
    pub fn now(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), Stamp::of(path))).collect())
    }
}

impl Stamp {
    /// Symbolic links are followed: what they lead to may be exchanged.
    fn of(path: &Path) -> Self {
        let stamp = |found: Metadata| {
            let [device, number, size] = [found.dev(), found.ino(), found.size()]
                .map(|number| i64::from_ne_bytes(number.to_ne_bytes()));
            [device, number, size, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()]
        };
        Self(std::fs::metadata(path).ok().map(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn whatever_happens_to_a_file_or_a_folder_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("one"), "1").unwrap();
        fs::write(path("two"), "2").unwrap();
        symlink(path("one"), path("link")).unwrap();
        let watch = || {
            let mut watched = Watched::default();
            for name in ["one", "link", "later", ""] {
                watched.note(&path(name));
            }
            watched
        };
        let happenings: [(&str, &dyn Fn()); 7] = [
            ("written", &|| fs::write(path("one"), "x").unwrap()),
            ("replaced", &|| fs::rename(path("two"), path("one")).unwrap()),
            ("made", &|| fs::write(path("later"), "").unwrap()),
            ("removed", &|| fs::remove_file(path("later")).unwrap()),
            ("allowed", &|| fs::set_permissions(path("one"), fs::Permissions::from_mode(0o600)).unwrap()),
            ("led elsewhere", &|| {
                fs::write(path("three"), "3").unwrap();
                symlink(path("three"), path("new")).unwrap();
                fs::rename(path("new"), path("link")).unwrap();
            }),
            ("beside it", &|| fs::write(path("four"), "4").unwrap()),
        ];
        for (what, happen) in happenings {
            let before = watch();
            assert_eq!(before.now(), before, "{what}");
            happen();
            assert_ne!(before.now(), before, "{what}");
        }
    }
}
