//! What the health checks say.

use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::Bytes;
use actix_web::{App, rt};

use super::*;
use crate::clock::Clock;
use crate::herald::Herald;

#[test]
fn ready_means_that_the_store_can_be_written_and_couriers_are_at_work() {
    rt::System::new().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (clock, stopping) = (Clock::system(), CancellationToken::new());
        let metrics = Metrics::new(clock.clone());
        let path = folder.path().join("bugle.db");
        let (outbox, _closing) = Outbox::open(&path, clock.clone(), metrics.clone()).unwrap();
        let notices = Herald::new(outbox.clone(), clock.clone()).notices();
        let server = Server {
            listen: String::new(),
            public_url: None,
            max_body: 9,
            max_connections: 8,
            trusted_proxies: Vec::new(),
            tls: None,
        };
        let rules = Arc::new(RuleSet::new(Vec::new(), None).unwrap());
        let desk = Desk::new(Vec::new(), rules, RuleSetId(1));
        let intake = Arc::new(Intake::new(&server, desk, outbox, metrics, notices, stopping.clone(), clock));
        let service = init_service(App::new().configure(routes(&intake))).await;
        let ask = async |path: &str| {
            let answer = call_service(&service, TestRequest::get().uri(path).to_request()).await;
            (answer.status().as_u16(), to_bytes(answer.into_body()).await.unwrap())
        };
        assert_eq!(ask("/readyz").await, (200, Bytes::from_static(b"{\"status\":\"ready\"}")));
        stopping.cancel();
        let (status, body) = ask("/readyz").await;
        assert_eq!(status, 503);
        let words = serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        assert_eq!(words["message"], "no courier is at work: bugle is stopping");
        assert_eq!(ask("/healthz").await.0, 200, "alive it still is");
    });
}
