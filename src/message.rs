//! What is to be said, before any platform's form: title, text, fields, code, links, footer.
//!
//! Every text in a [`Message`] is literal: a platform composes it so that no character of it acts as mark-up, a link
//! or a mention. Nothing here mentions anybody; that is the rules' alone.

mod plain;

pub use plain::plain;

/// One message, the same for all platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its colour and emoji.
    pub tone: Tone,
    /// The small line above the title: why this message, which application, which stage.
    pub lead: String,
    /// What happened and where. Never empty.
    pub title: String,
    /// The page the title leads to; absolute http or https, else empty.
    pub url: String,
    /// What the exception or the person says; may have several lines.
    pub text: String,
    /// Facts, each with a label. None has an empty value.
    pub fields: Vec<Field>,
    /// Lines of a stack trace, the most important first.
    pub code: Vec<String>,
    /// Links beside the title's.
    pub links: Vec<Link>,
    /// The quiet last line: source, the tracker's id, our short id.
    pub footer: String,
    /// When it happened, as RFC 3339; empty where it is not known.
    pub at: String,
    /// What the thread that it opens is called, where it opens one.
    pub thread: String,
    /// The message in one plain line, for a notification on a locked phone.
    pub summary: String,
}

/// A fact and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What the value is.
    pub label: String,
    /// The value, one line. Never empty.
    pub value: String,
}

/// Words that lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The words.
    pub label: String,
    /// The address; absolute http or https.
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
