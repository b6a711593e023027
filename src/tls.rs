//! TLS for the listener: a certificate with its key, and the place where a new one takes over while the server runs.
//!
//! The cargo feature `tls` decides whether this is built; without it every certificate is refused, in words.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod validity;

#[cfg(not(feature = "tls"))]
pub use absent::{Certificates, Identity};
#[cfg(feature = "tls")]
pub use certificates::{Certificates, Identity};

/// Why a certificate and its key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The binary has no TLS in it.
    #[error("this bugle is built without TLS")]
    NotBuilt,
    /// The first file has no certificate in it.
    #[error("there is no certificate in it, in the form -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The second file has no key in it.
    #[error("there is no private key in it, in the form -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// A certificate cannot be read.
    #[error("the certificate cannot be read")]
    Certificate,
    /// The key cannot be read, or is of a kind that is not known.
    #[error("the private key cannot be used: RSA, ECDSA and Ed25519 keys can, if they are not encrypted")]
    Key,
    /// They are of two pairs.
    #[error("the private key is not that of the certificate")]
    Mismatch,
}

impl TlsError {
    /// Whether the key's file is at fault rather than the certificate's.
    pub fn is_about_key(self) -> bool {
        matches!(self, Self::NoKey | Self::Key | Self::Mismatch)
    }
}
