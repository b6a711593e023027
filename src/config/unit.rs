//! The units in which settings are written: durations, sizes, rates, zones, networks.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo};

use crate::destination::Pace;

/// Why a text stands for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnitError {
    /// What it does not stand for.
    pub(super) what: &'static str,
    /// How it is written.
    pub(super) expected: &'static str,
}

const DURATION: UnitError = UnitError {
    what: "duration",
    expected: "a number with ms, s, m, h or d, such as \"90s\", \"10m\" or \"1h 30m\", and more than nothing",
};
const SIZE: UnitError = UnitError {
    what: "size",
    expected: "a number with KiB, MiB or GiB, such as \"5MiB\", and more than nothing",
};
const CONNECTIONS: UnitError =
    UnitError { what: "number of connections", expected: "a whole number from 8 to 100000, such as 512" };
const RATE: UnitError = UnitError { what: "rate", expected: "a number per s, min or h, such as \"30/min\"" };
const ZONE: UnitError =
    UnitError { what: "time zone", expected: "a name such as \"Europe/Madrid\" or \"UTC\"" };
const NETWORK: UnitError =
    UnitError { what: "network", expected: "an address or a network, such as \"10.0.0.0/8\"" };
const LISTEN: UnitError =
    UnitError { what: "address to listen on", expected: "host:port, such as \"127.0.0.1:8080\"" };

/// A span of time, more than nothing. A day has 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let span = text.trim().parse::<Span>().or(Err(DURATION))?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).or(Err(DURATION))?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(DURATION),
    }
}

/// A number of bytes, more than none. A number alone is refused: whoever writes `5` hardly means five bytes.
pub(super) fn size(text: &str) -> Result<u64, UnitError> {
    match text.trim().parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if bytes > 0 && text.contains(char::is_alphabetic) => Ok(bytes),
        _ => Err(SIZE),
    }
}

/// How many connections may be open at once.
pub(super) fn connections(text: &str) -> Result<usize, UnitError> {
    let count = text.trim().parse().or(Err(CONNECTIONS))?;
    if (8..=100_000).contains(&count) { Ok(count) } else { Err(CONNECTIONS) }
}

/// A number of messages per second, minute or hour.
///
/// The number is never exceeded in any such span, so what may pass at once is a part of it: a sixth, at most five, of a
/// minute's or an hour's; of a second's, one. The smaller it is, the steadier the rest can flow.
pub(super) fn rate(text: &str) -> Result<Pace, UnitError> {
    let (count, per) = text.split_once('/').ok_or(RATE)?;
    let count: u32 = count.trim().parse().or(Err(RATE))?;
    let per = Duration::from_secs(match per.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 60 * 60,
        _ => return Err(RATE),
    });
    let burst = if per.as_secs() < 60 { 1 } else { (count / 6).clamp(1, 5) };
    if count == 0 { Err(RATE) } else { Ok(Pace { count, per, burst }) }
}

/// A time zone by its name.
pub(super) fn time_zone(text: &str) -> Result<TimeZone, UnitError> {
    TimeZone::get(text.trim()).or(Err(ZONE))
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, UnitError> {
    let text = text.trim();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map(|network| network.trunc()).or(Err(NETWORK))
}

/// An address to listen on. A name is looked up only when bugle starts.
pub(super) fn listen(text: &str) -> Result<String, UnitError> {
    let by_name = || {
        let (host, port) = text.rsplit_once(':')?;
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        (!host.is_empty() && host.chars().all(letters)).then_some(())?;
        port.parse::<u16>().ok()
    };
    let is_address = text.parse::<SocketAddr>().is_ok() || by_name().is_some();
    if is_address { Ok(text.to_owned()) } else { Err(LISTEN) }
}

/// Whether an address to listen on can be reached from this machine only.
pub(super) fn is_loopback(listen: &str) -> bool {
    match listen.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => listen.rsplit_once(':').is_some_and(|(host, _)| host.eq_ignore_ascii_case("localhost")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("250ms", 250), ("10m", 600_000), ("1h 30m", 5_400_000), ("3d", 259_200_000), ("90s", 90_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "-3m", "0s", "1mo", "10 parsecs", "off"] {
            assert_eq!(duration(text), Err(DURATION), "{text}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("5MiB"), Ok(5 << 20));
        assert_eq!(size("2 GiB"), Ok(2 << 30));
        for text in ["0", "0MiB", "5", "much"] {
            assert_eq!(size(text), Err(SIZE), "{text}");
        }
    }

    #[test]
    fn a_burst_is_a_part_of_the_rate() {
        let pace = |text| rate(text).map(|pace| (pace.count, pace.per.as_secs(), pace.burst));
        assert_eq!(pace("1/s"), Ok((1, 1, 1)));
        assert_eq!(pace("20/s"), Ok((20, 1, 1)));
        assert_eq!(pace("3/min"), Ok((3, 60, 1)));
        assert_eq!(pace("30 / min"), Ok((30, 60, 5)));
        assert_eq!(pace("600/h"), Ok((600, 3600, 5)));
        for text in ["30", "0/s", "-1/s", "30/m", "1.5/s", "/s", "30/min/s"] {
            assert_eq!(pace(text), Err(RATE), "{text}");
        }
    }

    #[test]
    fn networks_and_addresses() {
        assert_eq!(network("10.1.2.3/8").map(|net| net.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert_eq!(network("::1").map(|net| net.to_string()), Ok("::1/128".to_owned()));
        assert_eq!(network("10.0.0.0/33"), Err(NETWORK));
        for text in ["127.0.0.1:0", "[::1]:80", "localhost:8080", "relay-1.internal:80"] {
            assert_eq!(listen(text).as_deref(), Ok(text));
        }
        for text in ["8080", ":8080", "127.0.0.1", "a b:80", "localhost:99999", "http://x:80"] {
            assert_eq!(listen(text), Err(LISTEN), "{text}");
        }
        assert!(is_loopback("127.0.0.2:80") && is_loopback("[::1]:80") && is_loopback("localhost:80"));
        assert!(!is_loopback("0.0.0.0:80") && !is_loopback("relay:80"));
    }

    #[test]
    fn zones() {
        assert!(time_zone("Europe/Madrid").is_ok() && time_zone("UTC").is_ok());
        assert_eq!(time_zone("Europe/Madird").err(), Some(ZONE));
    }
}
