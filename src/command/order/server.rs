//! Asking the server that has the store, at its admin address.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::StatusCode;

use crate::admin::{ORDERS, OrderRequest, Refused};
use crate::command::neighbour;
use crate::config::AdminDoor;
use crate::order::{Done, Order};
use crate::outbox::identity;
use crate::secret::Secret;
use crate::text::one_line;

use super::so_far;

/// How long a step may take: it is small, but the store may have to be waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server, as it is to be reached.
#[derive(Debug)]
pub(super) struct Server<'a> {
    address: String,
    token: Option<Secret>,
    store: &'a Path,
    http: reqwest::Client,
}

/// Why an order was not carried out to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody answers at this address, so nothing was done.
    Nobody(String),
    /// Anything else, in words that say what is certain.
    Other(String),
}

impl<'a> Server<'a> {
    /// The server behind `door` that has `store`.
    pub(super) fn new(door: AdminDoor, store: &'a Path) -> Result<Self> {
        let address = neighbour::host(&door.listen, "admin.listen")
            .context("a server has the store, and how to ask it is not known")?;
        Ok(Self { address, token: door.token, store, http: neighbour::client(PATIENCE)? })
    }

    /// Has it carry out `order`, step by step.
    pub(super) async fn carry_out(&self, order: &Order, progress: fn(&Done)) -> Result<Done, Trouble> {
        let mut all = Done::default();
        loop {
            all = all.clone().and(self.step(order, &all).await?);
            if all.rest.is_none() {
                return Ok(all);
            }
            progress(&all);
        }
    }

    async fn step(&self, order: &Order, all: &Done) -> Result<Done, Trouble> {
        let store = identity(self.store).unwrap_or_default();
        let asked = OrderRequest { store, order: Cow::Borrowed(order), rest: all.rest };
        let mut request = self.http.post(format!("http://{}{ORDERS}", self.address)).json(&asked);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let sure = |words: String| Trouble::Other(format!("{words}; {}", so_far(all)));
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() && all.count() == 0 => {
                return Err(Trouble::Nobody(self.address.clone()));
            }
            Err(error) if error.is_connect() => {
                return Err(sure(format!("the server at {} does not answer any more", self.address)));
            }
            Err(_) => return Err(self.unsure(all)),
        };
        let status = answer.status();
        let Ok(body) = answer.bytes().await else { return Err(self.unsure(all)) };
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).ok().ok_or_else(|| self.unsure(all));
        }
        let refused = serde_json::from_slice::<Refused>(&body).ok();
        Err(sure(self.refusal(status, refused)))
    }

    /// Why the server did not do it.
    fn refusal(&self, status: StatusCode, refused: Option<Refused>) -> String {
        let address = &self.address;
        let Some(Refused { error, message }) = refused else {
            return format!("something else than bugle answers at {address} (`admin.listen`), with {status}");
        };
        match (error.as_str(), &self.token) {
            ("unauthorized", Some(_)) => {
                format!(
                    "the server at {address} refuses the token: `admin.token` is not the one in force there"
                )
            }
            ("unauthorized", None) => {
                format!("the server at {address} asks for a token, and `admin.token` is not set here")
            }
            ("not_found", _) => {
                format!(
                    "the bugle at {address} is an older one that takes no orders: restart it with this one"
                )
            }
            ("other_store", _) => format!(
                "the bugle at {address} (`admin.listen`) serves from another store than {}, which some other one has",
                self.store.display()
            ),
            _ => one_line(&message),
        }
    }

    /// The connection broke after the order was sent.
    fn unsure(&self, all: &Done) -> Trouble {
        Trouble::Other(format!(
            "the server at {} has not answered: {}; whether the last step was done nobody can tell. Give the order \
             again: nothing is done twice",
            self.address,
            match all.count() {
                0 => "nothing is certain to be changed".to_owned(),
                _ => so_far(all),
            }
        ))
    }
}
