//! The rooms: `[destinations.NAME]`, and `[delivery]`, which holds for all of them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::super::findings::{Finding, Findings, quoted};
use super::super::names::keys_of;
use super::super::node::Node;
use super::super::place::Place;
use super::super::{raw, unit};
use super::secret::Vault;
use super::webhook::{Host, Webhook, look};
use crate::destination::{Address, Destination, Fallback, PRODUCTS, Pace, Platform, Retry, platform};
use crate::flood::FloodControl;
use crate::name::DestinationName;
use crate::secret::Secret;

/// All destinations that are in order, and what rules need to know of the others.
#[derive(Debug, Default)]
pub(in crate::config) struct Rooms {
    /// Those in order.
    pub(in crate::config) destinations: Vec<Destination>,
    /// The platforms of all whose `type` is in order.
    pub(in crate::config) platforms: BTreeMap<String, Arc<dyn Platform>>,
    /// The names of all that are written, so that a rule which names one at fault is not blamed as well.
    names: Vec<String>,
}

impl Rooms {
    /// The destination that is called `name` at `place`; a name that is none is a problem.
    pub(in crate::config) fn find(
        &self,
        findings: &mut Findings<'_>,
        place: &Place,
        name: &str,
    ) -> Option<DestinationName> {
        let names = self.names.iter().map(String::as_str);
        if !names.clone().any(|known| known == name) {
            let message = format!("there is no destination {}", quoted(name));
            findings.add(Finding::unknown(place, message, name, names));
            return None;
        }
        DestinationName::new(name).ok()
    }
}

/// What holds for a destination that does not say otherwise.
#[derive(Debug, Clone)]
pub(in crate::config) struct Base {
    retry: Retry,
    timeout: Duration,
    allowed_hosts: Vec<Host>,
    flood: FloodControl,
}

impl Default for Base {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            timeout: Duration::from_secs(10),
            allowed_hosts: Vec::new(),
            flood: FloodControl::default(),
        }
    }
}

impl Base {
    /// The same, but for what is written at `place`.
    pub(in crate::config) fn with(
        &self,
        findings: &mut Findings<'_>,
        place: &Place,
        written: raw::Delivery,
    ) -> Self {
        let window = |text: &str| unit::duration(text).ok().filter(|window| *window <= MOST);
        let collapse = (written.collapse, "\"off\" or a duration up to a day, such as \"10m\"");
        let collapse = unless_off(findings, &place.key("collapse"), collapse, self.flood.collapse, window);
        let number = |text: &str| text.parse().ok().map(NonZeroU32::get);
        let digest_over = (written.digest_over, "\"off\" or a number from 1");
        let digest_over =
            unless_off(findings, &place.key("digest_over"), digest_over, self.flood.digest_over, number);
        let timeout = findings.parsed(&place.key("timeout"), written.timeout.as_deref(), unit::duration);
        Self {
            retry: self.retry(findings, &place.key("retry"), written.retry),
            timeout: timeout.unwrap_or(self.timeout),
            flood: FloodControl { collapse, digest_over },
            allowed_hosts: match written.allowed_hosts {
                Some(hosts) => allowed_hosts(findings, &place.key("allowed_hosts"), &hosts),
                None => self.allowed_hosts.clone(),
            },
        }
    }

    fn retry(&self, findings: &mut Findings<'_>, place: &Place, written: Option<raw::Retry>) -> Retry {
        let Some(written) = written else { return self.retry };
        let mut read = |key, text: Option<String>, default| {
            findings.parsed(&place.key(key), text.as_deref(), unit::duration).unwrap_or(default)
        };
        let retry = Retry {
            first: read("first", written.first, self.retry.first),
            most: read("most", written.most, self.retry.most),
            give_up_after: read("give_up_after", written.give_up_after, self.retry.give_up_after),
        };
        if retry.first > retry.most {
            let finding = Finding::problem(place, "these delays do not grow");
            findings.add(finding.expected("`first` at most `most`"));
            return self.retry;
        }
        if retry.most > MOST {
            let finding = Finding::problem(&place.key("most"), "this is longer than a delay may be");
            findings.add(finding.expected("24h at most: a destination that works again should be noticed"));
            return self.retry;
        }
        retry
    }
}

/// The longest delay between two attempts, and the longest window.
const MOST: Duration = Duration::from_hours(24);

