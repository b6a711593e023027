//! From the parser's events to nodes: what stands where, before anything vanishes or gets its meaning.
//!
//! Quotes and items hold lines, and whatever is nested in them becomes lines, too; so a node has no depth, and nothing
//! here recurses, however deep a document is.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::inline::{Inline, Look, Tally};
use super::{address, document};
use crate::message::{Block, Text};
use crate::template::value::{Marked, Piece};

/// What stands before a line that was an item of a list.
pub(super) const BULLET: &str = "• ";

/// What stands before a line that was an item of a list within a list.
const INNER_BULLET: &str = "◦ ";

/// A piece of a document.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A heading.
    Heading(Inline),
    /// Running text.
    Paragraph(Inline),
    /// A block quote.
    Quote(Vec<Line>),
    /// A list, with the number of its first item if it has numbers.
    List {
        /// The first number.
        first: Option<u64>,
        /// The lines of each item.
        items: Vec<Vec<Line>>,
    },
    /// Lines of code. Never empty.
    Code(String),
    /// A block of a value that is Markdown.
    Inserted(Block),
    /// What has nothing to show, but still stands between its neighbours.
    Nothing,
}

/// A line of a quote or an item.
#[derive(Debug, Clone)]
pub(super) enum Line {
    /// From the document itself.
    Written(Inline),
    /// From a value that is Markdown.
    Inserted(Text, Tally),
}

/// The nodes of what a template has written.
pub(super) fn of_template(marked: &Marked) -> Vec<Node> {
    nodes(&marked.text, Some(marked))
}

/// The nodes of a value that is Markdown. What looks like a placeholder in it is text.
pub(super) fn of_value(text: &str) -> Vec<Node> {
    nodes(text, None)
}

fn nodes(text: &str, marked: Option<&Marked>) -> Vec<Node> {
    let mut walker = Walker { marked, ..Walker::default() };
    for event in Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH) {
        walker.take(event);
    }
    walker.nodes
}

#[derive(Default)]
struct Walker<'a> {
    /// Where placeholders are looked up; none: there are none.
    marked: Option<&'a Marked>,
    nodes: Vec<Node>,
    /// The text that is being written.
    inline: Inline,
    looks: Looks,
    /// The code block that is being read.
    code: Option<(String, Tally)>,
    /// The outermost quote or list that we are in.
    container: Option<Container>,
    /// How many quotes and lists we are in.
    depth: usize,
    /// The next number in each list that we are in.
    lists: Vec<Option<u64>>,
    /// What is written before the next line.
    prefix: String,
}

/// How many of each we are in, and the outermost link.
#[derive(Default)]
struct Looks {
    bold: usize,
    italic: usize,
    struck: usize,
    links: usize,
    target: Option<(usize, String)>,
}

enum Container {
    Quote(Vec<Line>),
    List { first: Option<u64>, items: Vec<Vec<Line>> },
}

