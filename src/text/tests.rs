//! Cutting is the promise that a message is never malformed, so it is tested on the worst texts there are.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::*;

/// One for each character, none escaped.
const PLAIN: Place = Place { write: as_it_is, count: |_| 1 };

/// A backslash before punctuation, bytes counted: escapes and weights at once.
const HEAVY: Place = Place {
    write: |c, out| {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    },
    count: char::len_utf8,
};

#[test]
fn control_characters_and_overrides_go_and_line_ends_are_folded() {
    assert_eq!(clean("a\r\nb\rc\n\td\u{0}\u{7f}\u{9b}\u{202E}e\u{2066}"), "a\nb\nc\n    de");
    assert_eq!(clean("a\r\r\n\nb"), "a\n\n\nb");
    assert_eq!(clean("👩‍👩‍👧 e\u{301} \u{FFFD}"), "👩‍👩‍👧 e\u{301} \u{FFFD}");
    assert_eq!(one_line(" a\r\n\t b\u{a0} c "), "a b c");
}

#[test]
fn what_cannot_be_seen_is_blank() {
    for blank in ["", " \n", "\u{200B}\u{FEFF}", "\u{2800}", "\u{200D}\u{FE0F}", "\u{3164}"] {
        assert_eq!(or_none(blank.to_owned()), "(none)", "{blank:?}");
    }
    assert_eq!(or_none("0".to_owned()), "0");
}

#[test]
fn a_text_at_its_limit_is_whole_and_one_over_it_is_cut_in_the_middle() {
    let text = "x".repeat(100);
    assert_eq!(PLAIN.middle(&text, 100), text);
    let cut = PLAIN.middle(&text, 99);
    assert_eq!(cut.chars().count(), 98, "room was kept for three digits");
    assert!(
        cut.starts_with("xxx") && cut.ends_with("xxx") && cut.contains("… 28 characters left out …"),
        "{cut}"
    );
}

#[test]
fn thousands_are_separated_and_one_is_singular() {
    assert_eq!(left_out(1, "line"), "… 1 line left out …");
    assert_eq!(left_out(1_204, "character"), "… 1,204 characters left out …");
    assert_eq!(left_out(1_234_567, "character"), "… 1,234,567 characters left out …");
}

#[test]
fn one_giant_grapheme_leaves_only_the_note() {
    let giant = format!("e{}", "\u{301}".repeat(1_000_000));
    assert_eq!(PLAIN.middle(&giant, 500), "… 1,000,001 characters left out …");
    assert_eq!(PLAIN.middle(&format!("a{giant}z"), 500), "a… 1,000,001 characters left out …z");
    assert_eq!(PLAIN.end(&giant, 10), "…");
}

#[test]
fn huge_texts_of_awkward_graphemes_are_cut_at_once() {
    for piece in ["🇪🇸", "👩‍👩‍👧", "\u{301}", "\u{200D}", "क्‍ष", "\r", "가", "x"] {
        let cut = PLAIN.middle(&piece.repeat(5_000_000 / piece.len()), 4_096);
        assert!(cut.chars().count() <= 4_096 && cut.contains("left out"), "{piece:?}");
    }
}

#[test]
fn a_limit_too_small_for_the_note_cuts_the_end() {
    assert_eq!(PLAIN.middle("abcdefghijklmnopqrstuvwxyz", 10), "abcdefghi…");
    assert_eq!(PLAIN.middle("abc", 1), "…");
    assert_eq!(PLAIN.middle("abc", 0), "");
}

#[test]
fn the_last_lines_go_first_and_are_counted() {
    let lines: Vec<String> = (0..100).map(|n| format!("frame {n:03}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut room = Room::new(100);
    let shown = room.lines(PLAIN, &lines, 50);
    assert!(
        shown.starts_with("frame 000\nframe 001") && shown.ends_with("\n… 93 lines left out …"),
        "{shown}"
    );
    assert_eq!(room.left(), 100 - shown.chars().count());

    assert_eq!(Room::new(9).lines(PLAIN, &lines, 50), "");
    assert_eq!(Room::new(25).lines(PLAIN, &lines, 50), "… 100 lines left out …");
    assert_eq!(Room::new(19).lines(PLAIN, &lines[..2], 50), "frame 000\nframe 001");
    assert_eq!(Room::new(0).lines(PLAIN, &[], 50), "");
}

/// Texts full of what a terminal, or whoever lays text out, might act on.
pub(crate) fn any_acting_text() -> impl Strategy<Value = String> {
    let acting: Vec<char> = ('\0'..='\u{FFFF}').filter(|c| acts(*c)).collect();
    let letter = prop_oneof![
        any::<char>(),
        prop::sample::select(acting),
        prop::sample::select(vec!['a', ' ', '"', '\\'])
    ];
    prop::collection::vec(letter, 0..40).prop_map(String::from_iter)
}

#[test]
fn what_acts_is_what_is_known_to_act() {
    let acting = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{61C}\u{200E}\u{200F}\u{2028}\u{2029}\u{202A}\u{202E}\u{2066}\u{2069}";
    assert!(acting.chars().all(acts));
    assert!(!"a é日👩‍👩‍👧\u{301}\u{FEFF}\u{A0}".chars().any(acts));
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,8}",
        Just("👩‍👩‍👧‍👦".to_owned()),
        Just("🇪🇸🇫🇷🇩".to_owned()),
        Just("e\u{301}\u{302}".to_owned()),
        Just("क्षि".to_owned()),
        Just("*_`\n".to_owned()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn of_what_acts_only_line_ends_are_left(text in any_acting_text()) {
        prop_assert!(!clean(&text).chars().any(|c| acts(c) && c != '\n'));
        prop_assert!(!one_line(&text).chars().any(acts));
    }

    #[test]
    fn a_cut_keeps_the_limit_and_whole_graphemes_and_says_how_much_is_missing(
        text in any_text(), limit in 0_usize..400,
    ) {
        for place in [PLAIN, HEAVY] {
            let cut = place.middle(&text, limit);
            prop_assert!(place.count(&cut) <= limit);
            let shortened = place.end(&text, limit);
            prop_assert!(place.count(&shortened) <= limit);
        }
        let cut = PLAIN.middle(&text, limit);
        if cut != text && limit > 70 {
            let (head, rest) = cut.split_once("… ").unwrap();
            let (note, tail) = rest.split_once(" left out …").unwrap();
            let borders: Vec<usize> =
                text.grapheme_indices(true).map(|(index, _)| index).chain([text.len()]).collect();
            prop_assert!(text.starts_with(head) && borders.contains(&head.len()));
            prop_assert!(text.ends_with(tail) && borders.contains(&(text.len() - tail.len())));
            let missing = text.chars().count() - head.chars().count() - tail.chars().count();
            prop_assert_eq!(note, format!("{missing} character{}", if missing == 1 { "" } else { "s" }));
        }
    }
}
