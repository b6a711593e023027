//! JSON as trackers write it: a text in it that was cut inside a character costs that character, not the page it is on.

use std::str::Chars;

use serde_json::{Error, Value};

/// Reads `bytes`, mended if need be.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Error> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    serde_json::from_str(&mended(&String::from_utf8_lossy(bytes))).or(Err(error))
}

/// A text or a number, if there is something in it.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same with a replacement for every escape of half a character.
fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        mended.push(letter);
        if letter != '\\' {
            continue;
        }
        match unit(&rest) {
            None => mended.extend(rest.next()),
            Some((0xD800..=0xDBFF, mut after)) => {
                let is_whole = after.next() == Some('\\')
                    && unit(&after).is_some_and(|(unit, _)| (0xDC00..=0xDFFF).contains(&unit));
                if is_whole { copy(&mut rest, &mut mended, 11) } else { replace(&mut rest, &mut mended) }
            }
            Some((0xDC00..=0xDFFF, _)) => replace(&mut rest, &mut mended),
            Some(_) => copy(&mut rest, &mut mended, 5),
        }
    }
    mended
}

/// The unit that an escape names whose backslash is read, and what comes after it.
fn unit<'a>(rest: &Chars<'a>) -> Option<(u32, Chars<'a>)> {
    let mut rest = rest.clone();
    if rest.next() != Some('u') {
        return None;
    }
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + rest.next()?.to_digit(16)?;
    }
    Some((unit, rest))
}

fn copy(rest: &mut Chars<'_>, mended: &mut String, count: usize) {
    mended.extend(rest.by_ref().take(count));
}

fn replace(rest: &mut Chars<'_>, mended: &mut String) {
    mended.push_str("ufffd");
    rest.by_ref().take(5).for_each(drop);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn half_a_character_costs_that_character() {
        for (written, expected) in [
            (r#""cut \ud83d here""#, "cut \u{FFFD} here"),
            (r#""\udc00\ud83d\ude00\ud83d""#, "\u{FFFD}\u{1F600}\u{FFFD}"),
            (r#""\ud83d\u0041 \\ud83d \ud83d\n""#, "\u{FFFD}A \\ud83d \u{FFFD}\n"),
            (r#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
        ] {
            assert_eq!(read(written.as_bytes()).unwrap(), json!(expected), "{written}");
        }
        assert_eq!(read(b"\xEF\xBB\xBF[\"a\xFF\"]").unwrap(), json!(["a\u{FFFD}"]));
        for broken in [r#""\ud83"#, r#""\u"#, "\"\\", "{", "", "[1,]"] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_is_whole_stays_as_it_is(text in ".*") {
            let written = json!(text).to_string();
            prop_assert_eq!(mended(&written), written);
        }

        #[test]
        fn any_units_make_a_text(units in prop::collection::vec(any::<u16>(), 0..20)) {
            let written: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(read(format!("\"{}\"", written.concat()).as_bytes()).unwrap(), json!(String::from_utf16_lossy(&units)));
        }
    }
}
