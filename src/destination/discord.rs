//! Discord: webhooks of a channel, a thread or a forum.
//!
//! A message is one embed. `content`, the only place where a mention pings, holds the wanted mentions and nothing else,
//! and `allowed_mentions` names exactly those.
//!
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>

mod answer;
mod compose;
mod markdown;
mod native;
mod ping;
mod simplest;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::draft::set;
use super::{NativeError, Pace, Platform, Probe, Probed, Reply};
use crate::delivery::Verdict;
use crate::message::{Mention, Message};
use crate::template::{Inline, InlineError, Native};
use crate::text::{is_blank, one_line, or_none};

/// The longest name of a thread, in code points.
const THREAD_NAME: usize = 100;

/// What a Discord destination can be told in the configuration, beyond what all destinations can.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Options {
    thread: Option<Thread>,
}

/// Where in the channel a message goes.
#[derive(Debug)]
enum Thread {
    /// Into this thread or forum post.
    Id(String),
    /// Into a forum post of its own, of this name.
    Name(Inline),
}

/// The options as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    thread_id: Option<String>,
    thread_name: Option<String>,
}

/// Why options cannot be used.
#[derive(Debug, thiserror::Error)]
enum OptionsError {
    #[error(
        "`thread_id` and `thread_name` exclude each other: one names a thread that exists, the other makes one"
    )]
    Both,
    #[error("`thread_id` is a number of up to 20 digits, in quotes, as in \"1234567890123456789\"")]
    Id,
    #[error("`thread_name` has 1 to {THREAD_NAME} characters, in one line")]
    Name,
    #[error("`thread_name`: {0}")]
    Template(#[from] InlineError),
}

impl TryFrom<Written> for Options {
    type Error = OptionsError;

    fn try_from(written: Written) -> Result<Self, OptionsError> {
        let thread = match (written.thread_id, written.thread_name) {
            (Some(_), Some(_)) => return Err(OptionsError::Both),
            (Some(id), None) if compose::is_id(&id) => Some(Thread::Id(id)),
            (Some(_), None) => return Err(OptionsError::Id),
            (None, Some(name)) => Some(Thread::Name(thread_name(&name)?)),
            (None, None) => None,
        };
        Ok(Self { thread })
    }
}

fn thread_name(written: &str) -> Result<Inline, OptionsError> {
    let name = one_line(written);
    let fits = !is_blank(&name) && name.chars().count() <= THREAD_NAME && !written.contains('\n');
    if fits { Ok(Inline::parse(&name)?) } else { Err(OptionsError::Name) }
}

impl Options {
    /// `body` as it is posted to a forum, if that is where it goes.
    fn in_thread(&self, mut body: Value, message: &Message) -> Value {
        if let Some(Thread::Name(_)) = &self.thread {
            set(&mut body, "thread_name", compose::thread_name(message, THREAD_NAME));
        }
        body
    }
}

impl Platform for Options {
    fn product(&self) -> &'static str {
        "discord"
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com"]
    }

    fn check_url(&self, url: &Url) -> Result<(), String> {
        let parts: Vec<&str> = url.path().trim_matches('/').split('/').collect();
        let (["api", "webhooks", rest @ ..] | ["api", _, "webhooks", rest @ ..]) = parts.as_slice() else {
            return Err(SHAPE.to_owned());
        };
        match rest {
            [_, _, endpoint @ ("slack" | "github"), ..] => Err(format!(
                "this is Discord's /{endpoint} endpoint, which takes another product's messages; leave /{endpoint} out"
            )),
            [id, token] if compose::is_id(id) && !token.is_empty() => Ok(()),
            _ => Err(SHAPE.to_owned()),
        }
    }

    fn address(&self, configured: &str, own_host: bool) -> String {
        let (path, query) = match configured.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (configured, None),
        };
        // Without a version Discord serves its oldest, which tells waits in milliseconds.
        let path =
            if own_host { path.replacen("/api/webhooks/", "/api/v10/webhooks/", 1) } else { path.to_owned() };
        let thread_id = match &self.thread {
            Some(Thread::Id(id)) => Some(id.as_str()),
            Some(Thread::Name(_)) | None => None,
        };
        let ours = |parameter: &&str| {
            let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name);
            name == "wait" || (name == "thread_id" && thread_id.is_some())
        };
        let mut parameters: Vec<&str> =
            query.unwrap_or_default().split('&').filter(|p| !p.is_empty() && !ours(p)).collect();
        parameters.push("wait=true");
        let thread = thread_id.map(|id| format!("thread_id={id}"));
        parameters.extend(thread.as_deref());
        format!("{path}?{}", parameters.join("&"))
    }

    fn pace(&self) -> Pace {
        Pace { count: 30, per: Duration::from_mins(1), burst: 5 }
    }

    fn compose(&self, message: &Message, mentions: &[Mention]) -> Value {
        self.in_thread(compose::body(message, mentions), message)
    }

    fn compose_simplest(&self, message: &Message, mentions: &[Mention]) -> Value {
        self.in_thread(simplest::body(message, mentions), message)
    }

    fn fill(&self, native: &Native, mentions: &[Mention], thread: &str) -> Result<Value, NativeError> {
        let mut body = native::fill(native, mentions)?;
        match &self.thread {
            Some(Thread::Name(_)) if !body.contains_key("thread_name") => {
                let name = compose::LITERAL.end(&one_line(thread), THREAD_NAME);
                body.insert("thread_name".to_owned(), or_none(name).into());
            }
            Some(Thread::Id(_)) => drop(body.remove("thread_name")),
            Some(Thread::Name(_)) | None => {}
        }
        Ok(body.into())
    }

    fn can_mention(&self, mention: &Mention) -> bool {
        compose::Ping::of(mention).is_some()
    }

    fn thread_name(&self) -> Option<&Inline> {
        match &self.thread {
            Some(Thread::Name(name)) => Some(name),
            Some(Thread::Id(_)) | None => None,
        }
    }

    fn judge(&self, reply: &Reply) -> Verdict {
        answer::judge(reply)
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::Read)
    }

    fn judge_probe(&self, reply: &Reply) -> Probed {
        match (answer::judge_probe(reply), &self.thread) {
            (Probed::There(words), Some(Thread::Id(_))) => {
                Probed::There(format!("{words}; whether its thread is there is not told"))
            }
            (probed, _) => probed,
        }
    }
}

const SHAPE: &str = "a Discord webhook's path is /api/webhooks/<number>/<token>; copy the whole address from the \
    channel's settings (Integrations, Webhooks)";
