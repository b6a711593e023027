//! The text of one heading, paragraph or item: runs of it, each from the template's own text or from a value.

use crate::message::{Link, Span, Style, Text};
use crate::template::value::Value;

use super::{address, document};

/// Whether something has values, and whether one of them is not empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    values: bool,
    filled: bool,
}

impl Tally {
    /// The tally of a value.
    pub(super) fn of(value: &Value) -> Self {
        Self { values: true, filled: !value.is_blank() }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { values: self.values || other.values, filled: self.filled || other.filled }
    }

    /// Whether there are values and all are empty: what has this tally vanishes.
    pub(super) fn is_void(self) -> bool {
        self.values && !self.filled
    }
}

/// Text with its looks and links, not yet resolved.
#[derive(Debug, Clone, Default)]
pub(super) struct Inline {
    runs: Vec<Run>,
    /// Where its links lead, whether that is an address or not.
    targets: Vec<String>,
}

#[derive(Debug, Clone)]
struct Run {
    content: Content,
    style: Style,
    code: bool,
    /// The link it belongs to, by its place among the targets.
    target: Option<usize>,
}

#[derive(Debug, Clone)]
enum Content {
    Own(String),
    Value(Value),
    /// A link starts, with the tally of its target; the text is shown for a link that has no words.
    Start(Tally, String),
    Break,
}

/// What becomes of a link.
enum Fate {
    Vanishes,
    Words,
    Leads(String),
}

/// How the next text looks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Look {
    /// Bold, italic, struck.
    pub(super) style: Style,
    /// A piece of code.
    pub(super) code: bool,
    /// The link it belongs to, as [`Inline::start_link`] said.
    pub(super) target: Option<usize>,
}

impl Inline {
    /// Adds own text.
    pub(super) fn own(&mut self, text: &str, look: Look) {
        self.add(Content::Own(text.to_owned()), look);
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &Value, look: Look) {
        self.add(Content::Value(value.clone()), look);
    }

    /// Ends the line.
    pub(super) fn line_break(&mut self) {
        self.add(Content::Break, Look::default());
    }

    /// Starts a link; what is added with the target that is returned belongs to it.
    pub(super) fn start_link(&mut self, url: String, tally: Tally, style: Style) -> usize {
        let target = self.targets.len();
        self.targets.push(url);
        self.add(Content::Start(tally, String::new()), Look { style, code: false, target: Some(target) });
        target
    }

    fn add(&mut self, content: Content, look: Look) {
        self.runs.push(Run { content, style: look.style, code: look.code, target: look.target });
    }

    /// Whether nothing was added.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The words of the link that was added last.
    pub(super) fn words(&self, target: usize) -> String {
        let before = self.runs.iter().rposition(|run| run.target != Some(target));
        self.runs.iter().skip(before.map_or(0, |last| last + 1)).map(Run::words).collect()
    }

    /// Puts own text before it.
    pub(super) fn prepend(&mut self, text: &str) {
        if !text.is_empty() {
            let content = Content::Own(text.to_owned());
            self.runs.insert(0, Run { content, style: Style::default(), code: false, target: None });
        }
    }

    /// Makes all of it bold.
    pub(super) fn embolden(&mut self) {
        for run in &mut self.runs {
            run.style.bold = true;
        }
    }

    /// Gives links that have no words their addresses for it.
    pub(super) fn name_bare_links(&mut self) {
        let mut has_words = vec![false; self.targets.len()];
        for run in &self.runs {
            if let Some(has_words) = run.target.and_then(|target| has_words.get_mut(target)) {
                *has_words |= !run.is_blank();
            }
        }
        for run in &mut self.runs {
            if let (Content::Start(_, words), Some(target)) = (&mut run.content, run.target)
                && has_words.get(target) == Some(&false)
                && let Some(url) = self.targets.get(target).filter(|url| address::is_web(url))
            {
                words.clone_from(url);
            }
        }
    }

    /// What values all of it has.
    pub(super) fn tally(&self) -> Tally {
        self.runs.iter().fold(Tally::default(), |sum, run| sum.and(run.tally()))
    }

    /// Whether there is a value in it or own text that can be seen.
    pub(super) fn has_anything(&self) -> bool {
        self.runs.iter().any(|run| !run.is_nothing())
    }

    /// The value, if there is nothing else and it is Markdown.
    pub(super) fn lone_document(&self) -> Option<&Value> {
        let mut runs = self.runs.iter().filter(|run| !run.is_nothing());
        match (runs.next(), runs.next()) {
            (Some(Run { content: Content::Value(value), style, code: false, target: None }), None)
                if *style == Style::default() =>
            {
                Some(value).filter(|value| value.markdown.is_some())
            }
            _ => None,
        }
    }

    /// Whether all of it is in emphasis.
    pub(super) fn is_quiet(&self) -> bool {
        self.has_anything() && self.runs.iter().all(|run| run.style.italic || run.is_nothing())
    }

    /// Whether it is links only.
    pub(super) fn is_links(&self) -> bool {
        !self.targets.is_empty() && self.runs.iter().all(|run| run.target.is_some() || run.is_nothing())
    }

