//! The admin address: figures for Prometheus, and orders from the command line. It is another listener than the one for
//! webhooks, which the world can reach.

mod orders;

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::courier::{Held, Live};
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::outbox::Outbox;
use crate::source::{Offered, Token, credential};

/// What is written at `/metrics`, as Prometheus and its relatives ask for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The admin address's side of the relay.
#[derive(Debug)]
pub struct BackDoor {
    token: ArcSwapOption<Token>,
    metrics: Metrics,
    outbox: Outbox,
    live: Arc<ArcSwap<Live>>,
    /// The store is read for one at a time.
    turn: Arc<Semaphore>,
}

pub use orders::{PATH as ORDERS, Refused, Request as OrderRequest};

/// Adds it to a server.
pub fn routes(back_door: &Arc<BackDoor>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let back_door = web::Data::from(Arc::clone(back_door));
    move |service| {
        service
            .app_data(back_door)
            .route("/metrics", web::get().to(metrics))
            .route("/metrics", web::head().to(metrics))
            .route(orders::PATH, web::post().to(orders::take))
            .default_service(web::to(nowhere));
    }
}

impl BackDoor {
    /// A door that `token` opens, or that is open if there is none.
    pub fn new(token: Option<Token>, metrics: Metrics, outbox: Outbox, live: Arc<ArcSwap<Live>>) -> Self {
        let token = ArcSwapOption::from_pointee(token);
        Self { token, metrics, outbox, live, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Lets `token` open it from now on.
    pub fn set(&self, token: Option<Token>) {
        self.token.store(token.map(Arc::new));
    }

    /// Why the caller may not come in.
    fn refusal(&self, request: &HttpRequest) -> Option<HttpResponse> {
        let token = self.token.load_full()?;
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let in_header = header.and_then(credential);
        if (Offered { in_path: None, in_header: in_header.as_deref() }).opens(slice::from_ref(&*token)) {
            return None;
        }
        let message = "the token is missing or wrong; it is sent as a bearer token or a password";
        let mut answer = HttpResponse::Unauthorized();
        answer
            .insert_header((WWW_AUTHENTICATE, "Bearer"))
            .append_header((WWW_AUTHENTICATE, "Basic realm=\"bugle\""));
        Some(answer.json(json!({ "error": "unauthorized", "message": message })))
    }

    /// For how long each configured destination is still held.
    fn holds(&self) -> Vec<(DestinationName, Duration)> {
        let live = self.live.load();
        let left = |held: &Held| held.hold.left().unwrap_or_default();
        live.holds.iter().map(|held| (held.destination.clone(), left(held))).collect()
    }
}

async fn metrics(request: HttpRequest, back_door: web::Data<BackDoor>) -> HttpResponse {
    if let Some(refusal) = back_door.refusal(&request) {
        return refusal;
    }
    // Kept until the store has been read, whether or not the caller is still there.
    let turn = Arc::clone(&back_door.turn).acquire_owned().await;
    // What cannot be read is left out; the rest is shown all the same, above all that there is trouble.
    let stock = back_door.outbox.stock(turn).await.ok();
    match back_door.metrics.text(&back_door.holds(), stock.as_ref()) {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, OPEN_METRICS)).body(text),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            HttpResponse::ServiceUnavailable().finish()
        }
    }
}

async fn nowhere(request: HttpRequest, back_door: web::Data<BackDoor>) -> HttpResponse {
    back_door.refusal(&request).unwrap_or_else(|| {
        let message = "there is nothing here; the figures are at /metrics";
        HttpResponse::NotFound().json(json!({ "error": "not_found", "message": message }))
    })
}
