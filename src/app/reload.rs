//! The configuration read again while the relay runs: all of it or nothing.
//!
//! What is read again is checked like at the start. If anything is wrong with it, or if it needs a restart, the one in
//! force stays, whole. If not, the doors and the rules change at once, and each destination that has changed gets
//! another courier; those that have not are not disturbed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::admin::BackDoor;
use crate::app::asking::Asking;
use crate::app::crew::Crew;
use crate::config::{
    Loaded, Origin, Problem, ProblemSeverity, Refused, Server, Settings, Store, Watched, Written,
};
use crate::herald::Notices;
use crate::intake::{Desk, Intake};
use crate::metrics;
use crate::name::DestinationName;
use crate::notice::{Matter, Notice};
use crate::outbox::{Outbox, Reread, StoreError};
use crate::report::Report;
use crate::supervisor;
use crate::tls::Certificates;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// An editor may write in several steps: files are read once they have stayed the same for this long …
const SETTLED: Duration = Duration::from_millis(250);

/// … but after so many looks in any case.
const LOOKS: usize = 3;

/// How long reading may take: a network drive may never answer, and another reading must be possible then.
const LOADING: Duration = Duration::from_mins(1);

/// More changes than this are not written down one by one.
const LINES: usize = 50;

/// After the store was in the way of a change, the pause before it is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What has to be known to change the configuration in force.
#[derive(Debug)]
pub(super) struct Reload {
    /// What cannot change without a restart.
    fixed: Fixed,
    written: Written,
    origin: Origin,
    watched: Arc<Watched>,
    /// Whether the last reading was.
    is_refused: bool,
    crew: Crew,
    asking: Asking,
    doors: Doors,
    outbox: Outbox,
    notices: Notices,
    /// Somebody asks for it.
    asked: Arc<Notify>,
}

/// Where others come in.
#[derive(Debug)]
pub(super) struct Doors {
    /// The one for webhooks.
    pub(super) intake: Arc<Intake>,
    /// The admin address.
    pub(super) back_door: Arc<BackDoor>,
    /// With which the one for webhooks proves who it is, if it does.
    pub(super) certificates: Option<Certificates>,
}

/// The settings that are bound to the running process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    server: Server,
    admin: String,
    admin_is_public: bool,
    store: Store,
}

/// Why an admin address that others can reach is not opened. A passed socket may be one, whatever `admin.listen` says.
pub(super) const UNGUARDED: &str =
    "the admin address can be reached from other machines, so `admin.token` must be set";

impl Fixed {
    /// Those of `settings`, where other machines can reach the admin address or not.
    pub(super) fn of(Settings { server, admin, store, .. }: &Settings, admin_is_public: bool) -> Self {
        Self { server: server.clone(), admin: admin.listen.clone(), admin_is_public, store: store.clone() }
    }

    /// Why `settings`, with these `changes` to what is in force, cannot be put in force beside them.
    fn objection(&self, settings: &Settings, changes: &[String]) -> Option<String> {
        let differs = [
            ("`server`", self.server != settings.server),
            ("`admin.listen`", self.admin != settings.admin.listen),
            ("`store`", self.store != settings.store),
        ];
        let differs: Vec<_> =
            differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        if !differs.is_empty() {
            let keys = ["`server.", "`admin.listen", "`store."];
            let named = changes.iter().filter(|change| keys.iter().any(|key| change.starts_with(key)));
            let named: Vec<_> = named.map(String::as_str).collect();
            return Some(format!("a change of {} needs a restart: {}", differs.join(", "), named.join("; ")));
        }
        let is_unguarded = self.admin_is_public && settings.admin.token.is_none();
        is_unguarded.then(|| UNGUARDED.to_owned())
    }
}

/// One reason why a configuration is not put in force: in a line, and as it is shown to people.
#[derive(Debug)]
struct Refusal {
    line: String,
    full: String,
}

