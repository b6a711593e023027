//! bugle from the outside: the built binary, real HTTP, real files, real signals.
//!
//! The modules are marked as test code for the linter, which would otherwise hold their helpers for production code.

#[cfg(test)]
mod apis;
#[cfg(test)]
mod bugle;
#[cfg(test)]
mod catch_up;
#[cfg(test)]
mod compatible;
#[cfg(test)]
mod courier;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod diary;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod events;
#[cfg(test)]
mod fallback;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod healthcheck;
#[cfg(test)]
mod hours;
#[cfg(test)]
mod init;
#[cfg(test)]
mod intake_limits;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod native;
#[cfg(test)]
mod not_http;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod send_test;
#[cfg(test)]
mod store;
#[cfg(test)]
mod subscription;
#[cfg(test)]
mod tail;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod why;

#[path = "config.rs"]
#[cfg(test)]
mod configuration;
