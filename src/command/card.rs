//! A message as a card in the terminal: a coloured bar, and beside it what a reader of the chat would see.

mod discord;
mod json;
mod markup;
mod slack;
mod teams;

use std::io::{self, Write};
use std::iter::repeat_n;

use anstyle::{AnsiColor, Effects, RgbColor, Style};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::text;

/// Columns of a card, its bar included.
pub(super) const WIDTH: usize = 100;
/// Columns beside the bar.
const INSIDE: usize = WIDTH - 2;
/// The widest cell of which two fit beside each other.
const CELL: usize = INSIDE / 2 - 1;

/// Text of one style.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) text: String,
    /// Bold, italic, struck through, dimmed.
    pub(super) effects: Effects,
    pub(super) code: bool,
    /// Where it leads; empty for none.
    pub(super) url: String,
}

impl Run {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(super) fn bold(text: impl Into<String>) -> Self {
        Self { effects: Effects::BOLD, ..Self::plain(text) }
    }

    pub(super) fn quiet(text: impl Into<String>) -> Self {
        Self { effects: Effects::DIMMED, ..Self::plain(text) }
    }

    /// The same with `effect` as well, if `is`.
    pub(super) fn with(mut self, effect: Effects, is: bool) -> Self {
        if is {
            self.effects |= effect;
        }
        self
    }

    /// Other text in this style.
    pub(super) fn with_text(&self, text: impl Into<String>) -> Self {
        Self { text: text.into(), ..self.clone() }
    }

    /// Whether both have the same style and lead to the same place.
    fn is_like(&self, other: &Self) -> bool {
        (self.effects, self.code, &self.url) == (other.effects, other.code, &other.url)
    }

    fn style(&self) -> Style {
        let underline = if self.url.is_empty() { Effects::new() } else { Effects::UNDERLINE };
        let style = Style::new().effects(self.effects | underline);
        if self.code { style.fg_color(Some(AnsiColor::Cyan.into())) } else { style }
    }
}

/// Runs that stand on one line of the message; the terminal may need several.
pub(super) type Line = Vec<Run>;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Lines of text.
    Text(Vec<Line>),
    /// Facts with their labels.
    Fields(Vec<(Line, Line)>),
    /// What somebody else said.
    Quote(Vec<Line>),
    /// Lines of code.
    Code(Vec<String>),
    /// Labels and where they lead.
    Links(Vec<(String, String)>),
}

/// A message as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Card {
    /// What stands above the coloured bar.
    pub(super) above: Vec<Part>,
    /// The bar's colour, where the message has one.
    pub(super) colour: Option<u32>,
    /// What stands beside the bar.
    pub(super) parts: Vec<Part>,
}

/// Reads a body as `product`, the `type` of a destination, shows it.
pub(super) fn card(product: &str, body: &Value) -> Card {
    match product {
        "teams" => teams::card(body),
        "discord" => discord::card(body),
        _ => slack::card(body),
    }
}

/// Draws cards in the terminal, with colours or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// Whether colours and effects are shown.
    pub(super) colour: bool,
}

impl Pen {
    /// Writes `text` in `style`.
    pub(super) fn styled(self, out: &mut dyn Write, style: Style, text: &str) -> io::Result<()> {
        let text: String = text.chars().filter(|character| !acts(*character)).collect();
        if self.colour { write!(out, "{style}{text}{style:#}") } else { write!(out, "{text}") }
    }

    /// Draws `card`.
    pub(super) fn card(self, out: &mut dyn Write, card: &Card) -> io::Result<()> {
        let mut seen = Vec::new();
        for row in card.above.iter().flat_map(|part| rows(part, &mut seen)).collect::<Vec<_>>() {
            self.runs(out, &row)?;
            writeln!(out)?;
        }
        let rows: Vec<Vec<Line>> = card.parts.iter().map(|part| rows(part, &mut seen)).collect();
        for row in rows.join(&Line::default()) {
            self.bar(out, card.colour)?;
            write!(out, "{}", if row.is_empty() { "" } else { " " })?;
            self.runs(out, &row)?;
            writeln!(out)?;
        }
        Ok(())
    }

