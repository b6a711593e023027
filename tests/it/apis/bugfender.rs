//! A pretend Bugfender: tokens, single issues, groups, subscriptions; as strict as `docs/CATCH_UP.md` says the real one is.

use std::sync::{Arc, Mutex};

use bugle::api::{Access, Api, App, Credentials};
use bugle::name::SourceName;
use bugle::secret::Secret;
use serde_json::{Value, json};

use super::server::{Asked, Server, Told};

pub(crate) const CLIENT: &str = "client-id-0123456789";
pub(crate) const SECRET: &str = "client-secret/+with=signs";
pub(crate) const APP: u64 = 48213;
pub(crate) const NAME: &str = "Harbor Companion";

/// What it knows; may be changed between requests.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Tokens that were given out and count; empty it, and the next request is refused.
    pub(crate) tokens: Vec<String>,
    /// How many tokens were given out.
    pub(crate) given: usize,
    /// What `expires_in` says.
    pub(crate) lifetime: Value,
    /// Single objects, each with its `issue_status`.
    pub(crate) singles: Vec<(u64, Value)>,
    /// Groups, each with its `issue_type`.
    pub(crate) groups: Vec<(u64, Value)>,
    /// Subscriptions: id, event, address, app.
    pub(crate) hooks: Vec<(u64, String, String, u64)>,
    /// Whether it answers 404 where single objects were.
    pub(crate) has_no_singles: bool,
    /// Whether it answers 405 to who looks at a subscription.
    pub(crate) tells_no_hooks: bool,
    /// The next subscription's id.
    pub(crate) next_hook: u64,
    /// Changes that happen after this many more pages.
    pub(crate) moves: Option<(usize, Vec<(u64, Value)>)>,
}

/// A pretend Bugfender.
pub(crate) struct Bugfender {
    pub(crate) server: Server,
    known: Arc<Mutex<Known>>,
}

impl Bugfender {
    pub(crate) fn start() -> Self {
        let known = Known { lifetime: json!(3600), next_hook: 21, ..Known::default() };
        let known = Arc::new(Mutex::new(known));
        let shared = Arc::clone(&known);
        Self { server: Server::start(move |asked| shared.lock().unwrap().answer(asked)), known }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.lock().unwrap())
    }

    /// As a source would be configured with it.
    pub(crate) fn api(&self) -> Api {
        let credentials = Credentials::Client { id: Secret::new(CLIENT), secret: Secret::new(SECRET) };
        let app = App { number: Some(APP), id: None, name: Some(NAME.to_owned()) };
        Api {
            source: SourceName::new("mobile").unwrap(),
            base: self.server.base(),
            authority: None,
            access: Access::Bugfender { credentials, apps: vec![app] },
            webhook: None,
            catch_up: None,
        }
    }

    /// How often a token was asked for.
    pub(crate) fn token_requests(&self) -> usize {
        self.server.lines().iter().filter(|line| line.ends_with("/auth/token")).count()
    }
}

