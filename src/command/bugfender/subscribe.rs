//! `bugle bugfender subscribe`: whatever was done before, and wherever it was cut off, in the end there is one webhook of
//! each kind, or it is said that there may be a second one.

use anyhow::Result;

use crate::api::{Api, ApiError, App, HookLook};
use crate::command::Setting;
use crate::config::Care;
use crate::order::HookKey;
use crate::outbox::HookRecord;
use crate::secret::Secret;
use crate::subscription::{EVENTS, apps, believed, mark, means, target};

use super::choose::is_meant;
use super::{Line, State, Told, Work};

/// What is said where a hook may have been made that nobody knows of.
pub(super) const MAY_BE: &str = "an earlier `subscribe` was cut off before it heard the webhook's id, so there may be a second one: Bugfender's \
     settings of the application show it, and what both bring is told once";

/// Subscribes every kind of event of the applications that are `asked` for, or of all.
pub(super) async fn run(
    told: &mut Told<'_>,
    setting: Setting<'_>,
    care: &Care,
    apis: &[&Api],
    (asked, again): (&[String], bool),
) -> Result<()> {
    for api in apis {
        let work = match Work::begin(setting, care, api)? {
            Ok(work) => work,
            Err(line) => {
                told.say(line)?;
                continue;
            }
        };
        for app in apps(api).iter().filter(|app| is_meant(app, asked)) {
            if app.number.is_none() {
                told.say(numberless(api, app))?;
                continue;
            }
            for (event, kind) in EVENTS {
                let Some(target) = target(api, kind) else { continue };
                told.say(work.subscribe(app, event, &target, again).await?)?;
            }
        }
    }
    Ok(())
}

fn numberless(api: &Api, app: &App) -> Line {
    let key = app.key();
    Line::about(api, app, "").unwell(
        State::Failed,
        format!(
            "webhooks call an application by its number, which is not known: write {{ number = …, id = {key:?} }} into \
             `sources.{}.api.apps`; it is the number at the end of the application's address in the dashboard",
            api.source
        ),
    )
}

/// What was found of the webhooks that are remembered.
struct Found<'h> {
    /// The one that is there, and whether Bugfender says so.
    kept: Option<(&'h HookRecord, HookLook)>,
    /// Those that are not there any more.
    gone: Vec<&'h HookRecord>,
    /// Those that are to be undone.
    others: Vec<&'h HookRecord>,
}

