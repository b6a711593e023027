//! A tracker's own API, `[sources.NAME.api]`, and how often it is asked, `[sources.NAME.catch_up]`.

use std::time::Duration;

use super::super::findings::{Finding, Findings, quoted};
use super::super::names::any_of;
use super::super::place::Place;
use super::super::{file, raw, unit};
use super::secret::Vault;
use crate::api::{Access, Api, App, CatchUp, Credentials, REACH, is_sendable};
use crate::name::SourceName;
use crate::secret::Secret;

/// A tracker is not asked more often than this: it costs requests, and most of what comes has come by webhook.
const AT_LEAST: Duration = Duration::from_mins(1);

/// What is said of empty lists.
const NOTHING: &str = "there is nothing to ask about";
const NO_TRIGGERS: &str = "there is nothing to ask for";

/// Checks both tables of the source `name`, whose tracker is `product` and which is opened by `token`.
pub(super) fn api(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    (name, product): (&SourceName, &'static str),
    (api, catch_up): (Option<raw::Api>, Option<raw::CatchUp>),
    token: Option<&Secret>,
) -> Option<Api> {
    let at = place.key("catch_up");
    let catch_up = catch_up.map(|written| how_often(findings, &at, product, written));
    let Some(written) = api else {
        if catch_up.is_some() && !findings.is_broken_within(&place.key("api")) {
            let finding = Finding::problem(&at, "there is nobody to ask");
            findings.add(finding.expected(format!("[sources.{name}.api] with the tracker's credentials")));
        }
        return None;
    };
    let place = place.key("api");
    unused(findings, &place, product, &written);
    let base = base(findings, &place.key("url"), product, written.url.as_deref());
    let authority = authority(findings, vault, &place.key("authority"), written.authority.as_deref());
    let access = match product {
        "bugsnag" => bugsnag(findings, vault, &place, written),
        _ => bugfender(findings, vault, &place, written),
    };
    let webhook = token.map(|token| Secret::new(format!("/hooks/{name}/{}", encoded(token))));
    Some(Api {
        source: name.clone(),
        base,
        authority,
        access: access?,
        webhook,
        catch_up: catch_up.flatten(),
    })
}

/// As one part of an address, whatever is in it.
fn encoded(token: &Secret) -> String {
    let form: String = url::form_urlencoded::byte_serialize(token.expose().as_bytes()).collect();
    // What a form says otherwise than a path, and what needs no code.
    form.replace('+', "%20").replace("%7E", "~")
}

/// Keys of the other product.
fn unused(findings: &mut Findings<'_>, place: &Place, product: &str, written: &raw::Api) {
    let others = match product {
        "bugsnag" => [
            ("apps", written.apps.is_some()),
            ("client_id", written.client_id.is_some()),
            ("client_secret", written.client_secret.is_some()),
        ],
        _ => [("projects", written.projects.is_some()), ("", false), ("", false)],
    };
    for (key, _) in others.iter().filter(|(_, is_written)| *is_written) {
        let finding = Finding::problem(&place.key(key), format!("{product} has no use for `{key}`"));
        findings.add(finding.at_key());
    }
}

fn base(findings: &mut Findings<'_>, place: &Place, product: &'static str, written: Option<&str>) -> String {
    let Some(written) = written else { return Api::vendor(product).to_owned() };
    let url = url::Url::parse(written).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url.filter(|url| url.host_str().is_some() && url.query().is_none()) else {
        let finding = Finding::problem(place, "this is no web address that paths can be added to");
        findings
            .add(finding.expected(format!("a host and perhaps a path, such as {:?}", Api::vendor(product))));
        return Api::vendor(product).to_owned();
    };
    if !url.username().is_empty() || url.password().is_some() {
        let finding = Finding::problem(place, "credentials do not belong into the address");
        findings.add(finding.help("they have keys of their own here, such as `token`"));
    }
    let is_near = url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
    if url.scheme() == "http" && !is_near {
        let finding = Finding::warning(place, "credentials and events go over the network in the clear");
        findings.add(finding.help("write https:// if the tracker can be reached that way"));
    }
    written.trim_end_matches('/').to_owned()
}

fn authority(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: Option<&str>,
) -> Option<String> {
    let path = vault.folder().join(written?);
    findings.watch(&path);
    let shown = path.display();
    match file::text(&path, file::SETTINGS) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(text),
        Ok(_) => findings.add(
            Finding::problem(place, format!("there is no certificate in the file `{shown}`"))
                .expected("certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"),
        ),
        Err(error) => findings.add(Finding::problem(place, format!("the file `{shown}` {error}"))),
    }
    None
}

