//! A Discord message as a card.

use anstyle::Effects;
use serde_json::Value;

use super::json::{list, text};
use super::markup::{markdown, parts};
use super::{Card, Line, Part, Run};

/// Reads a body as Discord shows it: the content, then each embed beside its bar.
pub(super) fn card(body: &Value) -> Card {
    let mut card = Card { above: vec![Part::Text(markdown(text(body, "content")))], ..Card::default() };
    for embed in list(body, "embeds") {
        card.colour = embed["color"].as_u64().and_then(|colour| u32::try_from(colour).ok()).or(card.colour);
        card.parts.extend(parts_of(embed));
    }
    card
}

fn parts_of(embed: &Value) -> Vec<Part> {
    let mut found = Vec::new();
    let author = Run::quiet(text(&embed["author"], "name"));
    let title = title(embed);
    let top: Vec<Line> = [vec![author], title]
        .into_iter()
        .filter(|line| line.iter().any(|run| !run.text.is_empty()))
        .collect();
    if !top.is_empty() {
        found.push(Part::Text(top));
    }
    found.extend(parts(text(embed, "description")));
    let fields: Vec<_> = list(embed, "fields").iter().map(field).collect();
    if !fields.is_empty() {
        found.push(Part::Fields(fields));
    }
    let footer = [text(&embed["footer"], "text"), text(embed, "timestamp")];
    let footer: Vec<&str> = footer.into_iter().filter(|part| !part.is_empty()).collect();
    if !footer.is_empty() {
        found.push(Part::Text(vec![vec![Run::quiet(footer.join(" • "))]]));
    }
    found
}

fn title(embed: &Value) -> Line {
    let url = text(embed, "url");
    let runs = markdown(text(embed, "title")).into_iter().flatten();
    runs.map(|run| Run { url: url.to_owned(), ..run }.with(Effects::BOLD, true)).collect()
}

fn field(field: &Value) -> (Line, Line) {
    let line = |key| markdown(text(field, key)).join(&Run::plain(" "));
    (line("name"), line("value"))
}
