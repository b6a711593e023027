//! What a connection runs on: the socket, with an end to it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::connections::{Connection, Connections, IDLE};

/// How much is read at once before the server must see to it. It makes requests of all that it has been given, however
/// many those are, before it answers the first.
const PART: usize = 8 << 10;

/// A socket that fails from when its connection is to end. So whatever the server does with it, it lets go of it.
#[derive(Debug)]
pub(super) struct Wire<S> {
    socket: S,
    /// How much was read since the server last had to wait.
    read: usize,
    /// Whether an answer waits for the caller to fetch it. Meanwhile nothing more is heard from whoever does not listen.
    is_blocked: bool,
    connection: Arc<Connection>,
    /// When to look whether it is to end.
    alarm: Pin<Box<Sleep>>,
}

impl<S> Wire<S> {
    pub(super) fn new(socket: S, connections: &Connections) -> Self {
        Self {
            socket,
            read: 0,
            is_blocked: false,
            connection: connections.admit(),
            alarm: Box::pin(sleep(IDLE)),
        }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Fails if the connection is to end; if not, the task that asks is woken when it is.
    fn look(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.connection.waker.register(context.waker());
        if self.connection.is_cut() {
            return Err(ended());
        }
        // Seldom rung: that a request came or went does not touch it.
        while self.alarm.as_mut().poll(context).is_ready() {
            let left = self.connection.left().ok_or_else(ended)?;
            self.alarm.as_mut().reset(Instant::now() + left);
        }
        Ok(())
    }
}

impl Wire<TcpStream> {
    pub(super) fn caller(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }
}

fn ended() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

impl<S> Drop for Wire<S> {
    fn drop(&mut self) {
        self.connection.leave();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.look(context)?;
        if self.is_blocked {
            // Whoever can write again is woken, and then reads on.
            return Poll::Pending;
        }
        if self.read >= PART {
            self.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let room = buffer.remaining().min(PART);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        let read = Pin::new(&mut self.socket).poll_read(context, &mut part);
        let count = part.filled().len();
        buffer.advance(count);
        self.read = if read.is_ready() { self.read + count } else { 0 };
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.look(context)?;
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        if self.is_blocked && written.is_ready() {
            context.waker().wake_by_ref();
        }
        self.is_blocked = written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl<S: ActixStream> ActixStream for Wire<S> {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.socket.poll_read_ready(context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.socket.poll_write_ready(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_says_nothing_is_left_after_a_while() {
        let (_caller, socket) = duplex(64);
        let connections = Connections::new(8);
        let mut wire = Wire::new(socket, &connections);
        let begun = Instant::now();
        assert!(wire.read_u8().await.is_err());
        assert_eq!(begun.elapsed().as_secs(), IDLE.as_secs());
        drop(wire);
        assert_eq!(*connections.count().borrow(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_does_not_listen_is_left_too() {
        let (_caller, socket) = duplex(64);
        let mut wire = Wire::new(socket, &Connections::new(8));
        assert!(wire.write_all(&[0; 65]).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_drips_without_end_is_left_and_one_with_a_request_in_hand_is_not() {
        for is_in_hand in [false, true] {
            let (mut caller, socket) = duplex(64);
            let mut wire = Wire::new(socket, &Connections::new(8));
            let in_hand = is_in_hand.then(|| wire.connection().take_in_hand());
            let mut reads = 0;
            for _ in 0..30 {
                drop(caller.write_u8(b'x').await);
                reads += u32::from(wire.read_u8().await.is_ok());
                sleep(IDLE / 10).await;
            }
            assert_eq!(reads, if is_in_hand { 30 } else { 10 });
            drop(in_hand);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_is_sent_is_read_part_by_part() {
        let (mut caller, socket) = duplex(10 * PART);
        let mut wire = Wire::new(socket, &Connections::new(8));
        caller.write_all(&vec![7; 5 * PART / 2]).await.unwrap();
        drop(caller);
        let mut got = Vec::new();
        wire.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, vec![7; 5 * PART / 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_fetch_an_answer_is_not_heard_until_then() {
        let (mut caller, socket) = duplex(64);
        let mut wire = Wire::new(socket, &Connections::new(8));
        caller.write_u8(b'x').await.unwrap();
        let waiting = timeout(IDLE / 4, wire.write_all(&[0; 65]));
        assert!(waiting.await.is_err());
        assert!(timeout(IDLE / 4, wire.read_u8()).await.is_err());
        let fetched = caller.read_exact(&mut [0; 64]).await;
        assert_eq!((fetched.unwrap(), wire.write(&[0]).await.unwrap()), (64, 1));
        assert_eq!(wire.read_u8().await.unwrap(), b'x');
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_makes_room_ends_at_once() {
        let (_caller, socket) = duplex(64);
        let mut wire = Wire::new(socket, &Connections::new(8));
        let connection = Arc::clone(wire.connection());
        let begun = Instant::now();
        let (read, ()) = tokio::join!(wire.read_u8(), async { connection.cut() });
        assert!(read.is_err() && begun.elapsed().is_zero());
    }
}