fn bugsnag(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: raw::Api,
) -> Option<Access> {
    const TOKEN: &str = "a personal auth token, such as { env = \"BUGSNAG_API_TOKEN\" }";
    const PROJECTS: &str = "a list of project ids, such as [\"50baee27a43ccdf778000002\"]";
    let token = findings.required(&place.key("token"), written.token, TOKEN);
    let token = token.and_then(|token| credential(findings, vault, &place.key("token"), &token));
    let at = place.key("projects");
    let projects = findings.required(&at, written.projects, PROJECTS)?;
    let projects: Vec<String> = projects.into_iter().flatten().collect();
    for (i, project) in projects.iter().enumerate() {
        check_id(findings, &at.index(i), project);
        expect_once(findings, &at.index(i), projects.iter().take(i), "this project", |other| {
            other == project
        });
    }
    expect_some(findings, &at, projects.is_empty(), NOTHING, PROJECTS);
    Some(Access::Bugsnag { token: token?, projects })
}

fn bugfender(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: raw::Api,
) -> Option<Access> {
    const APPS: &str = "a list of applications, such as [1234] or [{ number = 1234, id = \"5X3c4veRGV\" }]";
    let at = place.key("apps");
    let credentials =
        credentials(findings, vault, place, (written.token, written.client_id, written.client_secret));
    let apps = findings.required(&at, written.apps, APPS)?;
    let apps = apps.into_iter().enumerate();
    let apps: Vec<(usize, App)> =
        apps.filter_map(|(i, written)| Some((i, app(findings, &at.index(i), written?)?))).collect();
    for (place, (i, app)) in apps.iter().enumerate() {
        let before = apps.iter().take(place).map(|(_, before)| before);
        expect_once(findings, &at.index(*i), before, "this application", |other| is_same(app, other));
    }
    let apps: Vec<App> = apps.into_iter().map(|(_, app)| app).collect();
    let is_empty = apps.is_empty() && !findings.is_broken_within(&at);
    expect_some(findings, &at, is_empty, NOTHING, APPS);
    Some(Access::Bugfender { credentials: credentials?, apps })
}

fn credentials(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    (token, id, secret): (Option<raw::Secret>, Option<raw::Secret>, Option<raw::Secret>),
) -> Option<Credentials> {
    const EITHER: &str = "either `token`, or `client_id` and `client_secret`";
    let mut open = |key: &str, written: Option<raw::Secret>| {
        let written = written?;
        Some(credential(findings, vault, &place.key(key), &written))
    };
    let (token, id, secret) = (open("token", token), open("client_id", id), open("client_secret", secret));
    match (token, id, secret) {
        (Some(token), None, None) => token.map(Credentials::Token),
        (None, Some(id), Some(secret)) => {
            id.zip(secret).map(|(id, secret)| Credentials::Client { id, secret })
        }
        (token, ..) => {
            if !findings.is_broken_within(place) {
                let message = if token.is_some() {
                    "two ways to prove who bugle is"
                } else {
                    "credentials are missing"
                };
                findings.add(Finding::problem(place, message).expected(EITHER));
            }
            None
        }
    }
}

/// A credential, which has to fit into a request. What is wrong with it is not shown.
fn credential(
    findings: &mut Findings<'_>,
    vault: &Vault<'_>,
    place: &Place,
    written: &raw::Secret,
) -> Option<Secret> {
    let secret = vault.open(findings, place, written)?;
    let text = secret.expose().trim();
    // A token goes into a header; the others are encoded.
    let (is_fit, expected) = if place.last_key() == "token" {
        (is_sendable(text), "printable ASCII without spaces, on one line")
    } else {
        let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        (!text.is_empty() && secret.expose().bytes().all(is_printable), "printable ASCII, on one line")
    };
    if is_fit {
        return Some(secret);
    }
    let finding = Finding::problem(place, "there is a character in it that no request can carry");
    findings.add(finding.expected(expected));
    None
}

