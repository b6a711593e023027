//! The server's thread: takes connections, reads requests, answers by script or as the platform does.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::rate::Rates;
use super::wire::Wire;
use super::{Answer, Behaviour, Product, Received, Request, Webhook, pings};
use crate::clock::Clock;

/// What the server's thread and its owner both see.
#[derive(Debug)]
pub(super) struct Shared {
    product: Product,
    clock: Clock,
    received: watch::Sender<Vec<Arc<Received>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    webhook: Webhook,
    script: VecDeque<Behaviour>,
    always: Option<Behaviour>,
    rates: Rates,
    number: u64,
}

impl Shared {
    pub(super) fn new(product: Product, clock: Clock) -> Self {
        let state = State {
            webhook: Webhook::fresh(product),
            script: VecDeque::new(),
            always: None,
            rates: Rates::new(product),
            number: 0,
        };
        Self { product, clock, received: watch::Sender::new(Vec::new()), state: Mutex::new(state) }
    }

    pub(super) fn webhook(&self) -> Webhook {
        self.state().webhook.clone()
    }

    pub(super) fn received(&self) -> &watch::Sender<Vec<Arc<Received>>> {
        &self.received
    }

    pub(super) fn script(&self, script: impl IntoIterator<Item = Behaviour>) {
        self.state().script.extend(script);
    }

    pub(super) fn always(&self, behaviour: Option<Behaviour>) {
        self.state().always = behaviour;
    }

    pub(super) fn recover(&self) {
        let mut state = self.state();
        state.script.clear();
        state.always = None;
    }

    pub(super) fn keep_rates(&self, keep: bool) {
        self.state().rates.keep(keep);
    }

    pub(super) fn keep_all_rates(&self) {
        self.state().rates.keep_long();
    }

    pub(super) fn forum(&self, forum: bool) {
        self.state().webhook.forum = forum;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half-changed, so a panic elsewhere is no reason to give up.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do with `request`, and the answer that it will get if it gets one. Records it.
    fn take(&self, request: Request) -> (Behaviour, Answer) {
        let at = Instant::now();
        let passed = self.clock.steady();
        let (behaviour, answer) = self.state().decide(self.product, &request, passed);
        let json = request.json();
        let is_answered = !matches!(behaviour, Behaviour::Hang | Behaviour::Close | Behaviour::Reset);
        let received = Received {
            pings: json.as_ref().map(|body| pings(self.product, body)).unwrap_or_default(),
            json,
            request,
            answer: is_answered.then(|| answer.clone()),
            at,
            passed,
        };
        self.received.send_modify(|all| all.push(Arc::new(received)));
        (behaviour, answer)
    }
}

impl State {
    fn decide(&mut self, product: Product, request: &Request, passed: Duration) -> (Behaviour, Answer) {
        self.number += 1;
        let behaviour = self.script.pop_front().or_else(|| self.always.clone()).unwrap_or(Behaviour::Normal);
        let answer = match &behaviour {
            Behaviour::Normal => self.platform(product, request, passed),
            Behaviour::Late(delay) => self.platform(product, request, passed).after(*delay),
            Behaviour::Answer(answer)
            | Behaviour::Half(answer)
            | Behaviour::Drip(answer, _)
            | Behaviour::Flood(answer, _) => answer.clone(),
            Behaviour::Hang | Behaviour::Close | Behaviour::Reset => Answer::empty(0),
        };
        (behaviour, answer)
    }

    /// The platform's own answer: first its rate limit, which counts refused requests too, then its judgement.
    fn platform(&mut self, product: Product, request: &Request, passed: Duration) -> Answer {
        let (refused, headers) = self.rates.take(passed);
        let mut answer = refused.unwrap_or_else(|| self.webhook.judge(product, request, self.number));
        answer.headers.extend(headers);
        answer
    }
}

/// Serves until told to stop. Owns its runtime, so that nothing else's clock or load touches it.
pub(super) fn run(listener: TcpListener, shared: &Arc<Shared>, stop: &CancellationToken) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, Arc::clone(shared)));
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
}

/// One connection. How it ends concerns only the client.
async fn serve(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    loop {
        let request = match wire.read().await {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let refusal = Answer::text(400, "bad request").with("Connection", "close");
                return wire.answer(&refusal, 0).await;
            }
            Err(error) => return Err(error),
        };
        let close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (behaviour, answer) = shared.take(request);
        sleep(answer.delay).await;
        match behaviour {
            Behaviour::Normal | Behaviour::Late(_) | Behaviour::Answer(_) => wire.answer(&answer, 0).await?,
            Behaviour::Drip(_, pause) => wire.drip(&answer, pause).await?,
            Behaviour::Flood(_, extra) => wire.answer(&answer, extra).await?,
            Behaviour::Hang => return wire.until_closed().await,
            Behaviour::Half(_) => return wire.half(&answer).await,
            Behaviour::Close => return Ok(()),
            Behaviour::Reset => return wire.reset(),
        }
        if close {
            return Ok(());
        }
    }
}
