//! What a verdict means for the person who set the destination up, and what to do about it.

use super::{TITLE, in_words};
use crate::delivery::{Outcome, Reason, Verdict};
use crate::destination::Destination;

/// A verdict in words.
#[derive(Debug)]
pub(in crate::command) struct Advice {
    /// What became of the message.
    pub(in crate::command) outcome: &'static str,
    /// What follows from it.
    pub(in crate::command) what_to_do: String,
}

impl Advice {
    /// What `verdict` on a message to `destination` means.
    pub(in crate::command) fn on(verdict: &Verdict, destination: &Destination) -> Self {
        let chat = Chat::of(destination);
        let (outcome, what_to_do) = match verdict.outcome {
            Outcome::Delivered => ("delivered", chat.after_delivery()),
            Outcome::Wait(wait) => {
                ("not delivered, the platform asks to wait", chat.after_wait(&in_words(wait.at_least())))
            }
            Outcome::WaitEverywhere(wait) => (
                "not delivered, the platform asks its sender to wait",
                chat.after_ban(&in_words(wait.at_least())),
            ),
            Outcome::Passing => ("not delivered, this may pass", chat.after_failure(verdict.reason)),
            Outcome::Unclear => ("unclear, it may have been posted", chat.after_unclear(verdict.reason)),
            Outcome::Refused => ("refused", chat.after_refusal(verdict.reason)),
            Outcome::Gone => ("refused, and so will be every message", chat.after_gone(verdict.reason)),
        };
        Self { outcome, what_to_do }
    }
}

/// The chat behind a destination, as far as advice differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chat {
    Slack,
    /// A server that takes Slack's webhooks: Mattermost, Rocket.Chat.
    Compatible,
    Teams,
    Discord,
}

impl Chat {
    fn of(destination: &Destination) -> Self {
        match destination.platform.product() {
            "teams" => Self::Teams,
            "discord" => Self::Discord,
            _ if destination.platform.takes_native() => Self::Slack,
            _ => Self::Compatible,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Compatible => "the chat server",
            Self::Teams => "Teams",
            Self::Discord => "Discord",
        }
    }

    /// Where a new webhook is made, for a destination whose own is no more.
    fn where_webhooks_are_made(self) -> &'static str {
        match self {
            Self::Slack => "in the Slack app's page \"Incoming Webhooks\"",
            Self::Compatible => "in the chat server's settings for integrations, as an incoming webhook",
            Self::Teams => {
                "in the channel's menu \"Workflows\", with the template \"Send webhook alerts to a channel\""
            }
            Self::Discord => "in the channel's settings, under \"Integrations\", \"Webhooks\"",
        }
    }

    fn after_delivery(self) -> String {
        match self {
            Self::Teams => format!(
                "The workflow has started; only the channel can tell whether it has posted. Look there for \
                 {TITLE:?}; if it is missing, look into the workflow's run history in Power Automate."
            ),
            Self::Slack | Self::Compatible | Self::Discord => {
                format!("Look for {TITLE:?} in the channel.")
            }
        }
    }

    fn after_wait(self, wait: &str) -> String {
        let name = self.name();
        format!(
            "The address is right, but {name} has had too many messages from it just now. Try again in {wait}; a \
             running server waits by itself."
        )
    }

    fn after_ban(self, wait: &str) -> String {
        let name = self.name();
        format!(
            "Too much has come from this machine's address for {name}'s taste, perhaps not all of it from bugle. Try \
             again in {wait}; a running server holds all of its destinations there for so long."
        )
    }

    fn after_failure(self, reason: Reason) -> String {
        let name = self.name();
        match reason {
            Reason::Connect => format!(
                "Nothing left this machine. Check that the host in the destination's address is spelt right, and that \
                 this machine reaches {name}: its name service, its firewall, a proxy in HTTPS_PROXY."
            ),
            Reason::Redirected => format!(
                "Something at this address leads elsewhere, and bugle does not follow. Copy the webhook's address anew, \
                 {}; if it is the same, look for a proxy or a sign-in page in between.",
                self.where_webhooks_are_made()
            ),
            _ => format!(
                "The trouble is {name}'s own, or that of something in between. Try again in a few minutes; a running \
                 server goes on trying by itself."
            ),
        }
    }

    fn after_unclear(self, reason: Reason) -> String {
        match reason {
            Reason::Timeout => format!(
                "Look for {TITLE:?} in the channel. If it is there, the platform is slow: give the destination a longer \
                 `timeout`. If it is not, try again."
            ),
            Reason::UnreadableAnswer => format!(
                "Look for {TITLE:?} in the channel. If it is not there, something else than {} answers at this address: \
                 a proxy, a sign-in page, or another product.",
                self.name()
            ),
            _ => format!("Look for {TITLE:?} in the channel; if it is not there, try again."),
        }
    }

    fn after_refusal(self, reason: Reason) -> String {
        let name = self.name();
        match (reason, self) {
            (Reason::Misconfigured, Self::Discord) => {
                "The channel and the destination's `thread_id` or `thread_name` do not go together: a forum needs one \
                 of them, an ordinary channel takes no `thread_name`, and an archived or locked thread takes nothing."
                    .to_owned()
            }
            (Reason::Misconfigured, Self::Teams) => {
                "The workflow expects another input. Make one from the template \"Send webhook alerts to a channel\", \
                 and use its address."
                    .to_owned()
            }
            (Reason::Misconfigured, _) => {
                format!("The settings on {name}'s side do not allow this message; its words above say which.")
            }
            (Reason::Blocked, _) => {
                format!("{name}'s content filter has stopped it: ask whoever keeps the filter's rules.")
            }
            (Reason::InvalidPayload, Self::Slack) => {
                "If the address is not Slack's own but that of Mattermost, Rocket.Chat or the like, set \
                 `blocks = false` for this destination."
                    .to_owned()
            }
            (Reason::Internal, _) => {
                "The request could not be made from the destination's address; copy it anew.".to_owned()
            }
            _ => format!(
                "{name} does not take a message that it should take. Check that the address belongs to a webhook for \
                 messages, and that the destination's `type` is right."
            ),
        }
    }

    fn after_gone(self, reason: Reason) -> String {
        let (name, place) = (self.name(), self.where_webhooks_are_made());
        match (reason, self) {
            (Reason::ChannelGone, _) => format!(
                "The channel was deleted or archived. Choose another, make a webhook for it {place}, and configure its \
                 address."
            ),
            (Reason::Banned, _) => {
                format!(
                    "{name} has shut this machine's address out; nothing but time or {name}'s support helps."
                )
            }
            (Reason::Misconfigured, Self::Teams) => format!(
                "The workflow asks callers to sign in. Set its trigger to \"Anyone\" can use it, or make a new one \
                 {place}."
            ),
            (Reason::Misconfigured, _) => format!(
                "An administrator's setting in {name} forbids webhooks to post here; its words above say which."
            ),
            _ => format!(
                "The webhook is not known to {name}: it was removed or switched off, or the address is not complete. \
                 Make a new one {place}, and configure its address."
            ),
        }
    }
}
