//! One request and all that may come between it and its answer: a token to renew, a wait, a passing failure, an address that
//! has moved by a slash.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::client::{Answer, Call, Client, PAGE, Silence, address_parts};
use super::token::{Token, bare};
use super::{Api, ApiError, SessionError};
use crate::clock::Clock;
use crate::name::SourceName;
use crate::secret::Secret;

/// A wait that is longer is the caller's business.
const SHORT: Duration = Duration::from_mins(1);

/// How long a person waits for one answer because the tracker asks to.
const PERSONAL: Duration = Duration::from_secs(15);

/// How long a tracker is left alone that asks to wait and does not say how long.
const UNTOLD: Duration = Duration::from_secs(30);

/// Nobody is asked again sooner who asks to wait, twice as late each time in a row, and everybody after the longer of the two,
/// whatever was said.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(6);

/// The pauses before a second and a third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The window in which requests are counted by who limits them.
const WINDOW: Duration = Duration::from_mins(1);

/// How long all waits of one undertaking may take together, and whether that is to ask for what has happened.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    is_asking: bool,
}

impl Patience {
    /// For a whole listing.
    pub(super) fn long() -> Self {
        Self { left: Duration::from_mins(5), is_asking: true }
    }

    /// For what more there is of one thing: that is not worth a wait.
    pub(super) fn none() -> Self {
        Self { left: Duration::ZERO, is_asking: true }
    }

    /// For what a person waits for, or nobody.
    pub(super) fn short() -> Self {
        Self { left: PERSONAL, is_asking: false }
    }

    /// Whether there is time for `wait`, which is then taken.
    fn affords(&mut self, wait: Duration) -> bool {
        let left = if wait > SHORT { None } else { self.left.checked_sub(wait) };
        if let Some(left) = left {
            self.left = left;
        }
        left.is_some()
    }
}

/// Asks one tracker.
#[derive(Debug)]
pub(super) struct Caller {
    source: SourceName,
    client: Client,
    clock: Clock,
    base: Url,
    token: Token,
    /// The source's own webhook, which trackers may repeat.
    webhook: Vec<Secret>,
    pace: Mutex<Pace>,
    tally: Tally,
}

/// Who counts requests, and how many were sent to ask for what has happened.
#[derive(Default)]
struct Tally {
    asking: AtomicU64,
    each: Option<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asking.fmt(f)
    }
}

/// When a tracker that counts requests may be asked again, by the steady clock.
#[derive(Debug, Default)]
struct Pace {
    began: Option<Duration>,
    not_before: Duration,
    /// How often in a row it has asked to wait.
    refusals: u32,
}

impl Caller {
    pub(super) fn new(
        client: Client,
        clock: Clock,
        Api { source, base, webhook, .. }: &Api,
        token: Token,
    ) -> Result<Self, SessionError> {
        let base = Url::parse(base).ok().filter(|base| !base.cannot_be_a_base() && base.has_host());
        let base = base.ok_or(SessionError::Address)?;
        let webhook = webhook.iter().flat_map(|webhook| address_parts(webhook.expose())).collect();
        let source = source.clone();
        Ok(Self {
            source,
            client,
            clock,
            base,
            token,
            webhook,
            pace: Mutex::default(),
            tally: Tally::default(),
        })
    }

    /// Calls `each` with every request that is sent from now on.
    pub(super) fn tell_each(&mut self, each: Box<dyn Fn() + Send + Sync>) {
        self.tally.each = Some(each);
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many requests were sent to ask for what has happened.
    pub(super) fn sent_asking(&self) -> u64 {
        self.tally.asking.load(Ordering::Relaxed)
    }

    /// The address of `path` below the base; each part is encoded. An empty part at its end makes a slash there.
    pub(super) fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url
    }

