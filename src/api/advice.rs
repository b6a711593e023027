//! What to do about an answer of a tracker's API, by the keys of the configuration.

use std::time::Duration;

use super::{Access, Api, ApiError, App, Credentials};

/// What was asked of a tracker.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// What has happened to this application or project.
    Asking(&'a str),
    /// To make, to look at or to undo a webhook: of this application, or of none.
    Hooks(Option<&'a App>),
}

/// What to do about `error`, which was the answer to a request for that `purpose`. On one line, without a secret.
pub fn advice(api: &Api, purpose: Purpose<'_>, error: &ApiError) -> String {
    let place = format!("sources.{}.api", api.source);
    let keys = keys(api, &place);
    match error {
        ApiError::Unauthorized => format!("see {keys}; they may have been revoked, or have ended"),
        ApiError::Forbidden => forbidden(api, purpose, &place, &keys),
        ApiError::Unknown(_) | ApiError::BadRequest(_) => unfit(api, purpose, error, &place, &keys),
        ApiError::Wait(wait) => format!("try again in {}", lasts(*wait)),
        ApiError::Down(_) => {
            // Who asks for what has happened tries again without being told to.
            let again = if matches!(purpose, Purpose::Hooks(_)) { "try again later; " } else { "" };
            format!("{again}if it stays so, see whether `{place}.url` can be reached from here")
        }
        ApiError::Unexpected(_) => format!(
            "see whether `{place}.url` leads to the tracker, and not to a proxy or a page for signing in; if it does, its API \
             has changed"
        ),
    }
}

fn forbidden(api: &Api, purpose: Purpose<'_>, place: &str, keys: &str) -> String {
    match purpose {
        Purpose::Asking(subject) => {
            format!("see that {keys} may read {subject}, of `{place}.{}`", subjects(api))
        }
        Purpose::Hooks(Some(App { number: Some(number), .. })) => format!(
            "double-check the application's number {number} in `{place}.apps`, which is the one at the end of its \
             address in the dashboard, and that {keys} may administer it"
        ),
        Purpose::Hooks(_) => format!("see whether {keys} may administer what is asked for"),
    }
}

/// The tracker knows no such thing, or does not understand the question.
fn unfit(api: &Api, purpose: Purpose<'_>, error: &ApiError, place: &str, keys: &str) -> String {
    let subjects = subjects(api);
    match (purpose, error) {
        (Purpose::Asking(subject), ApiError::Unknown(_)) => {
            format!("see whether {subject} in `{place}.{subjects}` is right, and `{place}.url`")
        }
        (Purpose::Asking(subject), _) => format!(
            "see whether {subject} in `{place}.{subjects}` is right; if that was about a token, see {keys}"
        ),
        (Purpose::Hooks(_), ApiError::Unknown(_)) => {
            format!(
                "see whether `{place}.url` leads to the tracker, and `{place}.{subjects}` are its applications"
            )
        }
        (Purpose::Hooks(_), _) => {
            "see whether `server.public_url` is an address that the tracker takes, with https".to_owned()
        }
    }
}

/// The key that what is asked about stands in.
fn subjects(api: &Api) -> &'static str {
    match &api.access {
        Access::Bugsnag { .. } => "projects",
        Access::Bugfender { .. } => "apps",
    }
}

/// The keys that the credentials stand in.
fn keys(api: &Api, place: &str) -> String {
    match &api.access {
        Access::Bugfender { credentials: Credentials::Client { .. }, .. } => {
            format!("`{place}.client_id` and `client_secret`")
        }
        _ => format!("`{place}.token`"),
    }
}

/// A time in the unit that fits it.
fn lasts(wait: Duration) -> String {
    match wait.as_secs().max(1) {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::name::SourceName;
    use crate::secret::Secret;

    const NONE: Purpose<'_> = Purpose::Hooks(None);
    const ASKING: Purpose<'_> = Purpose::Asking("1234");

    fn api(credentials: Credentials) -> Api {
        Api {
            source: SourceName::new("mobile").unwrap(),
            base: "https://dashboard.bugfender.com".into(),
            authority: None,
            access: Access::Bugfender { credentials, apps: Vec::new() },
            webhook: Some(Secret::new("https://bugle.example.com/hooks/mobile/hunter2")),
            catch_up: None,
        }
    }

    #[test]
    fn every_answer_says_what_to_do_with_a_key_of_the_configuration_and_no_secret() {
        let token = || Credentials::Token(Secret::new("hunter2"));
        let client = Credentials::Client { id: Secret::new("hunter2"), secret: Secret::new("hunter2") };
        let app = App { number: Some(1234), ..App::default() };
        for (credentials, purpose, error, expected) in [
            (token(), NONE, ApiError::Unauthorized, "`sources.mobile.api.token`"),
            (client, NONE, ApiError::Unauthorized, "`sources.mobile.api.client_id` and `client_secret`"),
            (
                token(),
                Purpose::Hooks(Some(&app)),
                ApiError::Forbidden,
                "number 1234 in `sources.mobile.api.apps`",
            ),
            (token(), NONE, ApiError::Forbidden, "`sources.mobile.api.token` may"),
            (token(), ASKING, ApiError::Forbidden, "may read 1234, of `sources.mobile.api.apps`"),
            (token(), NONE, ApiError::Unknown("application"), "`sources.mobile.api.url`"),
            (token(), ASKING, ApiError::Unknown("application"), "1234 in `sources.mobile.api.apps`"),
            (token(), NONE, ApiError::BadRequest("target_url".into()), "`server.public_url`"),
            (token(), ASKING, ApiError::BadRequest("invalid_scope".into()), "see `sources.mobile.api.token`"),
            (token(), NONE, ApiError::Wait(Duration::from_secs(7)), "in 7 s"),
            (token(), ASKING, ApiError::Wait(Duration::from_mins(50)), "in 50 min"),
            (token(), ASKING, ApiError::Wait(Duration::from_hours(6)), "in 6 h"),
            (token(), NONE, ApiError::Down("503".into()), "`sources.mobile.api.url` can be reached"),
            (token(), ASKING, ApiError::Unexpected("<html>".into()), "proxy"),
        ] {
            let words = advice(&api(credentials), purpose, &error);
            assert!(words.contains(expected), "{error}: {words}");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }
}
