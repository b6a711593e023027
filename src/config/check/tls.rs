//! What the listener speaks TLS with: `[server.tls]`.

use std::path::Path;

use super::super::file;
use super::super::findings::{Finding, Findings};
use super::super::place::Place;
use super::super::{Tls, raw};
use super::secret::Vault;
use crate::clock::Clock;
use crate::secret::Secret;
use crate::tls::{Identity, TlsError};

/// Checks `[server.tls]` and reads both files.
pub(super) fn tls(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: raw::Tls,
) -> Option<Tls> {
    let (certificate_place, key_place) = (place.key("certificate"), place.key("key"));
    let certificate = findings.required(
        &certificate_place,
        written.certificate,
        "the file with the certificate, such as \"fullchain.pem\"",
    );
    let key = findings.required(
        &key_place,
        written.key,
        "the file with the certificate's private key, such as \"privkey.pem\"",
    );
    let (certificate, key) = (vault.folder().join(certificate?), vault.folder().join(key?));
    if cfg!(not(feature = "tls")) {
        let finding = Finding::problem(place, TlsError::NotBuilt.to_string()).at_key();
        findings
            .add(finding.help("build it with the cargo feature `tls`, or let a proxy in front speak TLS"));
        return None;
    }
    if vault.is_closed() {
        return Some(Tls { certificate, key, identity: None });
    }
    let certificate_file = read(findings, &certificate_place, &certificate);
    let key_file = read(findings, &key_place, &key);
    let identity = match Identity::read(&certificate_file?, &key_file?) {
        Ok(identity) => identity,
        Err(error) => {
            let (at, file) =
                if error.is_about_key() { (&key_place, &key) } else { (&certificate_place, &certificate) };
            findings.add(Finding::problem(at, format!("the file `{}`: {error}", file.display())));
            return None;
        }
    };
    warn_of_the_end(findings, &certificate_place, &identity);
    Some(Tls { certificate, key, identity: Some(identity) })
}

fn read(findings: &mut Findings<'_>, place: &Place, path: &Path) -> Option<Vec<u8>> {
    findings.watch(path);
    match file::bytes(path, file::SECRET) {
        Ok(bytes) => {
            findings.remember(place, &Secret::new(String::from_utf8_lossy(&bytes)));
            Some(bytes)
        }
        Err(error) => {
            let message = format!("the file `{}` {error}", path.display());
            findings.add(Finding::problem(place, message));
            None
        }
    }
}

/// A certificate that has expired is served all the same: some callers do not look, and none is helped by silence.
fn warn_of_the_end(findings: &mut Findings<'_>, place: &Place, identity: &Identity) {
    if let Some(end) = identity.ends().filter(|end| *end <= Clock::system().now()) {
        let finding = Finding::warning(place, format!("the certificate was valid until {end}"));
        findings.add(finding.help("trackers will refuse to call: renew it"));
    }
}
