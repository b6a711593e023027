//! Whom a message pings: the forms of Discord's mentions, and what allows exactly those.

use serde_json::{Value, json};

use crate::destination::draft::set;
use crate::message::Mention;
use crate::text::Room;

/// All of them together: the limit of `content`.
const CONTENT: usize = 2_000;

/// Ids of one kind in `allowed_mentions`.
const IDS: usize = 100;

/// Somebody whom Discord can ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping<'a> {
    Here,
    Everyone,
    /// By number.
    User(&'a str),
    /// By number.
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

    /// How it is written in `content`.
    pub(super) fn form(self) -> String {
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
pub(super) fn wanted(mentions: &[Mention]) -> Vec<Ping<'_>> {
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
pub(super) fn allowed(pings: &[Ping<'_>]) -> Value {
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
