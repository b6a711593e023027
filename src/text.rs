//! Literal text on its way into a platform's limits: cleaned, measured as the platform measures, cut visibly.
//!
//! A cut never falls inside a grapheme or inside an escape: the raw text is cut first, by what each character will
//! measure once it is escaped, and then escaped. Graphemes are looked for only where a cut falls, so five megabytes cost
//! no more than the pass that counts them.

use unicode_segmentation::GraphemeCursor;

/// What stands where a platform demands a text and there is none.
const NONE: &str = "(none)";

/// What a note of things left out measures at most, anywhere.
pub(crate) const NOTE: usize = 48;

/// What ends a short text that was cut.
pub(crate) const ELLIPSIS: &str = "…";

/// Whether a terminal, or whoever lays text out, might act on `c` where it should only show it: it moves the cursor, ends
/// a line or turns the direction of reading.
pub(crate) fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// `text` without what is no text: CR LF becomes LF, a tab four spaces; of what [acts] only line ends stay.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut after_return = false;
    for c in text.chars() {
        match c {
            '\n' if after_return => {}
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => cleaned.push('\n'),
            '\t' => cleaned.push_str("    "),
            c if acts(c) => {}
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

/// The beginning of `text` in one line: `limit` characters at most, whatever else there is of it.
pub(crate) fn beginning(text: &str, limit: usize) -> String {
    // White space may shrink; four times as much is enough of any text that a person would look for.
    let begun: String = text.chars().take(limit * 4).collect();
    one_line(&begun).chars().take(limit).collect()
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

    /// What `text` will measure once it is written.
    pub(crate) fn measure(self, text: &str) -> usize {
        self.start_within(text, usize::MAX).measured
    }

    /// `text` within `limit`, its middle left out and said to be: both ends of a message matter. Where the words for it
    /// would be longer than what stays, only the start does.
    pub(crate) fn middle(self, text: &str, limit: usize) -> String {
        if self.fits(text, limit) {
            return self.write(text);
        }
        let all = text.chars().count();
        let note = self.measure(&left_out(all, "character"));
        let Some(room) = limit.checked_sub(note).filter(|room| *room >= note) else {
            return self.end(text, limit);
        };
        let head = border_before(text, self.start_within(text, room.div_ceil(2)).bytes);
        let (head, rest) = text.split_at_checked(head).unwrap_or((text, ""));
        let tail = rest.len() - self.end_within(rest, room - self.measure(head)).bytes;
        let tail = rest.get(border_after(rest, tail)..).unwrap_or_default();
        let missing = all - head.chars().count() - tail.chars().count();
        [head, &left_out(missing, "character"), tail].map(|part| self.write(part)).concat()
    }

    /// `text` within `limit`, its end left out: for labels and titles, whose start says what they are.
    pub(crate) fn end(self, text: &str, limit: usize) -> String {
        if self.fits(text, limit) {
            return self.write(text);
        }
        let Some(room) = limit.checked_sub(self.measure(ELLIPSIS)) else { return String::new() };
        let head = border_before(text, self.start_within(text, room).bytes);
        let head = text.get(..head).unwrap_or_default().trim_end();
        self.write(head) + &self.write(ELLIPSIS)
    }

    /// Whether all of `text` is within `limit` once it is written.
    pub(crate) fn fits(self, text: &str, limit: usize) -> bool {
        self.start_within(text, limit).bytes == text.len()
    }

    /// As many of the first characters of `text` as measure no more than `room` together.
    pub(crate) fn start_within(self, text: &str, room: usize) -> Part {
        self.within(text.chars(), room)
    }

    /// As many of the last characters of `text` as measure no more than `room` together.
    pub(crate) fn end_within(self, text: &str, room: usize) -> Part {
        self.within(text.chars().rev(), room)
    }

    fn within(self, chars: impl Iterator<Item = char>, room: usize) -> Part {
        let mut written = String::with_capacity(16);
        let mut part = Part { bytes: 0, measured: 0 };
        for c in chars {
            written.clear();
            (self.write)(c, &mut written);
            let measured = part.measured.saturating_add(self.count(&written));
            if measured > room {
                break;
            }
            part = Part { bytes: part.bytes + c.len_utf8(), measured };
        }
        part
    }
}

/// How much of a text there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its bytes; it ends at a character, though maybe inside a grapheme.
    pub(crate) bytes: usize,
    /// What it measures once it is written.
    pub(crate) measured: usize,
}

/// The last border of a grapheme of `text` that is not after `index`.
pub(crate) fn border_before(text: &str, index: usize) -> usize {
    let mut cursor = GraphemeCursor::new(index, text.len(), true);
    if cursor.is_boundary(text, 0) == Ok(true) {
        return index;
    }
    cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0)
}

/// The first border of a grapheme of `text` that is not before `index`.
pub(crate) fn border_after(text: &str, index: usize) -> usize {
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

    /// Writes `text`, cut at its end to `most` and to what is left.
    pub(crate) fn end(&mut self, place: Place, text: &str, most: usize) -> String {
        let written = place.end(text, most.min(self.0));
        self.0 = self.0.saturating_sub(place.count(&written));
        written
    }

    /// Writes as many of `lines` as there is room for, from the first, each within `each`; says how many are left out.
    /// Nothing if not even that finds room.
    pub(crate) fn lines(&mut self, place: Place, lines: &[&str], each: usize) -> String {
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
#[cfg(test)]
pub(crate) use tests::any_acting_text;
