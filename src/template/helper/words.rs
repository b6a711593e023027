//! Helpers that change a text: its length, its letters, the form of a number.

use serde_json::Value as Json;

use super::{Arguments, Given, Helper, Literal, Run, Takes, is_empty};
use crate::text::{Place, as_it_is, with_separators};

/// Before any platform's form a character is a character.
const CHARACTERS: Place = Place { write: as_it_is, count: |_| 1 };

const fn word(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    most: usize,
    run: fn(&Arguments<'_>) -> Given,
) -> Helper {
    Helper {
        name,
        usage,
        about,
        least: most,
        most,
        options: &[],
        takes: Takes::Text,
        literals: &[],
        run: Run::Value(run),
    }
}

pub(super) const HELPERS: &[Helper] = &[
    Helper {
        options: &["keep"],
        literals: &[(1, Literal::Count)],
        ..word(
            "truncate",
            "truncate value 80 [keep=\"ends\"]",
            "the value within so many characters, cut at its end, or in its middle to keep both ends",
            2,
            truncate,
        )
    },
    Helper {
        takes: Takes::Anything,
        ..word("default", "default value other", "the value, or the other where there is none", 2, |a| {
            Ok(a.value(usize::from(is_empty(a.value(0)))).clone())
        })
    },
    word("upper", "upper value", "in capitals", 1, |a| Ok(a.text(0).to_uppercase().into())),
    word("lower", "lower value", "in small letters", 1, |a| Ok(a.text(0).to_lowercase().into())),
    Helper {
        least: 2,
        ..word(
            "pluralize",
            "pluralize count \"time\" [\"times\"]",
            "the word that goes with a count; of none nothing",
            3,
            |a| Ok(pluralize(a).into()),
        )
    },
    word("number", "number value", "a whole number with its thousands apart: 1,204", 1, |a| {
        Ok(number(&a.text(0)).into())
    }),
    word("bytes", "bytes value", "a number of bytes as people say it: 1.2 MiB", 1, |a| {
        Ok(bytes(&a.text(0)).into())
    }),
];

fn truncate(arguments: &Arguments<'_>) -> Given {
    let text = arguments.text(0);
    let count = arguments.count(1)?.ok_or("a number of characters is missing")?;
    match arguments.option("keep").as_deref() {
        None | Some("start") => Ok(CHARACTERS.end(&text, count).into()),
        Some("ends") => Ok(CHARACTERS.middle(&text, count).into()),
        Some(other) => Err(format!("keep=\"{other}\" is neither \"start\" nor \"ends\"")),
    }
}

fn pluralize(arguments: &Arguments<'_>) -> String {
    if is_empty(arguments.value(0)) {
        return String::new();
    }
    let one = arguments.text(1);
    match (arguments.text(0).as_str(), arguments.value(2)) {
        ("1", _) => one,
        (_, Json::Null) => one + "s",
        _ => arguments.text(2),
    }
}

/// Anything but a whole number stays as it is.
fn number(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(number) if is_number => format!("{sign}{}", with_separators(number)),
        _ => text.to_owned(),
    }
}

fn bytes(text: &str) -> String {
    let Ok(count) = text.parse::<u64>() else { return text.to_owned() };
    let units = [(1_u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => {
            // In tenths, rounded; u128, so that nothing overflows.
            let tenths = (u128::from(count) * 20 + u128::from(size)) / (u128::from(size) * 2);
            match (tenths / 10, tenths % 10) {
                (whole, 0) => format!("{whole} {unit}"),
                (whole, tenth) => format!("{whole}.{tenth} {unit}"),
            }
        }
        None => format!("{count} B"),
    }
}
