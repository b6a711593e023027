//! Which sources and applications are meant, and in words what is wrong with what was asked for.

use anyhow::{Result, bail};

use crate::api::{Access, Api, App};
use crate::config::Settings;
use crate::name::{SourceName, nearest};
use crate::outbox::HookRecord;
use crate::subscription::{apps, means};

/// The APIs of Bugfender that are configured; of the source that is `named` alone, if one is.
pub(super) fn apis<'s>(settings: &'s Settings, named: Option<&SourceName>) -> Result<Vec<&'s Api>> {
    let is_bugfender = |api: &&Api| matches!(api.access, Access::Bugfender { .. });
    let all: Vec<&Api> = settings.apis.iter().filter(is_bugfender).collect();
    let Some(name) = named else {
        if all.is_empty() {
            bail!(
                "no source has Bugfender's API configured: add [sources.NAME.api] with credentials and `apps` to the \
                 source of type \"bugfender\"; \"How to get the credentials\" in docs/CATCH_UP.md says whence"
            );
        }
        return Ok(all);
    };
    if let Some(api) = all.iter().find(|api| api.source == *name) {
        return Ok(vec![api]);
    }
    let known = settings.sources.iter().filter(|source| source.tracker.product() == "bugfender");
    let known: Vec<&str> = known.map(|source| source.name.as_str()).collect();
    match settings.sources.iter().find(|source| source.name == *name) {
        Some(source) if source.tracker.product() == "bugfender" => bail!(
            "the source {name:?} has no [sources.{name}.api]: add it with credentials and `apps`; \"How to get the \
             credentials\" in docs/CATCH_UP.md says whence",
            name = name.as_str()
        ),
        Some(source) => bail!(
            "the source {:?} takes webhooks of {}, which is told whom to call in its own dashboard{}",
            name.as_str(),
            source.tracker.product(),
            listed("sources of type \"bugfender\"", &known)
        ),
        None => bail!(
            "there is no source {:?}{}{}",
            name.as_str(),
            meant(name.as_str(), &known),
            listed("sources of type \"bugfender\"", &known)
        ),
    }
}

/// Refuses what is none of the applications of `apis`, nor of those that something is remembered of.
pub(super) fn expect_apps(apis: &[&Api], asked: &[String], remembered: &[HookRecord]) -> Result<()> {
    for key in asked {
        let mut known = apis.iter().flat_map(|api| apps(api));
        let is_remembered = remembered.iter().any(|hook| hook.key.subject == *key);
        if !is_remembered && !known.any(|app| is(app, key)) {
            let known: Vec<String> = apis.iter().flat_map(|api| apps(api)).map(App::key).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            bail!(
                "there is no application {key:?} in the configuration{}{}",
                meant(key, &known),
                listed("known", &known)
            );
        }
    }
    Ok(())
}

/// Refuses to subscribe where it is not known where Bugfender reaches bugle.
pub(super) fn expect_address(apis: &[&Api]) -> Result<()> {
    if apis.iter().any(|api| api.webhook.is_none()) {
        bail!(
            "`server.public_url` is not set, so nobody knows which address Bugfender shall call: set it to the one that \
             trackers reach, such as \"https://bugle.example.com\""
        );
    }
    Ok(())
}

/// Whether `app` is among those `asked` for; all are, if none is.
pub(super) fn is_meant(app: &App, asked: &[String]) -> bool {
    asked.is_empty() || asked.iter().any(|key| is(app, key))
}

/// The same of what is remembered of `api`.
pub(super) fn is_remembered_of(api: &Api, subject: &str, asked: &[String]) -> bool {
    let app = apps(api).iter().find(|app| means(subject, app));
    asked.is_empty() || asked.iter().any(|key| key == subject) || app.is_some_and(|app| is_meant(app, asked))
}

fn is(app: &App, key: &str) -> bool {
    means(key, app) || app.name.as_deref() == Some(key)
}

fn meant(name: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied());
    near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default()
}

fn listed(what: &str, known: &[&str]) -> String {
    if known.is_empty() { format!(" ({what}: none)") } else { format!(" ({what}: {})", known.join(", ")) }
}
