//! TLS by rustls.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsError;
use super::validity::end_of;
use crate::clock::Moment;

/// A certificate, those above it, and the private key that belongs to it.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads two PEM files: the certificate with those above it, its own first, and the private key.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.or(Err(TlsError::Certificate))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).or(Err(TlsError::NoKey))?;
        let key = sign::any_supported_type(&key).or(Err(TlsError::Key))?;
        let identity = CertifiedKey::new(chain, key);
        match identity.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Self(Arc::new(identity)))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch),
            Err(_) => Err(TlsError::Certificate),
        }
    }

    /// When the certificate ends to be valid, if that can be read from it.
    pub fn ends(&self) -> Option<Moment> {
        end_of(self.0.cert.first()?)
    }
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.0.cert.len()).finish_non_exhaustive()
    }
}

/// The certificate in force. Cloning it gives another handle on the same.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Current>);

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl Certificates {
    /// Serves with `identity`.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(Current(ArcSwap::new(identity.0))))
    }

    /// Serves with `identity` from the next connection on; those that are open go on with the one before.
    pub fn replace(&self, identity: Identity) {
        self.0.0.store(identity.0);
    }

    /// What a server needs. TLS 1.2 and 1.3, and no certificate is asked of clients.
    pub(crate) fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        Ok(builder.with_cert_resolver(Arc::clone(&self.0) as _))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey as Made, KeyPair, generate_simple_self_signed};

    use super::*;

    fn made() -> (String, String) {
        let Made { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_and_its_key_are_an_identity() {
        let (certificate, key) = made();
        let identity = Identity::read(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert!(!format!("{identity:?}").contains("BEGIN"));
        assert!(Certificates::new(identity).server_config().is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused_for_its_reason() {
        let (certificate, key) = made();
        let other = KeyPair::generate().unwrap().serialize_pem();
        let broken = certificate.replacen("MI", "!!", 1);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (certificate, key, expected) in [
            (certificate.as_str(), other.as_str(), TlsError::Mismatch),
            ("", &key, TlsError::NoCertificate),
            (&key, &key, TlsError::NoCertificate),
            (&broken, &key, TlsError::Certificate),
            (empty, &key, TlsError::Certificate),
            (&certificate, &certificate, TlsError::NoKey),
            (&certificate, "", TlsError::NoKey),
            (&certificate, no_key, TlsError::Key),
        ] {
            assert_eq!(Identity::read(certificate.as_bytes(), key.as_bytes()).unwrap_err(), expected);
        }
    }
}
