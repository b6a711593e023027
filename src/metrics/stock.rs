//! What the store knows at one moment, and how it is shown.

use std::collections::{BTreeMap, BTreeSet};

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
    /// By source, how many events it ever brought, by what became of them.
    pub arrivals: BTreeMap<String, BTreeMap<String, u64>>,
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
    /// Those of them that are only counted until the window of their error ends.
    pub held: u64,
    /// How many were ever settled, by how.
    pub settled: BTreeMap<String, u64>,
    /// When the first of them was accepted that is not held so.
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

/// By a name that need not be in the configuration any more, and a word of our own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Settled {
    destination: String,
    state: &'static str,
}

/// What a source has brought, by what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Arrived {
    source: String,
    fate: &'static str,
}

/// By a source that need not be in the configuration any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDoor {
    source: String,
}

/// The ways in which a delivery ends.
const SETTLED: [&str; 5] = ["delivered", "folded", "moved", "discarded", "dead"];

/// What becomes of an event that is read.
const FATES: [&str; 4] = ["routed", "dropped", "unmatched", "duplicate"];

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
            "How long ago the delivery was accepted that is first in the queue; what is only counted is in none",
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
        self.register_owed(registry, known);
        self.register_arrivals(registry);
        self.register_sizes(registry);
    }

    /// The parts of what each destination was ever owed. What waits is the same however it is counted, and has one name.
    fn register_owed(&self, registry: &mut Registry, known: &BTreeSet<&DestinationName>) {
        let owed = Family::<OfQueue, Gauge>::default();
        let held = Family::<OfQueue, Gauge>::default();
        let settled = Family::<Settled, Gauge>::default();
        let nothing = BTreeMap::new();
        let show = |destination: &str, waiting: u64, counted: u64, by_state: &BTreeMap<String, u64>| {
            let of_queue = OfQueue { destination: destination.to_owned() };
            let all = by_state.values().fold(waiting, |sum, count| sum.saturating_add(*count));
            owed.get_or_create(&of_queue).set(signed(all));
            held.get_or_create(&of_queue).set(signed(counted));
            for state in SETTLED {
                let labels = Settled { destination: destination.to_owned(), state };
                let count = by_state.get(state).copied().unwrap_or_default();
                settled.get_or_create(&labels).set(signed(count));
            }
        };
        for name in known {
            show(name.as_str(), 0, 0, &nothing);
        }
        for queue in &self.queues {
            let is_known = known.iter().any(|name| name.as_str() == queue.destination);
            if is_known || queue.waiting > 0 || queue.settled.values().any(|count| *count > 0) {
                show(&queue.destination, queue.waiting, queue.held, &queue.settled);
            }
        }
        let ever = "Deliveries that a destination was ever owed, whether they wait or are settled";
        registry.register("bugle_deliveries_owed", ever, owed);
        let by = "Deliveries that were ever settled, by how; what is forgotten stays counted";
        registry.register("bugle_deliveries_settled", by, settled);
        let waits = "Deliveries that wait and are only counted until the window of their error ends";
        registry.register("bugle_deliveries_held", waits, held);
    }

    fn register_arrivals(&self, registry: &mut Registry) {
        let read = Family::<OfDoor, Gauge>::default();
        let events = Family::<Arrived, Gauge>::default();
        for (source, by_fate) in &self.arrivals {
            let all = by_fate.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
            read.get_or_create(&OfDoor { source: source.clone() }).set(signed(all));
            for fate in FATES {
                let count = by_fate.get(fate).copied().unwrap_or_default();
                events.get_or_create(&Arrived { source: source.clone(), fate }).set(signed(count));
            }
        }
        let ever = "Events that a source has ever brought, second arrivals included";
        registry.register("bugle_events_read", ever, read);
        let by = "Events that a source has ever brought, by what became of them";
        registry.register("bugle_events", by, events);
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
