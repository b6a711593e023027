//! What is to be said, before any platform's form: title, paragraphs, facts, code, quotes, lists, links, footer.
//!
//! Every text in a [`Message`] is literal: a platform composes it so that no character of it acts as mark-up, a link
//! or a mention. Nothing here mentions anybody; that is the rules' alone.

pub mod gathering;
mod plain;

use std::fmt;

pub use plain::{plain, tone};

/// One message, the same for all platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its colour.
    pub tone: Tone,
    /// What happened and where: the first line.
    pub title: Text,
    /// The quiet line under the title: why this message, in which stage.
    pub subtitle: Text,
    /// What stands between title and footer, from top to bottom.
    pub blocks: Vec<Block>,
    /// The quiet last line: source, the tracker's id, our short id.
    pub footer: Text,
    /// When it happened, as RFC 3339; empty where it is not known.
    pub at: String,
    /// What the thread that it opens is called, where it opens one.
    pub thread: String,
}

impl Message {
    /// The message in one plain line, for a notification on a locked phone: its title, what stands under it, and the
    /// first words after that.
    pub fn summary(&self) -> String {
        let heading = [self.title.to_string(), self.subtitle.to_string()];
        let heading: Vec<String> = heading.into_iter().filter(|text| !text.is_empty()).collect();
        let parts = [Some(heading.join(" · ")), self.first_words()];
        let parts: Vec<String> = parts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        parts.join(": ")
    }

    /// Puts a quiet line at its end, for what has to be said about the message itself.
    pub fn note(&mut self, words: impl Into<String>) {
        let style = Style { italic: true, ..Style::default() };
        let span = Span { text: words.into(), style, ..Span::default() };
        self.blocks.push(Block::Paragraph(Text(vec![span])));
    }

    /// The first line of its running text that has a word in it.
    pub fn first_words(&self) -> Option<String> {
        self.blocks.iter().find_map(Block::first_words)
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading below the title.
    Heading(Text),
    /// Text of one or more lines.
    Paragraph(Text),
    /// What somebody else said.
    Quote(Text),
    /// Items, one below the other.
    List(List),
    /// A grid of facts.
    Fields(Vec<Field>),
    /// Lines of code, the most important first.
    Code(String),
    /// A row of links.
    Links(Vec<Link>),
}

impl Block {
    /// The first line of running text that has a word in it; of code, facts and links there is none.
    fn first_words(&self) -> Option<String> {
        let text = match self {
            Self::Heading(text) | Self::Paragraph(text) | Self::Quote(text) => text.to_string(),
            Self::List(list) => list.items.first().map(Text::to_string).unwrap_or_default(),
            Self::Fields(_) | Self::Code(_) | Self::Links(_) => return None,
        };
        let line = text.lines().map(str::trim).find(|line| line.chars().any(char::is_alphanumeric));
        line.map(str::to_owned)
    }
}

/// Text, some of it bold, some of it a link. Every character of it stands for itself; `\n` is a line's end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Span>);

impl Text {
    /// Text that is just text.
    pub fn plain(text: impl Into<String>) -> Self {
        Self(vec![Span { text: text.into(), ..Span::default() }])
    }

    /// Puts `text` at its end.
    pub fn push(&mut self, text: impl Into<String>) {
        self.0.push(Span { text: text.into(), ..Span::default() });
    }

    /// Whether there is no character in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|span| span.text.is_empty())
    }

    /// The first address that any of it leads to; empty if there is none.
    pub fn url(&self) -> &str {
        self.0.iter().map(|span| span.url.as_str()).find(|url| !url.is_empty()).unwrap_or_default()
    }
}

/// The text alone.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|span| f.write_str(&span.text))
    }
}

/// Text of one look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// The text itself, literally.
    pub text: String,
    /// How it looks.
    pub style: Style,
    /// Whether it is a piece of code.
    pub code: bool,
    /// Where it leads; empty if nowhere. A platform makes a link of it only if it is an absolute web address.
    pub url: String,
}

/// How text looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Struck through.
    pub struck: bool,
}

/// Items, one below the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The number of the first item; none: the items have bullets.
    pub first: Option<u64>,
    /// The items.
    pub items: Vec<Text>,
}

/// A fact and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What the value is.
    pub label: Text,
    /// The value. Never empty.
    pub value: Text,
}

/// Words that lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The words.
    pub label: String,
    /// The address; a platform leaves out what is no absolute web address.
    pub url: String,
}

/// The colour of a message, which says its severity or state; an emoji and a word say it too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Red: something failed.
    Error,
    /// Orange.
    Warning,
    /// Blue.
    Info,
    /// Green: resolved.
    Resolved,
    /// Grey.
    #[default]
    Other,
}

impl Tone {
    /// The coloured dot that stands for it.
    pub fn emoji(self) -> &'static str {
        match self {
            Self::Error => "🔴",
            Self::Warning => "🟠",
            Self::Info => "🔵",
            Self::Resolved => "🟢",
            Self::Other => "⚪",
        }
    }

    /// Its colour as 0xRRGGBB.
    pub fn rgb(self) -> u32 {
        match self {
            Self::Error => 0x00D9_2D20,
            Self::Warning => 0x00F7_9009,
            Self::Info => 0x002E_90FA,
            Self::Resolved => 0x0012_B76A,
            Self::Other => 0x0066_7085,
        }
    }
}

/// Somebody to be mentioned: made from a rule's `mention`, never from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mention {
    /// Who is active in the channel now.
    Here,
    /// Everyone in the channel.
    Channel,
    /// A person or a group from the configuration.
    Person(Person),
    /// A group from the configuration.
    Group(Group),
}

/// A person whom rules can mention, by their id on each platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name in the configuration.
    pub name: String,
    /// Slack's member id, such as `U012AB3CD`.
    pub slack: Option<String>,
    /// Discord's user id, digits.
    pub discord: Option<String>,
    /// The address or object id in Teams, and the name that is shown.
    pub teams: Option<TeamsPerson>,
}

/// How Teams knows a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamsPerson {
    /// The user principal name or the Entra object id.
    pub id: String,
    /// The name that is shown.
    pub name: String,
}

/// A group whom rules can mention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The name in the configuration.
    pub name: String,
    /// Slack's user group id, such as `S012AB3CD`.
    pub slack: Option<String>,
    /// Discord's role id, digits.
    pub discord: Option<String>,
}
