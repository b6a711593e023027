//! What bugle has subscribed, and whether Bugfender still has it.

use anyhow::Result;

use crate::api::{Api, App, HookLook, Session};
use crate::command::Setting;
use crate::config::Care;
use crate::name::SourceName;
use crate::outbox::HookRecord;
use crate::subscription::{EVENTS, apps, believed, mark, means, target};

use super::line::named;
use super::subscribe::MAY_BE;
use super::{Line, State, Told, Waiting, remembered};

/// `bugle bugfender list`.
pub(super) async fn list(
    told: &mut Told<'_>,
    setting: Setting<'_>,
    care: &Care,
    apis: &[&Api],
    named: Option<&SourceName>,
) -> Result<()> {
    let all = remembered(care)?.unwrap_or_default();
    for api in apis {
        let session = match Session::new(api, setting.clock.clone()) {
            Ok(session) => session,
            Err(error) => {
                told.say(Line::unasked(api, &error))?;
                continue;
            }
        };
        for line in look(api, &session, &all).await {
            told.say(line)?;
        }
    }
    // What is remembered of a source that has no API any more.
    let is_left =
        |hook: &&HookRecord| named.is_none() && !apis.iter().any(|api| api.source == hook.key.source);
    for hook in all.iter().filter(is_left) {
        told.say(nobody_to_ask(hook))?;
    }
    Ok(())
}

/// Looks at everything that is, or could be, subscribed for the source of `api`.
pub(in crate::command) async fn look(api: &Api, session: &Session, all: &[HookRecord]) -> Vec<Line> {
    let mut own: Vec<&HookRecord> = all.iter().filter(|hook| hook.key.source == api.source).collect();
    let (mut lines, waiting) = (Vec::new(), Waiting::default());
    for app in apps(api) {
        for (event, kind) in EVENTS {
            let of_it = |hook: &&HookRecord| hook.key.event == event && means(&hook.key.subject, app);
            let (of_it, others) = own.into_iter().partition::<Vec<_>, _>(of_it);
            own = others;
            if of_it.is_empty() {
                lines.push(not_subscribed(api, app, event));
            }
            let current = target(api, kind).map(|target| mark(&target));
            for hook in of_it {
                lines.push(look_at(api, (session, &waiting), hook, current).await);
            }
        }
    }
    // What is remembered of applications that have left the configuration.
    for hook in own {
        lines.push(look_at(api, (session, &waiting), hook, None).await);
    }
    lines
}

fn not_subscribed(api: &Api, app: &App, event: &str) -> Line {
    let words = "not subscribed by bugle; a webhook that was added in the dashboard is not seen here";
    Line::about(api, app, event).well(State::NotSubscribed, words)
}

async fn look_at(
    api: &Api,
    (session, waiting): (&Session, &Waiting),
    hook: &HookRecord,
    current: Option<[u8; 32]>,
) -> Line {
    let id = &hook.key.hook;
    let line = Line::of(api, &hook.key).known(hook);
    if id.is_empty() {
        return line.unwell(State::MayBe, MAY_BE);
    }
    let looked = match waiting.asked() {
        Ok(()) => waiting.heard(session.look_at_hook(id).await),
        Err(error) => Err(error),
    };
    match looked.map(|look| believed(hook, look)) {
        Ok(HookLook::Missing) => {
            line.unwell(State::Gone, format!("webhook {id} is gone: `bugle bugfender subscribe` makes it again"))
        }
        Ok(_) if current.is_some_and(|current| current != hook.target) => line.unwell(
            State::Outdated,
            format!("webhook {id} calls an earlier address of bugle's: `bugle bugfender subscribe` makes a new one"),
        ),
        Ok(HookLook::There) => line.well(State::There, format!("webhook {id} is there")),
        Ok(HookLook::Untold) => line.well(
            State::Untold,
            format!(
                "webhook {id}; whether it is there cannot be told, since this Bugfender does not say: `bugle bugfender \
                 subscribe --again` makes it anew"
            ),
        ),
        Err(error) => line.failed(api, None, &error),
    }
}

fn nobody_to_ask(hook: &HookRecord) -> Line {
    let key = &hook.key;
    let App { number, id, .. } = named(&key.subject);
    Line {
        source: key.source.to_string(),
        app: key.subject.clone(),
        number,
        id,
        event: key.event.clone(),
        hook: key.hook.clone(),
        state: State::Failed,
        since: Some(hook.made_at),
        is_well: false,
        words: format!(
            "nobody can be asked, since there is no [sources.{}.api] any more: with it `unsubscribe` undoes this one",
            key.source
        ),
    }
}
