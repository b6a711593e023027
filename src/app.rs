//! The composition root: from checked settings to a running relay, and to a clean stop.

mod asking;
mod crew;
mod descriptors;
mod diary;
mod listen;
mod reload;
mod untold;
mod upkeep;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::admin::BackDoor;
use crate::clock::{Clock, Moment};
use crate::config::{Loaded, Settings, Store};
use crate::courier::{Live, Office, repeat_interrupted};
use crate::destination::{Client, Retry};
use crate::herald::{Herald, Notices};
use crate::intake::{Desk, Intake};
use crate::lifecycle::{Lifecycle, Signals};
use crate::metrics::Metrics;
use crate::name::DestinationName;
use crate::outbox::{Closing, Outbox, RunId};
use crate::sockets::Sockets;
use crate::supervisor;
use crate::tls::Certificates;

use asking::Asking;
use crew::Crew;
use listen::{Serving, Sites};
use reload::{Doors, Fixed, Reload};

/// A running relay.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    server: Serving,
    admin: ServerHandle,
    lifecycle: Lifecycle,
    closing: Closing,
}

/// How long an attempt in hand may take after a stop.
const ATTEMPTS: Duration = Duration::from_secs(8);

/// How long the store may take to close.
const CLOSING: Duration = Duration::from_millis(500);

impl App {
    /// Starts the relay. When this returns it is ready: the address is bound, the store open, every courier at work.
    /// The configuration is read again when it changes, and whenever `asked` is notified. Where `sockets` were passed,
    /// those are served, not the addresses in the configuration.
    pub async fn start(
        loaded: Loaded,
        mut sockets: Sockets,
        asked: Arc<Notify>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let Loaded { settings, written, origin, watched, .. } = loaded;
        let sites = Sites::open(sockets.take_webhooks(), &settings.server.listen, "server.listen")?;
        let admin_sites = Sites::open(sockets.take_admin(), &settings.admin.listen, "admin.listen")?;
        let (address, admin_address) = (sites.address()?, admin_sites.address()?);
        let admin_is_public = admin_sites.are_public();
        if admin_is_public && settings.admin.token.is_none() {
            anyhow::bail!(reload::UNGUARDED);
        }
        let (begun, metrics) = (clock.now(), Metrics::new(clock.clone()));
        let (outbox, closing) = open(&settings, &clock, &metrics).await?;
        let herald = recovered(&outbox, (&clock, begun), &settings).await;
        let notices = herald.notices();
        let (lifecycle, fixed) = (Lifecycle::default(), Fixed::of(&settings, admin_is_public));
        let Settings { server, admin, store, sources, rules, destinations, people, templates, apis, .. } =
            settings;
        let live = Live { people: people.clone(), templates: templates.set.clone(), holds: Vec::new() };
        let live = Arc::new(ArcSwap::from_pointee(live));
        let office = Office {
            outbox: outbox.clone(),
            client: Client::new(clock.clone())?,
            live: Arc::clone(&live),
            metrics: metrics.clone(),
            notices: notices.clone(),
            clock: clock.clone(),
        };
        let mut crew = Crew::new(office.clone(), lifecycle.clone());
        let throttles = crew.throttles_for(&destinations).await?;
        crew.set(throttles, &destinations, &people, &templates.set);
        // It hears what couriers have to say of their last attempts.
        lifecycle.spawn_last("notices".to_owned(), herald.run(lifecycle.late()));
        keep_up(&outbox, store, &notices, &clock, &lifecycle);
        metrics.configuration(&written.hash());
        let rule_set = outbox.keep_rules(&rules).await?;
        let run = outbox.begin_run(env!("CARGO_PKG_VERSION"), rule_set).await?;
        let desk = Desk::new(sources, Arc::clone(&rules), rule_set);
        let stopping = lifecycle.soft();
        let (hands, said) = (outbox.clone(), notices.clone());
        let intake = Intake::new(&server, desk, hands, metrics.clone(), said, stopping, clock.clone());
        let intake = Arc::new(intake);
        keep_books(&intake, &outbox, run, &clock, &lifecycle);
        let desk =
            asking::Desk { office, intake: Arc::clone(&intake), run, begun, lifecycle: lifecycle.clone() };
        let asking = Asking::begin(desk, &apis);
        let back_door = Arc::new(BackDoor::new(admin.token, metrics.clone(), outbox.clone(), live));
        let certificates = server.tls.and_then(|tls| tls.identity).map(Certificates::new);
        let most = server.max_connections;
        descriptors::make_room_for(listen::descriptors(most));
        let admin = listen::serve_admin(admin_sites, &back_door, &lifecycle)?;
        let server = listen::serve(sites, most, certificates.as_ref(), &intake, &lifecycle, clock)?;
        let doors = Doors { intake, back_door, certificates };
        let reload =
            Reload::new(fixed, (written, origin, watched), (crew, asking), doors, outbox, notices, asked);
        lifecycle.spawn("reload".to_owned(), reload.run(lifecycle.soft()));
        lifecycle.spawn("keep-alive".to_owned(), supervisor::keep_alive(lifecycle.soft()));
        supervisor::ready();
        tracing::info!(%address, admin = %admin_address, "ready");
        Ok(Self { address, server, admin, lifecycle, closing })
    }

