//! A message as an embed.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use crate::destination::draft::{Draft, LinkForm, link, set};
use crate::message::{Mention, Message};
use crate::text::{Place, Room, as_it_is, is_blank, left_out, one_line, or_none};

/// All texts of all embeds of a message together.
const TOTAL: usize = 6_000;

const TITLE: usize = 256;
const AUTHOR: usize = 256;
const DESCRIPTION: usize = 4_096;
const CONTENT: usize = 2_000;

/// Ids of one kind in `allowed_mentions`.
const IDS: usize = 100;

/// An address in a field of its own.
const URL: usize = 2_048;

/// All links in the description, words and addresses; the description has less room than the other platforms' texts.
const LINKS: usize = 1_200;

/// Discord takes 256 for a name and 1,024 for a value. Ten such fields would leave no room for anything else.
const NAME: usize = 60;
const VALUE: usize = 250;

/// A value of up to this many characters shares its line with others.
const INLINE: usize = 40;

const FOOTER: usize = 300;
const CODE_LINE: usize = 200;

/// `author.name` and `footer.text`, which have no mark-up.
const LITERAL: Place = Place { write: as_it_is, count: |_| 1 };

/// `title`, `description` and fields: a backslash before everything that marks up anywhere.
const MARKDOWN: Place = Place { write: escape, count: |_| 1 };

/// A code block, where only the fence acts: a backtick may need a zero-width space, see [`fenced`].
const CODE: Place = Place { write: as_it_is, count: |c| if c == '`' { 2 } else { 1 } };

const FENCES: usize = "```\n\n```".len();

/// The line breaks between text, code, note and links.
const BETWEEN: usize = 3;

