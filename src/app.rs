//! The composition root: from checked settings to a running relay, and to a clean stop.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App as Service, HttpServer};
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Settings, Store};
use crate::courier::{Courier, Hold, Office, Throttle, repeat_interrupted};
use crate::destination::{Client, Destination};
use crate::intake::{Intake, routes};
use crate::lifecycle::{Lifecycle, Signals};
use crate::name::DestinationName;
use crate::outbox::{Closing, Keep, Outbox};

/// A running relay.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    server: ServerHandle,
    lifecycle: Lifecycle,
    closing: Closing,
}

/// How long open requests may take to be answered after a stop, in seconds.
const REQUESTS: u64 = 5;

/// How long an attempt in hand may take after a stop.
const ATTEMPTS: Duration = Duration::from_secs(8);

/// How long the store may take to close.
const CLOSING: Duration = Duration::from_millis(500);

/// How often the store looks for something to forget.
const FORGET: Duration = Duration::from_mins(1);

impl App {
    /// Starts the relay. When this returns it is ready: the address is bound, the store open, every courier at work.
    pub async fn start(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        let listen = &settings.server.listen;
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let (outbox, closing) = open(&settings, &clock).await?;
        let lifecycle = Lifecycle::default();
        let office = Office {
            outbox: outbox.clone(),
            client: Client::new(clock.clone())?,
            people: Arc::new(settings.people.clone()),
            templates: settings.templates.set.clone(),
            clock,
        };
        hire(&office, &settings.destinations, &lifecycle).await?;
        lifecycle.spawn("store".to_owned(), watch(outbox.clone(), lifecycle.soft()));
        let forgetting = forget(outbox.clone(), settings.store.clone(), lifecycle.soft());
        lifecycle.spawn("history".to_owned(), forgetting);
        let server = serve(listener, intake(settings, outbox).await?, &lifecycle)?;
        tracing::info!(%address, "ready");
        Ok(Self { address, server, lifecycle, closing })
    }

    /// The address that webhooks are received on.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        self.lifecycle.stop_softly();
        tokio::join!(self.server.stop(true), self.lifecycle.wait(ATTEMPTS));
        let closing = self.closing;
        let closed = tokio::task::spawn_blocking(move || closing.wait());
        if tokio::time::timeout(CLOSING, closed).await.is_err() {
            tracing::warn!("the store did not close in time; it is whole all the same");
        }
        tracing::info!("stopped");
    }
}

async fn open(settings: &Settings, clock: &Clock) -> anyhow::Result<(Outbox, Closing)> {
    let names: Vec<DestinationName> = settings.destinations.iter().map(|d| d.name.clone()).collect();
    let opening = {
        let (path, clock, names) = (settings.store.path.clone(), clock.clone(), names.clone());
        tokio::task::spawn_blocking(move || Outbox::open(&path, clock, names))
    };
    let (outbox, closing) = opening.await??;
    let now = clock.now();
    let interrupted = outbox.close_interrupted(move |unclear| repeat_interrupted(now, unclear)).await?;
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

async fn intake(settings: Settings, outbox: Outbox) -> anyhow::Result<Arc<Intake>> {
    let rule_set = outbox.keep_rules(&settings.rules).await?;
    let Settings { server, sources, rules, .. } = settings;
    Ok(Arc::new(Intake::new(&server, sources, rules, rule_set, outbox)))
}

/// Starts a courier for each destination.
async fn hire(office: &Office, destinations: &[Destination], lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let throttles = throttles(office, destinations).await?;
    let holds: Vec<(&Destination, Hold)> = destinations.iter().map(|d| (d, Hold::default())).collect();
    for (destination, hold) in &holds {
        let same_platform = holds
            .iter()
            .filter(|(other, _)| other.platform.product() == destination.platform.product())
            .map(|(other, hold)| (other.name.clone(), hold.clone()))
            .collect();
        let throttle = throttles.get(destination.pace_group.as_str()).cloned();
        let throttle = throttle.unwrap_or_else(|| Arc::new(Throttle::new(destination.pace)));
        let standing = office.outbox.standing(&destination.name, destination.address.fingerprint()).await?;
        let courier = Courier::new(
            office.clone(),
            (*destination).clone(),
            throttle,
            hold.clone(),
            same_platform,
            &standing,
        );
        lifecycle.spawn(format!("courier {}", destination.name), courier.run(lifecycle.soft()));
    }
    Ok(())
}

/// One throttle for each pace group, at the pace of its slowest member, with what was sent before this start in mind.
async fn throttles<'a>(
    office: &Office,
    destinations: &'a [Destination],
) -> anyhow::Result<HashMap<&'a str, Arc<Throttle>>> {
    let mut slowest: HashMap<&str, &Destination> = HashMap::new();
    for destination in destinations {
        let slower = slowest.entry(&destination.pace_group).or_insert(destination);
        if destination.pace.per / destination.pace.count.max(1) > slower.pace.per / slower.pace.count.max(1) {
            *slower = destination;
        }
    }
    let mut throttles = HashMap::new();
    for (group, destination) in slowest {
        let throttle = Throttle::new(destination.pace);
        let now = office.clock.now();
        let recent = office.outbox.recent_attempts(group, now.minus(throttle.memory())).await?;
        throttle.prime(&recent, now);
        throttles.insert(group, Arc::new(throttle));
    }
    Ok(throttles)
}

/// Ends if the store's writer does: nothing could be accepted or settled any more.
async fn watch(outbox: Outbox, stop: CancellationToken) {
    tokio::select! {
        () = outbox.failed() => tracing::error!("the store's writer has ended"),
        () = stop.cancelled() => {}
    }
}

async fn forget(outbox: Outbox, store: Store, stop: CancellationToken) {
    let keep = Keep { history: store.keep, dead_letters: store.dead_letters_keep, max_size: store.max_size };
    let mut pause = FORGET;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let pruned = tokio::select! {
            pruned = outbox.prune(keep) => pruned,
            () = stop.cancelled() => return,
        };
        // A full step is followed by another soon, but not at once: others use the store, too.
        pause = if matches!(pruned, Ok(true)) { Duration::from_millis(100) } else { FORGET };
    }
}

fn serve(listener: TcpListener, intake: Arc<Intake>, lifecycle: &Lifecycle) -> anyhow::Result<ServerHandle> {
    let server = HttpServer::new(move || Service::new().configure(routes(&intake)))
        .disable_signals()
        .shutdown_timeout(REQUESTS)
        .listen(listener)
        .context("the listener cannot be used")?
        .run();
    let handle = server.handle();
    lifecycle.spawn("server".to_owned(), async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server failed");
        }
    });
    Ok(handle)
}
