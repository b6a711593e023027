//! Rich text on its way into a platform's limits: cleaned, its addresses checked, cut visibly and on grapheme borders.
//!
//! The text is cut before it is written, as one string whatever its looks; so a cut falls neither into a grapheme that
//! two spans share nor into an escape or a mark.

use crate::message::{Span, Style, Text};
use crate::text::{ELLIPSIS, Part, Place, border_after, border_before, clean, is_blank, left_out};

/// How a platform writes rich text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// How it writes characters, whatever their look.
    pub(super) place: Place,
    /// What the marks or the elements around a span come to at most, its address included. No text of the same look
    /// needs more.
    pub(super) around: fn(&Span) -> usize,
}

/// How long a text may become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    /// Its words alone, as they are written.
    pub(super) words: usize,
    /// All of it, with what stands around its spans.
    pub(super) all: usize,
}

impl Length {
    fn without(self, words: usize, around: usize) -> Option<Self> {
        Some(Self {
            words: self.words.checked_sub(words)?,
            all: self.all.checked_sub(words.checked_add(around)?)?,
        })
    }
}

impl Form {
    /// Text without looks and links in `place`.
    pub(super) const fn plain(place: Place) -> Self {
        Self { place, around: |_| 0 }
    }

    /// What `text` measures as it will be written.
    pub(super) fn measure(self, text: &Text) -> usize {
        let spans = text.0.iter();
        spans.map(|span| (self.around)(span).saturating_add(self.place.measure(&span.text))).sum()
    }

    /// `text` within `most`, its middle left out and said to be; its end, where little more than these words would stay.
    pub(super) fn middle(self, text: &Text, most: Length) -> Text {
        if self.fits(text, most) {
            return text.clone();
        }
        let text = self.affordable(text, most);
        if self.fits(&text, most) {
            return text;
        }
        let flat = text.to_string();
        let all = flat.chars().count();
        let note = self.place.measure(&left_out(all, "character"));
        let ends = text.0.first().into_iter().chain(text.0.last()).map(self.around).sum::<usize>();
        let room = most.without(note, (self.around)(&Span::default()));
        let Some(room) = room.filter(|room| room.words >= note && room.all >= note + ends) else {
            return without_last_links(self.end(&text, most));
        };
        let mut half = Length { words: room.words.div_ceil(2), all: room.all.div_ceil(2) };
        let head = border_before(&flat, self.head(&text, &mut half));
        let mut half = Length { words: room.words / 2 + half.words, all: room.all / 2 + half.all };
        let tail = border_after(&flat, flat.len() - self.tail(&text, head, &mut half));
        let missing = flat.get(head..tail).unwrap_or_default().chars().count();
        let mut cut = without_last_links(part(&text, 0, head));
        cut.push(left_out(missing, "character"));
        cut.0.extend(part(&text, tail, flat.len()).0);
        cut
    }

    /// `text` within `most`, its end left out: for labels and titles, whose start says what they are.
    pub(super) fn end(self, text: &Text, most: Length) -> Text {
        if self.fits(text, most) {
            return text.clone();
        }
        let text = self.affordable(text, most);
        if self.fits(&text, most) {
            return text;
        }
        let note = self.place.measure(ELLIPSIS);
        let Some(mut room) = most.without(note, 0) else { return Text::default() };
        let flat = text.to_string();
        let head = border_before(&flat, self.head(&text, &mut room));
        let head = flat.get(..head).unwrap_or_default().trim_end().len();
        let mut cut = part(&text, 0, head);
        match cut.0.last_mut() {
            Some(last) => last.text.push_str(ELLIPSIS),
            None if most.without(note, (self.around)(&Span::default())).is_some() => cut.push(ELLIPSIS),
            None => {}
        }
        cut
    }

    fn fits(self, text: &Text, most: Length) -> bool {
        self.words(text, most.words).is_some() && self.measure(text) <= most.all
    }

    /// What the words of `text` measure, as long as that is within `limit`.
    fn words(self, text: &Text, limit: usize) -> Option<usize> {
        text.0.iter().try_fold(0, |sum, span| {
            let part = self.place.start_within(&span.text, limit - sum);
            (part.bytes == span.text.len()).then(|| sum + part.measured)
        })
    }