    /// The address that webhooks are received on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a part of it has failed, after which it should be stopped.
    pub async fn failed(&self) {
        self.lifecycle.soft().cancelled().await;
    }

    /// Runs until told to stop, or until a task fails; then stops. A second signal ends it at once. Whether it ended
    /// because it was told to.
    pub async fn run(self, mut signals: Signals) -> bool {
        let soft = self.lifecycle.soft();
        tokio::select! {
            () = signals.told_to_stop() => tracing::info!("stopping: what is in hand is finished first"),
            () = soft.cancelled() => {}
        }
        let lifecycle = self.lifecycle.clone();
        let stopping = self.stop();
        tokio::pin!(stopping);
        tokio::select! {
            () = &mut stopping => {}
            () = signals.told_to_stop() => {
                lifecycle.stop_hard();
                stopping.await;
            }
        }
        !lifecycle.has_failed()
    }

    /// Stops: nothing new is taken, open requests are answered, attempts in hand are finished, the rest stays in the
    /// store.
    pub async fn stop(self) {
        supervisor::stopping();
        self.lifecycle.stop_softly();
        // Nobody has a right to see a scrape through to its end.
        tokio::join!(self.server.close(), self.admin.stop(false), self.lifecycle.wait(ATTEMPTS));
        let closing = self.closing;
        let closed = tokio::task::spawn_blocking(move || closing.wait());
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("the store did not close in time; it is whole all the same");
        }
        tracing::info!("stopped");
    }
}

/// A herald that has heard what the process before has told nobody of, before anybody is at work who would tell of the same.
async fn recovered(outbox: &Outbox, (clock, begun): (&Clock, Moment), settings: &Settings) -> Herald {
    let mut herald = Herald::new(outbox.clone(), clock.clone());
    herald.recover(begun, &settings.destinations).await;
    untold::recover(&mut herald, outbox, begun, settings).await;
    herald.notices().send_to(settings.notices_to.clone());
    herald
}

/// Watches over the store, and forgets.
fn keep_up(outbox: &Outbox, store: Store, notices: &Notices, clock: &Clock, lifecycle: &Lifecycle) {
    lifecycle.spawn("store".to_owned(), upkeep::watch(outbox.clone(), lifecycle.soft()));
    let (outbox, notices, clock) = (outbox.clone(), notices.clone(), clock.clone());
    lifecycle.spawn("history".to_owned(), upkeep::forget(outbox, store, notices, clock, lifecycle.soft()));
}

/// Says and writes down who is turned away; at the end also what has not been said.
fn keep_books(intake: &Arc<Intake>, outbox: &Outbox, run: RunId, clock: &Clock, lifecycle: &Lifecycle) {
    let telling = Arc::clone(intake).tell_refusals(lifecycle.late());
    lifecycle.spawn_last("refusals".to_owned(), telling);
    let keeping = diary::keep(outbox.clone(), Arc::clone(intake), run, clock.clone(), lifecycle.clone());
    lifecycle.spawn_last("diary".to_owned(), keeping);
}

async fn open(settings: &Settings, clock: &Clock, metrics: &Metrics) -> anyhow::Result<(Outbox, Closing)> {
    let names: Vec<DestinationName> = settings.destinations.iter().map(|d| d.name.clone()).collect();
    metrics.store_limit(settings.store.max_size);
    let opening = {
        let (path, clock, metrics) = (settings.store.path.clone(), clock.clone(), metrics.clone());
        tokio::task::spawn_blocking(move || Outbox::open(&path, clock, metrics))
    };
    let (outbox, closing) = opening.await??;
    let now = clock.now();
    let retries: HashMap<String, Retry> =
        settings.destinations.iter().map(|d| (d.name.as_str().to_owned(), d.retry)).collect();
    let again_at = move |destination: &str, unclear| {
        // A destination that is not there any more waits in any case.
        let retry = retries.get(destination).copied().unwrap_or_default();
        repeat_interrupted(&retry, now, unclear)
    };
    let interrupted = outbox.close_interrupted(again_at).await?;
    if interrupted.repeated > 0 {
        let repeated = interrupted.repeated;
        tracing::warn!(repeated, "attempts were cut off by the last stop; they are repeated, and say so");
    }
    if interrupted.buried > 0 {
        let buried = interrupted.buried;
        tracing::error!(buried, "given up after too many cut-off attempts: these are dead letters now");
    }
    for (destination, waiting) in outbox.stranded(&names).await? {
        tracing::warn!(
            destination,
            waiting,
            "deliveries wait for a destination that is not configured any more"
        );
    }
    Ok((outbox, closing))
}
