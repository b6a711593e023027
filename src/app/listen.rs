//! Where webhooks are received and figures shown: the sockets passed or bound, the servers started, and left so that
//! nobody is cut off.

mod connections;
mod http;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use actix_server::{Server, ServerBuilder};
use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, BackDoor};
use crate::clock::Clock;
use crate::intake::{self, Intake};
use crate::lifecycle::Lifecycle;
use crate::tls::Certificates;

use connections::Connections;
use http::{Front, crowded};

/// How long open requests may take to be answered after a stop, in seconds.
const REQUESTS: u64 = 5;

/// How long whoever keeps a connection open has for a last request on it, to be told with the answer that it was the
/// last. Whoever has been silent for so long is cut off.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How long the thread that accepts connections has to notice that it should not, and the workers to begin with those
/// that it has accepted: what they have not begun with when they are stopped is dropped.
const SETTLE: Duration = Duration::from_millis(100);

/// How many threads serve webhooks, on a machine that has more: what they wait for is one disk.
const WORKERS: usize = 8;

/// How many connections the admin address has room for.
const ADMIN_CONNECTIONS: usize = 64;

/// How often it is looked whether connections had to make room.
const LOOK: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Debug)]
pub(super) struct Sites {
    listeners: Vec<TcpListener>,
    /// Whether callers wait in the sockets' queues while nobody serves them.
    outlive_us: bool,
}

impl Sites {
    /// The sockets that were `passed`, else one bound to `address`, which `key` of the configuration says.
    pub(super) fn open(passed: Vec<TcpListener>, address: &str, key: &str) -> anyhow::Result<Self> {
        if passed.is_empty() {
            let bound = TcpListener::bind(address);
            let bound = bound.with_context(|| format!("cannot listen on {address} (`{key}`)"))?;
            return Ok(Self { listeners: vec![bound], outlive_us: false });
        }
        tracing::info!(sockets = passed.len(), "listening on what was passed, not on `{key}`");
        Ok(Self { listeners: passed, outlive_us: true })
    }

    /// Whether other machines may reach any of them.
    pub(super) fn are_public(&self) -> bool {
        let is_local = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        !self.listeners.iter().all(|listener| listener.local_addr().is_ok_and(is_local))
    }

    /// The address of the first.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        let first = self.listeners.first().context("there is no listener")?;
        first.local_addr().context("the listener has no address")
    }
}

/// A server at work.
#[derive(Debug)]
pub(super) struct Serving {
    handle: ServerHandle,
    /// How many connections are open.
    open: watch::Receiver<usize>,
    /// From when it is set every answer says that it is the last on its connection.
    is_closing: Arc<AtomicBool>,
    outlive_us: bool,
}

/// The most file descriptors that connections to both servers take, if `most` webhooks' may be open.
pub(super) fn descriptors(most: usize) -> usize {
    most + Connections::reserve(most) + ADMIN_CONNECTIONS + Connections::reserve(ADMIN_CONNECTIONS)
}

/// Serves webhooks on `most` connections at once, with TLS if there are `certificates`, until [`Serving::close`].
pub(super) fn serve(
    sites: Sites,
    most: usize,
    certificates: Option<&Certificates>,
    intake: &Arc<Intake>,
    lifecycle: &Lifecycle,
    clock: Clock,
) -> anyhow::Result<Serving> {
    let connections = Connections::new(most);
    let is_closing = Arc::<AtomicBool>::default();
    let front = Front { connections: connections.clone(), is_closing: Arc::clone(&is_closing) };
    let workers = available_parallelism().map_or(2, usize::from).min(WORKERS);
    let mut server = builder(most, workers);
    let Sites { listeners, outlive_us } = sites;
    for listener in listeners {
        let (front, intake, signal) = (front.clone(), Arc::clone(intake), server.graceful_shutdown_signal());
        let app = move || {
            let turn_away = Arc::clone(&intake);
            front.clone().app(intake::routes(&intake), move || turn_away.turn_away())
        };
        server = match certificates {
            #[cfg(feature = "tls")]
            Some(certificates) => {
                let (config, connections) = (certificates.server_config()?, connections.clone());
                let service = move || http::encrypted(app(), &connections, &config, &signal);
                server.listen("webhooks", listener, service)
            }
            #[cfg(not(feature = "tls"))]
            Some(certificates) => certificates.none(),
            None => {
                let connections = connections.clone();
                let service = move || http::plain(app(), &connections, &signal);
                server.listen("webhooks", listener, service)
            }
        }
        .context("the listener cannot be used")?;
    }
    let handle = run("server", server, lifecycle);
    let open = connections.count();
    lifecycle.spawn("connections".to_owned(), tell_displaced(connections, most, clock, lifecycle.soft()));
    Ok(Serving { handle, open, is_closing, outlive_us })
}

/// A server for `most` connections. Those that it does not take wait in the kernel's queue.
fn builder(most: usize, workers: usize) -> ServerBuilder {
    let each = (most + Connections::reserve(most)).div_ceil(workers);
    #[cfg(feature = "tls")]
    actix_tls::accept::max_concurrent_tls_connect(each);
    let builder = Server::build().workers(workers).max_concurrent_connections(each);
    builder.disable_signals().shutdown_timeout(REQUESTS)
}

fn run(name: &'static str, server: ServerBuilder, lifecycle: &Lifecycle) -> ServerHandle {
    let server = server.run();
    let handle = server.handle();
    lifecycle.spawn(name.to_owned(), async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the {name} failed");
        }
    });
    handle
}

/// Says now and then, not each time, that connections had to make room.
async fn tell_displaced(connections: Connections, most: usize, clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
        let count = connections.take_displaced();
        if count > 0 {
            tracing::warn!(
                count,
                most,
                "idle connections were closed to make room: `server.max_connections`"
            );
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

impl Serving {
    /// Takes nothing new, answers what has come, and ends. Every answer says that it is the last.
    pub(super) async fn close(mut self) {
        self.is_closing.store(true, Ordering::Relaxed);
        // Graceful as the server's own stop is, it drops connections that were accepted and not yet begun with.
        self.handle.pause().await;
        sleep(SETTLE).await;
        if self.outlive_us {
            // Meanwhile others wait in the queue, where they are refused nothing. Whoever is still there after that is
            // the server's own stop's to end.
            drop(timeout(LAST_REQUESTS, self.open.wait_for(|open| *open == 0)).await);
        }
        self.handle.stop(true).await;
    }
}

/// Serves the admin address until told to stop by the handle.
pub(super) fn serve_admin(
    sites: Sites,
    back_door: &Arc<BackDoor>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<ServerHandle> {
    let front = Front { connections: Connections::new(ADMIN_CONNECTIONS), is_closing: Arc::default() };
    let mut server = builder(ADMIN_CONNECTIONS, 1);
    for listener in sites.listeners {
        let (front, back_door, signal) =
            (front.clone(), Arc::clone(back_door), server.graceful_shutdown_signal());
        let connections = front.connections.clone();
        let app = move || front.clone().app(admin::routes(&back_door), crowded);
        let service = move || http::plain(app(), &connections, &signal);
        server = server.listen("admin", listener, service).context("the admin listener cannot be used")?;
    }
    Ok(run("admin server", server, lifecycle))
}