fn app(findings: &mut Findings<'_>, place: &Place, written: raw::App) -> Option<App> {
    let named = match written {
        raw::App::Short(text) if is_figure(&text) => {
            raw::NamedApp { number: Some(raw::Scalar(text)), ..raw::NamedApp::default() }
        }
        raw::App::Short(text) => raw::NamedApp { id: Some(text), ..raw::NamedApp::default() },
        raw::App::Named(named) => named,
    };
    let raw::NamedApp { number, id, name } = named;
    let number = match number.map(|raw::Scalar(text)| (text.parse::<u64>(), text)) {
        Some((Ok(number), _)) if number > 0 => Some(number),
        Some((_, text)) => return no_number(findings, place, &text),
        None => None,
    };
    if let Some(id) = &id {
        if id.starts_with('-') && is_figure(id) {
            return no_number(findings, place, id);
        }
        check_id(findings, place, id);
    }
    if number.is_none() && id.is_none() {
        if findings.is_broken_within(place) {
            return None;
        }
        findings.add(
            Finding::problem(place, "which application it is is not said")
                .expected("`number` or `id`, or both"),
        );
        return None;
    }
    Some(App { number, id, name })
}

/// Digits, and perhaps a minus before them: no id is like that.
fn is_figure(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

fn no_number(findings: &mut Findings<'_>, place: &Place, text: &str) -> Option<App> {
    let finding = Finding::problem(place, format!("{} is no application's number", quoted(text)));
    findings.add(finding.expected("the number at the end of its address in Bugfender's dashboard"));
    None
}

/// An id stands in a path.
fn check_id(findings: &mut Findings<'_>, place: &Place, id: &str) {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        findings.add(
            Finding::problem(place, format!("{} is no id", quoted(id)))
                .expected("letters, digits, `-` and `_`"),
        );
    }
}

/// Whether both are one application, which has two names.
fn is_same(one: &App, other: &App) -> bool {
    let is_named =
        |app: &App, other: &App| app.number.is_some() && app.number.map(|it| it.to_string()) == other.id;
    (one.number.is_some() && one.number == other.number)
        || (one.id.is_some() && one.id == other.id)
        || is_named(one, other)
        || is_named(other, one)
}

/// Refuses what `is_same` as one of those `before`.
fn expect_once<'a, T: 'a>(
    findings: &mut Findings<'_>,
    place: &Place,
    mut before: impl Iterator<Item = &'a T>,
    what: &str,
    is_same: impl Fn(&T) -> bool,
) {
    if before.any(is_same) {
        let finding = Finding::problem(place, format!("{what} is there already"));
        findings.add(finding.expected("each once, with all that is known of it in one place"));
    }
}

fn expect_some(findings: &mut Findings<'_>, place: &Place, is_empty: bool, message: &str, expected: &str) {
    if is_empty {
        findings.add(Finding::problem(place, message).expected(expected));
    }
}

fn how_often(
    findings: &mut Findings<'_>,
    place: &Place,
    product: &'static str,
    written: raw::CatchUp,
) -> Option<CatchUp> {
    let at = place.key("every");
    let every =
        findings.required(&at, written.every, "the time between two times of asking, such as \"15m\"");
    let every = findings.parsed(&at, every.as_deref(), unit::duration);
    if every.is_some_and(|every| every < AT_LEAST) {
        findings.add(
            Finding::problem(&at, "that is too often for a tracker").expected("a minute, \"1m\", or more"),
        );
    }
    if every.is_some_and(|every| every > REACH) {
        let message = "what is older than seven days cannot be asked for";
        findings.add(Finding::problem(&at, message).expected("seven days, \"7d\", or less"));
    }
    let known = Api::can_catch_up(product);
    let triggers = match written.triggers {
        None => known.to_vec(),
        Some(written) => {
            let at = place.key("triggers");
            expect_some(findings, &at, written.is_empty(), NO_TRIGGERS, &any_of(known.iter().copied()));
            let words = written.into_iter().enumerate().filter_map(|(i, word)| Some((i, word?)));
            let mut found: Vec<&'static str> = Vec::new();
            for (i, word) in words {
                let Some(trigger) = trigger(findings, &at.index(i), known, &word) else { continue };
                expect_once(findings, &at.index(i), found.iter(), "this trigger", |other| *other == trigger);
                found.push(trigger);
            }
            found
        }
    };
    Some(CatchUp { every: every?, triggers })
}

fn trigger(
    findings: &mut Findings<'_>,
    place: &Place,
    known: &'static [&'static str],
    word: &str,
) -> Option<&'static str> {
    let found = known.iter().copied().find(|known| *known == word);
    if found.is_none() {
        let message = format!("{} cannot be asked for", quoted(word));
        let finding = Finding::unknown(place, message, word, known.iter().copied());
        findings.add(finding.expected(any_of(known.iter().copied())));
    }
    found
}
