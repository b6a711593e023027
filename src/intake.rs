//! HTTP in: receive, verify, parse, route, accept, reply.
//!
//! A request is refused for the first of these that does not hold, in this order: the source is known (404), the
//! sender may call from where it does (403), it has the token (401), the method is POST (405), the body's coding is
//! known (415), it is not too large (413), it is JSON (400). Whatever gets past that is a 200, and on disk.

mod body;
mod ledger;
mod refrain;
mod reply;
mod sender;
mod streak;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::ArcSwap;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Server;
use crate::event::Event;
use crate::herald::Notices;
use crate::metrics::Metrics;
use crate::name::{RuleName, SourceName};
use crate::notice::{Matter, Notice};
use crate::outbox::{Accepted, Offer, Outbox, Refused, RuleSetId, StoreError};
use crate::report::Report;
use crate::rule::RuleSet;
use crate::source::{Offered, Source, credential};

pub use reply::IntakeError;

use body::Room;
use ledger::Ledger;
use refrain::{More, Refrain};
use reply::{Receipt, Refusal, SHORTLY};
use streak::Streak;

/// The front door, shared by all of the server's workers.
#[derive(Debug)]
pub struct Intake {
    desk: ArcSwap<Desk>,
    outbox: Outbox,
    notices: Notices,
    room: Room,
    trusted_proxies: Vec<IpNet>,
    metrics: Metrics,
    stopping: CancellationToken,
    clock: Clock,
    refusals: Refrain<Kind>,
    ledger: Ledger,
}

