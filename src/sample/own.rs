//! What bugle says when it is unwell, one of each kind.

use std::time::Duration;

use crate::clock::Moment;
use crate::delivery::Reason;
use crate::event::{Event, EventId};
use crate::name::{DestinationName, SourceName};
use crate::notice::{Bulletin, Fullness, Notice};

/// One notice of each kind, at the moment `now`, as the event that tells of it.
pub fn notices(now: Moment) -> Vec<Event> {
    let mut events: Vec<Event> = one_of_each().into_iter().map(|notice| event(vec![notice], now)).collect();
    events.push(event(many(), now));
    events
}

fn event(notices: Vec<Notice>, now: Moment) -> Event {
    let mut bulletin = Bulletin::default();
    let topic = notices.first().map_or_else(crate::notice::Topic::dead_letters, Notice::topic);
    let again = notices.len() > 1;
    for notice in notices {
        bulletin.add(notice, now);
    }
    bulletin.tell(&topic, again, Some(12), now).event()
}

fn one_of_each() -> Vec<Notice> {
    let (Some(oncall), Some(team)) = (room("oncall"), room("team")) else { return Vec::new() };
    let gone = "404 no_service";
    let problem = "error: there is no destination \"tem\"\n --> config.toml:41:12\n   |\n41 | send_to = [\"tem\"]\n   |            \
                   ^^^^^\n   |\n   = help: did you mean \"team\"?";
    let mut notices = vec![
        Notice::DestinationGone { destination: oncall.clone(), words: gone.to_owned(), fallback: None },
        dead(
            Some(&team),
            Reason::Blocked,
            "400 message blocked by a content filter",
            Some(EventId(27_000)),
            1,
        ),
        Notice::ReloadRefused { problems: vec![problem.to_owned()] },
        Notice::StoreNearlyFull(Fullness::Disk { free: 73 << 20 }),
        Notice::StoreNearlyFull(Fullness::Allowed { used: 2_200 << 20, max_size: 2 << 30 }),
        Notice::DivertingBegan { from: oncall.clone(), to: team.clone(), gone: true },
        Notice::DivertingEnded { from: oncall, to: team },
    ];
    if let Ok(source) = SourceName::new("backend") {
        notices.push(Notice::WebhooksRejected { source, reason: "unauthorized", count: 10 });
    }
    if let Ok(source) = SourceName::new("mobile") {
        let (app, event) = ("Juniper Shop".to_owned(), "new_crash".to_owned());
        notices.push(Notice::HookGone { source: source.clone(), app, event, is_caught_up: true });
        notices.extend(of_trackers(&source));
    }
    notices
}

/// What is said of a tracker that is asked for what no webhook has brought.
fn of_trackers(source: &SourceName) -> [Notice; 4] {
    let words = format!(
        "the tracker does not know these credentials; see sources.{source}.api.client_id and client_secret"
    );
    let since = Moment(1_790_000_000_000);
    let caught_up =
        |missed| Notice::CaughtUp { source: source.clone(), count: 38, missed, since, is_cut: false };
    [
        Notice::CatchUpFailing { source: source.clone(), words },
        caught_up(38),
        caught_up(0),
        Notice::SourceSilent { source: source.clone(), since, usual: Duration::from_hours(9) },
    ]
}

/// What has gathered within an hour.
fn many() -> Vec<Notice> {
    let reasons = [(Reason::GaveUp, 1_204), (Reason::UnclearTooOften, 3), (Reason::TooLong, 1)];
    let rooms = ["oncall", "team"].map(room);
    let letters = rooms.iter().flat_map(|room| {
        reasons.iter().map(|(reason, count)| dead(room.as_ref(), *reason, "503", None, *count))
    });
    letters.collect()
}

fn dead(
    destination: Option<&DestinationName>,
    reason: Reason,
    words: &str,
    example: Option<EventId>,
    count: u64,
) -> Notice {
    Notice::DeadLetters { destination: destination.cloned(), reason, words: words.to_owned(), example, count }
}

fn room(name: &str) -> Option<DestinationName> {
    DestinationName::new(name).ok()
}
