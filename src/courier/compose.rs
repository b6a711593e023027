//! From a claim to the body of a request.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::letter::Roundup;
use super::{Courier, Letter, STORE_PAUSE, happening};
use crate::delivery::Delivery;
use crate::flood::{ErrorKey, Gathering, Told};
use crate::message::Mention;
use crate::outbox::{Claim, StoreError};
use crate::template::Telling;

/// What is to be posted.
#[derive(Debug)]
pub(super) struct Composed {
    /// The body of the request; nothing, if a defect of ours leaves none.
    pub(super) body: Option<Vec<u8>>,
    /// The errors of which it is the first word.
    pub(super) named: Vec<ErrorKey>,
}

impl Courier {
    /// The request's body; nothing, if the courier is told to stop before it has read what to tell.
    pub(super) async fn compose(
        &self,
        claim: &Arc<Claim>,
        stop: &CancellationToken,
    ) -> Result<Option<Composed>, StoreError> {
        let delivery = &claim.delivery;
        let Some(told) = delivery.told else {
            let named = delivery.error.into_iter().collect();
            return Ok(Some(Composed { body: self.write(claim, None).await, named }));
        };
        let Some(gathering) = self.gathering(delivery, told, stop).await? else { return Ok(None) };
        // Nobody wants to read of one event as if it were many.
        let is_alone = told == Told::Digest && gathering.count == 1;
        let named = match told {
            Told::Digest => gathering.errors.iter().filter_map(|kin| ErrorKey::of(&kin.event)).collect(),
            // Their windows were opened again when it was gathered.
            Told::More => Vec::new(),
        };
        let body = self.write(claim, (!is_alone).then_some(gathering)).await;
        Ok(Some(Composed { body, named }))
    }

    /// What the message has to tell that stands for many. The attempt has begun, so that a store which cannot be read now is
    /// waited for.
    async fn gathering(
        &self,
        delivery: &Delivery,
        told: Told,
        stop: &CancellationToken,
    ) -> Result<Option<Gathering>, StoreError> {
        loop {
            match self.office.outbox.gathering(delivery.id, told).await {
                Ok(gathering) => return Ok(Some(gathering)),
                Err(StoreError::Unavailable) => {}
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = self.office.clock.sleep(STORE_PAUSE) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    /// Made away from the threads that wait: a large event takes a while to read again. A defect of ours in it buries one
    /// delivery, not the courier.
    async fn write(&self, claim: &Arc<Claim>, gathering: Option<Gathering>) -> Option<Vec<u8>> {
        let (event_id, mentions) = (claim.delivery.event_id, self.mentions(claim));
        let claim = Arc::clone(claim);
        let platform = Arc::clone(&self.destination.platform);
        let templates = self.office.live.load().templates.clone();
        let now = self.office.clock.now();
        let composing = tokio::task::spawn_blocking(move || {
            let delivery = &claim.delivery;
            let telling = Telling {
                id: delivery.event_id,
                repeat: delivery.may_be_a_repeat(),
                instead_of: delivery.instead_of.as_deref(),
                now,
            };
            let written = if let Some(gathering) = &gathering {
                let roundup = Roundup { gathering, telling, mentions: &mentions };
                roundup.write_as(delivery.simplest, &templates, &*platform)
            } else {
                let (event, template) = (&claim.stored.read(), delivery.template.as_deref());
                let letter = Letter { event, template, telling, mentions: &mentions };
                letter.write_as(delivery.simplest, &templates, &*platform)
            };
            serde_json::to_vec(&written.body).map(|body| (body, written.shortfalls))
        });
        // A panic in it has been printed; it is an error here.
        let (body, shortfalls) = composing.await.ok()?.ok()?;
        for shortfall in &shortfalls {
            happening::template_fell_short(&self.office.metrics, &self.destination, event_id, shortfall);
        }
        Some(body)
    }

    /// Whom the rules mention. A name that has left the configuration since mentions nobody.
    fn mentions(&self, claim: &Claim) -> Vec<Mention> {
        let live = self.office.live.load();
        claim.delivery.mentions.iter().filter_map(|name| live.people.find(name)).collect()
    }
}
