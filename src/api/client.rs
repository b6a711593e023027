//! The requests to trackers' APIs on the wire: time limits, size limits, no redirects, and no address in any error.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::session::SessionError;
use super::{ApiError, json};
use crate::clock::{Clock, Moment};
use crate::secret::Secret;
use crate::text;

/// More of a page than this is never read.
const ANSWER_LIMIT: usize = 8 << 20;

/// How long a connection may take to be made, and a whole request.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);

/// So much of what a tracker says about a refusal is passed on.
const WORDS: usize = 200;

/// What came where an answer in JSON was due.
pub(super) const PAGE: &str = "a page for people came";

pub(super) use reqwest::Method;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Body,
    /// Headers that the product wants with every request.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// A request's body. Never shown: it may hold credentials.
#[derive(Clone)]
pub(super) enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, Secret)>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Json(_) => "Json",
            Self::Form(_) => "Form",
        })
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    at: Moment,
    headers: HeaderMap,
    body: Vec<u8>,
    is_cut: bool,
    /// What must not be repeated of it.
    pub(super) unsaid: Vec<Secret>,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) struct Silence {
    pub(super) words: String,
    /// Whether the tracker may have got the request all the same.
    pub(super) is_unclear: bool,
}

/// Sends requests.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    clock: Clock,
}

impl Client {
    pub(super) fn new(authority: Option<&str>, clock: Clock) -> Result<Self, SessionError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("bugle/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .http1_only()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .pool_idle_timeout(Duration::from_mins(1));
        let without_url = |error: reqwest::Error| SessionError::Client(error.without_url());
        let builder = match authority {
            Some(pem) => {
                let roots = Certificate::from_pem_bundle(pem.as_bytes()).map_err(without_url)?;
                builder.tls_certs_merge(roots)
            }
            None => builder,
        };
        Ok(Self { http: builder.build().map_err(without_url)?, clock })
    }

    /// Sends `call`; `authorization` is a whole header.
    pub(super) async fn send(&self, call: &Call, authorization: Option<&Secret>) -> Result<Answer, Silence> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        request = request.header(ACCEPT, "application/json");
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(mut value) = authorization.and_then(|secret| HeaderValue::from_str(secret.expose()).ok())
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Form(fields) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(fields.iter().map(|(name, secret)| (name, secret.expose())));
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
            }
        };
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => Err(silence(&error)),
        }
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Answer, Silence> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (mut body, mut is_cut) = (Vec::new(), false);
        while let Some(chunk) = response.chunk().await.map_err(|error| silence(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_LIMIT {
                is_cut = true;
                break;
            }
        }
        Ok(Answer { status, at: self.clock.now(), headers, body, is_cut, unsaid: Vec::new() })
    }
}

impl Body {
    /// What is secret in it.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::None => Vec::new(),
            Self::Json(value) => {
                let texts = value.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
                texts.filter(|text| text.contains("://")).flat_map(address_parts).collect()
            }
            Self::Form(fields) => {
                let secrets = fields.iter().filter(|(name, _)| *name != "grant_type");
                secrets.map(|(_, secret)| secret.clone()).collect()
            }
        }
    }
}

/// The address of a webhook, and the token that is the last part of its path.
pub(super) fn address_parts(address: &str) -> Vec<Secret> {
    let path = address.split('?').next().unwrap_or_default();
    let token = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    vec![Secret::new(address), Secret::new(path), Secret::new(token)]
}

impl Call {
    /// A question, with `headers` that the product wants.
    pub(super) fn get(url: Url, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { method: Method::GET, url, body: Body::None, headers }
    }

    /// Whether it may be sent again when it is not known what became of it: what is made twice may be there twice.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self.body, Body::Json(_))
    }
}

impl Answer {
    /// Whether the body has this word of a closed list in it.
    pub(super) fn names(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(word)
    }

    pub(super) fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        self.headers.get(name.try_into().ok()?)?.to_str().ok()
    }

    /// How long the body is.
    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    /// Every value of the header `name`.
    pub(super) fn every(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
    }

    /// The body as JSON; `expected` says what it should have been.
    pub(super) fn json(&self, expected: &str) -> Result<Value, ApiError> {
        if self.is_cut {
            return Err(ApiError::Unexpected(format!(
                "{expected} was expected, and the answer does not end"
            )));
        }
        json::read(&self.body).map_err(|error| {
            let came = match (self.body.trim_ascii().is_empty(), self.is_page()) {
                (true, _) => "nothing came",
                (_, true) => PAGE,
                _ if error.is_eof() => "the beginning of one came",
                _ => "something else came",
            };
            ApiError::Unexpected(format!("{expected} was expected, {came}"))
        })
    }

    /// The wait that `Retry-After` asks for, in seconds or until a date, by the tracker's own clock where it tells the time.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header(RETRY_AFTER)?.trim();
        if let Ok(seconds) = value.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let now = self.header("date").and_then(moment).unwrap_or(self.at);
        Some(moment(value)?.since(now))
    }

    /// Whether it is a page for people: of a proxy, or of a dashboard that has one for every address.
    pub(super) fn is_page(&self) -> bool {
        let body = self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.body).trim_ascii_start();
        let kind = self.header(CONTENT_TYPE).unwrap_or_default().trim_start();
        body.starts_with(b"<") || kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
    }

    /// What the tracker says, in one short line. What is secret is taken out should it have said that, and every address: it
    /// may be that of a webhook, with whatever token that once had.
    pub(super) fn words(&self) -> String {
        if self.is_page() {
            return String::new();
        }
        let said = json::read(&self.body).ok().as_ref().and_then(message);
        let mut words = said.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        for secret in self.unsaid.iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
            let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            let escaped = secret.replace('/', "\\/");
            for written in [secret, &encoded, &escaped] {
                words = words.replace(written, "…");
            }
        }
        text::beginning(&without_addresses(&words), WORDS)
    }
}

/// `words` with nothing in place of each address among them.
fn without_addresses(words: &str) -> String {
    let is_address = |word: &str| {
        let word = word.to_ascii_lowercase();
        ["://", ":\\/\\/", "%3a%2f%2f"].iter().any(|sign| word.contains(sign))
    };
    let words = words.split_whitespace().map(|word| if is_address(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// What an error's body says, where it is an object of a usual kind.
fn message(body: &Value) -> Option<String> {
    let named = ["error_description", "message", "detail", "error", "errors"];
    let said = named.iter().find_map(|name| body.get(name).filter(|said| !said.is_null()))?;
    match said {
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => {
            all.first().and_then(|first| first.as_str().map(str::to_owned).or_else(|| message(first)))
        }
        nested => message(nested),
    }
}

fn moment(date: &str) -> Option<Moment> {
    let since_1970 = httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Moment(i64::try_from(since_1970.as_millis()).ok()?))
}

/// What it means that no whole answer came.
fn silence(error: &reqwest::Error) -> Silence {
    let words = if error.is_connect() {
        "no connection could be made"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke before the answer"
    };
    let words = match root_cause(error) {
        Some(cause) => format!("{words}: {cause}"),
        None => words.to_owned(),
    };
    Silence { words, is_unclear: !error.is_connect() }
}

/// The innermost cause, such as "Connection refused": the ones around it name the address.
fn root_cause(error: &reqwest::Error) -> Option<String> {
    let mut cause = std::error::Error::source(error)?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    (!text.contains("://")).then_some(text)
}
