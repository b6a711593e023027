//! HTTP on a connection: the services that are put together for each thread of a server.
//!
//! HTTP/1.1 is all that webhooks need. The server's own constructors take a socket as it is; here it has an end to it.

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive};
use actix_server::GracefulShutdownSignal;
use actix_service::{ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Service as _, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::RETRY_AFTER;
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use actix_web::{App, Error, HttpResponse};
use futures_util::future::Either;
use serde_json::json;
#[cfg(feature = "tls")]
use {
    actix_tls::accept::TlsError,
    actix_tls::accept::rustls_0_23::{Acceptor, TlsStream},
    rustls::ServerConfig,
    std::io,
};

use super::connections::{Connection, Connections};
use super::wire::Wire;

/// How long the head of a connection's first request may take, and how long one may stay open between two requests.
const SILENCE: Duration = Duration::from_secs(5);

/// How long whoever is refused may go on sending before the connection ends, so that the answer is not lost.
const LINGER: Duration = Duration::from_secs(1);

/// Who watches over the health of a process must not find it ill because others are many.
const ALWAYS_ANSWERED: [&str; 2] = ["/healthz", "/readyz"];

/// What stands before every service of one server.
#[derive(Debug, Clone)]
pub(super) struct Front {
    pub(super) connections: Connections,
    /// From when it is set every answer is the last on its connection.
    pub(super) is_closing: Arc<AtomicBool>,
}

impl Front {
    /// The service with these `routes`. Who has a connection for which there was no room hears what `turn_away` says.
    pub(super) fn app<R: FnOnce(&mut ServiceConfig), T: Fn() -> HttpResponse + Clone + 'static>(
        self,
        routes: R,
        turn_away: T,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + use<R, T>,
    > {
        let Self { is_closing, .. } = self;
        App::new().configure(routes).wrap_fn(move |request, service| {
            let connection = request.conn_data::<Arc<Connection>>().map(Arc::clone);
            let is_one_too_many = connection.as_ref().is_some_and(|connection| connection.is_one_too_many);
            let in_hand = connection.as_ref().map(Connection::take_in_hand);
            let answer = if is_one_too_many && !ALWAYS_ANSWERED.contains(&request.path()) {
                Either::Left(ready(Ok(request.into_response(turn_away()))))
            } else {
                Either::Right(service.call(request))
            };
            let is_closing = Arc::clone(&is_closing);
            async move {
                let mut answer = answer.await?;
                if is_one_too_many || is_closing.load(Ordering::Relaxed) {
                    answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
                }
                drop(in_hand);
                Ok(answer)
            }
        })
    }
}

/// What whoever comes when all connections are in use is told.
pub(super) fn crowded() -> HttpResponse {
    let message = "too many connections are open; try again shortly";
    HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "10"))
        .json(json!({ "error": "too_many_connections", "message": message }))
}

/// `app` for callers who speak HTTP.
pub(super) fn plain<A>(
    app: App<A>,
    connections: &Connections,
    signal: &GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<A>
where
    A: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static,
{
    let connections = connections.clone();
    let wire = fn_service(move |socket: TcpStream| {
        let wire = Wire::new(socket, &connections);
        let caller = wire.caller();
        ready(Ok((wire, caller)))
    });
    wire.and_then(http(app, signal, Wire::connection))
}

/// `app` for callers who speak HTTPS.
#[cfg(feature = "tls")]
pub(super) fn encrypted<A>(
    app: App<A>,
    connections: &Connections,
    config: &ServerConfig,
    signal: &GracefulShutdownSignal,
) -> impl ServiceFactory<
    TcpStream,
    Config = (),
    Response = (),
    Error = TlsError<io::Error, DispatchError>,
    InitError = (),
> + use<A>
where
    A: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static,
{
    let connections = connections.clone();
    let wire = fn_service(move |socket: TcpStream| ready(Ok(Wire::new(socket, &connections))));
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let handshake = Acceptor::new(config).map_err(TlsError::into_service_error);
    let stream = wire.and_then(handshake).map(|stream: TlsStream<Wire<TcpStream>>| {
        let caller = stream.get_ref().0.caller();
        (stream, caller)
    });
    let http = http(app, signal, |stream: &TlsStream<Wire<TcpStream>>| stream.get_ref().0.connection());
    stream.and_then(http.map_err(TlsError::Service))
}

fn http<A, T, C>(
    app: App<A>,
    signal: &GracefulShutdownSignal,
    connection: C,
) -> impl ServiceFactory<
    (T, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
> + use<A, T, C>
where
    C: Fn(&T) -> &Arc<Connection> + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
    A: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + 'static,
{
    let signal = signal.clone();
    HttpService::build()
        .graceful_shutdown_signal(move || {
            let signal = signal.clone();
            async move { signal.notified().await }
        })
        .keep_alive(KeepAlive::Timeout(SILENCE))
        .client_request_timeout(SILENCE)
        .client_disconnect_timeout(LINGER)
        .on_connect_ext(move |io: &T, data| drop(data.insert(Arc::clone(connection(io)))))
        .h1(map_config(app, |()| AppConfig::default()))
}