    /// Where an address alone would take the room for the words, the words are what matters.
    fn affordable(self, text: &Text, most: Length) -> Text {
        let least = most.words.min(most.all / 2);
        let left = most.all - self.words(text, least).unwrap_or(least);
        joined(text.0.iter().map(|span| {
            let is_too_much = (self.around)(span) > left;
            if is_too_much { Span { text: span.text.clone(), ..Span::default() } } else { span.clone() }
        }))
    }

    /// How many bytes of the start of `text` there is room for.
    fn head(self, text: &Text, room: &mut Length) -> usize {
        let mut bytes = 0;
        for span in &text.0 {
            let taken = self.take(span, &span.text, room, Place::start_within);
            bytes += taken;
            if taken < span.text.len() {
                break;
            }
        }
        bytes
    }

    /// How many bytes of the end of `text` there is room for, but for its first `from`.
    fn tail(self, text: &Text, from: usize, room: &mut Length) -> usize {
        let mut bytes = 0;
        let mut end: usize = text.0.iter().map(|span| span.text.len()).sum();
        for span in text.0.iter().rev() {
            let start = end - span.text.len();
            let rest = span.text.get(from.saturating_sub(start)..).unwrap_or_default();
            let taken = self.take(span, rest, room, Place::end_within);
            bytes += taken;
            if taken < rest.len() || start <= from {
                break;
            }
            end = start;
        }
        bytes
    }

    /// Takes as much of `text`, a part of `span`, as there is room for.
    fn take(
        self,
        span: &Span,
        text: &str,
        room: &mut Length,
        within: fn(Place, &str, usize) -> Part,
    ) -> usize {
        let Some(left) = room.without(0, (self.around)(span)) else { return 0 };
        let part = within(self.place, text, left.words.min(left.all));
        if part.bytes > 0 {
            *room = Length { words: left.words - part.measured, all: left.all - part.measured };
        }
        part.bytes
    }
}

/// A link that somebody else wrote says behind its words where it leads, in no more characters than this.
const TARGET: usize = 80;

/// `text`, behind which something was cut: where that may have been what says where a link leads, it leads nowhere.
fn without_last_links(mut text: Text) -> Text {
    let mut behind = 0;
    for span in text.0.iter_mut().rev() {
        if behind < TARGET {
            span.url.clear();
        }
        behind += span.text.chars().count();
    }
    text
}

/// What stands between two places of `text`, counted in bytes of all its spans.
fn part(text: &Text, from: usize, to: usize) -> Text {
    let mut start = 0;
    let spans = text.0.iter().map(|span| {
        let (first, last) = (from.max(start) - start, to.max(start) - start);
        start += span.text.len();
        let text = span.text.get(first.min(span.text.len())..last.min(span.text.len()));
        seen(Span { text: text.unwrap_or_default().to_owned(), ..span.clone() })
    });
    joined(spans)
}

/// The same text in as few spans as can be. A link of which no word can be seen is none.
fn joined(spans: impl Iterator<Item = Span>) -> Text {
    let mut text = Text::default();
    for mut span in spans.filter(|span| !span.text.is_empty()) {
        if is_blank(&span.text) {
            span.url.clear();
        }
        match text.0.last_mut() {
            Some(last) if (last.style, last.code, &last.url) == (span.style, span.code, &span.url) => {
                last.text.push_str(&span.text);
            }
            _ => text.0.push(span),
        }
    }
    text
}

/// `text` cleaned, its line ends kept, nothing blank at its ends; its addresses as `address` writes them.
///
/// No look reaches over a line's end, since what stands there may not be the same; the words of a link are one line.
pub(super) fn lines(text: &Text, address: fn(&str) -> Option<String>) -> Text {
    let mut spans = Vec::new();
    for span in text.0.iter().map(|span| cleaned(span, address)) {
        if !span.url.is_empty() {
            spans.push(Span { text: span.text.replace('\n', " "), ..span });
        } else if (span.style, span.code) == (Style::default(), false) {
            spans.push(span);
        } else {
            for part in span.text.split_inclusive('\n') {
                let line = part.trim_end_matches('\n');
                let Span { style, code, .. } = span;
                spans.push(Span { text: line.to_owned(), style, code, ..Span::default() });
                if line.len() < part.len() {
                    spans.push(Span { text: "\n".to_owned(), ..Span::default() });
                }
            }
        }
    }
    trimmed(spans)
}

