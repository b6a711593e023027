//! The faults, each a story of its own: something is posted, something breaks, and breaks again.

mod disk;
mod flood;
mod kill;
mod lock;
mod network;
mod outage;
mod planted;
mod reload;
mod storm;
mod term;

use futures_util::future::BoxFuture;

use crate::stage::Stage;

pub(crate) use disk::Disk;

/// A fault and how it is played.
pub(crate) struct Fault {
    /// What it is called on the command line and in the report.
    pub(crate) name: &'static str,
    /// How many rounds the short form has.
    pub(crate) short: u32,
    /// How many rounds share a story, with one relay and one judgement.
    pub(crate) in_a_story: u32,
    /// Whether an attempt's end may be unknown in it, so that messages may be shown again.
    pub(crate) may_double: bool,
    /// Whether a delivery may be given up in it.
    pub(crate) may_die: bool,
    /// Whether the store forgets in it what has been delivered.
    pub(crate) forgets: bool,
    /// Plays it.
    pub(crate) play: fn(&mut Stage) -> BoxFuture<'_, ()>,
}

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "kill",
        short: 12,
        in_a_story: 6,
        may_double: true,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(kill::at_random(stage)),
    },
    Fault {
        name: "upgrade",
        short: 3,
        in_a_story: 3,
        may_double: true,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(kill::while_it_upgrades(stage)),
    },
    Fault {
        name: "forget",
        short: 3,
        in_a_story: 5,
        may_double: true,
        may_die: true,
        forgets: true,
        play: |stage| Box::pin(kill::while_it_forgets(stage)),
    },
    Fault {
        name: "term",
        short: 3,
        in_a_story: 3,
        may_double: false,
        may_die: false,
        forgets: false,
        play: |stage| Box::pin(term::under_load(stage)),
    },
    Fault {
        name: "reload",
        short: 4,
        in_a_story: 4,
        may_double: false,
        may_die: false,
        forgets: false,
        play: |stage| Box::pin(reload::under_load(stage)),
    },
    Fault {
        name: "disk",
        short: 3,
        in_a_story: 3,
        may_double: false,
        may_die: false,
        forgets: false,
        play: |stage| Box::pin(disk::is_full(stage)),
    },
    Fault {
        name: "lock",
        short: 3,
        in_a_story: 3,
        may_double: false,
        may_die: false,
        forgets: false,
        play: |stage| Box::pin(lock::from_outside(stage)),
    },
    Fault {
        name: "network",
        short: 3,
        in_a_story: 3,
        may_double: true,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(network::on_both_sides(stage)),
    },
    Fault {
        name: "outage",
        short: 2,
        in_a_story: 2,
        may_double: false,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(outage::for_too_long(stage)),
    },
    Fault {
        name: "answers",
        short: 3,
        in_a_story: 3,
        may_double: false,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(outage::of_all_kinds(stage)),
    },
    Fault {
        name: "flood",
        short: 8,
        in_a_story: 4,
        may_double: true,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(flood::with_kills(stage)),
    },
    Fault {
        name: "storm",
        short: 4,
        in_a_story: 4,
        may_double: true,
        may_die: true,
        forgets: false,
        play: |stage| Box::pin(storm::of_everything(stage)),
    },
    Fault {
        name: "planted",
        short: 3,
        in_a_story: 1,
        may_double: false,
        may_die: false,
        forgets: false,
        play: |stage| Box::pin(planted::for_the_judge(stage)),
    },
];