impl Walker<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(text) => self.write(&text, Look { code: true, ..self.look() }),
            Event::Html(text) => self.write_lines(&text),
            Event::SoftBreak | Event::HardBreak => self.inline.line_break(),
            Event::Rule => self.end_line(),
            // The extensions that these come from are off.
            Event::TaskListMarker(_) => {}
            Event::Text(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => self.write(&text, self.look()),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Emphasis => self.looks.italic += 1,
            Tag::Strong => self.looks.bold += 1,
            Tag::Strikethrough => self.looks.struck += 1,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.start_link(&dest_url),
            Tag::CodeBlock(_) => {
                self.end_line();
                self.code = Some((String::new(), Tally::default()));
            }
            Tag::BlockQuote(_) => {
                self.end_line();
                self.depth += 1;
                self.container.get_or_insert_with(|| Container::Quote(Vec::new()));
            }
            Tag::List(first) => {
                self.end_line();
                self.depth += 1;
                self.lists.push(first);
                self.container.get_or_insert_with(|| Container::List { first, items: Vec::new() });
            }
            Tag::Item => self.start_item(),
            // Paragraphs, headings and HTML begin a line; all else belongs to extensions that are off.
            _ => self.end_line(),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis => self.looks.italic = self.looks.italic.saturating_sub(1),
            TagEnd::Strong => self.looks.bold = self.looks.bold.saturating_sub(1),
            TagEnd::Strikethrough => self.looks.struck = self.looks.struck.saturating_sub(1),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::Item => {
                self.end_line();
                self.prefix.clear();
            }
            TagEnd::BlockQuote(_) => self.end_container(),
            TagEnd::List(_) => {
                self.end_container();
                self.lists.pop();
            }
            _ => self.end_line(),
        }
    }

    fn look(&self) -> Look {
        let looks = &self.looks;
        let mut look = Look { target: looks.target.as_ref().map(|(target, _)| *target), ..Look::default() };
        look.style.bold = looks.bold > 0;
        look.style.italic = looks.italic > 0;
        look.style.struck = looks.struck > 0;
        look
    }

    /// Writes text that may hold placeholders.
    fn write(&mut self, text: &str, look: Look) {
        if let Some(code) = &mut self.code {
            return write_code(text, self.marked, code);
        }
        let Some(marked) = self.marked else {
            self.inline.own(text, look);
            return;
        };
        for piece in marked.pieces(text) {
            match piece {
                Piece::Own(text) => self.inline.own(text, look),
                Piece::Value(value) => self.inline.value(value, look),
            }
        }
    }

    fn write_lines(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            self.write(line.trim_end_matches(['\n', '\r']), self.look());
            if line.ends_with('\n') {
                self.inline.line_break();
            }
        }
    }

    /// Of links within links, such as a picture that leads somewhere, the outermost counts.
    fn start_link(&mut self, destination: &str) {
        self.looks.links += 1;
        if self.looks.links == 1 {
            let (url, tally) = match self.marked {
                Some(marked) => address::destination(marked.pieces(destination)),
                None => (destination.to_owned(), Tally::default()),
            };
            let target = self.inline.start_link(url.clone(), tally, self.look().style);
            self.looks.target = Some((target, url));
        }
    }

    fn end_link(&mut self) {
        self.looks.links = self.looks.links.saturating_sub(1);
        if self.looks.links > 0 {
            return;
        }
        let Some((target, url)) = self.looks.target.take() else { return };
        // Whoever wrote a value is not trusted to say where it leads.
        if self.marked.is_none()
            && let Some(shown) = address::target(&url, &self.inline.words(target))
        {
            self.inline.own(&format!(" ({shown})"), self.look());
        }
    }

    fn start_item(&mut self) {
        self.end_line();
        let inner = self.lists.len() > 1;
        let number = self.lists.last_mut().and_then(Option::as_mut);
        self.prefix = match (&mut self.container, number) {
            (Some(Container::List { items, .. }), _) if !inner => {
                items.push(Vec::new());
                String::new()
            }
            (_, Some(number)) => {
                let prefix = format!("{number}. ");
                *number = number.saturating_add(1);
                prefix
            }
            (_, None) => if inner { INNER_BULLET } else { BULLET }.to_owned(),
        };
    }

    fn end_heading(&mut self) {
        if self.container.is_some() {
            self.inline.embolden();
            return self.end_line();
        }
        let heading = std::mem::take(&mut self.inline);
        self.nodes.push(Node::Heading(heading));
    }

    /// Puts the text that was written where it belongs.
    fn end_line(&mut self) {
        if self.inline.is_empty() {
            return;
        }
        let mut inline = std::mem::take(&mut self.inline);
        if let Some(value) = inline.lone_document() {
            let tally = Tally::of(value);
            self.count(tally);
            return document::blocks(value).into_iter().for_each(|block| self.insert(block, tally));
        }
        inline.name_bare_links();
        inline.prepend(&std::mem::take(&mut self.prefix));
        self.put(Line::Written(inline));
    }

    /// Lets the quote or item that we are in know of values, even if they show nothing.
    fn count(&mut self, tally: Tally) {
        self.put(Line::Inserted(Text::default(), tally));
    }

    fn insert(&mut self, block: Block, tally: Tally) {
        match block {
            block if self.container.is_none() => self.nodes.push(Node::Inserted(block)),
            Block::Code(text) => self.lift(Node::Code(text)),
            block => {
                let mut text = Text::plain(std::mem::take(&mut self.prefix));
                text.0.extend(document::text(block).0);
                self.put(Line::Inserted(text, tally));
            }
        }
    }

    fn put(&mut self, line: Line) {
        let lines = match &mut self.container {
            Some(Container::Quote(lines)) => Some(lines),
            Some(Container::List { items, .. }) => items.last_mut(),
            None => None,
        };
        match (lines, line) {
            (Some(lines), line) => lines.push(line),
            // At the top, or in an item behind code that was lifted out of it.
            (None, Line::Written(inline)) => self.nodes.push(Node::Paragraph(inline)),
            (None, Line::Inserted(text, _)) if text.is_empty() => self.nodes.push(Node::Nothing),
            (None, Line::Inserted(text, _)) => self.nodes.push(Node::Inserted(Block::Paragraph(text))),
        }
    }

    fn end_code(&mut self) {
        let Some((text, tally)) = self.code.take() else { return };
        if tally.is_void() || text.trim().is_empty() {
            return self.count(tally);
        }
        self.lift(Node::Code(text.trim_matches('\n').to_owned()));
    }

    /// Puts a node at the top. A quote or a list that we are in goes on behind it.
    fn lift(&mut self, node: Node) {
        self.flush();
        self.nodes.push(node);
    }

    fn end_container(&mut self) {
        self.end_line();
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.flush();
            self.container = None;
        }
    }

    fn flush(&mut self) {
        let node = match &mut self.container {
            Some(Container::Quote(lines)) if !lines.is_empty() => Node::Quote(std::mem::take(lines)),
            Some(Container::List { first, items }) if !items.is_empty() => {
                let items = std::mem::take(items);
                let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
                let next = first.map(|number| number.saturating_add(count));
                Node::List { first: std::mem::replace(first, next), items }
            }
            _ => return,
        };
        self.nodes.push(node);
    }
}

fn write_code(text: &str, marked: Option<&Marked>, (code, tally): &mut (String, Tally)) {
    let Some(marked) = marked else { return code.push_str(text) };
    for piece in marked.pieces(text) {
        match piece {
            Piece::Own(text) => code.push_str(text),
            Piece::Value(value) => {
                *tally = tally.and(Tally::of(value));
                match value.markdown {
                    Some(_) => code.push_str(&document::flat(value).to_string()),
                    None => code.push_str(&value.text),
                }
            }
        }
    }
}
