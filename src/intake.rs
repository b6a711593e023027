//! HTTP in: receive, verify, parse, route, accept, reply.
//!
//! A request is refused for the first of these that does not hold, in this order: the source is known (404), the
//! sender may call from where it does (403), it has the token (401), the method is POST (405), the body's coding is
//! known (415), it is not too large (413), it is JSON (400). Whatever gets past that is a 200, and on disk.

mod body;
mod reply;
mod sender;

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use ipnet::IpNet;

use crate::config::Server;
use crate::event::Event;
use crate::name::RuleName;
use crate::outbox::{Accepted, Offer, Outbox, RuleSetId};
use crate::rule::RuleSet;
use crate::source::{Offered, Source};

pub use reply::IntakeError;

use body::Room;
use reply::Receipt;

/// The front door, shared by all of the server's workers.
#[derive(Debug)]
pub struct Intake {
    sources: HashMap<String, Source>,
    rules: RuleSet,
    rule_set: RuleSetId,
    outbox: Outbox,
    room: Room,
    trusted_proxies: Vec<IpNet>,
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
    match intake.take(&request, payload, source, token).await {
        Ok(receipt) => {
            let Receipt { events, new, duplicates, owed, .. } = receipt;
            tracing::info!(source, events, new, duplicates, deliveries = owed, "webhook accepted");
            HttpResponse::Ok().json(receipt)
        }
        Err(error) => error.answer(source, request.peer_addr().map(|address| address.ip())),
    }
}

impl Intake {
    /// A front door with these `sources`, where an event takes the way that `rules` say, known to the store as
    /// `rule_set`.
    pub fn new(
        server: &Server,
        sources: Vec<Source>,
        rules: RuleSet,
        rule_set: RuleSetId,
        outbox: Outbox,
    ) -> Self {
        Self {
            sources: sources.into_iter().map(|source| (source.name.to_string(), source)).collect(),
            rules,
            rule_set,
            outbox,
            room: Room::new(server.max_body),
            trusted_proxies: server.trusted_proxies.clone(),
        }
    }

    /// One webhook's way to the durable line.
    async fn take(
        &self,
        request: &HttpRequest,
        payload: Payload,
        source: &str,
        token: Option<&str>,
    ) -> Result<Receipt, IntakeError> {
        let source = self.sources.get(source).ok_or(IntakeError::UnknownSource)?;
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let in_header = header.and_then(sender::credential);
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
        let offers = events.into_iter().map(|event| self.decide(event)).collect();
        let accepted: Vec<Accepted> = self.outbox.accept(self.rule_set, offers, permit).await?;
        Ok(Receipt::of(&accepted))
    }
}

impl Intake {
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

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok" }))
}

async fn ready(intake: web::Data<Intake>) -> HttpResponse {
    if intake.outbox.is_writable().await {
        HttpResponse::Ok().json(serde_json::json!({ "status": "ready" }))
    } else {
        let message = "the store cannot be written";
        HttpResponse::ServiceUnavailable()
            .json(reply::Refusal { error: "not_ready", message: message.to_owned() })
    }
}

async fn nowhere() -> HttpResponse {
    let message = "there is nothing here; webhooks go to /hooks/<source>/<token>".to_owned();
    HttpResponse::build(StatusCode::NOT_FOUND).json(reply::Refusal { error: "not_found", message })
}
