//! `bugle bugfender subscribe`, `list` and `unsubscribe`: webhooks at Bugfender, made and undone by its API.
//!
//! What is made is remembered in the store, by whoever has it. One command at a time changes anything; before a webhook is
//! asked for, the store says that one may be made, so that whoever comes after a crash knows.

mod choose;
mod line;
mod look;
mod subscribe;
mod unsubscribe;

use std::io::Write;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::api::{Api, ApiError, Session};
use crate::cli::Bugfender;
use crate::command::listing::inert;
use crate::command::{Setting, nothing_yet, order, refuse};
use crate::config::{self, Care, Secrets};
use crate::order::{Hook, HookKey, Order};
use crate::outbox::{HookRecord, HooksLock, Records};

pub(super) use line::{Line, State};
pub(super) use look::look;

/// Does what is `asked`, and writes to `out` what came of it. Gives the exit code.
pub async fn run(out: &mut dyn Write, setting: Setting<'_>, asked: &Bugfender) -> Result<u8> {
    let loaded = config::find(setting.config)
        .and_then(|path| config::load(&path, setting.environment, Secrets::Resolve));
    let (settings, care) = match loaded.and_then(|loaded| Ok((loaded.settings, setting.care()?))) {
        Ok(found) => found,
        Err(problems) => return Ok(refuse(&problems)?),
    };
    let named = match asked {
        Bugfender::Subscribe { which, .. } | Bugfender::Unsubscribe { which, .. } => which.source.as_ref(),
        Bugfender::List { source } => source.as_ref(),
    };
    let apis = choose::apis(&settings, named)?;
    let mut told = Told { out, json: setting.json, lines: Vec::new() };
    let result = match asked {
        Bugfender::List { source } => look::list(&mut told, setting, &care, &apis, source.as_ref()).await,
        Bugfender::Subscribe { which, again } => {
            choose::expect_apps(&apis, &which.app, &[])?;
            choose::expect_address(&apis)?;
            let _lock = lock(&care).await?;
            subscribe::run(&mut told, setting, &care, &apis, (&which.app, *again)).await
        }
        Bugfender::Unsubscribe { which, hook } => {
            let _lock = lock(&care).await?;
            unsubscribe::run(&mut told, setting, &care, &apis, (&which.app, hook)).await
        }
    };
    // What was done is said, whatever came after it.
    told.end()?;
    result?;
    Ok(u8::from(!told.lines.iter().all(|line| line.is_well)))
}

/// What is written: as it comes for people, at the end for programs.
struct Told<'o> {
    out: &'o mut dyn Write,
    json: bool,
    lines: Vec<Line>,
}

impl Told<'_> {
    fn say(&mut self, line: Line) -> Result<()> {
        if !self.json {
            line.write(self.out)?;
            self.out.flush()?;
        }
        self.lines.push(line);
        Ok(())
    }

    /// The fields of `--json`. They are listed in `docs/OPERATIONS.md`, which a test compares.
    fn end(&mut self) -> Result<()> {
        if self.json {
            let all: Vec<Value> = self.lines.iter().map(Line::as_json).collect();
            writeln!(self.out, "{}", inert(&format!("{:#}", json!({ "hooks": all }))))?;
        } else if self.lines.is_empty() {
            writeln!(self.out, "There is nothing to do.")?;
        }
        Ok(())
    }
}

/// One source's tracker, and what is remembered of it.
struct Work<'a> {
    setting: Setting<'a>,
    care: &'a Care,
    api: &'a Api,
    session: Session,
    remembered: Vec<HookRecord>,
    waiting: Waiting,
}

/// Whether a tracker has asked to wait for longer than a person would: then it is asked nothing more.
#[derive(Default)]
struct Waiting(OnceLock<ApiError>);

impl Waiting {
    /// What the tracker has answered, unless it may be asked.
    fn asked(&self) -> Result<(), ApiError> {
        self.0.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Takes note of what the tracker has answered.
    fn heard<T>(&self, answer: Result<T, ApiError>) -> Result<T, ApiError> {
        if let Err(error @ ApiError::Wait(_)) = &answer {
            self.0.get_or_init(|| error.clone());
        }
        answer
    }
}

impl<'a> Work<'a> {
    /// What can be worked with; or what is said of a tracker that cannot be asked, which is no trouble of the others.
    fn begin(setting: Setting<'a>, care: &'a Care, api: &'a Api) -> Result<Result<Self, Line>> {
        let mut remembered = remembered(care)?.with_context(|| nothing_yet(&care.store.path))?;
        remembered.retain(|hook| hook.key.source == api.source);
        let session = match Session::new(api, setting.clock.clone()) {
            Ok(session) => session,
            Err(error) => return Ok(Err(Line::unasked(api, &error))),
        };
        Ok(Ok(Self { setting, care, api, session, remembered, waiting: Waiting::default() }))
    }

    /// What came of asking for something, unless the tracker has asked to wait.
    async fn ask<T>(&self, asking: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        self.waiting.asked()?;
        self.waiting.heard(asking.await)
    }

    async fn keep(&self, key: HookKey, target: [u8; 32], tells: bool) -> Result<()> {
        self.order(Order::KeepHook { hook: Hook { key, target, tells } }).await
    }

    async fn forget(&self, key: HookKey) -> Result<()> {
        self.order(Order::ForgetHook { key }).await
    }

    async fn order(&self, order: Order) -> Result<()> {
        order::carry_out(&order, self.setting, self.care).await.map(drop)
    }
}

/// All that is remembered; nothing if there is no store.
fn remembered(care: &Care) -> Result<Option<Vec<HookRecord>>> {
    Records::look(&care.store.path, |records| -> Result<_> { Ok(records.hooks()?) })
}

/// Waits until no other command changes subscriptions.
async fn lock(care: &Care) -> Result<HooksLock> {
    let path = care.store.path.clone();
    if !path.exists() {
        bail!(nothing_yet(&path));
    }
    let taken = tokio::task::spawn_blocking(move || HooksLock::take(&path)).await??;
    taken.context("another `bugle bugfender` is at work, and does not come to its end; nothing was changed")
}