impl Refusal {
    fn of(words: String) -> Self {
        Self { line: words.clone(), full: words }
    }
}

/// Why the files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    Change,
    /// What was read could not be put in force for a reason that may pass.
    Again,
}

impl Reload {
    /// Everything that follows from a change of what `loaded` was read from, with `settings` in force.
    pub(super) fn new(
        fixed: Fixed,
        (written, origin, watched): (Written, Origin, Watched),
        (crew, asking): (Crew, Asking),
        doors: Doors,
        outbox: Outbox,
        notices: Notices,
        asked: Arc<Notify>,
    ) -> Self {
        let (watched, is_refused) = (Arc::new(watched), false);
        Self { fixed, written, origin, watched, is_refused, crew, asking, doors, outbox, notices, asked }
    }

    /// Reads the configuration again whenever somebody asks or a file changes, until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut again = false;
        loop {
            let cause = tokio::select! {
                () = self.asked.notified() => Cause::Signal,
                () = changed(&self.watched) => Cause::Change,
                () = tokio::time::sleep(STORE_PAUSE), if again => Cause::Again,
                () = stop.cancelled() => return,
            };
            supervisor::reloading();
            let result = tokio::select! {
                result = self.reload(cause) => result,
                () = stop.cancelled() => return,
            };
            supervisor::ready();
            again = result.is_none();
        }
    }

    /// Reads it and puts it in force if it can be; the log says what came of it. Nothing if it should be tried again.
    async fn reload(&mut self, cause: Cause) -> Option<metrics::Reloaded> {
        let result = match self.read_again().await {
            Ok(loaded) => self.put_in_force(loaded, cause).await?,
            Err(problems) => {
                self.refuse(problems).await;
                metrics::Reloaded::Refused
            }
        };
        self.crew.metrics().reload(result);
        Some(result)
    }

    /// What the files say now; or what is wrong with that, problem by problem.
    async fn read_again(&mut self) -> Result<Loaded, Vec<Refusal>> {
        let origin = self.origin.clone();
        let loaded = match timeout(LOADING, spawn_blocking(move || origin.load())).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => return Err(vec![Refusal::of(error.to_string())]),
            Err(_) => {
                let words =
                    format!("it could not be read within {} s: does the disk answer?", LOADING.as_secs());
                return Err(vec![Refusal::of(words)]);
            }
        };
        let loaded = loaded.map_err(|Refused { problems, watched }| {
            self.watched = Arc::new(watched);
            let problems = problems.into_all().into_iter();
            let problems = problems.filter(|problem| problem.severity == ProblemSeverity::Error);
            let refusal =
                |problem: Problem| Refusal { line: problem.to_string(), full: problem.render(false) };
            problems.map(refusal).collect::<Vec<_>>()
        })?;
        self.watched = Arc::new(loaded.watched.clone());
        let changes = self.written.changes_to(&loaded.written);
        match self.fixed.objection(&loaded.settings, &changes) {
            Some(objection) => Err(vec![Refusal::of(objection)]),
            None => Ok(loaded),
        }
    }

    async fn refuse(&mut self, refusals: Vec<Refusal>) {
        self.is_refused = true;
        let lines: Vec<String> = refusals.iter().map(|refusal| refusal.line.clone()).collect();
        if let Err(error) = self.outbox.note_configuration(Reread::Refused, self.crew.now(), &lines).await {
            tracing::warn!(%error, "the refused configuration is not in the store's history");
        }
        for Refusal { line, .. } in &refusals {
            tracing::error!(problem = line, "the configuration is refused; the one before stays in force");
        }
        let problems = refusals.into_iter().map(|refusal| refusal.full).collect();
        self.notices.tell(Notice::ReloadRefused { problems });
    }

    /// Puts a configuration in force, if it says anything new. The store may be in the way for a while: nothing then,
    /// and the one before stays.
    async fn put_in_force(&mut self, loaded: Loaded, cause: Cause) -> Option<metrics::Reloaded> {
        let Loaded { settings, written, warnings, .. } = loaded;
        self.notices.is_over(Matter::Reload);
        let was_refused = std::mem::take(&mut self.is_refused);
        let changes = self.written.changes_to(&written);
        if changes.is_empty() {
            if cause == Cause::Signal || was_refused {
                tracing::info!(
                    "the configuration was read again: it is in order, and nothing has changed in it"
                );
            }
            return Some(metrics::Reloaded::Unchanged);
        }
        for warning in &warnings {
            tracing::warn!(problem = %warning, "the configuration loads, with a warning");
        }
        match self.apply(&settings, &changes).await {
            Ok(()) => {}
            Err(StoreError::Unavailable | StoreError::Damaged) => {
                tracing::error!("the new configuration waits for the store; the one before stays in force");
                return None;
            }
            Err(error @ (StoreError::Refused | StoreError::Stopped)) => {
                let words = Report(&error).to_string();
                self.refuse(vec![Refusal::of(words)]).await;
                return Some(metrics::Reloaded::Refused);
            }
        }
        self.crew.metrics().configuration(&written.hash());
        self.written = written;
        for change in changes.iter().take(LINES) {
            tracing::info!(change, "the configuration has changed");
        }
        if let Some(more) = changes.len().checked_sub(LINES).filter(|more| *more > 0) {
            tracing::info!(more, "the configuration has changed in more places");
        }
        tracing::info!(changes = changes.len(), "the new configuration is in force");
        Some(metrics::Reloaded::Applied)
    }

    async fn apply(&mut self, settings: &Settings, changes: &[String]) -> Result<(), StoreError> {
        let Settings {
            server, admin, sources, rules, destinations, people, templates, notices_to, apis, ..
        } = settings;
        let rule_set = self.outbox.keep_rules(rules).await?;
        let throttles = self.crew.throttles_for(destinations).await?;
        let at = self.crew.now();
        // First the doors: what comes from now on is owed to the destinations that there are then.
        self.doors.back_door.set(admin.token.clone());
        self.doors.intake.set(Desk::new(sources.clone(), Arc::clone(rules), rule_set));
        let identity = server.tls.as_ref().and_then(|tls| tls.identity.clone());
        if let (Some(certificates), Some(identity)) = (&self.doors.certificates, identity) {
            certificates.replace(identity);
        }
        let dismissed = self.crew.set(throttles, destinations, people, &templates.set);
        self.notices.send_to(notices_to.clone());
        self.asking.set(apis);
        self.tell_of(&dismissed).await;
        // It is in force; that it came is only told later.
        if let Err(error) = self.outbox.note_configuration(Reread::Reload(rule_set), at, changes).await {
            tracing::warn!(%error, "the new configuration is not in the store's history");
        }
        Ok(())
    }

    /// Says how much waits for destinations that are not configured any more.
    async fn tell_of(&self, dismissed: &[DestinationName]) {
        let known: Vec<DestinationName> = self.crew.names();
        let Ok(stranded) = self.outbox.stranded(&known).await else { return };
        for (destination, waiting) in stranded {
            if dismissed.iter().any(|name| name.as_str() == destination) {
                tracing::warn!(
                    destination,
                    waiting,
                    "the destination has left the configuration; what waits for it goes out if it comes back"
                );
            }
        }
    }
}

/// Returns once something that was `watched` has changed, and has stayed as it is for a moment.
async fn changed(watched: &Arc<Watched>) {
    let look = |watched: &Arc<Watched>| {
        let watched = Arc::clone(watched);
        async move { spawn_blocking(move || watched.now()).await.ok().map(Arc::new) }
    };
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(mut now) = look(watched).await else { continue };
        if now == *watched {
            continue;
        }
        for _ in 0..LOOKS {
            tokio::time::sleep(SETTLED).await;
            let Some(later) = look(watched).await else { break };
            if later == now {
                break;
            }
            now = later;
        }
        return;
    }
}