    /// Whether `url` is on the tracker's own host: nowhere else are credentials sent.
    pub(super) fn owns(&self, url: &Url) -> bool {
        url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Asks with credentials; an answer of success, or what another means. `what` is what is unknown if it is not found.
    pub(super) async fn ask(
        &self,
        call: &Call,
        patience: &mut Patience,
        what: &'static str,
    ) -> Result<Answer, ApiError> {
        let answer = self.ask_any(call, patience).await?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refusal(&answer, what)) }
    }

    /// Asks with credentials; the answer, whatever it is, once none of waiting, trying again and a fresh token changes it.
    pub(super) async fn ask_any(&self, call: &Call, patience: &mut Patience) -> Result<Answer, ApiError> {
        let header = self.token.header(self, patience).await?;
        let answer = self.exchange(call, Some(&header), patience).await?;
        if answer.status != 401 || !self.token.refused(&header).await {
            return Ok(answer);
        }
        let header = self.token.header(self, patience).await?;
        self.exchange(call, Some(&header), patience).await
    }

    /// Sends until an answer has come that says something about the request itself.
    pub(super) async fn exchange(
        &self,
        call: &Call,
        header: Option<&Secret>,
        patience: &mut Patience,
    ) -> Result<Answer, ApiError> {
        let mut call = call.clone();
        let mut pauses = PAUSES.into_iter();
        let mut has_moved = false;
        loop {
            self.wait_turn(patience).await?;
            self.tally.count(patience);
            let (words, is_unclear) = match self.client.send(&call, header).await {
                Ok(answer) if answer.status == 429 => {
                    // The turn is waited for at the head of the loop, where there may be no time for it.
                    self.hold(answer.retry_after());
                    continue;
                }
                // 501 is no failure that passes.
                Ok(answer) if matches!(answer.status, 408 | 500 | 502..600) => {
                    self.pace().refusals = 0;
                    (format!("it answers {}", answer.status), true)
                }
                Ok(mut answer) => {
                    self.count(&answer);
                    answer.unsaid = self.unsaid(&call, header);
                    match moved(&call.url, &answer).filter(|_| !has_moved) {
                        Some(url) => (call.url, has_moved) = (url, true),
                        None => return Ok(answer),
                    }
                    continue;
                }
                Err(Silence { words, is_unclear }) => (words, is_unclear),
            };
            let may_repeat = !is_unclear || call.is_repeatable();
            let pause = pauses.next().filter(|pause| may_repeat && patience.affords(*pause));
            let Some(pause) = pause else {
                return Err(ApiError::Down(words));
            };
            self.clock.sleep(pause).await;
        }
    }

    /// What must not be repeated of an answer to `call`: all credentials, the one just used above all, what the request itself
    /// carried, the source's webhook.
    fn unsaid(&self, call: &Call, header: Option<&Secret>) -> Vec<Secret> {
        let mut unsaid = [self.token.secrets(), self.webhook.clone(), call.body.secrets()].concat();
        unsaid.extend(header.and_then(bare));
        // What is part of another must not tear it apart.
        unsaid.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        unsaid
    }

    /// Waits until the tracker may be asked again; a wait that is too long is handed back.
    async fn wait_turn(&self, patience: &mut Patience) -> Result<(), ApiError> {
        let now = self.clock.steady();
        let wait = self.pace().not_before.saturating_sub(now);
        if !wait.is_zero() {
            if !patience.affords(wait) {
                return Err(ApiError::Wait(wait));
            }
            self.clock.sleep(wait).await;
        }
        let now = self.clock.steady();
        let mut pace = self.pace();
        if pace.began.is_none_or(|began| now >= began.saturating_add(WINDOW)) {
            pace.began = Some(now);
        }
        Ok(())
    }

    /// Leaves the tracker alone for as long as it has `told`. Who goes on refusing is not asked again and again, whatever it
    /// tells.
    fn hold(&self, told: Option<Duration>) {
        let now = self.clock.steady();
        let (wait, refusals) = {
            let mut pace = self.pace();
            let least = SHORTEST.saturating_mul(2_u32.saturating_pow(pace.refusals));
            let wait = told.unwrap_or(UNTOLD).max(least).min(LONGEST);
            pace.refusals = pace.refusals.saturating_add(1);
            pace.not_before = pace.not_before.max(now.saturating_add(wait));
            (wait, pace.refusals)
        };
        tracing::debug!(source = %self.source, ?wait, refusals, "the tracker asks to wait");
    }

    /// Who says that no request is left is left alone for the rest of its minute.
    fn count(&self, answer: &Answer) {
        self.pace().refusals = 0;
        if answer.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0") {
            let now = self.clock.steady();
            let mut pace = self.pace();
            let end = pace.began.unwrap_or(now).saturating_add(WINDOW);
            pace.not_before = pace.not_before.max(end);
            pace.began = None;
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    fn count(&self, patience: &Patience) {
        self.asking.fetch_add(u64::from(patience.is_asking), Ordering::Relaxed);
        if let Some(each) = &self.each {
            each();
        }
    }
}

/// What an `answer` that is no success means. That there is nothing is believed of an API only: a proxy has a page for it.
pub(super) fn refusal(answer: &Answer, what: &'static str) -> ApiError {
    let (status, words) = (answer.status, answer.words());
    match status {
        400 | 422 => ApiError::BadRequest(words),
        401 => ApiError::Unauthorized,
        403 => ApiError::Forbidden,
        404 | 410 if answer.is_page() => ApiError::Unexpected(format!("it answers {status}, {PAGE}")),
        404 | 410 => ApiError::Unknown(what),
        300..400 => ApiError::Unexpected(format!("it answers {status} and points elsewhere")),
        _ if words.is_empty() => ApiError::Unexpected(format!("it answers {status}")),
        _ => ApiError::Unexpected(format!("it answers {status}: {words}")),
    }
}

/// Where a redirect points, if that is the same address with or without a slash at its end.
fn moved(from: &Url, answer: &Answer) -> Option<Url> {
    if !matches!(answer.status, 301 | 302 | 307 | 308) {
        return None;
    }
    let to = from.join(answer.header("location")?).ok()?;
    let is_same = to.origin() == from.origin()
        && to.path() != from.path()
        && to.path().trim_end_matches('/') == from.path().trim_end_matches('/');
    is_same.then(|| {
        let mut url = from.clone();
        url.set_path(to.path());
        url
    })
}
