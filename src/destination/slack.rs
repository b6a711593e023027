//! Slack: incoming webhooks of Slack and `GovSlack`.
//!
//! A message is a line of `text` for notifications and one attachment with the coloured bar, whose blocks hold nothing
//! but `plain_text` and `rich_text`: in those no character acts, so there is nothing to escape, and what people copy
//! out of them is what the tracker sent. Mark-up exists in `text` and `fallback` alone.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>

mod answer;
mod compose;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{Pace, Platform, Reply};
use crate::delivery::Verdict;
use crate::message::{Mention, Message};

/// What a Slack destination can be told in the configuration, beyond what all destinations can.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {}

impl Platform for Options {
    fn product(&self) -> &'static str {
        "slack"
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["hooks.slack.com", "hooks.slack-gov.com"]
    }

    fn check_url(&self, url: &Url) -> Result<(), String> {
        let parts: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["workflows" | "triggers", ..] => {
                Err("this is the address of a Workflow Builder trigger, which takes \
                variables and no messages; make an incoming webhook in a Slack app and use its address"
                    .to_owned())
            }
            ["services", team, service, token, rest @ ..]
                if team.starts_with('T')
                    && service.starts_with('B')
                    && !token.is_empty()
                    && rest.iter().all(|part| part.is_empty()) =>
            {
                Ok(())
            }
            _ => Err(
                "a Slack webhook's path is /services/T…/B…/…; copy the whole address from the app's page \
                \"Incoming Webhooks\""
                    .to_owned(),
            ),
        }
    }

    fn pace(&self) -> Pace {
        Pace { count: 1, per: Duration::from_secs(1), burst: 1 }
    }

    fn compose(&self, message: &Message, mentions: &[Mention]) -> Value {
        compose::body(message, mentions)
    }

    fn can_mention(&self, mention: &Mention) -> bool {
        compose::mention(mention).is_some()
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        answer::judge(reply)
    }
}
