//! `bugle preview`: what a webhook would cause, without sending anything: the rules that match, and for each destination
//! the message as its readers would see it, or the very body.

mod several;

use std::fs;
use std::io::{self, Read as _, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::command::card::{Pen, card, heading};
use crate::command::{EXIT_CONFIG, check};
use crate::config::{self, Environment, Problem, ProblemSeverity, Secrets, Settings};
use crate::courier::Letter;
use crate::destination::{Destination, PRODUCTS};
use crate::event::{Event, EventId};
use crate::flood::Told;
use crate::name::nearest;
use crate::notice;
use crate::rule::Route;
use crate::sample::{notices, sample, triggers};
use crate::source::{OWN, Source};
use crate::template::{Telling, TemplateFile, TemplateSet};

/// What is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The file with the payload, `-` for standard input; nothing for samples of every kind of event.
    pub payload: Option<&'a Path>,
    /// The source's name; nothing where there is only one, or for the samples of all.
    pub source: Option<&'a str>,
    /// What the address says that a payload is.
    pub kind: Option<&'a str>,
    /// A template to write with, whatever the rules say.
    pub template: Option<&'a Path>,
}

/// How it is to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// As JSON, with the exact bodies.
    pub json: bool,
    /// With colours.
    pub colour: bool,
}

/// What stands for standard input in place of a file.
const STANDARD_INPUT: &str = "-";

/// The number that an event gets in a preview; the real one is the store's to give.
const NUMBER: EventId = EventId(0);

/// Writes to `out` what is asked. Gives the exit code: 0, or [`EXIT_CONFIG`] if there is a problem with the
/// configuration or with the template, which is written out as well.
pub fn run(
    out: &mut dyn Write,
    config: Option<&Path>,
    asked: Asked<'_>,
    manner: Manner,
    environment: &Environment,
) -> Result<u8> {
    let loaded = config::find(config).and_then(|path| config::load(&path, environment, Secrets::Skip));
    let settings = match loaded {
        Ok(loaded) => loaded.settings,
        Err(problems) => {
            tell(out, &problems.into_all(), manner)?;
            return Ok(EXIT_CONFIG);
        }
    };
    let Some(templates) = templates(out, &settings, asked.template, manner)? else {
        return Ok(EXIT_CONFIG);
    };
    let ask = asked.template.and_then(|path| rule_name(&file_name(path)).map(str::to_owned));
    let told = ask.as_deref().and_then(Told::read);
    let is_trial = asked.template.is_some();
    let preview = Preview { settings: &settings, templates, ask, is_trial, clock: Clock::system() };
    if let Some(told) = told {
        return several::show(out, &preview, told, asked.payload, manner);
    }
    let events = events(&settings.sources, asked)?;
    if manner.json {
        let told: Vec<Value> = events.iter().map(|event| preview.as_json(event)).collect();
        writeln!(out, "{:#}", Value::Array(told))?;
    } else {
        for event in &events {
            preview.show(out, event, Pen { colour: manner.colour })?;
        }
    }
    Ok(0)
}

/// Writes findings that leave nothing to show, as `bugle check` does.
fn tell(out: &mut dyn Write, findings: &[Problem], manner: Manner) -> io::Result<()> {
    if manner.json { check::write_json(out, findings, false) } else { render(out, findings) }
}

fn render(out: &mut dyn Write, findings: &[Problem]) -> io::Result<()> {
    findings.iter().try_for_each(|finding| writeln!(out, "{}\n", finding.render(false)))
}

