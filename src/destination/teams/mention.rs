//! Whom a card mentions: the line with their tags, and the entities that make these more than text.

use serde_json::{Value, json};

use super::compose::LITERAL;
use crate::message::Mention;
use crate::text::{Room, is_blank, one_line};

/// Mentions in one message, and the bytes of all of them together.
const MOST: usize = 20;
const BYTES: usize = 4_000;

/// The JSON around one mention, with a reserve.
const AROUND: usize = 100;

/// The line that names whom to ping, and the entities without which its tags would be text.
pub(super) fn mention_parts(mentions: &[Mention], room: &mut Room) -> (String, Vec<Value>) {
    let mut part = room.part(BYTES);
    let before = part.left();
    let mut people: Vec<(String, String)> = Vec::new();
    for (id, name) in mentions.iter().filter_map(person) {
        let name = distinct(name, &people);
        let size = 3 * LITERAL.count(&name) + LITERAL.count(&id) + AROUND;
        let is_known = people.iter().any(|(known, _)| *known == id);
        if !is_known && people.len() < MOST && part.take(size) {
            people.push((id, name));
        }
    }
    room.take(before - part.left());
    let tag = |name: &String| format!("<at>{name}</at>");
    let entity = |(id, name): &(String, String)| json!({"type": "mention", "text": tag(name), "mentioned": {"id": id, "name": name}});
    let tags: Vec<String> = people.iter().map(|(_, name)| tag(name)).collect();
    (tags.join(" "), people.iter().map(entity).collect())
}

/// A tag is found by its name alone, so two of one name would be one person.
fn distinct(name: String, people: &[(String, String)]) -> String {
    let is_new = |name: &String| people.iter().all(|(_, known)| known != name);
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    [name.clone()].into_iter().chain(numbered).find(is_new).unwrap_or(name)
}

/// Who is meant, where Teams can mention them: persons by address or object id, nobody else.
pub(super) fn person(mention: &Mention) -> Option<(String, String)> {
    let Mention::Person(person) = mention else { return None };
    let teams = person.teams.as_ref()?;
    let id = one_line(&teams.id);
    if is_blank(&id) || id.len() > 200 {
        return None;
    }
    let name: String = one_line(&teams.name).chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    let name = LITERAL.end(if is_blank(&name) { &person.name } else { &name }, 80);
    Some((id, name)).filter(|(_, name)| !is_blank(name))
}