/// The same in one line, without double spaces.
pub(super) fn line(text: &Text, address: fn(&str) -> Option<String>) -> Text {
    let mut after_space = true;
    let spans = text.0.iter().map(|span| {
        let mut span = cleaned(span, address);
        let mut folded = String::with_capacity(span.text.len());
        for c in span.text.chars() {
            let is_space = c.is_whitespace();
            if !is_space {
                folded.push(c);
            } else if !after_space {
                folded.push(' ');
            }
            after_space = is_space;
        }
        span.text = folded;
        span
    });
    trimmed(spans.collect())
}

/// A span whose text is clean and whose address, if any, is one.
fn cleaned(span: &Span, address: fn(&str) -> Option<String>) -> Span {
    let url = address(&span.url).unwrap_or_default();
    seen(Span { text: clean(&span.text), style: span.style, code: span.code, url })
}

/// `span`, but what cannot be seen has no look and leads nowhere.
fn seen(span: Span) -> Span {
    if is_blank(&span.text) { Span { text: span.text, ..Span::default() } } else { span }
}

/// Without blank space at the ends; nothing at all if nothing can be seen.
fn trimmed(spans: Vec<Span>) -> Text {
    let mut text = joined(spans.into_iter());
    while let Some(last) = text.0.last_mut() {
        last.text.truncate(last.text.trim_end().len());
        if !last.text.is_empty() {
            break;
        }
        text.0.pop();
    }
    let blank = text.0.iter().take_while(|span| span.text.trim_start().is_empty()).count();
    text.0.drain(..blank);
    if let Some(first) = text.0.first_mut() {
        first.text = first.text.trim_start().to_owned();
    }
    if is_blank(&text.to_string()) { Text::default() } else { text }
}

