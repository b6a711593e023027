//! A source's tracker, asked: one for each configured API, shared by whoever asks it.

use std::collections::HashMap;

use tokio::sync::Mutex;

use super::bugfender::Bugfender;
use super::bugsnag::Bugsnag;
use super::caller::{Caller, Patience};
use super::client::Client;
use super::token::{Token, is_sendable};
use super::{Access, Api, ApiError, App, Credentials, Found, Listing, Wanted};
use crate::clock::Clock;
use crate::name::SourceName;
use crate::secret::Secret;

/// A tracker's API, ready to be asked.
#[derive(Debug)]
pub struct Session {
    source: SourceName,
    caller: Caller,
    product: Product,
    /// What was remarked of each subject last.
    remarks: Mutex<HashMap<String, String>>,
}

#[derive(Debug)]
enum Product {
    Bugsnag(Bugsnag),
    Bugfender(Bugfender),
}

/// Why a tracker cannot even be asked.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no TLS, or the authority is no certificate.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// The base is no address.
    #[error("the tracker's address is none")]
    Address,
    /// A credential has a character in it that no request can carry.
    #[error("a credential has a character in it that no request can carry")]
    Credential,
}

/// Whether a subscription is still known to the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookLook {
    /// It is there.
    There,
    /// It is gone.
    Missing,
    /// This API does not tell.
    Untold,
}

impl Session {
    /// A session for `api`. Nothing is asked yet.
    pub fn new(api: &Api, clock: Clock) -> Result<Self, SessionError> {
        let client = Client::new(api.authority.as_deref(), clock.clone())?;
        let (token, product) = match &api.access {
            Access::Bugsnag { token, .. } => (given("token", token)?, Product::Bugsnag(Bugsnag::default())),
            Access::Bugfender { credentials, apps } => {
                let token = match credentials {
                    Credentials::Token(token) => given("Bearer", token)?,
                    Credentials::Client { id, secret } => {
                        Token::Fetched { id: id.clone(), secret: secret.clone(), held: Mutex::default() }
                    }
                };
                (token, Product::Bugfender(Bugfender::new(apps.clone())))
            }
        };
        let caller = Caller::new(client, clock, api, token)?;
        Ok(Self { source: api.source.clone(), caller, product, remarks: Mutex::default() })
    }

    /// The same, and `each` is called with every request that it sends, whatever for.
    #[must_use]
    pub fn telling_each(mut self, each: impl Fn() + Send + Sync + 'static) -> Self {
        self.caller.tell_each(Box::new(each));
        self
    }

    /// How many requests it has sent for [`Session::list`] and [`Session::complete`]; what else is asked meanwhile is not among
    /// them.
    pub fn requests(&self) -> u64 {
        self.caller.sent_asking()
    }

    /// Everything of a subject that is wanted, page by page to the end; short waits that the tracker asks for are waited out.
    pub async fn list(&self, wanted: Wanted<'_>) -> Result<Listing, ApiError> {
        let patience = &mut Patience::long();
        let mut listing = match &self.product {
            Product::Bugsnag(bugsnag) => bugsnag.list(&self.caller, patience, wanted).await?,
            Product::Bugfender(bugfender) => bugfender.list(&self.caller, patience, wanted).await?,
        };
        listing.found.sort_by_key(|found| found.at);
        self.say(wanted.subject, listing.remark.as_deref().unwrap_or_default()).await;
        Ok(listing)
    }

    /// Says in the log what could not be had, once as long as it stays so.
    async fn say(&self, subject: &str, remark: &str) {
        let before = self.remarks.lock().await.insert(subject.to_owned(), remark.to_owned());
        if before.unwrap_or_default() != remark && !remark.is_empty() {
            tracing::warn!(source = %self.source, subject, remark, "the tracker does not tell everything");
        }
    }

    /// The same with more in it, where one more request brings that; nothing: there is nothing fuller. It does not wait: others
    /// may, for what is known already.
    pub async fn complete(&self, subject: &str, found: &Found) -> Result<Option<Found>, ApiError> {
        match &self.product {
            Product::Bugsnag(bugsnag) => {
                bugsnag.complete(&self.caller, &mut Patience::none(), subject, found).await
            }
            Product::Bugfender(_) => Ok(None),
        }
    }

    /// One cheap question about a subject: whether the credentials count, and whether there is such a subject. Nothing that was
    /// learned before is used for it.
    pub async fn look(&self, subject: &str) -> Result<(), ApiError> {
        let patience = &mut Patience::short();
        match &self.product {
            Product::Bugsnag(bugsnag) => bugsnag.look(&self.caller, patience, subject).await,
            Product::Bugfender(bugfender) => bugfender.look(&self.caller, patience, subject).await,
        }
    }

    /// Subscribes `target` to `event` of `app`: the id of the subscription. Sent once only: after [`ApiError::Down`] it is not
    /// known whether there is one.
    pub async fn subscribe(&self, app: &App, event: &str, target: &Secret) -> Result<String, ApiError> {
        let bugfender = self.bugfender()?;
        bugfender.subscribe(&self.caller, &mut Patience::short(), (app, event, target)).await
    }

    /// Undoes the subscription `hook`: whether it was there.
    pub async fn unsubscribe(&self, hook: &str) -> Result<bool, ApiError> {
        self.bugfender()?.unsubscribe(&self.caller, &mut Patience::short(), hook).await
    }

    /// Whether the subscription `hook` is still there.
    pub async fn look_at_hook(&self, hook: &str) -> Result<HookLook, ApiError> {
        self.bugfender()?.look_at_hook(&self.caller, &mut Patience::short(), hook).await
    }

    /// Only this product has subscriptions.
    fn bugfender(&self) -> Result<&Bugfender, ApiError> {
        match &self.product {
            Product::Bugfender(bugfender) => Ok(bugfender),
            Product::Bugsnag(_) => Err(ApiError::Unknown("thing as subscriptions")),
        }
    }
}

/// A credential that is given, as a whole header.
fn given(scheme: &str, token: &Secret) -> Result<Token, SessionError> {
    let token = token.expose().trim();
    if !is_sendable(token) {
        return Err(SessionError::Credential);
    }
    Ok(Token::Given(Secret::new(format!("{scheme} {token}"))))
}
