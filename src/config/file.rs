//! The files that a configuration is made of: regular ones only, and no more of one than it may have, so that whatever
//! stands in a file's place, reading it comes to an end.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// The most that a file with settings or rules may have, in bytes.
pub(super) const SETTINGS: u64 = 16 << 20;

/// The most that a template's file may have, in bytes: a template may have 64 KiB, and what is longer is said to be.
pub(super) const TEMPLATE: u64 = 1 << 20;

/// The most that a file with a secret, a certificate or a key may have, in bytes.
pub(super) const SECRET: u64 = 1 << 20;

/// What is in the file at `path`; or what is wrong with it, as the end of a sentence that begins with the file.
pub(super) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    // Neither a pipe nor a device, which may never end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most {
        return Err(format!("has more than {most} bytes, which is more than it may have"));
    }
    Ok(bytes)
}

/// The same as text, without the mark that editors on Windows begin a file with.
pub(super) fn text(path: &Path, most: u64) -> Result<String, String> {
    let text = String::from_utf8(bytes(path, most)?).or(Err("is not UTF-8"))?;
    Ok(text.strip_prefix('\u{FEFF}').map_or_else(|| text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_ends_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "\u{FEFF}four").unwrap();
        assert_eq!(text(&path, 7), Ok("four".to_owned()));
        assert!(text(&path, 6).unwrap_err().contains("more than 6 bytes"));
        fs::write(&path, [0xFF]).unwrap();
        assert_eq!(text(&path, 7), Err("is not UTF-8".to_owned()));
        assert!(bytes(&path.with_extension("no"), 7).unwrap_err().starts_with("cannot be read: "));
        for endless in [folder.path(), Path::new("/dev/zero")] {
            assert_eq!(bytes(endless, 7), Err("is not a regular file".to_owned()));
        }
    }
}
