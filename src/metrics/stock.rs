//! What the store knows at one moment, and how it is shown.

use std::collections::BTreeSet;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::Moment;
use crate::metrics::label::OfDestination;
use crate::metrics::meter::Level;
use crate::name::DestinationName;

/// The store at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stock {
    /// One for each destination that was ever configured.
    pub queues: Vec<Queue>,
    /// The size of the file and its log, in bytes.
    pub file_bytes: u64,
    /// The bytes of the file that hold something.
    pub used_bytes: u64,
}

/// What is kept for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub destination: String,
    /// Deliveries that wait.
    pub waiting: u64,
    /// When the first of them in the queue was accepted.
    pub oldest: Option<Moment>,
    /// Dead letters.
    pub dead: u64,
    /// Whether its webhook is gone.
    pub is_gone: bool,
    /// Whether a person has had it wait.
    pub is_suspended: bool,
}

/// By a name that need not be in the configuration any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfQueue {
    destination: String,
}

impl Stock {
    /// Has `registry` show it. Of destinations that are not among `known`, only what is still kept for them.
    pub(super) fn register(&self, registry: &mut Registry, known: &BTreeSet<&DestinationName>, now: Moment) {
        let waiting = Family::<OfQueue, Gauge>::default();
        let oldest = Family::<OfQueue, Level>::default();
        let dead = Family::<OfQueue, Gauge>::default();
        let gone = Family::<OfDestination, Gauge>::default();
        let suspended = Family::<OfDestination, Gauge>::default();
        for name in known {
            let of_queue = OfQueue { destination: name.to_string() };
            waiting.get_or_create(&of_queue).set(0);
            oldest.get_or_create(&of_queue).set(0.0);
            dead.get_or_create(&of_queue).set(0);
            let of_destination = OfDestination { destination: (*name).clone() };
            gone.get_or_create(&of_destination).set(0);
            suspended.get_or_create(&of_destination).set(0);
        }
        for queue in &self.queues {
            let configured = known.iter().find(|name| name.as_str() == queue.destination);
            let of_queue = OfQueue { destination: queue.destination.clone() };
            if queue.waiting > 0 {
                let age = queue.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
                waiting.get_or_create(&of_queue).set(signed(queue.waiting));
                oldest.get_or_create(&of_queue).set(age);
            }
            if queue.dead > 0 {
                dead.get_or_create(&of_queue).set(signed(queue.dead));
            }
            if let Some(name) = configured {
                let of_destination = OfDestination { destination: (*name).clone() };
                gone.get_or_create(&of_destination).set(i64::from(queue.is_gone));
                suspended.get_or_create(&of_destination).set(i64::from(queue.is_suspended));
            }
        }
        registry.register("bugle_deliveries_queued", "Deliveries that wait", waiting);
        registry.register_with_unit(
            "bugle_deliveries_oldest_age",
            "How long ago the delivery was accepted that is first in the queue",
            Unit::Seconds,
            oldest,
        );
        registry.register("bugle_dead_letters_kept", "Dead letters that can be looked at", dead);
        registry.register(
            "bugle_destination_gone",
            "Whether the destination's webhook is gone: its deliveries wait, or go to its fallback",
            gone,
        );
        registry.register(
            "bugle_destination_suspended",
            "Whether a person has had the destination wait until it is resumed",
            suspended,
        );
        self.register_sizes(registry);
    }

    fn register_sizes(&self, registry: &mut Registry) {
        let sizes = [
            ("bugle_store_file", "The size of the store's file and of its log", self.file_bytes),
            ("bugle_store_used", "The part of the store's file that holds something", self.used_bytes),
        ];
        for (name, help, bytes) in sizes {
            let gauge = Gauge::<i64>::default();
            gauge.set(signed(bytes));
            registry.register_with_unit(name, help, Unit::Bytes, gauge);
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
