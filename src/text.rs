//! Literal text on its way into a platform's limits: cleaned, measured as the platform measures, cut visibly.
//!
//! A cut never falls inside a grapheme or inside an escape: the raw text is cut first, by what each character will
//! measure once it is escaped, and then escaped. Text over a limit is never segmented as a whole, only from its ends,
//! so five megabytes cost no more than the pass that counts them.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

/// What stands where a platform demands a text and there is none.
const NONE: &str = "(none)";

/// What a note of things left out measures at most, anywhere.
pub(crate) const NOTE: usize = 48;

/// What ends a short text that was cut.
const ELLIPSIS: &str = "…";

/// `text` without what is no text: CR LF becomes LF, a tab four spaces; control characters and the characters that
/// turn the direction of reading are removed.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        match c {
            '\n' if after_return => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            '\t' => cleaned.push_str("    "),
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => cleaned.push(c),
        }
        after_return = c == '\r';
    }
    cleaned
}

/// `text`, cleaned, in one line without double spaces.
pub(crate) fn one_line(text: &str) -> String {
    let cleaned = clean(text);
    let mut line = String::with_capacity(cleaned.len());
    for word in cleaned.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// `text`, or a word for it where nothing of it can be seen.
pub(crate) fn or_none(text: String) -> String {
    if is_blank(&text) { NONE.to_owned() } else { text }
}

/// Whether nothing of `text` can be seen. Platforms refuse a required text of this kind.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c,
                '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
                | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
                | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
    })
}

/// A place in a platform's body: how a character is written there, and what the platform counts for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Writes a character so that it stands for itself.
    pub(crate) write: fn(char, &mut String),
    /// What the platform counts for a character as written; at least one.
    pub(crate) count: fn(char) -> usize,
}

/// Writes a character as it is: for places without mark-up.
pub(crate) fn as_it_is(c: char, out: &mut String) {
    out.push(c);
}

impl Place {
    /// `text` as it is written here.
    pub(crate) fn write(self, text: &str) -> String {
        let mut written = String::with_capacity(text.len());
        for c in text.chars() {
            (self.write)(c, &mut written);
        }
        written
    }

    /// What the platform counts for a text that is already written.
    pub(crate) fn count(self, written: &str) -> usize {
        written.chars().map(self.count).sum()
    }

    /// What `text` will measure once it is written, as long as that is within `limit`.
    fn measure_within(self, text: &str, limit: usize) -> Option<usize> {
        let mut written = String::with_capacity(16);
        text.chars().try_fold(0_usize, |sum, c| {
            written.clear();
            (self.write)(c, &mut written);
            Some(sum.saturating_add(self.count(&written))).filter(|sum| *sum <= limit)
        })
    }

    /// `text` within `limit`, its middle left out and said to be: both ends of a message matter.
    pub(crate) fn middle(self, text: &str, limit: usize) -> String {
        if self.measure_within(text, limit).is_some() {
            return self.write(text);
        }
        let all = text.chars().count();
        let Some(room) = self.measure_within(&left_out(all, "character"), limit).map(|size| limit - size)
        else {
            return self.end(text, limit);
        };
        let (head, rest) = self.head(text, room.div_ceil(2));
        let used = self.measure_within(head, room).unwrap_or(room);
        let tail = self.tail(rest, room - used);
        let missing = all - head.chars().count() - tail.chars().count();
        let mut cut = self.write(head);
        cut.push_str(&self.write(&left_out(missing, "character")));
        cut.push_str(&self.write(tail));
        cut
    }

    /// `text` within `limit`, its end left out: for labels and titles, whose start says what they are.
    pub(crate) fn end(self, text: &str, limit: usize) -> String {
        if self.measure_within(text, limit).is_some() {
            return self.write(text);
        }
        let Some(size) = self.measure_within(ELLIPSIS, limit) else {
            return String::new();
        };
        let (head, _) = self.head(text, limit - size);
        self.write(head.trim_end()) + &self.write(ELLIPSIS)
    }

