//! Helpers that answer a question, for `{{#if (…)}}`.

use std::cmp::Ordering;

use handlebars::{JsonRender as _, JsonTruthy as _};
use serde_json::Value as Json;

use super::{Arguments, Given, Helper, MANY, Run, Takes};
use crate::event::Severity;

const fn question(
    name: &'static str,
    usage: &'static str,
    about: &'static str,
    takes: Takes,
    run: fn(&Arguments<'_>) -> Given,
) -> Helper {
    let most = if matches!(takes, Takes::Anything) { MANY } else { 2 };
    Helper { name, usage, about, least: 2, most, options: &[], takes, literals: &[], run: Run::Value(run) }
}

pub(super) const HELPERS: &[Helper] = &[
    question("eq", "eq one other", "whether both are the same", Takes::Text, |a| {
        Ok(is_same(a.value(0), a.value(1)).into())
    }),
    question("ne", "ne one other", "whether they differ", Takes::Text, |a| {
        Ok((!is_same(a.value(0), a.value(1))).into())
    }),
    question(
        "gt",
        "gt one other",
        "whether the first is greater: numbers by size, severities by rank, else by the alphabet",
        Takes::Text,
        |a| Ok((order(a.value(0), a.value(1)) == Ordering::Greater).into()),
    ),
    question("gte", "gte one other", "whether the first is greater or the same", Takes::Text, |a| {
        Ok((order(a.value(0), a.value(1)) != Ordering::Less).into())
    }),
    question("lt", "lt one other", "whether the first is less", Takes::Text, |a| {
        Ok((order(a.value(0), a.value(1)) == Ordering::Less).into())
    }),
    question("lte", "lte one other", "whether the first is less or the same", Takes::Text, |a| {
        Ok((order(a.value(0), a.value(1)) != Ordering::Greater).into())
    }),
    question("and", "and one other …", "whether there is something in each", Takes::Anything, |a| {
        Ok(a.values.iter().all(|value| value.is_truthy(false)).into())
    }),
    question("or", "or one other …", "whether there is something in any", Takes::Anything, |a| {
        Ok(a.values.iter().any(|value| value.is_truthy(false)).into())
    }),
    Helper {
        least: 1,
        most: 1,
        ..question("not", "not value", "whether there is nothing in it", Takes::Anything, |a| {
            Ok((!a.value(0).is_truthy(false)).into())
        })
    },
];

/// Whole numbers are compared as such. A version is no number: 1.1 and 1.10 differ.
fn is_same(one: &Json, other: &Json) -> bool {
    let (one, other) = (one.render(), other.render());
    match (one.parse::<i128>(), other.parse::<i128>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn order(one: &Json, other: &Json) -> Ordering {
    let (one, other) = (one.render(), other.render());
    if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
        return one.cmp(&other);
    }
    if let Some(order) = decimal(&one).zip(decimal(&other)).and_then(|(one, other)| one.partial_cmp(&other)) {
        return order;
    }
    match (rank(&one), rank(&other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => one.cmp(&other),
    }
}

/// A number in plain digits; "inf" and "1e5" are words.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

fn rank(text: &str) -> Option<u8> {
    Severity::read(text).and_then(|severity| severity.rank())
}
