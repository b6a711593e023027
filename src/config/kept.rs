//! Where the secrets of a configuration are kept, for who looks after that. None of them is here, only digests.

use std::path::PathBuf;

use super::place::Place;
use crate::event::digest;
use crate::secret::Secret;

/// A secret that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The setting that it is for, such as `sources.backend.tokens[0]`.
    pub setting: String,
    /// Where it is.
    pub keeping: Keeping,
    digest: [u8; 32],
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeping {
    /// In the configuration itself.
    Inline,
    /// In this variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
}

impl Kept {
    /// The `secret` for `place`.
    pub(super) fn new(place: &Place, keeping: Keeping, secret: &Secret) -> Self {
        Self { setting: place.to_string(), keeping, digest: digest(&[secret.expose()]) }
    }

    /// Whether it is the same secret as `other`.
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}