/// A setting that can be switched off: `"off"`, or what `parse` can read. Where it is not written, or is a problem, it is as
/// `before`.
fn unless_off<T>(
    findings: &mut Findings<'_>,
    place: &Place,
    (written, expected): (Option<raw::Scalar>, &str),
    before: Option<T>,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let Some(raw::Scalar(text)) = written else { return before };
    if text == "off" {
        return None;
    }
    let value = parse(&text);
    if value.is_none() {
        let message = format!("{} is no value of `{}`", quoted(&text), place.last_key());
        findings.add(Finding::problem(place, message).expected(expected));
        return before;
    }
    value
}

fn allowed_hosts(findings: &mut Findings<'_>, place: &Place, written: &raw::List<String>) -> Vec<Host> {
    let mut hosts = Vec::new();
    for (i, text) in written.iter().enumerate() {
        let Some(text) = text else { continue };
        match Host::parse(text) {
            Some(host) => hosts.push(host),
            None => findings.add(
                Finding::problem(&place.index(i), "this is no host")
                    .expected("host or host:port, without https:// and without a path"),
            ),
        }
    }
    hosts
}

/// Checks `[destinations]`.
pub(in crate::config) fn destinations(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    node: Option<&Node>,
    base: &Base,
) -> Rooms {
    let mut rooms = Rooms::default();
    let mut fallbacks = BTreeMap::new();
    for (name, at, node) in findings.named_tables(place, node) {
        rooms.names.push(name.to_owned());
        let (shared, rest) = node.split(keys_of::<raw::Delivery>());
        let (common, options) = rest.split(keys_of::<raw::Destination>());
        let own = findings.read(&at, &shared).unwrap_or_default();
        let own = base.with(findings, &at, own);
        let written: raw::Destination = findings.read(&at, &common).unwrap_or_default();
        let product = findings.product(&at, written.product.as_deref(), &PRODUCTS);
        let keys = [keys_of::<raw::Destination>(), keys_of::<raw::Delivery>()].concat();
        let platform = product.and_then(|product| {
            findings.read_with(&at, &options, &keys, |tracked| platform(product, tracked))
        });
        if let Some(fallback) = &written.fallback {
            fallbacks.insert(name.to_owned(), (at.key("fallback"), fallback.clone()));
        }
        if let Some(platform) = &platform {
            rooms.platforms.insert(name.to_owned(), Arc::clone(platform));
        }
        rooms.destinations.extend(destination(findings, vault, &at, name, written, platform, &own));
    }
    check_fallbacks(findings, &rooms, &fallbacks);
    if rooms.names.is_empty() && !findings.is_broken(place) {
        let finding = Finding::warning(place, "there is no destination");
        findings.add(
            finding
                .help("nobody will hear of anything: write a [destinations.NAME] with its `type` and `url`"),
        );
    }
    rooms
}

fn destination(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    name: &str,
    written: raw::Destination,
    platform: Option<Arc<dyn Platform>>,
    own: &Base,
) -> Option<Destination> {
    let name = findings.named(place, DestinationName::new(name));
    let fallback = fallback(findings, place, &written, own.retry.give_up_after);
    let wanted = rate(findings, &place.key("rate"), written.rate.as_deref(), platform.as_deref());
    let at = place.key("url");
    let url =
        findings.required(&at, written.url, "the webhook's address, such as { env = \"SLACK_TEAM_URL\" }");
    let secret = url.and_then(|url| vault.open(findings, &at, &url));
    let (name, platform) = (name?, platform?);
    let (address, webhook) = match secret {
        Some(secret) => open_address(findings, &at, &secret, &*platform, &own.allowed_hosts)?,
        None if vault.is_closed() => (closed_address(), None),
        None => return None,
    };
    Some(Destination {
        address,
        pace: wanted.unwrap_or_else(|| platform.pace()),
        pace_group: pace_group(findings, place, written.pace_group, webhook.as_ref(), &*platform, &name),
        retry: own.retry,
        timeout: own.timeout,
        fallback,
        flood: own.flood,
        platform,
        name,
    })
}

/// For how long a destination may fail before its deliveries move, where nobody says.
const FALLBACK_AFTER: Duration = Duration::from_mins(15);