/// The templates of the configuration, with the one at `path` among them; nothing if that one has a problem, which is
/// written out.
fn templates(
    out: &mut dyn Write,
    settings: &Settings,
    path: Option<&Path>,
    manner: Manner,
) -> Result<Option<TemplateSet>> {
    let configured = &settings.templates;
    let Some(path) = path else { return Ok(Some(configured.set.clone())) };
    let name = file_name(path);
    if path.extension().is_none_or(|extension| extension != "hbs") {
        bail!("a template's file ends with .hbs, and {} does not", path.display());
    }
    let text = config::read_template(path).map_err(|message| anyhow!("{}: {message}", path.display()))?;
    let mut files: Vec<TemplateFile> =
        configured.files.iter().filter(|file| file.name != name).cloned().collect();
    files.push(TemplateFile { name, text });
    let (set, problems) = config::try_templates(&files, path.parent(), &configured.time_zone);
    if problems.iter().any(|problem| problem.severity == ProblemSeverity::Error) {
        tell(out, &problems, manner)?;
        return Ok(None);
    }
    if manner.json {
        // Standard output is one value, the messages.
        render(&mut io::stderr().lock(), &problems)?;
    } else {
        render(out, &problems)?;
    }
    Ok(Some(set))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What rules call the template in the file `name`; nothing for a part of others, which no rule can name.
fn rule_name(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".hbs").unwrap_or(name);
    let without = |product: &str| name.strip_suffix(".json")?.strip_suffix(product)?.strip_suffix('.');
    let name = PRODUCTS.into_iter().find_map(without).unwrap_or(name);
    (!name.starts_with('_')).then_some(name)
}

/// The events in what was asked for.
fn events(sources: &[Source], asked: Asked<'_>) -> Result<Vec<Event>> {
    let Some(path) = asked.payload else {
        let chosen: Vec<&Source> = match asked.source {
            Some(name) => vec![find(sources, name)?],
            None => sources.iter().collect(),
        };
        let mut events = chosen.into_iter().map(samples).collect::<Result<Vec<_>>>()?.concat();
        if asked.source.is_none() {
            events.extend(notices(Clock::system().now()));
        }
        return Ok(events);
    };
    let source = match (asked.source, sources) {
        (Some(name), _) => find(sources, name)?,
        (None, [only]) => only,
        (None, _) => bail!("--source is missing: {}", known(sources)),
    };
    let is_file = path != Path::new(STANDARD_INPUT);
    let name = if is_file { path.display().to_string() } else { "standard input".to_owned() };
    let body = read(path).with_context(|| format!("{name} cannot be read"))?;
    source.trusted().parse(&body, asked.kind).with_context(|| format!("{name} is not what a tracker sends"))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new(STANDARD_INPUT) {
        return fs::read(path);
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    Ok(body)
}

fn find<'s>(sources: &'s [Source], name: &str) -> Result<&'s Source> {
    if let Some(source) = sources.iter().find(|source| source.name.as_str() == name) {
        return Ok(source);
    }
    let near = nearest(name, sources.iter().map(|source| source.name.as_str()));
    let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    bail!("there is no source {name:?}{hint} ({})", known(sources));
}

fn known(sources: &[Source]) -> String {
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    if names.is_empty() {
        "none is configured".to_owned()
    } else {
        format!("configured: {}", names.join(", "))
    }
}

/// One event of every kind that `source` can bring, and one of which nothing can be read.
fn samples(source: &Source) -> Result<Vec<Event>> {
    let now = Clock::system().now();
    let product = source.tracker.product();
    let mut events = Vec::new();
    for trigger in triggers(product) {
        let body =
            sample(product, trigger, now).with_context(|| format!("there is no sample of {trigger}"))?;
        events.extend(source.trusted().parse(body.to_string().as_bytes(), None)?);
    }
    events.extend(source.trusted().parse(b"{}", None)?);
    Ok(events)
}

/// What every event is shown with.
struct Preview<'a> {
    settings: &'a Settings,
    templates: TemplateSet,
    /// The template that is asked for on the command line; nothing for a part of others.
    ask: Option<String>,
    /// Whether there is a template on the command line, or a part of one.
    is_trial: bool,
    clock: Clock,
}

