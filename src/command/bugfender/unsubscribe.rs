//! `bugle bugfender unsubscribe`.

use anyhow::{Result, bail};

use crate::api::{Api, App};
use crate::command::Setting;
use crate::config::Care;
use crate::outbox::HookRecord;

use super::choose::{expect_apps, is_remembered_of};
use super::subscribe::MAY_BE;
use super::{Line, State, Told, Work};

/// Undoes what is remembered of the applications and has the ids that are `asked` for.
pub(super) async fn run(
    told: &mut Told<'_>,
    setting: Setting<'_>,
    care: &Care,
    apis: &[&Api],
    (asked, ids): (&[String], &[String]),
) -> Result<()> {
    let mut all = Vec::new();
    for api in apis {
        match Work::begin(setting, care, api)? {
            Ok(work) => all.push(work),
            Err(line) => told.say(line)?,
        }
    }
    let remembered: Vec<HookRecord> = all.iter().flat_map(|work| work.remembered.clone()).collect();
    expect_apps(apis, asked, &remembered)?;
    let unknown = ids.iter().filter(|id| !remembered.iter().any(|hook| hook.key.hook == **id));
    let unknown: Vec<&String> = unknown.collect();
    if let (Some(id), true) = (unknown.first(), apis.len() > 1) {
        bail!("bugle does not remember the webhook {id}: say with --source at whose Bugfender it is");
    }
    for work in &all {
        for hook in &work.remembered {
            let key = &hook.key;
            if is_remembered_of(work.api, &key.subject, asked) && (ids.is_empty() || ids.contains(&key.hook))
            {
                told.say(work.undo(hook).await?)?;
            }
        }
        for id in &unknown {
            told.say(work.undo_unknown(id).await)?;
        }
    }
    Ok(())
}

impl Work<'_> {
    async fn undo(&self, hook: &HookRecord) -> Result<Line> {
        let key = &hook.key;
        let line = Line::of(self.api, key).known(hook);
        if key.hook.is_empty() {
            self.forget(key.clone()).await?;
            return Ok(line.well(State::MayBe, MAY_BE));
        }
        let line = match self.ask(self.session.unsubscribe(&key.hook)).await {
            Ok(was_there) => undone(line, was_there),
            Err(error) => return Ok(line.failed(self.api, None, &error)),
        };
        self.forget(key.clone()).await?;
        Ok(line)
    }

    /// One that bugle does not remember, such as one whose making was cut off.
    async fn undo_unknown(&self, id: &str) -> Line {
        let app = App { name: Some("-".to_owned()), ..App::default() };
        let line = Line { hook: id.to_owned(), ..Line::about(self.api, &app, "") };
        match self.ask(self.session.unsubscribe(id)).await {
            Ok(was_there) => undone(line, was_there),
            Err(error) => line.failed(self.api, None, &error),
        }
    }
}

fn undone(line: Line, was_there: bool) -> Line {
    let id = line.hook.clone();
    if was_there {
        line.well(State::Undone, format!("webhook {id} is undone"))
    } else {
        line.well(State::Undone, format!("webhook {id} was gone already"))
    }
}