    /// The first graphemes of `text` that measure no more than `room` together, and the rest.
    fn head(self, text: &str, mut room: usize) -> (&str, &str) {
        for (start, grapheme) in text.grapheme_indices(true) {
            match self.measure_within(grapheme, room) {
                Some(size) => room -= size,
                None => return text.split_at_checked(start).unwrap_or((text, "")),
            }
        }
        (text, "")
    }

    /// The last graphemes of `text` that measure no more than `room` together.
    fn tail(self, text: &str, room: usize) -> &str {
        // A character counts at least one, so no more than `room` of them can stay. From a true border on, segmenting
        // forwards gives the same borders as segmenting the whole text.
        let near = text.char_indices().rev().take(room).last().map_or(text.len(), |(index, _)| index);
        let first = border_at_or_after(text, near);
        let last_part = text.get(first..).unwrap_or_default();
        let graphemes: Vec<(usize, &str)> = last_part.grapheme_indices(true).collect();
        let mut left = room;
        let mut start = last_part.len();
        for (index, grapheme) in graphemes.into_iter().rev() {
            let Some(size) = self.measure_within(grapheme, left) else { break };
            left -= size;
            start = index;
        }
        last_part.get(start..).unwrap_or_default()
    }
}

fn border_at_or_after(text: &str, index: usize) -> usize {
    let mut cursor = GraphemeCursor::new(index, text.len(), true);
    if cursor.is_boundary(text, 0) == Ok(true) {
        return index;
    }
    cursor.next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

/// The words for `count` things that are not shown.
pub(crate) fn left_out(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("… {} {thing}{plural} left out …", with_separators(count))
}

/// A whole number with its thousands apart.
pub(crate) fn with_separators(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What is left of a limit that several texts share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room(usize);

impl Room {
    /// Room for `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self(limit)
    }

    /// What is left.
    pub(crate) fn left(self) -> usize {
        self.0
    }

    /// Takes `size` out; whether there was so much.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let left = self.0.checked_sub(size);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Sets `most` aside, as far as there is so much, to be shared out on its own.
    pub(crate) fn part(self, most: usize) -> Self {
        Self(self.0.min(most))
    }

    /// What is left for a text, if the code after it is at least to be noted.
    pub(crate) fn before(self, code: &[String]) -> usize {
        if code.is_empty() { self.0 } else { self.0.saturating_sub(NOTE) }
    }

    /// Writes `text`, cut in the middle to `most` and to what is left.
    pub(crate) fn middle(&mut self, place: Place, text: &str, most: usize) -> String {
        let written = place.middle(text, most.min(self.0));
        self.0 = self.0.saturating_sub(place.count(&written));
        written
    }

    /// Writes `text`, cut at its end to `most` and to what is left.
    pub(crate) fn end(&mut self, place: Place, text: &str, most: usize) -> String {
        let written = place.end(text, most.min(self.0));
        self.0 = self.0.saturating_sub(place.count(&written));
        written
    }

    /// Writes as many of `lines` as there is room for, from the first, each within `each`; says how many are left out.
    /// Nothing if not even that finds room.
    pub(crate) fn lines(&mut self, place: Place, lines: &[String], each: usize) -> String {
        let mut written = String::new();
        let mut room = *self;
        let mut fitting = None;
        for (index, line) in lines.iter().enumerate() {
            let line_break = if index > 0 { "\n" } else { "" };
            // If this line proves too much, this is where to stop.
            let note = format!("{line_break}{}", place.write(&left_out(lines.len() - index, "line")));
            let mut after_note = room;
            if after_note.take(place.count(&note)) {
                fitting = Some((written.len(), note, after_note));
            }
            let line = place.middle(line, each);
            if !room.take(place.count(line_break) + place.count(&line)) {
                let Some((length, note, left)) = fitting else { return String::new() };
                written.truncate(length);
                *self = left;
                return written + &note;
            }
            written.push_str(line_break);
            written.push_str(&line);
        }
        *self = room;
        written
    }
}

#[cfg(test)]
mod tests;
