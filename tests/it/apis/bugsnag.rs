//! A pretend Bugsnag: projects, errors and their events, as strict as `docs/CATCH_UP.md` says the real one is.

use std::sync::{Arc, Mutex};

use bugle::api::{Access, Api};
use bugle::name::SourceName;
use bugle::secret::Secret;
use serde_json::{Value, json};

use super::server::{Asked, Server, Told};

pub(crate) const TOKEN: &str = "personal-auth-token-0123456789";
pub(crate) const PROJECT: &str = "50baee27a43ccdf778000002";

/// What it knows; may be changed between requests.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Errors as the API tells of them.
    pub(crate) errors: Vec<Value>,
    /// Events as full reports, each with `error_id`.
    pub(crate) events: Vec<Value>,
    /// Requests left in this minute; nothing: no limit.
    pub(crate) left: Option<u64>,
    /// What comes on a page at most.
    pub(crate) page: usize,
    /// Whether lists tell of events in short only.
    pub(crate) has_no_full_reports: bool,
    /// What stands before the path in `Link`; empty: the address by which it was asked.
    pub(crate) links_to: &'static str,
}

/// A pretend Bugsnag.
pub(crate) struct Bugsnag {
    pub(crate) server: Server,
    known: Arc<Mutex<Known>>,
}

impl Bugsnag {
    pub(crate) fn start() -> Self {
        let known = Arc::new(Mutex::new(Known { page: 100, ..Known::default() }));
        let shared = Arc::clone(&known);
        Self { server: Server::start(move |asked| shared.lock().unwrap().answer(asked)), known }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap())
    }

    /// As a source would be configured with it.
    pub(crate) fn api(&self) -> Api {
        Api {
            source: SourceName::new("backend").unwrap(),
            base: self.server.base(),
            authority: None,
            access: Access::Bugsnag { token: Secret::new(TOKEN), projects: vec![PROJECT.to_owned()] },
            webhook: None,
            catch_up: None,
        }
    }
}

impl Known {
    fn answer(&mut self, asked: &Asked) -> Told {
        if asked.header("authorization") != format!("token {TOKEN}") {
            return Told::json(401, &json!({"errors": ["bad credentials"]}));
        }
        if asked.header("x-version") != "2" {
            return Told::json(400, &json!({"errors": ["an unknown version"]}));
        }
        let left = match &mut self.left {
            Some(0) => return Told::json(429, &json!({"errors": ["too many"]})).with("Retry-After", "7"),
            Some(left) => {
                *left -= 1;
                Some(left.to_string())
            }
            None => None,
        };
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        let told = match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["projects", PROJECT]) => Told::json(200, &project()),
            ("GET", ["projects", PROJECT, "errors"]) => self.errors(asked),
            ("GET", ["projects", PROJECT, "errors", error, "events"]) => self.events(asked, error),
            _ => Told::json(404, &json!({"errors": ["not found"]})),
        };
        match left {
            Some(left) => told.with("X-RateLimit-Limit", "10").with("X-RateLimit-Remaining", &left),
            None => told,
        }
    }

    fn errors(&self, asked: &Asked) -> Told {
        let filter = |name: &str| {
            let kind = asked.parameter(&format!("filters[{name}][][type]"));
            asked.parameter(&format!("filters[{name}][][value]")).filter(|_| kind == Some("eq"))
        };
        let (since, status) = (filter("event.since"), filter("error.status"));
        let fits = self.errors.iter().filter(|error| {
            let last = error["last_seen"].as_str().unwrap_or("9999");
            since.is_none_or(|since| last >= since)
                && status.is_none_or(|status| error["status"].as_str() == Some(status))
        });
        let mut fits: Vec<_> = fits.cloned().collect();
        if asked.parameter("sort") == Some("last_seen") && asked.parameter("direction") == Some("desc") {
            fits.sort_by_key(|error| {
                std::cmp::Reverse(error["last_seen"].as_str().unwrap_or_default().to_owned())
            });
        }
        if let Some(since) = since {
            // Counted are the events that fit the filter: the first of those is no earlier than it.
            for error in &mut fits {
                let first = error["first_seen"].as_str().unwrap_or_default().max(since).to_owned();
                error["first_seen"] = first.into();
            }
        }
        self.page(asked, &fits)
    }

    fn page(&self, asked: &Asked, all: &[Value]) -> Told {
        let size = asked.number("per_page").unwrap_or(30).min(self.page);
        let offset = asked.number("offset").unwrap_or(0);
        let items: Vec<_> = all.iter().skip(offset).take(size).collect();
        let told = Told::json(200, &json!(items)).with("X-Total-Count", &all.len().to_string());
        if offset + size >= all.len() {
            return told;
        }
        let others = asked.query.iter().filter(|(name, _)| name != "offset" && name != "cursor");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others).append_pair("offset", &(offset + size).to_string());
        let own = format!("http://{}", asked.header("host"));
        let to = if self.links_to.is_empty() { &own } else { self.links_to };
        // A cursor may be anything that an address may hold.
        let next = format!("<{to}{}?{}&cursor=a,b;c>; rel=\"next\"", asked.path, query.finish());
        told.with("Link", &next)
    }

    fn events(&self, asked: &Asked, error: &str) -> Told {
        if !self.errors.iter().any(|known| known["id"].as_str() == Some(error)) {
            return Told::json(404, &json!({"errors": ["not found"]}));
        }
        let received = |event: &Value| event["received_at"].as_str().unwrap_or_default().to_owned();
        let since = asked.parameter("filters[event.since][][value]").unwrap_or_default();
        let its = self.events.iter().filter(|event| event["error_id"].as_str() == Some(error));
        let mut its: Vec<_> = its.filter(|event| received(event).as_str() >= since).cloned().collect();
        its.sort_by_key(received);
        if asked.parameter("direction") != Some("asc") {
            its.reverse();
        }
        if self.has_no_full_reports || asked.parameter("full_reports") != Some("true") {
            its = its.iter().map(short).collect();
        }
        self.page(asked, &its)
    }
}

/// As lists tell of an event without full reports.
fn short(event: &Value) -> Value {
    let class = &event["exceptions"][0]["error_class"];
    json!({
        "id": event["id"], "error_id": event["error_id"], "is_full_report": false,
        "receivedAt": event["received_at"], "severity": event["severity"], "context": event["context"],
        "exceptions": [{"errorClass": class, "message": event["exceptions"][0]["message"]}],
        "unhandled": event["unhandled"], "app": {"releaseStage": event["app"]["release_stage"]},
    })
}

pub(crate) fn project() -> Value {
    json!({
        "id": PROJECT, "slug": "harbor-checkout", "name": "Harbor Checkout", "api_key": "a-key-of-the-project",
        "html_url": "https://app.bugsnag.com/larkspur-labs/harbor-checkout",
        "url": format!("https://api.bugsnag.com/projects/{PROJECT}"),
    })
}

/// An error that was seen first and last at these times.
pub(crate) fn error(id: &str, first: &str, last: &str, status: &str) -> Value {
    json!({
        "id": id, "project_id": PROJECT, "error_class": "TypeError", "message": "sku is not defined",
        "context": "/checkout/review", "severity": "error", "events": 3, "users": 2, "status": status,
        "first_seen": first, "last_seen": last, "first_seen_unfiltered": first, "last_seen_unfiltered": last,
        "created_issue": {}, "release_stages": ["production"],
        "url": format!("https://api.bugsnag.com/projects/{PROJECT}/errors/{id}"),
    })
}