/// A kind of refusal: the source, if there is such a one, and the reason.
type Kind = (Option<SourceName>, &'static str);

/// So many events that no webhook has brought are taken in at once: a commit that others need not wait for.
const AT_ONCE: usize = 250;

/// After so many decisions others have their turn.
const TURN: usize = 100;

/// How often the log may say how many more were refused.
const TELL: Duration = Duration::from_secs(10);

/// What a reload of the configuration may change while webhooks arrive: each takes its whole way with one of them.
#[derive(Debug)]
pub struct Desk {
    doors: HashMap<String, Door>,
    rules: Arc<RuleSet>,
    rule_set: RuleSetId,
}

/// A source, and how it fares.
#[derive(Debug)]
struct Door {
    source: Source,
    streak: Arc<Streak>,
}

impl Desk {
    /// A desk for these `sources`, where an event takes the way that `rules` say, known to the store as `rule_set`.
    pub fn new(sources: Vec<Source>, rules: Arc<RuleSet>, rule_set: RuleSetId) -> Self {
        let door = |source: Source| (source.name.to_string(), Door { source, streak: Arc::default() });
        Self { doors: sources.into_iter().map(door).collect(), rules, rule_set }
    }

    /// Goes on with the streaks of the desk `before`: a reload mends nothing by itself.
    fn carry_on(&mut self, before: &Self) {
        for (name, door) in &mut self.doors {
            if let Some(before) = before.doors.get(name) {
                door.streak = Arc::clone(&before.streak);
            }
        }
    }

    fn begin_to_count(&self, metrics: &Metrics) {
        metrics.know_sources(self.doors.values().map(|door| &door.source.name), &IntakeError::REASONS);
    }

    /// Who hears of `event`, and why, for who looks closely.
    fn decide(&self, event: Event) -> Offer {
        let routing = self.rules.route(&event);
        tracing::debug!(
            source = %event.source,
            trigger = event.trigger,
            rules = ?routing.matched.iter().map(RuleName::as_str).collect::<Vec<_>>(),
            destinations = ?routing.routes.iter().map(|route| route.destination.as_str()).collect::<Vec<_>>(),
            "routed"
        );
        Offer { event, routing }
    }
}

/// Adds the front door and the health checks to a server.
pub fn routes(intake: &Arc<Intake>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let intake = web::Data::from(Arc::clone(intake));
    move |service| {
        service
            .app_data(intake)
            .route("/hooks/{rest:.*}", web::route().to(hook))
            .service(web::resource("/healthz").route(web::get().to(alive)).route(web::head().to(alive)))
            .service(web::resource("/readyz").route(web::get().to(ready)).route(web::head().to(ready)))
            .default_service(web::to(nowhere));
    }
}

async fn hook(request: HttpRequest, payload: Payload, intake: web::Data<Intake>) -> HttpResponse {
    let path = request.match_info().query("rest").trim_end_matches('/');
    let (source, token) = match path.split_once('/') {
        Some((source, token)) => (source, Some(token)),
        None => (path, None),
    };
    let outcome = intake.take(&request, payload, source, token).await;
    intake.watch(source, outcome.as_ref().err());
    match outcome {
        Ok(receipt) => intake.log_taken(source, receipt),
        Err(error) => intake.log_refused(source, &error, &request),
    }
}

impl Intake {
    /// A front door where `desk` decides. From when `stopping` is cancelled no courier is at work.
    pub fn new(
        server: &Server,
        desk: Desk,
        outbox: Outbox,
        metrics: Metrics,
        notices: Notices,
        stopping: CancellationToken,
        clock: Clock,
    ) -> Self {
        desk.begin_to_count(&metrics);
        Self {
            desk: ArcSwap::from_pointee(desk),
            outbox,
            notices,
            room: Room::new(server.max_body),
            trusted_proxies: server.trusted_proxies.clone(),
            metrics,
            stopping,
            clock,
            refusals: Refrain::default(),
            ledger: Ledger::default(),
        }
    }

    /// Lets `desk` decide from now on. What is under way goes on as it began.
    pub fn set(&self, mut desk: Desk) {
        desk.carry_on(&self.desk.load());
        desk.begin_to_count(&self.metrics);
        self.desk.store(Arc::new(desk));
    }

    /// One webhook's way to the durable line.
    async fn take(
        &self,
        request: &HttpRequest,
        payload: Payload,
        source: &str,
        token: Option<&str>,
    ) -> Result<Receipt, IntakeError> {
        let desk = self.desk.load_full();
        let source = &desk.doors.get(source).ok_or(IntakeError::UnknownSource)?.source;
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let in_header = header.and_then(credential);
        let offered = Offered { in_path: token, in_header: in_header.as_deref() };
        let verified = source.verify(sender::address(request, &self.trusted_proxies), offered)?;
        if request.method() != Method::POST {
            return Err(IntakeError::Method);
        }
        // Handed on with the events until they are stored: it bounds the memory of all that is under way.
        let permit = self.room.enter(request).await?;
        let body = self.room.read(request, payload).await?;
        let events = verified.parse(&body, sender::query(request, "type").as_deref())?;
        drop(body);
        let offers = events.into_iter().map(|event| desk.decide(event)).collect();
        let accepted: Vec<Accepted> = self.outbox.accept(desk.rule_set, offers, permit).await?;
        Ok(Receipt::of(&accepted))
    }

    /// Reads elements as they would have come through the door of `source`, had a webhook brought them: for who asks the
    /// tracker. Each is marked as caught up. Nothing if there is no such source any more.
    pub fn read(&self, source: &SourceName, elements: &[&str]) -> Option<Vec<Event>> {
        let desk = self.desk.load();
        let door = desk.doors.get(source.as_str())?;
        let read = |element: &&str| {
            let events = door.source.trusted().parse(element.as_bytes(), None).unwrap_or_default();
            events.into_iter().map(|event| Event { caught_up: true, ..event }).next()
        };
        Some(elements.iter().filter_map(read).collect())
    }

    /// The sources that there are, in order of name.
    pub fn sources(&self) -> Vec<SourceName> {
        let desk = self.desk.load();
        let mut names: Vec<SourceName> = desk.doors.values().map(|door| door.source.name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Takes `events` that no webhook has brought the way of those that one brings: the same rules, the same store. Those
    /// that are urgent come first. Whether each was new.
    pub async fn take_in(&self, events: Vec<Event>) -> Result<Vec<Accepted>, StoreError> {
        let desk = self.desk.load_full();
        let mut offers: Vec<Offer> = Vec::with_capacity(events.len());
        for event in events {
            if offers.len().is_multiple_of(TURN) {
                tokio::task::yield_now().await;
            }
            offers.push(desk.decide(event));
        }
        offers.sort_by_key(|offer| !offer.routing.routes.iter().any(|route| route.urgent));
        let mut accepted = Vec::with_capacity(offers.len());
        while !offers.is_empty() {
            let rest = offers.split_off(offers.len().min(AT_ONCE));
            accepted.extend(self.outbox.accept(desk.rule_set, offers, ()).await?);
            offers = rest;
        }
        Ok(accepted)
    }

    fn log_taken(&self, source: &str, receipt: Receipt) -> HttpResponse {
        let Receipt { events, new, duplicates, owed, .. } = receipt;
        tracing::info!(source, events, new, duplicates, deliveries = owed, "webhook accepted");
        if let Ok(source) = SourceName::new(source) {
            self.metrics.webhook_taken(&source);
        }
        HttpResponse::Ok().json(receipt)
    }

    /// Says so to the caller, and in the log: our own trouble is for a person to mend, a sender's is not.
    fn log_refused(&self, source: &str, error: &IntakeError, request: &HttpRequest) -> HttpResponse {
        // A path that is not a source's may be anything, a token in the wrong place for example.
        let source = SourceName::new(source).ok().filter(|_| !matches!(error, IntakeError::UnknownSource));
        self.refuse(source, error, sender::address(request, &self.trusted_proxies))
    }

    /// Refuses whoever comes when all connections are in use.
    pub fn turn_away(&self) -> HttpResponse {
        self.refuse(None, &IntakeError::TooManyConnections, None)
    }

    fn refuse(
        &self,
        source: Option<SourceName>,
        error: &IntakeError,
        sender: Option<IpAddr>,
    ) -> HttpResponse {
        let (status, reason) = error.kind();
        self.metrics.webhook_rejected(source.as_ref(), reason);
        self.ledger.add(source.clone(), reason, sender, self.clock.now());
        let name = source.as_ref().map_or("", SourceName::as_str).to_owned();
        if self.refusals.happens((source, reason), self.clock.steady()) {
            let sender = sender.map(tracing::field::display);
            if status.is_server_error() {
                tracing::error!(source = name, sender, reason, error = %Report(error), "webhook refused");
            } else {
                tracing::warn!(source = name, sender, reason, error = %Report(error), "webhook refused");
            }
        }
        error.answer()
    }

    /// Takes those who were refused since the last time, for somebody to write down.
    pub fn take_refused(&self) -> Vec<Refused> {
        self.ledger.take()
    }

    /// Puts back what could not be written down.
    pub fn put_back_refused(&self, all: Vec<Refused>) {
        self.ledger.put_back(all);
    }

    /// Says now and then how many more were refused for reasons that the log has told, until `end` is cancelled.
    pub async fn tell_refusals(self: Arc<Self>, end: CancellationToken) {
        while !end.is_cancelled() {
            tokio::select! {
                () = self.clock.sleep(TELL) => log_more(&self.refusals.due(self.clock.steady())),
                () = end.cancelled() => log_more(&self.refusals.rest(self.clock.steady())),
            }
        }
    }
}

fn log_more(all: &[More<Kind>]) {
    for More { kind: (source, reason), count, within } in all {
        let (source, seconds) = (source.as_ref().map_or("", SourceName::as_str), within.as_secs());
        tracing::warn!(source, reason, count, seconds, "more webhooks were refused for the same reason");
    }
}

impl Intake {
    /// Says so when webhooks of a source are turned away time and again.
    fn watch(&self, source: &str, refused: Option<&IntakeError>) {
        let desk = self.desk.load();
        let Some(Door { source, streak }) = desk.doors.get(source) else { return };
        let Some(error) = refused else {
            if streak.ends() {
                self.notices.is_over(Matter::Rejected(source.name.clone()));
            }
            return;
        };
        // Our own trouble says nothing about the sender.
        let (status, reason) = error.kind();
        if status.is_client_error()
            && let Some(count) = streak.goes_on()
        {
            let source = source.name.clone();
            self.notices.tell(Notice::WebhooksRejected { source, reason, count });
        }
    }
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

async fn ready(intake: web::Data<Intake>) -> HttpResponse {
    let message = if intake.stopping.is_cancelled() {
        "no courier is at work: bugle is stopping"
    } else if intake.outbox.is_damaged() {
        "the store's file is damaged"
    } else if !intake.outbox.is_writable().await {
        "the store cannot be written"
    } else {
        return HttpResponse::Ok().json(serde_json::json!({ "status": "ready" }));
    };
    let refusal = Refusal { error: "not_ready", message: message.to_owned() };
    HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, SHORTLY)).json(refusal)
}

async fn nowhere() -> HttpResponse {
    let message = "there is nothing here; webhooks go to /hooks/<source>/<token>".to_owned();
    HttpResponse::build(StatusCode::NOT_FOUND).json(Refusal { error: "not_found", message })
}

#[cfg(test)]
mod tests;
