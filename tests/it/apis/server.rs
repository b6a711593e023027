//! A small HTTP server in threads of its own: a function answers, a script interferes, every request is kept.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.parameter(name)?.parse().ok()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }
}

/// An answer, and how it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The connection breaks after half of it.
    pub(crate) breaks: bool,
}

impl Told {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), breaks: false }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string()).with("Content-Type", "application/json")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn breaking(mut self) -> Self {
        self.breaks = true;
        self
    }
}

type Respond = Box<dyn FnMut(&Asked) -> Told + Send>;
type Condition = Box<dyn Fn(&Asked) -> bool + Send>;

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    script: VecDeque<(Condition, Told)>,
    always: Option<(Condition, Told)>,
    slow: Option<(Condition, Duration)>,
}

/// A server that is gone when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(respond: impl FnMut(&Asked) -> Told + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (state, is_over) = (Arc::new(Mutex::new(State::default())), Arc::new(AtomicBool::new(false)));
        let respond: Arc<Mutex<Respond>> = Arc::new(Mutex::new(Box::new(respond)));
        let (shared, over) = (Arc::clone(&state), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, respond) = (Arc::clone(&shared), Arc::clone(&respond));
                // A client may hang up whenever it likes.
                thread::spawn(move || stream.and_then(|stream| serve(stream, &shared, &respond)).ok());
            }
        });
        Self { address, state, is_over }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// The paths of all requests so far, with their methods.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    /// The next request whose path has `part` in it gets this answer, whatever was asked.
    pub(crate) fn next(&self, part: &'static str, told: Told) {
        let condition: Condition = Box::new(move |asked| asked.path.contains(part));
        self.state.lock().unwrap().script.push_back((condition, told));
    }

    /// Every request whose path has `part` in it gets this answer, until [`Server::recover`].
    pub(crate) fn always(&self, part: &'static str, told: Told) {
        let condition: Condition = Box::new(move |asked| asked.path.contains(part));
        self.state.lock().unwrap().always = Some((condition, told));
    }

    /// Every request whose path has `part` in it is answered so much later, until [`Server::recover`].
    pub(crate) fn slow_down(&self, part: &'static str, by: Duration) {
        let condition: Condition = Box::new(move |asked| asked.path.contains(part));
        self.state.lock().unwrap().slow = Some((condition, by));
    }

    /// From now on it answers by itself.
    pub(crate) fn recover(&self) {
        let mut state = self.state.lock().unwrap();
        state.slow = None;
        state.script.clear();
        state.always = None;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes who waits for a connection.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>, respond: &Mutex<Respond>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    while let Some(asked) = read(&mut reader)? {
        let scripted = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked.clone());
            let place = state.script.iter().position(|(condition, _)| condition(&asked));
            let next = place.and_then(|place| state.script.remove(place)).map(|(_, told)| told);
            let always = state.always.as_ref().filter(|(condition, _)| condition(&asked));
            next.or_else(|| always.map(|(_, told)| told.clone()))
        };
        let slow =
            state.lock().unwrap().slow.as_ref().filter(|(condition, _)| condition(&asked)).map(|(_, by)| *by);
        thread::sleep(slow.unwrap_or_default());
        let told = scripted.unwrap_or_else(|| (respond.lock().unwrap())(&asked));
        let mut head = format!("HTTP/1.1 {} Told\r\nContent-Length: {}\r\n", told.status, told.body.len());
        for (name, value) in &told.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        writer.write_all(head.as_bytes())?;
        if told.breaks {
            return writer.write_all(&told.body.as_bytes()[..told.body.len() / 2]);
        }
        writer.write_all(told.body.as_bytes())?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let mut asked = Asked { method, path: path.to_owned(), query, headers: Vec::new(), body: String::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(asked))
}
