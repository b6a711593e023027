//! `bugle doctor`: looks at everything that a person would look at when no message comes, and says what to do.
//!
//! Nothing is changed and nothing is sent, but for `--post`. Files are looked at first; whatever goes over the network is
//! asked for at the same time and within one bound, so that what is dead holds nothing else up.

mod apis;
mod asked;
mod destinations;
mod hooks;
mod public;
mod server;
mod setup;
mod sources;
mod store;
mod verdict;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::cli::Doctor;
use crate::command::listing::inert;
use crate::command::send_test::find;
use crate::command::{EXIT_CONFIG, Setting};
use crate::config::{self, Loaded, Problem, Secrets};
use crate::name::DestinationName;

use store::Seen;
use verdict::{Check, Health, as_json, tell, worst};

/// How long anything may take that goes over the network.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at everything and writes what it is like to `out`. Gives the exit code: 0, or 1 if something is broken, or
/// [`EXIT_CONFIG`] if the configuration has problems.
pub async fn run(out: &mut dyn Write, setting: Setting<'_>, asked: &Doctor) -> Result<u8> {
    let path = config::find(setting.config);
    let loaded = path.and_then(|path| {
        config::load(&path, setting.environment, Secrets::Resolve).map(|found| (path, found))
    });
    let (problems, checks) = match loaded {
        Ok((path, loaded)) => {
            // A name that is none is found before anything is posted.
            for name in asked.post.iter().flatten() {
                find(&loaded.settings.destinations, name)?;
            }
            (Vec::new(), look(setting, asked, &path, &loaded).await)
        }
        Err(problems) => {
            let problems = problems.into_all();
            let checks = look_at_the_rest(setting, &problems).await;
            (problems, checks)
        }
    };
    if setting.json {
        writeln!(out, "{}", inert(&format!("{:#}", as_json(&checks))))?;
    } else {
        for problem in &problems {
            writeln!(out, "{}\n", problem.render(false))?;
        }
        tell(out, &checks)?;
    }
    if !problems.is_empty() {
        return Ok(EXIT_CONFIG);
    }
    Ok(u8::from(worst(&checks) == Health::Broken))
}

/// Everything, by a configuration that is in order.
async fn look(setting: Setting<'_>, asked: &Doctor, path: &Path, loaded: &Loaded) -> Vec<Check> {
    let now = setting.clock.now();
    let settings = &loaded.settings;
    let seen = Seen::of(&settings.store.path, settings.destinations.iter().map(|room| room.name.as_str()));
    let mut checks = setup::look(path, loaded);
    checks.extend(store::look(&seen, &settings.store, now));
    checks.extend(sources::look(&seen, settings, now));
    checks.extend(asked::look(&seen, settings, now));
    let (served, public, trackers, rooms) = tokio::join!(
        server::look(setting, &seen, Some(loaded.written.hash())),
        public::look(&settings.server),
        apis::look(&seen, settings, setting.clock),
        destinations::look(setting.clock, asked, &settings.destinations, &seen),
    );
    checks.extend(served.into_iter().chain(public).chain(trackers).chain(rooms));
    checks
}

/// What can be looked at without a configuration that is in order.
async fn look_at_the_rest(setting: Setting<'_>, problems: &[Problem]) -> Vec<Check> {
    let mut checks = setup::look_at_problems(problems, setting.json);
    let Ok(care) = setting.care() else { return checks };
    let now = setting.clock.now();
    let seen = Seen::of(&care.store.path, care.destinations.iter().map(DestinationName::as_str));
    checks.extend(store::look(&seen, &care.store, now));
    checks.extend(server::look(setting, &seen, None).await);
    checks.extend(destinations::standings(&seen, now));
    checks
}