/// `text`, all of it bold.
pub(super) fn bold(text: &Text) -> Text {
    joined(text.0.iter().map(|span| Span { style: Style { bold: true, ..span.style }, ..span.clone() }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::as_it_is;

    /// Two characters of marks around everything that is not plain.
    const FORM: Form = Form {
        place: Place { write: as_it_is, count: |_| 1 },
        around: |span| if span.style.bold || !span.url.is_empty() { 2 + span.url.len() } else { 0 },
    };

    fn bold(text: &str) -> Span {
        Span { text: text.into(), style: Style { bold: true, ..Style::default() }, ..Span::default() }
    }

    fn shown(text: &Text) -> String {
        let spans = text.0.iter();
        spans.map(|s| if s.style.bold { format!("*{}*", s.text) } else { s.text.clone() }).collect()
    }

    fn plain(text: &str) -> Span {
        Span { text: text.into(), ..Span::default() }
    }

    fn most(words: usize, all: usize) -> Length {
        Length { words, all }
    }

    #[test]
    fn a_cut_keeps_the_looks_on_both_sides_of_it() {
        let text = Text(vec![bold("beginning"), plain(&"x".repeat(100)), bold("end")]);
        assert_eq!(FORM.measure(&text), 116);
        assert_eq!(shown(&FORM.middle(&text, most(112, 116))), shown(&text));
        for within in [most(80, 200), most(200, 82)] {
            let cut = FORM.middle(&text, within);
            let cut = shown(&cut);
            assert!(cut.starts_with("*beginning*xxx") && cut.ends_with("xxx*end*"), "{cut}");
            assert!(cut.contains(" characters left out …"), "{cut}");
        }
        assert_eq!(shown(&FORM.end(&text, most(20, 22))), "*beginning*xxxxxxxxxx…");
        assert_eq!(shown(&FORM.end(&text, most(8, 100))), "*beginni…*");
        assert_eq!(shown(&FORM.end(&text, most(0, 100))), "");
        assert_eq!(shown(&FORM.end(&text, most(100, 0))), "");
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let text = Text(vec![bold(&"a".repeat(500)), plain(&"b".repeat(500)), bold(&"c".repeat(500))]);
        let cut = FORM.middle(&text, most(800, 800)).to_string();
        let (head, rest) = cut.split_once("… ").unwrap();
        let (count, tail) = rest.split_once(" characters left out …").unwrap();
        assert_eq!(head.len() + tail.len() + count.replace(',', "").parse::<usize>().unwrap(), 1_500);
        assert!(head.len() > 350 && tail.len() > 350, "{cut}");
    }

    #[test]
    fn a_cut_does_not_fall_into_a_grapheme_that_two_spans_share() {
        let text = Text(vec![plain("abce"), bold("\u{301}fghij")]);
        assert_eq!(FORM.end(&text, most(5, 50)).to_string(), "abc…");
        assert_eq!(FORM.end(&text, most(6, 50)).to_string(), "abce\u{301}…");
        let text = Text(vec![plain(&"x".repeat(90)), plain("e"), bold("\u{301}")]);
        assert!(FORM.middle(&text, most(80, 80)).to_string().ends_with("xe\u{301}"));
        let cut = FORM.middle(&text, most(32, 34)).to_string();
        assert!(!cut.ends_with("…\u{301}"), "{cut}");
    }

    #[test]
    fn where_an_address_fills_the_room_the_words_stay() {
        let link = Span { url: "u".repeat(50), text: "words".into(), ..Span::default() };
        let short = Span { url: "short".into(), ..link.clone() };
        let cut = FORM.end(&Text(vec![link, short]), most(100, 40));
        assert_eq!((cut.to_string().as_str(), cut.url()), ("wordswords", "short"));
    }

    #[test]
    fn what_a_cut_leaves_blank_has_no_look_and_leads_nowhere() {
        let link = Span { url: "u".into(), ..plain(&format!("{}words", " ".repeat(50))) };
        let cut = FORM.middle(
            &Text(vec![plain(&"x".repeat(100)), link.clone(), plain(&"y".repeat(20))]),
            most(160, 160),
        );
        assert!(cut.to_string().contains("words") && cut.url() == "u");
        let cut = FORM.middle(&Text(vec![plain("x"), link, plain(&"y".repeat(100))]), most(90, 90));
        assert!(!cut.to_string().contains("words") && cut.url().is_empty(), "{cut:?}");
    }

    #[test]
    fn a_link_is_cut_and_stays_a_link() {
        let text = Text(vec![Span { url: "u".repeat(50), ..plain(&"word ".repeat(50)) }]);
        let cut = FORM.end(&text, most(20, 200));
        assert_eq!((cut.to_string().as_str(), cut.url().len()), ("word word word word…", 50));
    }

    #[test]
    fn a_line_has_no_line_ends_and_no_blank_at_its_ends() {
        let text = Text(vec![plain("\n "), bold(" a\r\nb "), plain(" \u{7} c\n")]);
        assert_eq!(shown(&line(&text, |_| None)), "*a b *c");
        assert_eq!(shown(&lines(&text, |_| None)), "*a*\n*b *  c");
        assert_eq!(line(&Text::plain(" \u{200B} "), |_| None), Text::default());
    }

    #[test]
    fn a_link_just_before_the_cut_leads_nowhere_and_an_earlier_one_still_does() {
        let link = Span { url: "u".into(), ..plain("words") };
        let long = plain(&"x".repeat(500));
        let cut = FORM.middle(&Text(vec![link.clone(), plain(&"y".repeat(90)), link, long]), most(300, 300));
        let urls: Vec<&str> =
            cut.0.iter().map(|span| span.url.as_str()).filter(|url| !url.is_empty()).collect();
        assert_eq!((urls, cut.to_string().matches("words").count()), (vec!["u"], 2));
    }

    proptest! {
        #[test]
        fn what_is_cut_is_within_the_limit_and_starts_as_it_did(
            parts in prop::collection::vec(("\\PC{0,12}", any::<bool>()), 0..6),
            (words, limit) in (0_usize..80, 0_usize..80),
        ) {
            let spans = parts.into_iter().map(|(text, is_bold)| {
                if is_bold { bold(&text) } else { Span { text, ..Span::default() } }
            });
            let text = Text(spans.collect());
            let within = most(words, limit);
            for cut in [FORM.middle(&text, within), FORM.end(&text, within)] {
                prop_assert!(FORM.measure(&cut) <= limit && cut.to_string().chars().count() <= words);
                let (flat, whole) = (cut.to_string(), text.to_string());
                let head = flat.split('…').next().unwrap_or_default();
                prop_assert!(whole.starts_with(head.trim_end()));
                if FORM.measure(&text) <= limit && whole.chars().count() <= words {
                    prop_assert_eq!(cut, text.clone());
                }
            }
        }
    }
}
