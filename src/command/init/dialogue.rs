//! The questions of `bugle init`, between a reader and a writer. What cannot be an answer is explained and asked again.

use std::io::{BufRead, Write};

use anyhow::{Result, bail};

use crate::cli::{SourceWanted, known, source_name};
use crate::command::listing::cut;
use crate::name::DestinationName;
use crate::secret::Secret;
use crate::{config, destination, source};

use super::answers::{Address, Room, web_address};
use super::hidden::{Hidden, INTERRUPT};

/// The longest answer, in bytes.
const LONGEST: usize = 64 << 10;

/// The questions and where the answers come from.
pub(super) struct Dialogue<'a> {
    input: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    /// Keeps what is typed from being shown for as long as what it gives is there; nothing: it is shown.
    hide: &'a dyn Fn() -> Option<Hidden>,
    is_with_a_person: bool,
}

impl<'a> Dialogue<'a> {
    /// A dialogue with a person, who reads `out`.
    pub(super) fn with_a_person(
        input: &'a mut dyn BufRead,
        out: &'a mut dyn Write,
        hide: &'a dyn Fn() -> Option<Hidden>,
    ) -> Self {
        Self { input, out, hide, is_with_a_person: true }
    }

    /// Answers without questions: lines of `input`, where the flags ask for one.
    pub(super) fn with_a_script(input: &'a mut dyn BufRead, out: &'a mut dyn Write) -> Self {
        Self { input, out, hide: &|| None, is_with_a_person: false }
    }

    /// Whether anybody can be asked.
    pub(super) fn is_with_a_person(&self) -> bool {
        self.is_with_a_person
    }

    /// Asks for the sources.
    pub(super) fn sources(&mut self) -> Result<Vec<SourceWanted>> {
        self.say("Which tracker calls? A source is a door for one tracker: one for each project or app.")?;
        let mut sources: Vec<SourceWanted> = Vec::new();
        while let Some(product) = self.product("Tracker", &source::PRODUCTS, sources.is_empty())? {
            let taken: Vec<String> = sources.iter().map(|source| source.name.to_string()).collect();
            let usual = if product == "bugfender" { "mobile" } else { "backend" };
            let name = self.name(usual, &taken, source_name)?;
            sources.push(SourceWanted { name, product });
        }
        Ok(sources)
    }

    /// Asks for the destinations; hosts that are allowed for them are added to `allowed`.
    pub(super) fn rooms(&mut self, allowed: &mut Vec<String>) -> Result<Vec<Room>> {
        self.say("\nWhere do messages go? A destination is one channel, with an incoming webhook.")?;
        let mut rooms: Vec<Room> = Vec::new();
        while let Some(product) = self.product("Chat", &destination::PRODUCTS, rooms.is_empty())? {
            let taken: Vec<String> = rooms.iter().map(|room| room.name.to_string()).collect();
            let read = |text: &str| DestinationName::new(text).map_err(|error| error.to_string());
            let name = self.name("team", &taken, read)?;
            let address = Address::Typed(self.address(name.as_str(), product, allowed)?);
            rooms.push(Room { name, product, address });
        }
        Ok(rooms)
    }

    /// Asks for the address of a webhook until there is one that bugle may post to.
    pub(super) fn address(&mut self, name: &str, product: &str, allowed: &mut Vec<String>) -> Result<Secret> {
        if let Some(way) = way_to_a_webhook(product) {
            self.say(&format!("  {way}"))?;
        }
        loop {
            let address = self.ask_hidden(&format!("  The webhook's address for {name}"))?;
            let Err(flaw) = config::check_address(&address, product, allowed) else { return Ok(address) };
            let Some(host) = flaw.host else {
                let help = flaw.help.map(|help| format!(" ({help})")).unwrap_or_default();
                self.say(&format!("  {}{help}. Again, please, or Ctrl-C to leave.", flaw.message))?;
                continue;
            };
            let shown = cut(&host, 100);
            self.say(&format!("  {shown} is none of {product}'s own hosts."))?;
            if self.agrees("  May bugle post there? yes or no")? {
                allowed.push(host);
                return Ok(address);
            }
        }
    }

