//! What stands in for TLS in a binary without it: types that nobody can make a value of.

use std::convert::Infallible;

use super::TlsError;
use crate::clock::Moment;

/// A certificate with its key. There is none in this binary.
#[derive(Debug, Clone)]
pub struct Identity(Infallible);

impl Identity {
    /// Refuses, whatever is given.
    pub fn read(_certificate: &[u8], _key: &[u8]) -> Result<Self, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// When the certificate ends to be valid.
    pub fn ends(&self) -> Option<Moment> {
        match self.0 {}
    }
}

/// The certificate in force. There is none in this binary.
#[derive(Debug, Clone)]
pub struct Certificates(Infallible);

impl Certificates {
    /// Serves with `identity`.
    #[expect(clippy::needless_pass_by_value, reason = "as where there is TLS")]
    pub fn new(identity: Identity) -> Self {
        match identity.0 {}
    }

    /// Whatever is wanted, since nobody can ask for it.
    pub fn none<T>(&self) -> T {
        match self.0 {}
    }

    /// Serves with `_identity` from the next connection on.
    pub fn replace(&self, _identity: Identity) {
        match self.0 {}
    }
}
