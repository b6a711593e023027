//! Where webhooks are received and figures shown: the sockets passed or bound, the servers started, and left so that
//! nobody is cut off.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::{ServerHandle, Service as _};
use actix_web::http::ConnectionType;
use actix_web::{App as Service, HttpServer};
use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::admin::{self, BackDoor};
use crate::intake::{Intake, routes};
use crate::lifecycle::Lifecycle;
use crate::tls::Certificates;

/// How long open requests may take to be answered after a stop, in seconds.
const REQUESTS: u64 = 5;

/// How long whoever keeps a connection open has for a last request on it, to be told with the answer that it was the
/// last. Whoever has been silent for so long is cut off.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How long the thread that accepts connections has to notice that it should not, and the workers to begin with those
/// that it has accepted: what they have not begun with when they are stopped is dropped.
const SETTLE: Duration = Duration::from_millis(100);

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

/// Serves webhooks, with TLS if there are `certificates`, until [`Serving::close`].
pub(super) fn serve(
    sites: Sites,
    certificates: Option<&Certificates>,
    intake: Arc<Intake>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Serving> {
    let (count, open) = watch::channel(0);
    let count = Arc::new(count);
    let is_closing = Arc::<AtomicBool>::default();
    let closing = Arc::clone(&is_closing);
    let mut server = HttpServer::new(move || {
        let closing = Arc::clone(&closing);
        let service = Service::new().configure(routes(&intake));
        service.wrap_fn(move |request, service| {
            let (answer, closing) = (service.call(request), Arc::clone(&closing));
            async move {
                let mut answer = answer.await?;
                if closing.load(Ordering::Relaxed) {
                    answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                }
                Ok(answer)
            }
        })
    })
    .on_connect(move |_, data| drop(data.insert(Open::new(&count))))
    .disable_signals()
    .shutdown_timeout(REQUESTS);
    let Sites { listeners, outlive_us } = sites;
    for listener in listeners {
        server = match certificates {
            #[cfg(feature = "tls")]
            Some(certificates) => server.listen_rustls_0_23(listener, certificates.server_config()?),
            #[cfg(not(feature = "tls"))]
            Some(certificates) => certificates.none(),
            None => server.listen(listener),
        }
        .context("the listener cannot be used")?;
    }
    let server = server.run();
    let handle = server.handle();
    lifecycle.spawn("server".to_owned(), async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the server failed");
        }
    });
    Ok(Serving { handle, open, is_closing, outlive_us })
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

/// An open connection, counted for as long as it is.
#[derive(Debug)]
struct Open(Arc<watch::Sender<usize>>);

impl Open {
    fn new(count: &Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|open| *open += 1);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Serves the admin address until told to stop by the handle.
pub(super) fn serve_admin(
    sites: Sites,
    back_door: Arc<BackDoor>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<ServerHandle> {
    let mut server = HttpServer::new(move || Service::new().configure(admin::routes(&back_door)))
        .workers(1)
        .disable_signals();
    for listener in sites.listeners {
        server = server.listen(listener).context("the admin listener cannot be used")?;
    }
    let server = server.run();
    let handle = server.handle();
    lifecycle.spawn("admin server".to_owned(), async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the admin server failed");
        }
    });
    Ok(handle)
}
