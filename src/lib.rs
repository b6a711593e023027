//! bugle relays the webhooks of error trackers to chat: received durably, routed by rules, told once.
//!
//! An event takes a straight line, which `docs/ARCHITECTURE.md` walks step by step. The modules, in its order:
//!
//! * [`event`], [`name`], [`clock`], [`secret`], [`report`]: the words everything else is written in;
//! * [`source`]: who may call, and how a tracker's body becomes events;
//! * [`rule`]: who hears of an event, and why;
//! * [`flood`]: what keeps a burst of events from becoming a burst of messages;
//! * [`intake`]: the HTTP side of all that, up to the answer;
//! * [`api`], [`catch_up`]: what trackers are asked, for what no webhook has brought;
//! * [`outbox`]: the durable line;
//! * [`template`], [`message`], [`delivery`], [`destination`]: what is said, what is owed, and how each platform takes it;
//! * [`order`]: what a person asks for after a failure;
//! * [`courier`]: one for each destination, from the outbox to the platform's answer;
//! * [`notice`], [`herald`]: what bugle says when it is unwell itself;
//! * [`subscription`]: the webhooks that bugle has subscribed at a tracker, and whether they are still there;
//! * [`metrics`]: what of all this is counted;
//! * [`config`]: the file, checked;
//! * [`admin`]: the address where the figures are shown;
//! * [`tls`], [`sockets`], [`supervisor`]: how the listener proves who it is, where it comes from, and what systemd is told;
//! * [`app`], [`lifecycle`], [`telemetry`]: the whole, started and stopped;
//! * [`cli`], [`command`]: what the binary can be told to do; [`sample`] and [`pretend`] serve `demo` and the tests.

pub mod admin;
pub mod api;
pub mod app;
pub mod catch_up;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod courier;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod flood;
pub mod herald;
pub mod intake;
pub mod lifecycle;
pub mod message;
pub mod metrics;
pub mod name;
pub mod notice;
pub mod order;
pub mod outbox;
pub mod pretend;
pub mod report;
pub mod rule;
pub mod sample;
pub mod secret;
pub mod sockets;
pub mod source;
pub mod subscription;
pub mod supervisor;
pub mod telemetry;
pub mod template;
mod text;
pub mod tls;
