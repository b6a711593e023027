//! Messages that stand for several events: by `digest.hbs` or `more.hbs`, else in the plain form.

use std::fmt;

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use super::check::Uses;
use super::context::{context, group, tell, tone_word};
use super::helper::Form;
use super::schema::{ERROR_OF_SEVERAL, Field, NOTICE_OF_SEVERAL};
use super::{Native, RenderError, Shortfall, Telling, TemplateSet};
use crate::clock::Moment;
use crate::event::Event;
use crate::flood::{Gathering, Kindred, Told};
use crate::message::gathering::{
    apps, counts, different, latest, news, plain_gathering, quote, span, special, tone_of_all, tone_of_error,
    which,
};
use crate::message::{Message, Tone, plain, tone};
use crate::text::{Place, as_it_is};

impl TemplateSet {
    /// What is said of `gathering`, and what fell short on the way. This never fails: where the template does, the message
    /// goes out in the plain form, and says so.
    pub fn gathered(&self, gathering: &Gathering, telling: &Telling<'_>) -> (Message, Vec<Shortfall>) {
        let name = gathering.told.as_str();
        let found = self.0.library.templates.contains_key(name).then_some(name);
        // The message itself says from when to when.
        let remarks = caught_up(gathering).into_iter().collect();
        self.finish(found, Vec::new(), About::Several(gathering), (telling, remarks))
    }

    /// The body that a native template for `product` makes of `gathering`, if there is one.
    pub fn native_gathered(
        &self,
        product: &str,
        gathering: &Gathering,
        telling: &Telling<'_>,
    ) -> Option<Result<Native, RenderError>> {
        let name = self.native_name_gathered(product, gathering.told)?;
        Some(self.json(&name, About::Several(gathering), telling))
    }

    /// The name of that template.
    pub fn native_name_gathered(&self, product: &str, told: Told) -> Option<String> {
        let name = format!("{}.{product}.json", told.as_str());
        self.0.library.templates.contains_key(&name).then_some(name)
    }
}

/// What a message is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// One event.
    One(&'a Event),
    /// Several.
    Several(&'a Gathering),
}

/// What the templates called `name` are tried with.
pub(super) fn occasions<'a>(name: &str, events: &'a [Event], gatherings: &'a [Gathering]) -> Vec<About<'a>> {
    match Told::read(name) {
        Some(told) => {
            gatherings.iter().filter(|gathering| gathering.told == told).map(About::Several).collect()
        }
        None => events.iter().map(About::One).collect(),
    }
}

impl About<'_> {
    /// What the template sees of it; times are shown in `zone`.
    pub(super) fn context(self, telling: &Telling<'_>, uses: Uses, (form, zone): (Form, &TimeZone)) -> Json {
        match self {
            Self::One(event) => context(event, telling, uses, form),
            Self::Several(gathering) => of_several(gathering, telling, form, zone),
        }
    }

    /// The message without any template.
    pub(super) fn plain(self, telling: &Telling<'_>, zone: &TimeZone) -> Message {
        match self {
            Self::One(event) => plain(event, telling.id, zone),
            Self::Several(gathering) => plain_gathering(gathering, telling.now, zone),
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::One(event) => tone(event),
            Self::Several(gathering) => tone_of_all(gathering),
        }
    }

    /// When it happened, or the last of it came.
    pub(super) fn at(self) -> String {
        match self {
            Self::One(event) => event.at.clone(),
            Self::Several(gathering) => gathering.last_at.to_string(),
        }
    }
}

/// What it is, in a problem.
impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(event) => write!(f, "an event with the trigger `{}`", event.trigger),
            Self::Several(gathering) => {
                let Gathering { errors, notices, .. } = gathering;
                write!(f, "a sample of {} errors and {} notices", errors.len(), notices.len())
            }
        }
    }
}

fn of_several(gathering: &Gathering, telling: &Telling<'_>, form: Form, zone: &TimeZone) -> Json {
    let Gathering { urgent, count, first_at, last_at, more_errors, more_notices, .. } = gathering;
    let severities = gathering.severities.iter();
    let errors = gathering.errors.iter().map(|kindred| error(kindred, telling.now, zone));
    let members = [
        ("count", json!(count)),
        ("counts", counts(gathering).into()),
        ("urgent", json!(urgent)),
        (
            "severities",
            severities.map(|(severity, count)| json!({ "severity": severity, "count": count })).collect(),
        ),
        ("different", different(gathering).into()),
        ("apps", apps(gathering).into()),
        ("span", span(*first_at, *last_at, telling.now, zone).into()),
        ("first_at", first_at.to_string().into()),
        ("last_at", last_at.to_string().into()),
        ("errors", errors.collect()),
        ("more_errors", json!(more_errors)),
        ("notices", gathering.notices.iter().map(notice).collect()),
        ("more_notices", json!(more_notices)),
    ];
    let mut context = Map::new();
    put(&mut context, members);
    tell(&mut context, telling, (form, caught_up(gathering)), tone_of_all(gathering));
    Json::Object(context)
}

/// What stands after the message's id if no webhook has brought some of them.
fn caught_up(gathering: &Gathering) -> Option<String> {
    match gathering.caught_up {
        0 => None,
        all if all >= gathering.count => Some("caught up".to_owned()),
        some => Some(format!("{some} caught up")),
    }
}

/// What is kept of a text of which there may be megabytes, twenty times over.
const LONG_TEXT: usize = 2_000;

/// Before any platform's form a character is a character.
const CHARACTERS: Place = Place { write: as_it_is, count: |_| 1 };

/// The names in `fields`, as `event` has them, its long texts without their middle.
fn entry(fields: &[Field], event: &Event) -> Map<String, Json> {
    let mut entry = group(fields, event);
    let text = CHARACTERS.middle(&event.text, LONG_TEXT);
    if let Some(message) = entry.get_mut("error").and_then(|error| error.get_mut("message")) {
        *message = text.as_str().into();
    }
    put(&mut entry, [("text", text.into())]);
    entry
}

fn error(kindred: &Kindred, now: Moment, zone: &TimeZone) -> Json {
    let Kindred { event, severity, triggers, count, first_at, last_at } = kindred;
    let mut entry = entry(ERROR_OF_SEVERAL, event);
    let members = [
        ("severity", severity.as_str().into()),
        ("count", json!(count)),
        ("triggers", triggers.join(", ").into()),
        ("special", special(kindred).into()),
        ("latest", latest(kindred, now, zone).into()),
        ("span", span(*first_at, *last_at, now, zone).into()),
        ("first_at", first_at.to_string().into()),
        ("last_at", last_at.to_string().into()),
    ];
    put(&mut entry, members);
    put(&mut entry, of_each(event, tone_of_error(kindred)));
    Json::Object(entry)
}

fn notice(event: &Event) -> Json {
    let mut entry = entry(NOTICE_OF_SEVERAL, event);
    put(&mut entry, [("news", news(event).into()), ("quote", quote(event).into())]);
    put(&mut entry, of_each(event, tone(event)));
    Json::Object(entry)
}

fn of_each(event: &Event, tone: Tone) -> [(&'static str, Json); 3] {
    [("which", which(event).into()), ("tone", tone_word(tone).into()), ("test", event.test.into())]
}

fn put<const N: usize>(entry: &mut Map<String, Json>, members: [(&'static str, Json); N]) {
    entry.extend(members.map(|(name, value)| (name.to_owned(), value)));
}

#[cfg(test)]
mod tests;