/// What is written of the fallback. Whether it exists is not known before all destinations are.
fn fallback(
    findings: &mut Findings<'_>,
    place: &Place,
    written: &raw::Destination,
    give_up_after: Duration,
) -> Option<Fallback> {
    let at = place.key("fallback_after");
    let after = findings.parsed(&at, written.fallback_after.as_deref(), unit::duration);
    let has_fallback = written.fallback.is_some() || findings.is_broken(&place.key("fallback"));
    if written.fallback_after.is_some() && !has_fallback {
        findings.add(Finding::warning(&at, "without `fallback` this has no effect").at_key());
    }
    let to = DestinationName::new(written.fallback.as_deref()?).ok()?;
    let after = after.unwrap_or(FALLBACK_AFTER);
    if after >= give_up_after {
        let at = if written.fallback_after.is_some() { at } else { place.key("fallback") };
        let finding = Finding::warning(&at, "messages are given up before they would move to the fallback");
        findings.add(finding.help("write a `fallback_after` that is shorter than `give_up_after`"));
    }
    Some(Fallback { to, after })
}

/// The address that a configuration without secrets has: a host that is promised never to exist.
fn closed_address() -> Address {
    Address::new("https://secret.invalid/")
}

fn open_address(
    findings: &mut Findings<'_>,
    place: &Place,
    secret: &Secret,
    platform: &dyn Platform,
    allowed: &[Host],
) -> Option<(Address, Option<Webhook>)> {
    match look(secret.expose(), platform, allowed) {
        Ok(webhook) => {
            let address = Address::new(platform.address(secret.expose(), webhook.own_host));
            // A host that is allowed may be the platform's own, and the address yet be no webhook's.
            let is_webhook = webhook.own_host
                && webhook.url.scheme() == "https"
                && platform.check_url(&webhook.url).is_ok();
            let address = if is_webhook { address.on_own_host() } else { address };
            Some((address, Some(webhook)))
        }
        Err(flaw) => {
            findings.add(Finding::problem(place, flaw.message).help_opt(flaw.help));
            None
        }
    }
}

/// Which destinations share a pace. The three ways to a group's name cannot meet.
fn pace_group(
    findings: &mut Findings<'_>,
    place: &Place,
    written: Option<String>,
    webhook: Option<&Webhook>,
    platform: &dyn Platform,
    name: &DestinationName,
) -> String {
    match written {
        Some(group) if group.trim().is_empty() => {
            findings.add(Finding::problem(&place.key("pace_group"), "the name of a group must not be empty"));
            String::new()
        }
        Some(group) => format!("group {group}"),
        None => match webhook.and_then(|webhook| platform.pace_group(&webhook.url)) {
            Some(group) => format!("platform {group}"),
            None => format!("destination {name}"),
        },
    }
}

/// The rate that is asked for in place of the platform's own. One that the platform will not bear is warned of.
fn rate(
    findings: &mut Findings<'_>,
    place: &Place,
    written: Option<&str>,
    platform: Option<&dyn Platform>,
) -> Option<Pace> {
    let wanted = findings.parsed(place, written, unit::rate)?;
    let load = |count: u32, per: Duration| u128::from(count) * per.as_millis();
    if let Some(platform) = platform
        && let own = platform.pace()
        && load(wanted.count, own.per) > load(own.count, wanted.per)
    {
        let product = platform.product();
        let message = format!("{product} takes no more than {} in {} s", own.count, own.per.as_secs_f64());
        let finding = Finding::warning(place, message);
        findings.add(finding.help("what is sent faster is put off by the platform, and tried again"));
    }
    Some(wanted)
}

/// Checks that fallbacks exist and lead to an end.
fn check_fallbacks(
    findings: &mut Findings<'_>,
    rooms: &Rooms,
    fallbacks: &BTreeMap<String, (Place, String)>,
) {
    let mut in_a_cycle: Vec<&str> = Vec::new();
    for (name, (place, fallback)) in fallbacks {
        if rooms.find(findings, place, fallback).is_none() || in_a_cycle.contains(&name.as_str()) {
            continue;
        }
        let mut way = vec![name.as_str()];
        while let Some((_, next)) = way.last().and_then(|last| fallbacks.get(*last)) {
            if next == name {
                let message = format!("the fallbacks go round in a circle: {} → {name}", way.join(" → "));
                findings.add(Finding::problem(place, message));
                in_a_cycle.extend(&way);
                break;
            }
            if way.contains(&next.as_str()) {
                // A circle further on, which is found from one of its own.
                break;
            }
            way.push(next);
        }
    }
}