impl Work<'_> {
    async fn subscribe(&self, app: &App, event: &str, target: &Secret, again: bool) -> Result<Line> {
        let line = Line::about(self.api, app, event);
        let known = |hook: &&HookRecord| hook.key.event == event && means(&hook.key.subject, app);
        let known: Vec<&HookRecord> = self.remembered.iter().filter(known).collect();
        let (open, hooks): (Vec<_>, Vec<_>) = known.into_iter().partition(|hook| hook.key.hook.is_empty());
        let found = match self.find(&hooks, mark(target), again).await? {
            Ok(found) => found,
            Err((hook, error)) => return Ok(line.known(hook).failed(self.api, Some(app), &error)),
        };
        let line = if let Some((hook, look)) = found.kept {
            already(line.known(hook), look)
        } else {
            match self.make(line.clone(), app, target).await? {
                Ok(line) => told_anew(line, !found.gone.is_empty()),
                Err(error) => {
                    let line = match found.others.last() {
                        Some(hook) => line.known(hook),
                        None => line,
                    };
                    let line = line.failed(self.api, Some(app), &error);
                    return Ok(left_over(still_gone(line, &found.gone), &open));
                }
            }
        };
        for hook in &open {
            self.forget(hook.key.clone()).await?;
        }
        let line = left_over(line, &open);
        let line = self.forget_gone(line, &found.gone).await?;
        self.undo_others(line, &found.others).await
    }

    /// Looks at what is remembered. Nothing is forgotten: what comes next may fail.
    async fn find<'h>(
        &self,
        hooks: &[&'h HookRecord],
        mark: [u8; 32],
        again: bool,
    ) -> Result<Result<Found<'h>, (&'h HookRecord, ApiError)>> {
        let mut found = Found { kept: None, gone: Vec::new(), others: Vec::new() };
        for hook in hooks {
            if again || hook.target != mark || found.kept.is_some() {
                found.others.push(hook);
                continue;
            }
            let looked = self.ask(self.session.look_at_hook(&hook.key.hook)).await;
            match looked.map(|look| believed(hook, look)) {
                Ok(HookLook::Missing) => found.gone.push(hook),
                Ok(look) => found.kept = Some((hook, look)),
                Err(error) => return Ok(Err((hook, error))),
            }
        }
        Ok(Ok(found))
    }

    /// Has a webhook made. The store says so before and after.
    async fn make(&self, line: Line, app: &App, target: &Secret) -> Result<Result<Line, ApiError>> {
        let key = HookKey {
            source: self.api.source.clone(),
            subject: app.key(),
            event: line.event.clone(),
            hook: String::new(),
        };
        let mark = mark(target);
        self.keep(key.clone(), mark, false).await?;
        let id = match self.ask(self.session.subscribe(app, &line.event, target)).await {
            Ok(id) if is_id(&id) => id,
            Ok(_) => return Ok(Err(ApiError::Unexpected("the new webhook's id is none".to_owned()))),
            Err(error) => {
                if is_certain(&error) {
                    self.forget(key).await?;
                }
                return Ok(Err(error));
            }
        };
        let tells = matches!(self.ask(self.session.look_at_hook(&id)).await, Ok(HookLook::There));
        if let Err(error) = self.keep(HookKey { hook: id.clone(), ..key }, mark, tells).await {
            return Err(self.take_back(&id, error).await);
        }
        let words = format!("subscribed, as webhook {id}");
        Ok(Ok(Line { hook: id, ..line }.well(State::Subscribed, words)))
    }

    /// What cannot be remembered is not left behind.
    async fn take_back(&self, id: &str, error: anyhow::Error) -> anyhow::Error {
        let words = match self.session.unsubscribe(id).await {
            Ok(_) => format!("the webhook {id} was made, could not be remembered, and is undone"),
            Err(_) => format!(
                "the webhook {id} was made and could be neither remembered nor undone: `bugle bugfender unsubscribe --hook \
                 {id}` undoes it"
            ),
        };
        error.context(words)
    }

    /// Forgets those in whose place another is now. They are undone before, in case they were there after all.
    async fn forget_gone(&self, mut line: Line, gone: &[&HookRecord]) -> Result<Line> {
        for hook in gone {
            let id = &hook.key.hook;
            match self.ask(self.session.unsubscribe(id)).await {
                Ok(was_there) => {
                    self.forget(hook.key.clone()).await?;
                    if was_there {
                        line = line.and(&format!("webhook {id} was there after all, and is undone"), true);
                    }
                }
                Err(error) => {
                    let words = format!(
                        "whether webhook {id} is gone for good could not be made sure of: {error}; try again"
                    );
                    line = line.and(&words, false);
                }
            }
        }
        Ok(line)
    }

    /// Undoes those that call an earlier address, or are there twice.
    async fn undo_others(&self, mut line: Line, others: &[&HookRecord]) -> Result<Line> {
        for hook in others {
            let id = &hook.key.hook;
            if *id == line.hook {
                continue;
            }
            line = match self.ask(self.session.unsubscribe(id)).await {
                Ok(_) => {
                    self.forget(hook.key.clone()).await?;
                    line.and(&format!("webhook {id}, the one before, is undone"), true)
                }
                Err(error) => {
                    let words =
                        format!("webhook {id}, the one before, could not be undone: {error}; try again");
                    line.and(&words, false)
                }
            };
        }
        Ok(line)
    }
}

/// Whether it can stand in an address, a line and a log.
fn is_id(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether nothing can have been made.
fn is_certain(error: &ApiError) -> bool {
    !matches!(error, ApiError::Down(_) | ApiError::Unexpected(_))
}

fn already(line: Line, look: HookLook) -> Line {
    let id = line.hook.clone();
    if look == HookLook::There {
        return line.well(State::There, format!("is subscribed already, as webhook {id}"));
    }
    let words = format!(
        "is subscribed, as webhook {id}, as far as bugle knows: this Bugfender does not tell of webhooks; `--again` makes it \
         anew"
    );
    line.well(State::Untold, words)
}

fn told_anew(line: Line, was_gone: bool) -> Line {
    if was_gone {
        let words = format!("was gone, and is {}", line.words.replacen("subscribed", "subscribed again", 1));
        return Line { words, ..line };
    }
    line
}

/// What was to be made again is still not there.
fn still_gone(line: Line, gone: &[&HookRecord]) -> Line {
    match gone.last() {
        Some(hook) => {
            let words = format!("webhook {} is gone, and none is in its place", hook.key.hook);
            line.known(hook).and(&words, false)
        }
        None => line,
    }
}

/// With what somebody before has left behind.
fn left_over(line: Line, open: &[&HookRecord]) -> Line {
    if open.is_empty() { line } else { line.and(MAY_BE, true) }
}
