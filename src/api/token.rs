//! How bugle proves who it is: a credential that is given, or a token that is fetched by OAuth's client credentials and
//! fetched again before it ends.
//!
//! What is not certain: the vendor lists other flows beside this one, which an add-on of a third party uses; that tokens live
//! an hour is its word, too. So a lifetime that the answer names counts, and a token that is refused is fetched anew.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use super::ApiError;
use super::caller::{Caller, Patience, refusal};
use super::client::{Body, Call, Method};
use crate::clock::Clock;
use crate::secret::Secret;

/// How long a token lives whose answer does not say.
const LIFETIME: Duration = Duration::from_hours(1);

/// Where tokens are fetched, below the base address.
const PATH: [&str; 2] = ["auth", "token"];

/// What stands in the `Authorization` header.
#[derive(Debug)]
pub(super) enum Token {
    /// This, always.
    Given(Secret),
    /// What these credentials are given.
    Fetched {
        /// The client's id.
        id: Secret,
        /// Its secret.
        secret: Secret,
        /// The one in use.
        held: Mutex<Option<Held>>,
    },
}

/// A token in use.
#[derive(Debug)]
pub(super) struct Held {
    header: Secret,
    /// By the steady clock.
    until: Duration,
}

impl Token {
    /// The header to send. All who ask at once wait for one renewal.
    pub(super) async fn header(&self, caller: &Caller, patience: &mut Patience) -> Result<Secret, ApiError> {
        let (id, secret, held) = match self {
            Self::Given(header) => return Ok(header.clone()),
            Self::Fetched { id, secret, held } => (id, secret, held),
        };
        let mut held = held.lock().await;
        let now = caller.clock().steady();
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.header.clone());
        }
        *held = None;
        let fetched = fetch(caller, patience, (id, secret)).await?;
        Ok(held.insert(fetched).header.clone())
    }

    /// Throws `header` away if it is still in use; whether another can be had.
    pub(super) async fn refused(&self, header: &Secret) -> bool {
        let Self::Fetched { held, .. } = self else { return false };
        let mut held = held.lock().await;
        held.take_if(|held| held.header.expose() == header.expose());
        true
    }

    /// What is secret of it whatever it is exchanged for.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Given(header) => bare(header).into_iter().collect(),
            Self::Fetched { id, secret, .. } => vec![id.clone(), secret.clone()],
        }
    }
}

/// Whether `token` can stand in a header.
pub fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The credential in a header, without the word before it.
pub(super) fn bare(header: &Secret) -> Option<Secret> {
    header.expose().split_once(' ').map(|(_, token)| Secret::new(token))
}

async fn fetch(
    caller: &Caller,
    patience: &mut Patience,
    (id, secret): (&Secret, &Secret),
) -> Result<Held, ApiError> {
    let call = Call {
        method: Method::POST,
        url: caller.url(&PATH),
        body: Body::Form(vec![
            ("grant_type", Secret::new("client_credentials")),
            ("client_id", id.clone()),
            ("client_secret", secret.clone()),
        ]),
        headers: &[],
    };
    let answer = caller.exchange(&call, None, patience).await?;
    match answer.status {
        200..300 => {}
        401 => return Err(ApiError::Unauthorized),
        400 | 403
            if ["invalid_client", "unauthorized_client", "invalid_grant"]
                .iter()
                .any(|code| answer.names(code)) =>
        {
            return Err(ApiError::Unauthorized);
        }
        400 => return Err(ApiError::BadRequest(format!("for a token, {}", answer.words()))),
        _ => return Err(refusal(&answer, "address")),
    }
    held(&answer.json("a token in JSON")?, caller.clock())
}

fn held(answer: &Value, clock: &Clock) -> Result<Held, ApiError> {
    let token = answer.get("access_token").and_then(Value::as_str).unwrap_or_default();
    let kind = answer.get("token_type").and_then(Value::as_str).unwrap_or("bearer");
    if !is_sendable(token) || !kind.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::Unexpected(
            "a bearer token as `access_token` was expected of its token address".to_owned(),
        ));
    }
    let lifetime = answer.get("expires_in");
    let lifetime = lifetime.and_then(|it| it.as_f64().or_else(|| it.as_str()?.trim().parse().ok()));
    let lifetime = lifetime.filter(|seconds| *seconds > 0.0);
    let lifetime = lifetime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(LIFETIME);
    let until = clock.steady().saturating_add(lifetime.saturating_mul(9) / 10);
    Ok(Held { header: Secret::new(format!("Bearer {token}")), until })
}