    /// Asks for the address under which the trackers reach bugle; nothing if nobody knows yet.
    pub(super) fn public_url(&mut self) -> Result<Option<String>> {
        self.say(
            "\nUnder which address do the trackers reach bugle? It can be written into the file later.",
        )?;
        loop {
            let text =
                self.ask("Public address, such as https://bugle.example.com (Enter: not known yet)", None)?;
            if text.is_empty() {
                return Ok(None);
            }
            match web_address(&text) {
                Ok(url) => return Ok(Some(url)),
                Err(error) => self.say(&format!("  {error}"))?,
            }
        }
    }

    /// Writes a line.
    pub(super) fn say(&mut self, words: &str) -> Result<()> {
        Ok(writeln!(self.out, "{words}")?)
    }

    /// The next line of the input.
    pub(super) fn line(&mut self) -> Result<Secret> {
        let mut line = Vec::new();
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() && line.is_empty() {
                bail!("the input ended before everything was answered; nothing was written");
            }
            let end = buffer.iter().position(|byte| [b'\n', INTERRUPT].contains(byte));
            let taken = end.map_or(buffer.len(), |end| end + 1);
            let is_over = end.is_some() || buffer.is_empty();
            line.extend(buffer.iter().take(taken));
            self.input.consume(taken);
            if line.contains(&INTERRUPT) {
                bail!("interrupted; nothing was written");
            }
            if line.len() > LONGEST {
                bail!("an answer has more than {LONGEST} bytes; nothing was written");
            }
            if is_over {
                // What is no UTF-8 is no answer to anything, and is said to be none.
                return Ok(Secret::new(String::from_utf8_lossy(&line).trim()));
            }
        }
    }

    fn product(
        &mut self,
        what: &str,
        products: &'static [&'static str],
        is_first: bool,
    ) -> Result<Option<&'static str>> {
        let choice = products.join(", ");
        let question = if is_first {
            format!("{what} ({choice})")
        } else {
            format!("Another one ({choice}; Enter: no more)")
        };
        loop {
            let answer = self.ask(&question, None)?;
            if answer.is_empty() && !is_first {
                return Ok(None);
            }
            match known(&answer.to_ascii_lowercase(), products) {
                Ok(product) => return Ok(Some(product)),
                Err(words) => self.say(&format!("  {words}"))?,
            }
        }
    }

    fn name<T>(
        &mut self,
        usual: &str,
        taken: &[String],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T> {
        let is_taken = |name: &str| taken.iter().any(|taken| taken == name);
        let usual = Some(usual).filter(|usual| !is_taken(usual));
        loop {
            let answer = self.ask("  What do you call it?", usual)?;
            if is_taken(&answer) {
                self.say("  That name is taken.")?;
                continue;
            }
            match read(&answer) {
                Ok(name) => return Ok(name),
                Err(words) => self.say(&format!("  {words}"))?,
            }
        }
    }

    fn agrees(&mut self, question: &str) -> Result<bool> {
        loop {
            match self.ask(question, None)?.to_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("  yes or no?")?,
            }
        }
    }

    fn ask(&mut self, question: &str, usual: Option<&str>) -> Result<String> {
        let shown = usual.map(|usual| format!(" [{usual}]")).unwrap_or_default();
        write!(self.out, "{question}{shown}: ")?;
        self.out.flush()?;
        let answer = self.line()?.expose().to_owned();
        Ok(if answer.is_empty() { usual.unwrap_or_default().to_owned() } else { answer })
    }

    fn ask_hidden(&mut self, question: &str) -> Result<Secret> {
        let hidden = (self.hide)();
        let word = if hidden.is_some() { "is not shown" } else { "this terminal shows it; look who watches" };
        write!(self.out, "{question} ({word}): ")?;
        self.out.flush()?;
        let answer = self.line();
        if hidden.is_some() {
            // Enter was not shown either.
            writeln!(self.out)?;
        }
        answer
    }
}

/// Where an incoming webhook of `product` is made.
fn way_to_a_webhook(product: &str) -> Option<&'static str> {
    match product {
        "slack" => Some(
            "api.slack.com/apps → Create New App → Incoming Webhooks → Add New Webhook → choose the channel → copy the \
             Webhook URL",
        ),
        "teams" => Some(
            "the channel's … menu → Workflows → Send webhook alerts to a channel → copy the address at the end",
        ),
        "discord" => {
            Some("the channel's settings → Integrations → Webhooks → New Webhook → Copy Webhook URL")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
