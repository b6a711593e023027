//! What is left of a message that a platform has refused in full: four lines at most.
//!
//! Which part the platform did not like is not known, so all are left out that people can do without: what remains is
//! what happened, where to look, and which event it is.

use super::draft::link;
use crate::message::{Block, Message};
use crate::text::{Place, is_blank, one_line, or_none};

/// Room for the title, as the platform measures it once it is written.
const TITLE: usize = 250;

/// Room for the first words of the text.
const WORDS: usize = 250;

/// Room for the footer, whose end tells which event it is.
const FOOTER: usize = 250;

/// The longest address that is shown, and as it is written.
const URL: usize = 500;
const WRITTEN_URL: usize = 1_000;

/// Why people see so little of the message.
const NOTE: &str = "shortened: the full message was refused";

/// The lines of a message in its simplest form, cleaned but not yet cut or escaped.
#[derive(Debug)]
pub(super) struct Simplest {
    /// Never blank.
    title: String,
    /// The first line of its text; may be empty.
    words: String,
    /// Where to look, if the message has an address that platforms take.
    url: Option<String>,
    /// May be empty.
    footer: String,
}

impl Simplest {
    /// What is left of `message`.
    pub(super) fn of(message: &Message) -> Self {
        let seen = |text: String| Some(one_line(&text)).filter(|line| !is_blank(line));
        let words = message.first_words().and_then(seen);
        let (title, words) = match seen(message.title.to_string()) {
            Some(title) => (title, words.unwrap_or_default()),
            None => (or_none(one_line(&message.summary())), String::new()),
        };
        let footer = seen(message.footer.to_string()).unwrap_or_default();
        Self { title, words, url: urls(message).find_map(|url| link(url, URL)), footer }
    }

    /// Title, words and footer as they are written at `place`. Only the words may be empty.
    pub(super) fn lines(&self, place: Place) -> [String; 3] {
        let note = place.write(NOTE);
        let footer = match place.middle(&self.footer, FOOTER) {
            footer if footer.is_empty() => note,
            footer => format!("{footer}{}{note}", place.write(" · ")),
        };
        [place.end(&self.title, TITLE), place.end(&self.words, WORDS), footer]
    }

    /// Where to look, as `write` writes it.
    pub(super) fn link(&self, write: fn(&str) -> String) -> Option<String> {
        self.url.as_deref().map(write).filter(|written| written.len() <= WRITTEN_URL)
    }
}

/// Where a message leads, the title's address first.
fn urls(message: &Message) -> impl Iterator<Item = &str> {
    let links = message.blocks.iter().flat_map(|block| match block {
        Block::Links(links) => links.as_slice(),
        _ => &[],
    });
    std::iter::once(message.title.url()).chain(links.map(|link| link.url.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Link, Span, Text};
    use crate::text::as_it_is;

    const PLAIN: Place = Place { write: as_it_is, count: |_| 1 };

    #[test]
    fn title_first_words_and_the_footers_end_are_left() {
        let blocks = vec![
            Block::Code("first in code\n".into()),
            Block::Paragraph(Text::plain(format!("\n{}\nsecond line", "word ".repeat(1_000)))),
        ];
        let footer = Text::plain(format!("{} #2b4k", "source ".repeat(1_000)));
        let title = Text::plain("two\r\nlines");
        let [title, words, footer] =
            Simplest::of(&Message { title, blocks, footer, ..Message::default() }).lines(PLAIN);
        assert_eq!(title, "two lines");
        assert!(words.starts_with("word word") && words.ends_with("word…"), "{words}");
        assert!((200..=WORDS).contains(&words.chars().count()), "{words}");
        assert!(
            footer.contains("left out …")
                && footer.ends_with("#2b4k · shortened: the full message was refused")
        );
    }

    #[test]
    fn a_message_without_a_title_says_its_first_words_once() {
        let message = Message { blocks: vec![Block::Quote(Text::plain("so it goes"))], ..Message::default() };
        assert_eq!(Simplest::of(&message).lines(PLAIN), ["so it goes", "", NOTE]);
        assert_eq!(Simplest::of(&Message::default()).lines(PLAIN), ["(none)", "", NOTE]);
    }

    #[test]
    fn the_first_address_that_is_one_is_where_to_look() {
        let link = |url: &str| Link { label: "l".into(), url: url.into() };
        let blocks = vec![
            Block::Links(vec![link("javascript:x"), link("https://example.com/second")]),
            Block::Links(vec![link("https://example.com/third")]),
        ];
        let title = |url: &str| Text(vec![Span { text: "t".into(), url: url.into(), ..Span::default() }]);
        let url = |url: &str| {
            let message = Message { title: title(url), blocks: blocks.clone(), ..Message::default() };
            Simplest::of(&message).url.unwrap()
        };
        assert_eq!(url("https://example.com/first"), "https://example.com/first");
        assert_eq!(url("/errors/1"), "https://example.com/second");
        assert_eq!(Simplest::of(&Message::default()).url, None);

        let message = Message {
            title: title(&format!("https://example.com/?{}", "&".repeat(450))),
            ..Message::default()
        };
        assert!(Simplest::of(&message).link(str::to_owned).is_some());
        assert_eq!(
            Simplest::of(&message).link(|url| url.replace('&', "&amp;")),
            None,
            "too long as it is written"
        );
    }
}