fn escape(c: char, out: &mut String) {
    if r"\*_~`|>#-+[]()<:@.".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// The body of the request, but for what the options add.
pub(super) fn body(message: &Message, mentions: &[Mention]) -> Value {
    let pings = wanted(mentions);
    let mut body = json!({"embeds": [embed(message)], "allowed_mentions": allowed(&pings)});
    if !pings.is_empty() {
        let forms: Vec<String> = pings.iter().map(|ping| ping.form()).collect();
        set(&mut body, "content", forms.join(" "));
    }
    body
}

/// Room is given out in the order in which it must not be lost, whatever the order on the screen.
fn embed(message: &Message) -> Value {
    let draft = Draft::of(message);
    let mut room = Room::new(TOTAL);
    let title = room.end(MARKDOWN, &draft.title, TITLE);
    let lead = room.end(LITERAL, &draft.lead, AUTHOR);
    let footer = room.middle(LITERAL, &draft.footer, FOOTER);
    let fields = fields(&draft, &mut room);
    let description = description(&draft, room.part(DESCRIPTION));

    let mut embed = json!({"title": title, "author": {"name": lead}, "color": draft.tone.rgb()});
    if let Some(url) = address(&draft.url, URL) {
        set(&mut embed, "url", url);
    }
    if !description.is_empty() {
        set(&mut embed, "description", description);
    }
    if !fields.is_empty() {
        set(&mut embed, "fields", fields);
    }
    if !footer.is_empty() {
        set(&mut embed, "footer", json!({"text": footer}));
    }
    if let Some(at) = timestamp(&message.at) {
        set(&mut embed, "timestamp", at);
    }
    embed
}

/// An address on a host without a dot makes Discord refuse the whole message.
fn address(url: &str, most: usize) -> Option<String> {
    let url = link(url, most)?;
    let parsed = Url::parse(&url).ok()?;
    let dotted = parsed.host_str().is_some_and(|host| host.trim_end_matches('.').contains('.'));
    dotted.then_some(url)
}

/// In the form that Discord itself writes; it reads years of four digits.
fn timestamp(at: &str) -> Option<String> {
    let at: Timestamp = at.trim().parse().ok()?;
    (at >= Timestamp::UNIX_EPOCH).then(|| at.strftime("%Y-%m-%dT%H:%M:%S.%6f+00:00").to_string())
}

fn fields(draft: &Draft, room: &mut Room) -> Vec<Value> {
    let mut fields = Vec::new();
    for (label, value) in &draft.fields {
        let name = room.end(MARKDOWN, label, NAME);
        let short = value.chars().take(INLINE + 1).count() <= INLINE;
        let value = room.middle(MARKDOWN, value, VALUE);
        fields.push(json!({"name": name, "value": value, "inline": short}));
    }
    fields
}

/// Text, code and links, in this order on the screen; links and text have the first claim to the room.
fn description(draft: &Draft, mut room: Room) -> String {
    let links = links(draft, &mut room);
    let note = match draft.more_fields {
        0 => String::new(),
        more => left_out(more, "field"),
    };
    room.take(note.chars().count() + BETWEEN);
    if !draft.code.is_empty() {
        room.take(FENCES);
    }
    let most = room.before(&draft.code);
    let text = room.middle(MARKDOWN, &draft.text, most);
    let code = room.lines(CODE, &draft.code, CODE_LINE);
    let parts = [text, fenced(&code), note, links];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// `code` in a block that nothing in it ends: no two backticks of it stay side by side.
fn fenced(code: &str) -> String {
    if is_blank(code) {
        return String::new();
    }
    let mut block = String::from("```\n");
    let mut after_backtick = false;
    for c in code.chars() {
        if c == '`' && after_backtick {
            block.push('\u{200B}');
        }
        block.push(c);
        after_backtick = c == '`';
    }
    block.push_str("\n```");
    block
}

/// The links in a row, as far as there is room for their addresses.
fn links(draft: &Draft, room: &mut Room) -> String {
    let form = LinkForm {
        place: MARKDOWN,
        words: NAME,
        address: address_in_markdown,
        around: "[]() · ".chars().count(),
    };
    let (shown, note) = draft.links_within(room, LINKS, &form);
    let links = shown.into_iter().map(|(words, address)| format!("[{words}]({address})"));
    links.chain([note]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// A bracket would end the link.
fn address_in_markdown(url: &str) -> Option<String> {
    Some(address(url, LINKS)?.replace('(', "%28").replace(')', "%29"))
}

/// Somebody whom Discord can ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping<'a> {
    Here,
    Everyone,
    User(&'a str),
    Role(&'a str),
}

impl<'a> Ping<'a> {
    /// Who is meant; nothing where the configuration has no id for Discord, or none that is one.
    pub(super) fn of(mention: &'a Mention) -> Option<Self> {
        match mention {
            Mention::Here => Some(Self::Here),
            Mention::Channel => Some(Self::Everyone),
            Mention::Person(person) => person.discord.as_deref().filter(|id| is_id(id)).map(Self::User),
            Mention::Group(group) => group.discord.as_deref().filter(|id| is_id(id)).map(Self::Role),
        }
    }

    fn form(self) -> String {
        match self {
            Self::Here => "@here".to_owned(),
            Self::Everyone => "@everyone".to_owned(),
            Self::User(id) => format!("<@{id}>"),
            Self::Role(id) => format!("<@&{id}>"),
        }
    }
}

/// Whether `text` is one of Discord's numbers.
pub(super) fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}

/// Each once, as many as one message can have.
fn wanted(mentions: &[Mention]) -> Vec<Ping<'_>> {
    let mut room = Room::new(CONTENT);
    let mut pings = Vec::new();
    for ping in mentions.iter().filter_map(Ping::of) {
        let same_kind =
            pings.iter().filter(|other| std::mem::discriminant(*other) == std::mem::discriminant(&ping));
        if !pings.contains(&ping) && same_kind.count() < IDS && room.take(ping.form().len() + 1) {
            pings.push(ping);
        }
    }
    pings
}

/// What allows exactly `pings`: Discord pings nobody who is not named both here and in the text.
fn allowed(pings: &[Ping<'_>]) -> Value {
    let users: Vec<&str> =
        pings.iter().filter_map(|p| if let Ping::User(id) = p { Some(*id) } else { None }).collect();
    let roles: Vec<&str> =
        pings.iter().filter_map(|p| if let Ping::Role(id) = p { Some(*id) } else { None }).collect();
    let everyone = pings.iter().any(|ping| matches!(ping, Ping::Here | Ping::Everyone));
    let mut allowed = json!({"parse": if everyone { vec!["everyone"] } else { vec![] }});
    if !users.is_empty() {
        set(&mut allowed, "users", users);
    }
    if !roles.is_empty() {
        set(&mut allowed, "roles", roles);
    }
    allowed
}

/// The name of the thread that a message opens: what the configuration makes of the event, else its title.
pub(super) fn thread_name(message: &Message, limit: usize) -> String {
    let names = [&message.thread, &message.title].map(|name| one_line(name));
    let name = names.into_iter().find(|name| !is_blank(name)).unwrap_or_default();
    or_none(LITERAL.end(&name, limit))
}
