//! Sockets that systemd has opened and passes on at each start, so that a restart refuses nobody: while no bugle runs,
//! callers wait in the socket's queue.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;

use crate::config::Environment;

/// The name of a socket for the admin address: `FileDescriptorName=admin` in its unit.
const ADMIN: &str = "admin";

/// The sockets that were passed to this process.
#[derive(Debug, Default)]
pub struct Sockets {
    webhooks: Vec<TcpListener>,
    admin: Vec<TcpListener>,
}

/// A socket was passed that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("the socket number {number} that was passed (LISTEN_FDS) is none that webhooks can be received on")]
pub struct PassedError {
    number: usize,
    #[source]
    cause: io::Error,
}

impl Sockets {
    /// Takes the sockets that were passed. To be called once, while there is no other thread: the variables that tell
    /// of them are removed, so that no child takes them for its own.
    pub fn passed(environment: &Environment) -> Result<Self, PassedError> {
        let names: Vec<&str> = environment.socket_names().split(':').collect();
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..passed.len() {
            let taken = passed.take_tcp_listener(index);
            let Some(socket) = taken.map_err(|cause| PassedError { number: index + 1, cause })? else {
                continue;
            };
            sockets.add(names.get(index).copied().unwrap_or_default(), socket);
        }
        Ok(sockets)
    }

    /// Takes note of a socket by its name. One without a name of its own has that of its unit, or none.
    fn add(&mut self, name: &str, socket: TcpListener) {
        if name == ADMIN { self.admin.push(socket) } else { self.webhooks.push(socket) }
    }

    /// Those for webhooks: every one that has not the name of another.
    pub fn take_webhooks(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.webhooks)
    }

    /// Those for the admin address.
    pub fn take_admin(&mut self) -> Vec<TcpListener> {
        std::mem::take(&mut self.admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_webhooks_unless_its_name_says_otherwise() {
        let mut sockets = Sockets::default();
        for name in ["bugle", "", "bugle.socket", "admin", "unknown"] {
            sockets.add(name, TcpListener::bind("127.0.0.1:0").unwrap());
        }
        assert_eq!((sockets.take_webhooks().len(), sockets.take_admin().len()), (4, 1));
        assert!(sockets.take_webhooks().is_empty(), "they are taken once");
    }
}