    /// The links that lead somewhere.
    pub(super) fn links(&self) -> Vec<Link> {
        let mut words = vec![String::new(); self.targets.len()];
        for run in &self.runs {
            if let Some(words) = run.target.and_then(|target| words.get_mut(target)) {
                words.push_str(&run.words());
            }
        }
        let link = |(fate, words): (Fate, String)| match fate {
            Fate::Leads(url) => Some(Link { label: words.trim().to_owned(), url }),
            Fate::Vanishes | Fate::Words => None,
        };
        self.fates().into_iter().zip(words).filter_map(link).collect()
    }

    fn fates(&self) -> Vec<Fate> {
        let mut tallies = vec![Tally::default(); self.targets.len()];
        for run in &self.runs {
            if let Some(tally) = run.target.and_then(|target| tallies.get_mut(target)) {
                *tally = tally.and(run.tally());
            }
        }
        let fate = |(url, tally): (&String, Tally)| match tally {
            tally if tally.is_void() => Fate::Vanishes,
            _ if address::is_web(url) => Fate::Leads(url.clone()),
            _ => Fate::Words,
        };
        self.targets.iter().zip(tallies).map(fate).collect()
    }

    /// The bold label at its start, no longer bold, and the rest, and whether a colon stood between them; none if it
    /// starts otherwise.
    pub(super) fn label(&self) -> Option<(Self, Self, bool)> {
        let bold = self.runs.iter().take_while(|run| run.style.bold && !run.code).count();
        let (label, rest) = self.runs.split_at_checked(bold).filter(|_| bold > 0)?;
        let part = |runs: &[Run]| Self { runs: runs.to_vec(), targets: self.targets.clone() };
        let (mut label, mut rest) = (part(label), part(rest));
        for run in &mut label.runs {
            run.style.bold = false;
        }
        if let Some(Content::Own(text)) = label.runs.last_mut().map(|run| &mut run.content)
            && let Some(before) = text.trim_end().strip_suffix(':')
        {
            *text = before.to_owned();
            return Some((label, rest, true));
        }
        if let Some(Content::Own(text)) = rest.runs.first_mut().map(|run| &mut run.content)
            && let Some(after) = text.trim_start().strip_prefix(':')
        {
            *text = after.to_owned();
            return Some((label, rest, true));
        }
        Some((label, rest, false))
    }

    /// All of it as text: links that vanish and lines that vanish are gone.
    pub(super) fn text(&self) -> Text {
        let fates = self.fates();
        let mut text = Text::default();
        for line in self.runs.split(|run| matches!(run.content, Content::Break)) {
            if line.iter().fold(Tally::default(), |sum, run| sum.and(run.tally())).is_void() {
                continue;
            }
            if !text.0.is_empty() {
                text.push("\n");
            }
            for run in line {
                match run.target.and_then(|target| fates.get(target)) {
                    None | Some(Fate::Words) => text.0.extend(run.spans("")),
                    Some(Fate::Leads(url)) => text.0.extend(run.spans(url)),
                    Some(Fate::Vanishes) => {}
                }
            }
        }
        join(text)
    }
}

impl Run {
    fn tally(&self) -> Tally {
        match &self.content {
            Content::Value(value) => Tally::of(value),
            Content::Start(tally, _) => *tally,
            Content::Own(_) | Content::Break => Tally::default(),
        }
    }

    /// Whether it is neither a value nor text that can be seen.
    fn is_nothing(&self) -> bool {
        match &self.content {
            Content::Own(text) => text.trim().is_empty(),
            Content::Start(..) | Content::Break => true,
            Content::Value(_) => false,
        }
    }

    /// Whether there is nothing to be seen of it.
    fn is_blank(&self) -> bool {
        match &self.content {
            Content::Value(value) => value.is_blank(),
            _ => self.is_nothing(),
        }
    }

    fn words(&self) -> String {
        self.spans("").into_iter().map(|span| span.text).collect()
    }

    fn spans(&self, url: &str) -> Vec<Span> {
        let text = match &self.content {
            Content::Value(value) if value.markdown.is_some() => return self.document(value, url),
            Content::Own(text) | Content::Start(_, text) => text.clone(),
            Content::Value(value) => value.text.clone(),
            Content::Break => "\n".to_owned(),
        };
        vec![Span { text, style: self.style, code: self.code, url: url.to_owned() }]
    }

    /// A value that is Markdown, where only text has room: its looks come on top of those of its place.
    fn document(&self, value: &Value, url: &str) -> Vec<Span> {
        let mut spans = document::flat(value).0;
        for span in &mut spans {
            span.style.bold |= self.style.bold;
            span.style.italic |= self.style.italic;
            span.style.struck |= self.style.struck;
            span.code |= self.code;
            if !url.is_empty() {
                url.clone_into(&mut span.url);
            }
        }
        spans
    }
}

/// `text` without blank space at its ends, its spans joined where they look alike.
pub(super) fn join(text: Text) -> Text {
    let mut joined: Vec<Span> = Vec::with_capacity(text.0.len());
    for mut span in text.0 {
        if joined.is_empty() {
            span.text.drain(..span.text.len() - span.text.trim_start().len());
        }
        match joined.last_mut() {
            _ if span.text.is_empty() => {}
            Some(last) if (last.style, last.code, &last.url) == (span.style, span.code, &span.url) => {
                last.text.push_str(&span.text);
            }
            _ => joined.push(span),
        }
    }
    while let Some(last) = joined.last_mut() {
        last.text.truncate(last.text.trim_end().len());
        if !last.text.is_empty() {
            break;
        }
        joined.pop();
    }
    Text(joined)
}
