//! What the caller gets back: a receipt, or a status, a stable code and one sentence.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

use crate::outbox::{Accepted, StoreError};
use crate::source::{BodyError, RejectError};

/// In how many seconds whoever was told 503 may try again: most trouble of ours is over by then, or lasts.
pub(super) const SHORTLY: &str = "10";

/// What was accepted.
#[derive(Debug, Serialize)]
pub(super) struct Receipt {
    /// Events in the body.
    pub(super) events: usize,
    /// Those that came for the first time.
    pub(super) new: usize,
    /// Those that had come before, and so are not sent again.
    pub(super) duplicates: usize,
    /// How many messages that makes; for the log, not for the tracker.
    #[serde(skip)]
    pub(super) owed: usize,
    /// The short id of each, in the order of the body; a duplicate has the id of the first arrival.
    pub(super) ids: Vec<String>,
}

impl Receipt {
    pub(super) fn of(accepted: &[Accepted]) -> Self {
        let duplicates = accepted.iter().filter(|accepted| accepted.duplicate).count();
        Self {
            events: accepted.len(),
            new: accepted.len() - duplicates,
            duplicates,
            owed: accepted.iter().map(|accepted| accepted.owed).sum(),
            ids: accepted.iter().map(|accepted| accepted.id.to_string()).collect(),
        }
    }
}

/// Why not.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    /// A code that stays the same.
    pub(super) error: &'static str,
    /// A sentence for a person.
    pub(super) message: String,
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// There is no such door.
    #[error("there is no such source")]
    UnknownSource,
    /// The sender was not let in.
    #[error(transparent)]
    Rejected(#[from] RejectError),
    /// Webhooks are posted.
    #[error("webhooks are sent with POST")]
    Method,
    /// The body is packed in a way that we do not unpack.
    #[error("the content coding is not known; gzip and deflate are")]
    UnknownCoding,
    /// The body is larger than `server.max_body`.
    #[error("the body is larger than {limit} bytes, packed or unpacked")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body cannot be unpacked.
    #[error("the body cannot be unpacked: it is broken, or not packed as its header says")]
    BrokenCoding,
    /// Too many bodies are under way.
    #[error("too much is arriving at once; try again shortly")]
    Crowded,
    /// All connections are in use.
    #[error("too many connections are open; try again shortly")]
    TooManyConnections,
    /// The connection ended in the middle of the body.
    #[error("the body broke off")]
    BrokenOff,
    /// The body did not arrive in time.
    #[error("the body took too long to arrive")]
    TooSlow,
    /// The body is no webhook's.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Our own trouble.
    #[error("the store is not available now; the webhook was not accepted")]
    Store(#[from] StoreError),
}

impl IntakeError {
    /// The codes that a configured source's callers may be answered with.
    pub(super) const REASONS: [&str; 13] = [
        "forbidden",
        "unauthorized",
        "method_not_allowed",
        "unknown_coding",
        "too_large",
        "broken_coding",
        "crowded",
        "broken_off",
        "too_slow",
        "not_utf8",
        "not_json",
        "not_an_object",
        "store_unavailable",
    ];

    /// The code of who came when all connections were in use. It is no source's: nobody has looked which.
    pub(super) const TOO_MANY_CONNECTIONS: &str = "too_many_connections";

    /// The status and the stable code.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownSource => (StatusCode::NOT_FOUND, "unknown_source"),
            Self::Rejected(RejectError::Forbidden) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Rejected(RejectError::Unauthorized) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::UnknownCoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_coding"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::BrokenCoding => (StatusCode::BAD_REQUEST, "broken_coding"),
            Self::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "crowded"),
            Self::TooManyConnections => (StatusCode::SERVICE_UNAVAILABLE, Self::TOO_MANY_CONNECTIONS),
            Self::BrokenOff => (StatusCode::BAD_REQUEST, "broken_off"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
            Self::Body(BodyError::NotUtf8) => (StatusCode::BAD_REQUEST, "not_utf8"),
            Self::Body(BodyError::NotJson { .. }) => (StatusCode::BAD_REQUEST, "not_json"),
            Self::Body(BodyError::Scalar) => (StatusCode::BAD_REQUEST, "not_an_object"),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        }
    }

    /// What the caller is told.
    pub(super) fn answer(&self) -> HttpResponse {
        let (status, code) = self.kind();
        let mut answer = HttpResponse::build(status);
        match status {
            StatusCode::METHOD_NOT_ALLOWED => answer.insert_header((ALLOW, "POST")),
            StatusCode::UNAUTHORIZED => answer.insert_header((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => answer.insert_header((RETRY_AFTER, SHORTLY)),
            _ => &mut answer,
        };
        answer.json(Refusal { error: code, message: self.to_string() })
    }
}