    fn bar(self, out: &mut dyn Write, colour: Option<u32>) -> io::Result<()> {
        let style = colour.map_or_else(Style::new, |rgb| {
            let [_, red, green, blue] = rgb.to_be_bytes();
            Style::new().fg_color(Some(RgbColor(red, green, blue).into()))
        });
        self.styled(out, style, "▌")
    }

    fn runs(self, out: &mut dyn Write, line: &[Run]) -> io::Result<()> {
        line.iter().try_for_each(|run| self.styled(out, run.style(), &run.text))
    }
}

/// What would act on the terminal, or is only there to keep a chat's mark-up from acting: control characters,
/// direction overrides, zero-width spaces.
fn acts(character: char) -> bool {
    character == '\u{200B}' || text::acts(character)
}

/// The lines of a part, each at most [`INSIDE`] wide. Addresses that were `seen` in the card are not repeated.
fn rows(part: &Part, seen: &mut Vec<String>) -> Vec<Line> {
    match part {
        Part::Text(lines) => lines.iter().flat_map(|line| text(line, seen)).collect(),
        Part::Fields(fields) => grid(fields),
        Part::Code(lines) => {
            let code = |line: &String| Run { code: true, text: line.clone(), ..Run::default() };
            indented(lines.iter().flat_map(|line| wrap(&[code(line)], INSIDE - 2)).collect())
        }
        Part::Quote(lines) => {
            let addresses = lines.iter().flatten().flat_map(|run| address(&run.url, seen));
            let addresses: Vec<Line> = addresses.collect();
            let rows = lines.iter().flat_map(|line| wrap(line, INSIDE - 2)).collect();
            [indented(rows), addresses].concat()
        }
        Part::Links(links) => links
            .iter()
            .flat_map(|(label, url)| {
                let button = Run::bold(format!("[ {label} ]"));
                [wrap(&[button], INSIDE), address(url, seen)].concat()
            })
            .collect(),
    }
}

/// Rows with a line of their own before them.
fn indented(rows: Vec<Line>) -> Vec<Line> {
    rows.into_iter().map(|row| [vec![Run::quiet("│ ")], row].concat()).collect()
}

/// A line of text, and below it where its links lead.
fn text(line: &Line, seen: &mut Vec<String>) -> Vec<Line> {
    let mut rows = wrap(line, INSIDE);
    rows.extend(line.iter().flat_map(|run| address(&run.url, seen)));
    rows
}

fn address(url: &str, seen: &mut Vec<String>) -> Vec<Line> {
    if url.is_empty() || seen.iter().any(|known| known == url) {
        return Vec::new();
    }
    seen.push(url.to_owned());
    wrap(&[Run::quiet(format!("↗ {url}"))], INSIDE)
}

/// Facts two by two, as long as both fit.
fn grid(fields: &[(Line, Line)]) -> Vec<Line> {
    let labels = fields.iter().map(|(label, _)| width(label)).max().unwrap_or(0).min(CELL / 2);
    let cells: Vec<Line> = fields
        .iter()
        .map(|(label, value)| {
            let quiet = label.iter().map(|run| Run::quiet(&run.text));
            let gap = labels.saturating_sub(width(label)) + 2;
            quiet.chain([Run::plain(" ".repeat(gap))]).chain(value.iter().cloned()).collect()
        })
        .collect();
    let mut rows = Vec::new();
    let mut cells = cells.into_iter().peekable();
    while let Some(cell) = cells.next() {
        let room = CELL.saturating_sub(width(&cell));
        match cells.next_if(|next| room > 0 && width(next) <= CELL) {
            Some(next) => rows.push([cell, vec![Run::plain(" ".repeat(room + 2))], next].concat()),
            None => rows.extend(wrap(&cell, INSIDE)),
        }
    }
    rows
}

fn width(line: &[Run]) -> usize {
    line.iter().map(|run| run.text.width()).sum()
}

