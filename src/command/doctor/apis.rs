//! Whether each tracker whose API is configured lets itself be asked: by one cheap question for each subject, so that wrong
//! credentials are known before anything is missed.

use crate::api::{Access, Api, ApiError, Purpose, Session, advice};
use crate::clock::Clock;
use crate::command::listing::counted;
use crate::config::Settings;
use crate::outbox::Records;
use crate::report::Report;
use crate::subscription::{apps, called};

use super::store::Seen;
use super::verdict::{Check, Health, Part};
use super::{PATIENCE, hooks};

/// Asks all at once.
pub(super) async fn look(seen: &Seen, settings: &Settings, clock: &Clock) -> Vec<Check> {
    let remembered = match seen.ask(Records::hooks) {
        Some(Ok(remembered)) => Some(remembered),
        None if seen.is_missing() => Some(Vec::new()),
        // What is wrong with the store is said of the store.
        Some(Err(_)) | None => None,
    };
    let looks = settings.apis.iter().map(|api| async {
        let session = match Session::new(api, clock.clone()) {
            Ok(session) => session,
            Err(error) => {
                let help = format!("see the keys of `sources.{}.api`", api.source);
                return vec![unknown(api, &Report(&error).to_string(), &help)];
            }
        };
        let subscribed = async {
            match &remembered {
                Some(remembered) if !apps(api).is_empty() => {
                    Some(hooks::look(api, &session, remembered).await)
                }
                _ => None,
            }
        };
        let (told, lines) = tokio::join!(ask(api, &session), subscribed);
        let (mut checks, said) = told.checks(api);
        checks.extend(
            lines.map(|lines| hooks::checks(api, lines, &said, &told.refusals())).unwrap_or_default(),
        );
        checks
    });
    futures_util::future::join_all(looks).await.into_iter().flatten().collect()
}

/// What was answered.
#[derive(Debug, Default)]
struct Told {
    /// How many subjects may be asked about.
    fine: u64,
    /// What was refused, with the subject if it concerns that alone.
    refused: Vec<(Option<String>, ApiError)>,
    /// Whether the time was over before all were asked about.
    is_late: bool,
}

async fn ask(api: &Api, session: &Session) -> Told {
    let mut told = Told::default();
    let asking = async {
        for subject in api.subjects() {
            match session.look(&subject).await {
                Ok(()) => told.fine += 1,
                // The next would hear the same.
                Err(error) if error.may_pass() || error == ApiError::Unauthorized => {
                    return told.refused.push((None, error));
                }
                Err(error) => told.refused.push((Some(subject), error)),
            }
        }
    };
    let is_late = tokio::time::timeout(PATIENCE, asking).await.is_err();
    Told { is_late, ..told }
}

impl Told {
    /// That the credentials are refused, in the words of it.
    fn refusals(&self) -> Vec<String> {
        self.refused
            .iter()
            .filter(|(_, error)| error.is_refusal())
            .map(|(_, error)| error.to_string())
            .collect()
    }

    /// In words, with those that need not be said again.
    fn checks(&self, api: &Api) -> (Vec<Check>, Vec<String>) {
        let noun = match &api.access {
            Access::Bugsnag { .. } => "project",
            Access::Bugfender { .. } => "application",
        };
        let (mut checks, mut said) = (Vec::new(), Vec::new());
        if self.fine > 0 {
            let words = format!("answers, and lets {} be asked about", counted(self.fine, noun));
            checks.push(Check::ok(Part::Sources, &about(api), &words));
        }
        for (subject, error) in &self.refused {
            let purpose = subject.as_deref().map_or(Purpose::Hooks(None), Purpose::Asking);
            let help = advice(api, purpose, error);
            said.push(format!("{error}: {help}"));
            let about = match subject {
                Some(subject) => format!("{} of {}", about(api), called(api, subject)),
                None => about(api),
            };
            let health = match error {
                ApiError::Wait(_) => Health::Unknown,
                error if error.is_refusal() => Health::Broken,
                _ => Health::Warning,
            };
            checks.push(Check::not_ok(Part::Sources, &about, health, &error.to_string(), &help));
        }
        if self.is_late {
            let words = format!("no answer to all that was asked within {} s", PATIENCE.as_secs());
            let help = format!("see whether `sources.{}.api.url` can be reached from here", api.source);
            checks.push(unknown(api, &words, &help));
        }
        (checks, said)
    }
}

fn about(api: &Api) -> String {
    format!("{}, API", api.source)
}

fn unknown(api: &Api, words: &str, help: &str) -> Check {
    Check::not_ok(Part::Sources, &about(api), Health::Unknown, words, help)
}