impl Known {
    fn answer(&mut self, asked: &Asked) -> Told {
        if asked.path == "/auth/token" {
            return self.token(asked);
        }
        let bearer = asked.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
        if !self.tokens.iter().any(|token| token == bearer) {
            return Told::json(401, &json!({"message": format!("no such token {bearer}")}));
        }
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("POST", ["api", "hook", "subscribe"]) => self.subscribe(asked),
            (method, ["api", "hook", id]) => self.hook(method, id, asked.path.ends_with('/')),
            ("GET", ["api", "app", app, rest @ ..]) if *app == APP.to_string() => self.list(asked, rest),
            _ => Told::json(404, &json!({"message": "not found"})),
        }
    }

    fn token(&mut self, asked: &Asked) -> Told {
        let form: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
        let field =
            |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if asked.method != "POST" || field("grant_type") != Some("client_credentials") {
            return Told::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        if field("client_id") != Some(CLIENT) || field("client_secret") != Some(SECRET) {
            return Told::json(401, &json!({"error": "invalid_client"}));
        }
        self.given += 1;
        let token = format!("token-number-{:04}", self.given);
        self.tokens.push(token.clone());
        let mut answer = json!({"access_token": token, "token_type": "bearer", "scope": "all"});
        if !self.lifetime.is_null() {
            answer["expires_in"] = self.lifetime.clone();
        }
        Told::json(200, &answer)
    }

    fn subscribe(&mut self, asked: &Asked) -> Told {
        if !asked.path.ends_with('/') {
            return Told::text(308, "").with("Location", &format!("{}/", asked.path));
        }
        let Some(body) = asked.json() else { return Told::json(400, &json!({"message": "not JSON"})) };
        let target = body["target_url"].as_str().unwrap_or_default();
        let event = body["event"].as_str().unwrap_or_default();
        if !["new_crash", "new_issue_separate", "new_user_feedback"].contains(&event)
            || !target.contains("://")
        {
            // Words that repeat what nobody should read.
            return Told::json(400, &json!({"message": format!("cannot call {target}")}));
        }
        let Some(app) = body["app_id"].as_u64().filter(|app| *app == APP) else {
            return Told::json(403, &json!({"message": "permission denied"}));
        };
        let id = self.next_hook;
        self.next_hook += 1;
        self.hooks.push((id, event.to_owned(), target.to_owned(), app));
        Told::json(201, &json!({"id": id, "event": event, "target_url": target, "app_id": app}))
    }

    fn hook(&mut self, method: &str, id: &str, has_slash: bool) -> Told {
        if !has_slash {
            return Told::text(301, "").with("Location", &format!("/api/hook/{id}/"));
        }
        let place = self.hooks.iter().position(|(known, ..)| known.to_string() == id);
        match (method, place) {
            ("GET", _) if self.tells_no_hooks => Told::json(405, &json!({"message": "method not allowed"})),
            (_, None) => Told::json(404, &json!({"message": "not found"})),
            ("GET", Some(place)) => {
                let (id, event, target, app) = &self.hooks[place];
                Told::json(200, &json!({"id": id, "event": event, "target_url": target, "app_id": app}))
            }
            ("DELETE", Some(place)) => {
                self.hooks.remove(place);
                Told::text(200, "")
            }
            _ => Told::json(405, &json!({"message": "method not allowed"})),
        }
    }

    fn list(&mut self, asked: &Asked, path: &[&str]) -> Told {
        if let Some((left, singles)) = self.moves.take() {
            if left == 0 {
                self.singles = singles;
            } else {
                self.moves = Some((left - 1, singles));
            }
        }
        if path.is_empty() {
            return Told::json(
                200,
                &json!({"id": "Kq7Zr2mVbT", "name": NAME, "key": "a-key-of-the-sending-app"}),
            );
        }
        let Some(since) = asked.parameter("date_range_start").map(to_the_second) else {
            return Told::json(400, &json!({"message": "date_range_start is required"}));
        };
        let (filter, all) = match path {
            ["issues"] if self.has_no_singles => return Told::json(404, &json!({"message": "not found"})),
            ["issues"] if asked.parameter("version") != Some("-1") => {
                return Told::json(200, &json!({"issues": []}));
            }
            ["issues"] => ("issue_status", &self.singles),
            ["issues-aggregation", "summary"] => ("issue_type", &self.groups),
            _ => return Told::json(404, &json!({"message": "not found"})),
        };
        let wanted = asked.number(filter).map(|code| code as u64);
        let seen = |item: &Value| {
            let seen = item.get("last_seen").or_else(|| item.get("created_at"));
            to_the_second(seen.and_then(Value::as_str).unwrap_or("9999"))
        };
        let fits = all.iter().filter(|(code, item)| Some(*code) == wanted && seen(item) >= since);
        let mut fits: Vec<_> = fits.map(|(_, item)| item.clone()).collect();
        fits.sort_by_key(|item| std::cmp::Reverse(seen(item)));
        let size = asked.number("page_size").unwrap_or(25).clamp(1, 100);
        let (page, total) = (asked.number("page").unwrap_or(1).max(1), fits.len());
        let pages = total.div_ceil(size).max(1);
        let items: Vec<_> = fits.into_iter().skip((page - 1) * size).take(size).collect();
        Told::json(
            200,
            &match path {
                ["issues"] => {
                    json!({"issues": items, "total_pages": pages, "page_index": page, "item_count": total})
                }
                _ => json!({
                    "data": items,
                    "pagination": {
                        "current_page": page, "page_size": size, "total_items": total, "total_pages": pages,
                        "has_next_page": page < pages, "has_prev_page": page > 1,
                    },
                    "out_of_retention_period": false,
                }),
            },
        )
    }
}

/// Times of one zone compare as texts as far as they are equally long.
fn to_the_second(time: &str) -> String {
    time.chars().take("2025-03-04T10:00:00".len()).collect()
}
