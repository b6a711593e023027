//! Adaptive Cards, as far as Teams shows them from a workflow: version 1.4, without inputs and media.

use std::collections::HashSet;

use url::Url;

use crate::pretend::shape::{Checked, Place};

const SIZES: [&str; 5] = ["default", "small", "medium", "large", "extraLarge"];
const WEIGHTS: [&str; 3] = ["default", "lighter", "bolder"];
const COLOURS: [&str; 7] = ["default", "dark", "light", "accent", "good", "warning", "attention"];
const STYLES: [&str; 6] = ["default", "emphasis", "good", "attention", "warning", "accent"];
const SPACINGS: [&str; 7] = ["none", "small", "default", "medium", "large", "extraLarge", "padding"];
const FONTS: [&str; 2] = ["default", "monospace"];

/// Ids that elements have, and those that an action wants to toggle.
#[derive(Debug, Default)]
struct Ids<'a> {
    have: HashSet<&'a str>,
    want: Vec<Place<'a>>,
}

/// Checks a card with all that is in it.
pub(super) fn check(card: &Place<'_>) -> Checked {
    let mut ids = Ids::default();
    root(card, &mut ids)?;
    match ids.want.iter().find(|id| id.value.as_str().is_none_or(|id| !ids.have.contains(id))) {
        Some(id) => Err(id.fault("names no element of the card")),
        None => Ok(()),
    }
}

fn root<'a>(card: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    card.need("type")?.word(&["AdaptiveCard"])?;
    // Cards that declare 1.5 are not displayed when a workflow posts them.
    card.need("version")?.word(&["1.0", "1.1", "1.2", "1.3", "1.4"])?;
    if let Some(width) = card.at("msteams").and_then(|own| own.at("width")) {
        width.word(&["Full"])?;
    }
    let shown = ["body", "actions"].iter().filter_map(|key| card.at(key)?.value.as_array());
    if shown.map(Vec::len).sum::<usize>() == 0 {
        return Err(card.fault("has neither body nor actions"));
    }
    all(card, "body", 0, ids, element)?;
    all(card, "actions", 0, ids, action)
}

type Check<'a> = fn(&Place<'a>, &mut Ids<'a>) -> Checked;

/// Checks each element of the list `key`, which must be there if it needs at `least` one.
fn all<'a>(parent: &Place<'a>, key: &str, least: usize, ids: &mut Ids<'a>, check: Check<'a>) -> Checked {
    match parent.at(key) {
        Some(list) => list.list(least..=usize::MAX)?.iter().try_for_each(|item| check(item, ids)),
        None if least == 0 => Ok(()),
        None => parent.need(key).map(|_| ()),
    }
}

fn element<'a>(element: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    common(element, ids)?;
    match element.need("type")?.text()? {
        "TextBlock" => {
            text(element)?;
            flags(element, &["wrap"])
        }
        "RichTextBlock" => all(element, "inlines", 1, ids, inline),
        "FactSet" => all(element, "facts", 1, ids, |fact, _| {
            fact.need("title")?.text()?;
            fact.need("value")?.text().map(|_| ())
        }),
        "Container" => {
            flags(element, &["bleed"])?;
            one_of(element, "style", &STYLES)?;
            select(element, ids)?;
            all(element, "items", 0, ids, self::element)
        }
        "ColumnSet" => all(element, "columns", 1, ids, |column, ids| {
            common(column, ids)?;
            one_of(column, "style", &STYLES)?;
            all(column, "items", 0, ids, self::element)
        }),
        "Image" => address(&element.need("url")?),
        "ImageSet" => all(element, "images", 1, ids, self::element),
        "ActionSet" => all(element, "actions", 1, ids, action),
        kind => Err(element.fault(format!("is of the type {kind:?}, which Teams does not show"))),
    }
}

fn common<'a>(element: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    element.object()?;
    flags(element, &["separator", "isVisible"])?;
    one_of(element, "spacing", &SPACINGS)?;
    match element.at("id") {
        Some(id) if !id.value.as_str().is_some_and(|id| ids.have.insert(id)) => {
            Err(id.fault("is no text, or is there twice"))
        }
        _ => Ok(()),
    }
}

fn inline<'a>(inline: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    if inline.value.is_string() {
        return Ok(());
    }
    inline.need("type")?.word(&["TextRun"])?;
    flags(inline, &["highlight", "italic", "strikethrough", "underline"])?;
    select(inline, ids)?;
    text(inline)
}

/// What text blocks and runs of text have in common.
fn text(element: &Place<'_>) -> Checked {
    element.need("text")?.text()?;
    flags(element, &["isSubtle"])?;
    one_of(element, "size", &SIZES)?;
    one_of(element, "weight", &WEIGHTS)?;
    one_of(element, "color", &COLOURS)?;
    one_of(element, "fontType", &FONTS)
}

fn select<'a>(element: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    element.at("selectAction").map_or(Ok(()), |selected| action(&selected, ids))
}

fn action<'a>(action: &Place<'a>, ids: &mut Ids<'a>) -> Checked {
    if let Some(title) = action.at("title") {
        title.text()?;
    }
    match action.need("type")?.text()? {
        "Action.OpenUrl" => address(&action.need("url")?),
        "Action.ShowCard" => action.need("card")?.need("type")?.word(&["AdaptiveCard"]).and_then(|_| {
            let card = action.need("card")?;
            all(&card, "body", 0, ids, element)?;
            all(&card, "actions", 0, ids, self::action)
        }),
        "Action.ToggleVisibility" => {
            for target in action.need("targetElements")?.list(1..=usize::MAX)? {
                ids.want.push(if target.value.is_object() { target.need("elementId")? } else { target });
            }
            Ok(())
        }
        kind => Err(action.fault(format!("is of the type {kind:?}, which a webhook's card cannot have"))),
    }
}

fn address(url: &Place<'_>) -> Checked {
    match Url::parse(url.text()?) {
        Ok(parsed) if ["http", "https"].contains(&parsed.scheme()) => Ok(()),
        _ => Err(url.fault("is not an absolute http or https address")),
    }
}

fn flags(element: &Place<'_>, keys: &[&str]) -> Checked {
    keys.iter().filter_map(|key| element.at(key)).try_for_each(|flag| flag.flag().map(|_| ()))
}

fn one_of(element: &Place<'_>, key: &str, known: &[&str]) -> Checked {
    element.at(key).map_or(Ok(()), |word| word.word(known).map(|_| ()))
}