impl Preview<'_> {
    /// What the rules decide, in words and as the routes to show. With a template on the command line, an event that
    /// goes nowhere is shown once on each platform.
    fn routes(&self, event: &Event) -> (Vec<String>, Vec<(Route, &Destination)>) {
        let Settings { destinations, .. } = self.settings;
        let (mut words, routing) = self.decide(event);
        let find = |name: &str| destinations.iter().find(|destination| destination.name.as_str() == name);
        let mut routes: Vec<(Route, &Destination)> = routing
            .into_iter()
            .filter_map(|route| find(route.destination.as_str()).map(|destination| (route, destination)))
            .collect();
        if routes.is_empty() {
            let shown = if self.is_trial { "; shown here all the same" } else { "" };
            words.push(format!("it is sent nowhere{shown}"));
            if self.is_trial {
                routes = self.one_of_each();
            }
        }
        (words, routes)
    }

    fn decide(&self, event: &Event) -> (Vec<String>, Vec<Route>) {
        if event.product == OWN {
            let words = "no rule sees what bugle says of itself: it goes where `notices_to` says".to_owned();
            let routes = self.settings.notices_to.iter().map(|to| notice::route(event, to));
            return (vec![words], routes.collect());
        }
        let routing = self.settings.rules.route(event);
        let mut words: Vec<String> =
            routing.matched.iter().map(|name| format!("rule \"{name}\" matches")).collect();
        if words.is_empty() {
            words.push("no rule matches".to_owned());
        }
        (words, routing.routes)
    }

    fn one_of_each(&self) -> Vec<(Route, &Destination)> {
        let mut routes: Vec<(Route, &Destination)> = Vec::new();
        for destination in &self.settings.destinations {
            let product = destination.platform.product();
            if routes.iter().all(|(_, other)| other.platform.product() != product) {
                routes.push((Route::to(destination.name.clone()), destination));
            }
        }
        routes
    }

    fn body(&self, event: &Event, route: &Route, destination: &Destination) -> Value {
        let mentions: Vec<_> =
            route.mention.iter().filter_map(|name| self.settings.people.find(name)).collect();
        let letter = Letter {
            event,
            template: self.ask.as_deref().or(route.template.as_deref()),
            telling: Telling { id: NUMBER, repeat: false, instead_of: None, now: self.clock.now() },
            mentions: &mentions,
        };
        letter.body(&self.templates, &*destination.platform)
    }

    fn as_json(&self, event: &Event) -> Value {
        let (words, routes) = self.routes(event);
        let routes: Vec<Value> = routes
            .iter()
            .map(|(route, destination)| {
                json!({
                    "destination": route.destination.as_str(),
                    "platform": destination.platform.product(),
                    "rule": route.rule.as_ref().map(ToString::to_string),
                    "urgent": route.urgent,
                    "mentions": route.mention,
                    "body": self.body(event, route, destination),
                })
            })
            .collect();
        json!({
            "source": event.source.as_str(),
            "trigger": event.trigger,
            "title": event.title,
            "decision": words,
            "messages": routes,
        })
    }

    fn show(&self, out: &mut dyn Write, event: &Event, pen: Pen) -> Result<()> {
        let (words, routes) = self.routes(event);
        let trigger = if event.trigger.is_empty() { "an event" } else { &event.trigger };
        let what = if event.title.is_empty() { String::new() } else { format!(": {}", event.title) };
        pen.styled(out, Style::new().bold(), &format!("{trigger} from {}{what}", event.source))?;
        writeln!(out)?;
        for line in words {
            pen.styled(out, Style::new(), &format!("  {line}"))?;
            writeln!(out)?;
        }
        for (route, destination) in &routes {
            let product = destination.platform.product();
            let mut title = format!("{product} · {}", destination.name);
            if let Some(rule) = &route.rule {
                title = format!("{title} · by \"{rule}\"");
            }
            if route.urgent {
                title.push_str(" · urgent");
            }
            writeln!(out)?;
            pen.styled(out, Style::new().fg_color(Some(AnsiColor::BrightBlack.into())), &heading(&title))?;
            writeln!(out)?;
            pen.card(out, &card(product, &self.body(event, route, destination)))?;
        }
        writeln!(out)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
