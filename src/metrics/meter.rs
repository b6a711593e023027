//! The meters themselves: names, units, and what each means in one sentence.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Moment;
use crate::metrics::label::{
    AskingLabel, Attempt, Build, Hash, OfDestination, OfDestinationBy, OfSource, Rejection, ReloadLabel,
};
use crate::metrics::seconds;
use crate::name::DestinationName;

/// A gauge that need not be whole.
pub(super) type Level = Gauge<f64, AtomicU64>;

/// All meters that count along.
#[derive(Debug)]
pub(super) struct Meters {
    pub(super) received: Family<OfSource, Counter>,
    pub(super) rejected: Family<Rejection, Counter>,
    pub(super) accepted: Family<OfSource, Counter>,
    pub(super) duplicates: Family<OfSource, Counter>,
    pub(super) routed: Family<OfSource, Counter>,
    pub(super) unmatched: Family<OfSource, Counter>,
    pub(super) dropped: Family<OfSource, Counter>,
    pub(super) unreadable: Family<OfSource, Counter>,
    pub(super) caught_up: Family<OfSource, Counter>,
    pub(super) askings: Family<AskingLabel, Counter>,
    pub(super) api_requests: Family<OfSource, Counter>,
    pub(super) attempts: Family<Attempt, Counter>,
    pub(super) attempt_duration: Family<OfDestination, Histogram>,
    pub(super) delivered: Family<OfDestination, Counter>,
    pub(super) folded: Family<OfDestination, Counter>,
    pub(super) delay: Family<OfDestination, Histogram>,
    pub(super) last_success: Family<OfDestination, Level>,
    pub(super) moved: Family<OfDestinationBy, Counter>,
    pub(super) discarded: Family<OfDestination, Counter>,
    pub(super) dead_letters: Family<OfDestinationBy, Counter>,
    pub(super) template_failures: Family<OfDestination, Counter>,
    pub(super) commit_duration: Histogram,
    pub(super) commit_changes: Histogram,
    pub(super) store_limit: Gauge,
    pub(super) store_trouble: Gauge,
    pub(super) store_refusals: Counter,
    pub(super) reloads: Family<ReloadLabel, Counter>,
    pub(super) reload_good: Gauge,
    pub(super) reload_time: Level,
}

/// From a webhook next door to one that just so makes it, in seconds.
const ATTEMPT_SECONDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From at once to given up, in seconds.
const DELAY_SECONDS: [f64; 13] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 14_400.0, 86_400.0];

/// From a fast disk to the patience of a webhook's request, in seconds.
const COMMIT_SECONDS: [f64; 12] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 3.0];

/// Up to the most that share a commit.
const COMMIT_CHANGES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

impl Meters {
    /// Makes them all and has `registry` show them. The process has run since `started`.
    pub(super) fn register(registry: &mut Registry, started: Moment) -> Self {
        let start = Level::default();
        start.set(seconds(started));
        registry.register_with_unit(
            "process_start_time",
            "When this process began to serve, since 1970",
            Unit::Seconds,
            start,
        );
        let ours = registry.sub_registry_with_prefix("bugle");
        ours.register("build", "Which build this is; always 1", Info::new(build()));
        let meters = Self {
            received: Family::default(),
            rejected: Family::default(),
            accepted: Family::default(),
            duplicates: Family::default(),
            routed: Family::default(),
            unmatched: Family::default(),
            dropped: Family::default(),
            unreadable: Family::default(),
            caught_up: Family::default(),
            askings: Family::default(),
            api_requests: Family::default(),
            attempts: Family::default(),
            attempt_duration: Family::new_with_constructor(|| Histogram::new(ATTEMPT_SECONDS)),
            delivered: Family::default(),
            folded: Family::default(),
            delay: Family::new_with_constructor(|| Histogram::new(DELAY_SECONDS)),
            last_success: Family::default(),
            moved: Family::default(),
            discarded: Family::default(),
            dead_letters: Family::default(),
            template_failures: Family::default(),
            commit_duration: Histogram::new(COMMIT_SECONDS),
            commit_changes: Histogram::new(COMMIT_CHANGES),
            store_limit: Gauge::default(),
            store_trouble: Gauge::default(),
            store_refusals: Counter::default(),
            reloads: Family::default(),
            reload_good: Gauge::default(),
            reload_time: Level::default(),
        };
        meters.register_intake(ours);
        meters.register_catch_up(ours);
        meters.register_deliveries(ours);
        meters.register_store(ours);
        meters.register_reloads(ours);
        meters
    }

