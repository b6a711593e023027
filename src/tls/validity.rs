//! When a certificate ends to be valid: the one thing in it that an operator has to be told.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::clock::Moment;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of validity in a certificate in DER; nothing if it cannot be found.
///
/// RFC 5280, 4.1: the certificate's first element is a sequence of version, serial number, signature algorithm, issuer,
/// and validity, which is a sequence of two times.
pub(super) fn end_of(certificate: &[u8]) -> Option<Moment> {
    let (content, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(content, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = any_element(rest)?.2;
    }
    for _ in ["serial number", "signature algorithm", "issuer"] {
        rest = any_element(rest)?.2;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, _, rest) = any_element(validity)?;
    let (tag, end, _) = any_element(rest)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

fn time(tag: u8, text: &str) -> Option<Moment> {
    // Two digits of a year are those of 1950 to 2049.
    let text = match tag {
        UTC_TIME if text.starts_with(|digit| digit >= '5') => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(Moment(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

/// The content of the element with this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any_element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it.
fn any_element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, bytes) = bytes.split_first()?;
    let (length, bytes) = bytes.split_first()?;
    let (length, bytes) = match length {
        0..=0x7F => (usize::from(*length), bytes),
        // The length itself is that many bytes long; no certificate needs more than four.
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(length & 0x7F))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32) -> Vec<u8> {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.not_before = date_time_ymd(1999, 1, 1);
        parameters.not_after = date_time_ymd(year, 2, 3);
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_found_in_both_forms_of_time() {
        for (year, expected) in [(2031, "2031-02-03T00:00:00.000Z"), (2055, "2055-02-03T00:00:00.000Z")] {
            assert_eq!(end_of(&certificate(year)).unwrap().to_string(), expected);
        }
        assert_eq!(time(UTC_TIME, "991231235959Z").unwrap().to_string(), "1999-12-31T23:59:59.000Z");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(mut bytes in prop::collection::vec(any::<u8>(), 0..64), at in 0_usize..300) {
            let _: Option<Moment> = end_of(&bytes);
            let mut certificate = certificate(2031);
            certificate.truncate(at);
            bytes.append(&mut certificate);
            let _: Option<Moment> = end_of(&bytes);
        }
    }
}
