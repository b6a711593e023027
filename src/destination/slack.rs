//! Slack: incoming webhooks of Slack and `GovSlack`, and of servers that take the same requests, see [`compatible`].
//!
//! A message is a line of `text` for notifications, blocks with the mentions and the title, and one attachment with the
//! coloured bar for the rest. Blocks hold nothing but `plain_text` and `rich_text`: in those no character acts, so there
//! is nothing to escape, and what people copy out of them is what the tracker sent. Mark-up exists in `text`, in
//! `fallback` and in the line of mentions alone.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>

mod answer;
mod compatible;
mod compose;
mod native;
mod simplest;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{NativeError, Pace, Platform, Probe, Probed, Reply};
use crate::delivery::Verdict;
use crate::message::{Mention, Message};
use crate::template::Native;

/// What a Slack destination can be told in the configuration, beyond what all destinations can.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// Whether the server knows Block Kit. Those that only take Slack's webhooks, such as Mattermost and Rocket.Chat,
    /// do not.
    blocks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { blocks: true }
    }
}

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
        if self.blocks { compose::body(message, mentions) } else { compatible::body(message, mentions) }
    }

    fn takes_native(&self) -> bool {
        self.blocks
    }

    fn fill(&self, native: &Native, mentions: &[Mention], _thread: &str) -> Result<Value, NativeError> {
        if self.blocks {
            native::fill(native, mentions)
        } else {
            Err(NativeError::shape("blocks", "cannot be sent where `blocks = false`"))
        }
    }

    fn compose_simplest(&self, message: &Message, mentions: &[Mention]) -> Value {
        if self.blocks { simplest::body(message, mentions) } else { compatible::simplest(message, mentions) }
    }

    fn can_mention(&self, mention: &Mention) -> bool {
        let form = if self.blocks { compose::mention(mention) } else { compatible::mention(mention) };
        form.is_some()
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        if self.blocks { answer::judge(reply) } else { answer::judge_compatible(reply) }
    }

    /// Other servers than Slack's own may show an empty message.
    fn probe(&self) -> Option<Probe> {
        self.blocks.then(|| Probe::Refusable(json!({ "text": "" })))
    }

    fn judge_probe(&self, reply: &Reply) -> Probed {
        answer::judge_probe(reply)
    }
}