    fn register_intake(&self, registry: &mut Registry) {
        registry.register(
            "webhooks_received",
            "Webhooks that were answered, taken or refused; with an empty source those to an address that no source has",
            self.received.clone(),
        );
        registry.register(
            "webhooks_rejected",
            "Webhooks that were refused, by the code in the answer",
            self.rejected.clone(),
        );
        registry.register(
            "events_accepted",
            "Events that came for the first time and are on disk",
            self.accepted.clone(),
        );
        registry.register(
            "events_duplicate",
            "Events that had come before, and were not sent again",
            self.duplicates.clone(),
        );
        registry.register(
            "events_routed",
            "Accepted events that a rule sends to somebody",
            self.routed.clone(),
        );
        registry.register(
            "events_unmatched",
            "Accepted events that no rule matched, whether or not a default destination took them",
            self.unmatched.clone(),
        );
        registry.register(
            "events_dropped",
            "Accepted events that a rule sends to nobody",
            self.dropped.clone(),
        );
        registry.register(
            "events_unreadable",
            "Accepted events of which nothing could be read",
            self.unreadable.clone(),
        );
    }

    fn register_catch_up(&self, registry: &mut Registry) {
        registry.register(
            "events_caught_up",
            "Accepted events that no webhook had brought: the tracker told them when it was asked",
            self.caught_up.clone(),
        );
        registry.register(
            "catch_up_askings",
            "How often a tracker was asked about an application or a project, by what came of it",
            self.askings.clone(),
        );
        registry.register(
            "catch_up_requests",
            "Requests to a tracker's API, those about webhooks included",
            self.api_requests.clone(),
        );
    }

    fn register_deliveries(&self, registry: &mut Registry) {
        registry.register(
            "delivery_attempts",
            "Attempts to post a message that have ended, by how and why",
            self.attempts.clone(),
        );
        registry.register_with_unit(
            "delivery_attempt_duration",
            "How long an attempt took, from its claim to the platform's answer",
            Unit::Seconds,
            self.attempt_duration.clone(),
        );
        registry.register(
            "deliveries_delivered",
            "Deliveries that the platform has taken",
            self.delivered.clone(),
        );
        registry.register(
            "deliveries_folded",
            "Deliveries of which a message tells that was made for several, and that the platform has taken",
            self.folded.clone(),
        );
        registry.register_with_unit(
            "delivery_delay",
            "How long a delivered event was under way, from its acceptance to the platform's answer",
            Unit::Seconds,
            self.delay.clone(),
        );
        registry.register_with_unit(
            "destination_last_success_timestamp",
            "When the platform last took a message, since 1970; not there before the first since the start",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "deliveries_moved",
            "Deliveries that another took over, at a fallback, where a person moved it, or sent again; covered: one that was there anyway",
            self.moved.clone(),
        );
        registry.register(
            "dead_letters_discarded",
            "Dead letters that a person has discarded",
            self.discarded.clone(),
        );
        registry.register(
            "dead_letters",
            "Deliveries that were given up, by the reason",
            self.dead_letters.clone(),
        );
        registry.register(
            "template_failures",
            "How often a template failed while a message was made, which is plainer for it",
            self.template_failures.clone(),
        );
    }

    fn register_store(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "store_commit_duration",
            "How long a commit took that was flushed to the disk, which a webhook waits for",
            Unit::Seconds,
            self.commit_duration.clone(),
        );
        registry.register(
            "store_commit_changes",
            "How many changes shared such a commit",
            self.commit_changes.clone(),
        );
        registry.register_with_unit(
            "store_limit",
            "How much of the store's file may hold something before the oldest settled history goes",
            Unit::Bytes,
            self.store_limit.clone(),
        );
        registry.register(
            "store_trouble",
            "Whether the store could not be written when it was last tried",
            self.store_trouble.clone(),
        );
        registry.register(
            "store_refused_changes",
            "Changes that the store refused, as it never should",
            self.store_refusals.clone(),
        );
    }

    fn register_reloads(&self, registry: &mut Registry) {
        registry.register(
            "configuration_reloads",
            "How often the configuration was read again, by what came of it",
            self.reloads.clone(),
        );
        registry.register(
            "configuration_last_reload_successful",
            "Whether the configuration could be used when it was last read",
            self.reload_good.clone(),
        );
        registry.register_with_unit(
            "configuration_last_success_timestamp",
            "When a configuration was last read that could be used, since 1970",
            Unit::Seconds,
            self.reload_time.clone(),
        );
    }
}

fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("BUGLE_REVISION").unwrap_or_default(),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" },
    }
}

/// Has `registry` show which configuration is in force.
pub(super) fn register_configuration(registry: &mut Registry, hash: String) {
    registry.register(
        "bugle_configuration",
        "Which configuration is in force, by its digest; always 1",
        Info::new(Hash { hash }),
    );
}

/// Has `registry` show for how long each destination is held.
pub(super) fn register_holds(registry: &mut Registry, holds: &[(DestinationName, Duration)]) {
    let family = Family::<OfDestination, Level>::default();
    for (destination, left) in holds {
        let destination = destination.clone();
        family.get_or_create(&OfDestination { destination }).set(left.as_secs_f64());
    }
    registry.register_with_unit(
        "bugle_destination_hold",
        "For how long a destination is still left alone, since its platform asked for it or after failures",
        Unit::Seconds,
        family,
    );
}
