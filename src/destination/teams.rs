//! Microsoft Teams: webhooks of Workflows (Power Automate), which post Adaptive Cards.
//!
//! A workflow answers before it posts, and shows its failures to its owner only: a card must be right before it is
//! sent. So it is declared as 1.4, uses elements of 1.2, and holds every text from outside in a `TextRun`, which knows
//! no mark-up on any client.
//!
//! <https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>

mod answer;
mod compose;
mod mention;
mod native;
mod simplest;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{NativeError, Pace, Platform, Reply};
use crate::delivery::Verdict;
use crate::message::{Mention, Message};
use crate::template::Native;

/// What a Teams destination can be told in the configuration, beyond what all destinations can.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {}

impl Platform for Options {
    fn product(&self) -> &'static str {
        "teams"
    }

    /// The last two are the retired connectors': known, so that [`Platform::check_url`] can say what to do instead.
    fn hosts(&self) -> &'static [&'static str] {
        &[
            "*.environment.api.powerplatform.com",
            "*.logic.azure.com",
            "*.webhook.office.com",
            "outlook.office.com",
        ]
    }

    fn check_url(&self, url: &Url) -> Result<(), String> {
        if url.host_str().is_some_and(|host| host.ends_with("office.com")) {
            return Err("this is the address of an Office 365 connector, which Microsoft has retired; make a workflow \
                in the channel's menu (Workflows, \"Send webhook alerts to a channel\") and use its address"
                .to_owned());
        }
        if !(url.path().contains("/workflows/") && url.path().contains("/triggers/")) {
            return Err(
                "a Teams webhook's path has /workflows/…/triggers/… in it; copy the whole address from the \
                workflow"
                    .to_owned(),
            );
        }
        if !url.query_pairs().any(|(name, value)| name == "sig" && !value.is_empty()) {
            return Err(
                "the address has no `sig=`; copy it with everything after the question mark, and let \
                \"Anyone\" trigger the workflow"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace { count: 25, per: Duration::from_mins(5), burst: 5 }
    }

    /// The limit is that of the person in whose name the workflows post; a tenant's host is as near as can be told.
    fn pace_group(&self, url: &Url) -> Option<String> {
        url.host_str().map(|host| format!("teams:{host}"))
    }

    fn compose(&self, message: &Message, mentions: &[Mention]) -> Value {
        compose::body(message, mentions)
    }

    fn compose_simplest(&self, message: &Message, mentions: &[Mention]) -> Value {
        simplest::body(message, mentions)
    }

    fn fill(&self, native: &Native, mentions: &[Mention], _thread: &str) -> Result<Value, NativeError> {
        native::fill(native, mentions)
    }

    fn can_mention(&self, mention: &Mention) -> bool {
        compose::person(mention).is_some()
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        answer::judge(reply)
    }
}
