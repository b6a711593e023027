//! A template that tells of several events, tried on samples: no single payload has anything to tell it.

use std::io::Write;
use std::path::Path;

use anstyle::Style;
use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{Manner, NUMBER, Preview};
use crate::command::card::{Pen, card, heading};
use crate::courier::Roundup;
use crate::destination::Destination;
use crate::flood::{Gathering, Told};
use crate::sample::gatherings;
use crate::template::Telling;

/// Writes what the template for `told` makes of every sample that it is for, once on each platform.
pub(super) fn show(
    out: &mut dyn Write,
    preview: &Preview<'_>,
    told: Told,
    payload: Option<&Path>,
    manner: Manner,
) -> Result<u8> {
    if payload.is_some() {
        bail!("`{}` tells of several events; leave the payload out and say --all-samples", told.as_str());
    }
    let samples = gatherings(preview.clock.now());
    let samples = samples.iter().filter(|gathering| gathering.told == told);
    if manner.json {
        let told: Vec<Value> = samples.map(|gathering| as_json(preview, gathering)).collect();
        writeln!(out, "{:#}", Value::Array(told))?;
        return Ok(0);
    }
    let pen = Pen { colour: manner.colour };
    for gathering in samples {
        pen.styled(out, Style::new().bold(), &words(gathering))?;
        writeln!(out, "\n")?;
        for (_, destination) in preview.one_of_each() {
            let product = destination.platform.product();
            writeln!(out, "{}", heading(&format!("{product} · {}", destination.name)))?;
            pen.card(out, &card(product, &body(preview, gathering, destination)))?;
            writeln!(out)?;
        }
    }
    Ok(0)
}

/// What the sample is of.
fn words(gathering: &Gathering) -> String {
    let Gathering { told, count, errors, notices, .. } = gathering;
    format!("{} of {count} events: {} errors, {} notices", told.as_str(), errors.len(), notices.len())
}

fn as_json(preview: &Preview<'_>, gathering: &Gathering) -> Value {
    let message = |destination: &Destination| {
        json!({
            "destination": destination.name.as_str(),
            "platform": destination.platform.product(),
            "body": body(preview, gathering, destination),
        })
    };
    let routes = preview.one_of_each();
    let messages: Vec<Value> = routes.iter().map(|(_, destination)| message(destination)).collect();
    json!({ "sample": words(gathering), "messages": messages })
}

fn body(preview: &Preview<'_>, gathering: &Gathering, destination: &Destination) -> Value {
    let telling = Telling { id: NUMBER, repeat: false, instead_of: None, now: preview.clock.now() };
    Roundup { gathering, telling, mentions: &[] }.write(&preview.templates, &*destination.platform).body
}