/// Breaks a line between words so that each piece is at most `most` wide; a longer word is broken in itself.
fn wrap(line: &[Run], most: usize) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    let mut used = 0;
    for run in line {
        for word in run.text.split_inclusive(' ') {
            let pieces: Vec<&str> =
                if word.trim_end().width() > most { word.graphemes(true).collect() } else { vec![word] };
            for piece in pieces {
                if used > 0 && used + piece.trim_end().width() > most {
                    end(&mut lines);
                    lines.push(Line::default());
                    used = 0;
                }
                used += piece.width();
                if let Some(line) = lines.last_mut() {
                    push(line, run, piece);
                }
            }
        }
    }
    lines
}

/// Takes the space away at which the last line was broken.
fn end(lines: &mut [Line]) {
    if let Some(last) = lines.last_mut().and_then(|line| line.last_mut()) {
        last.text.truncate(last.text.trim_end().len());
    }
}

/// Adds `text` in the style of `run`: to the last run, if that is of the same style.
pub(super) fn push(line: &mut Line, run: &Run, text: &str) {
    match line.last_mut() {
        Some(last) if last.is_like(run) => last.text.push_str(text),
        _ if text.is_empty() => {}
        _ => line.push(run.with_text(text)),
    }
}

/// Runs with line breaks in their texts, as lines.
pub(super) fn broken(runs: Line) -> Vec<Line> {
    let mut lines = vec![Line::default()];
    for run in runs {
        for (index, piece) in run.text.split('\n').enumerate() {
            if index > 0 {
                lines.push(Line::default());
            }
            if let Some(line) = lines.last_mut().filter(|_| !piece.is_empty()) {
                line.push(run.with_text(piece));
            }
        }
    }
    lines
}

/// A line across the terminal that begins with `title`.
pub(super) fn heading(title: &str) -> String {
    let rest = WIDTH.saturating_sub(title.width() + 4);
    let dashes: String = repeat_n('─', rest).collect();
    format!("── {title} {dashes}")
}

#[cfg(test)]
mod platforms;

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(card: &Card, colour: bool) -> String {
        let mut out = Vec::new();
        Pen { colour }.card(&mut out, card).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str) -> Part {
        Part::Text(vec![vec![Run::plain(text)]])
    }

    #[test]
    fn nothing_is_wider_than_the_card() {
        let long = format!("{} {} end", "word ".repeat(60), "x".repeat(300));
        let fields = vec![(vec![Run::plain("Label")], vec![Run::plain(&long)]); 3];
        let quote = Part::Quote(vec![vec![Run::plain(&long)]]);
        let parts = vec![text(&long), Part::Code(vec![long.clone()]), quote, Part::Fields(fields)];
        let drawn = drawn(&Card { above: vec![text(&long)], parts, ..Card::default() }, false);
        assert!(drawn.lines().all(|line| line.trim_end().width() <= WIDTH), "{drawn}");
        assert_eq!(drawn.matches('x').count(), 300 * 7);
    }

    #[test]
    fn short_facts_stand_two_by_two() {
        let field = |label: &str, value: &str| (vec![Run::plain(label)], vec![Run::plain(value)]);
        let parts =
            vec![Part::Fields(vec![field("Stage", "prod"), field("Version", "5.2"), field("Users", "3")])];
        let drawn = drawn(&Card { parts, ..Card::default() }, false);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 2, "{drawn}");
        assert!(lines[0].starts_with("▌ Stage    prod ") && lines[0].ends_with("Version  5.2"), "{drawn}");
    }

    #[test]
    fn colours_are_shown_only_when_asked_for() {
        let link = Run { url: "https://example.com/".to_owned(), ..Run::plain("page") };
        let parts = vec![Part::Text(vec![vec![link.clone()]]), Part::Text(vec![vec![link]])];
        let card = Card { colour: Some(0x00D9_2D20), parts, ..Card::default() };
        assert!(drawn(&card, true).contains("\x1b[38;2;217;45;32m▌\x1b[0m"));
        assert_eq!(drawn(&card, false), "▌ page\n▌ ↗ https://example.com/\n▌\n▌ page\n");
    }

    #[test]
    fn text_cannot_act_on_the_terminal() {
        let hostile = "\x1b[2Jred\u{7}\u{202E}lia\u{200B}t";
        let drawn = drawn(&Card { parts: vec![text(hostile)], ..Card::default() }, true);
        assert_eq!(drawn.trim_end(), "▌ [2Jredliat");
    }
}
