//! Watching: whatever happens between two looks, each thing is told once, also when numbers are used again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::order::{Letters, Order};

/// Something that happens, by its number.
const HAPPENINGS: u8 = 15;

/// What was told, as [`KNOWN`] has it.
fn key(news: &News) -> String {
    let at = news.at.0;
    match &news.what {
        Happening::Arrived { event, destinations, .. } => {
            format!("arrived {} {at} {}", event.id.0, destinations.len())
        }
        Happening::CameAgain { event } => format!("duplicate {} {at}", event.id.0),
        Happening::Delivered { sent, attempt } => format!("delivered {} {attempt} {at}", sent.delivery),
        Happening::Failed { sent, attempt, .. } => format!("failed {} {attempt} {at}", sent.delivery),
        Happening::Folded { sent, count } => format!("folded {} {count} {at}", sent.delivery),
        Happening::GivenUp { sent, .. } => format!("dead {} {at}", sent.delivery),
        Happening::Discarded { sent } => format!("discarded {} {at}", sent.delivery),
        Happening::Moved { sent, to, .. } => format!("moved {} {to} {at}", sent.delivery),
        Happening::Refused { reason, .. } => format!("refused {reason}"),
        Happening::Configuration { how, .. } => format!("configuration {how} {at}"),
        Happening::Started { cut_off_at, .. } => format!("started {at} {}", cut_off_at.is_some()),
        Happening::Paused { .. } => format!("paused {at} true"),
        Happening::Stopped { .. } => format!("stopped {at}"),
        Happening::Began { destination, spell, .. } => format!("began {destination} {spell} {at}"),
        Happening::Ended { destination, spell, .. } => format!("ended {destination} {spell} {at}"),
    }
}

const KNOWN: &str = "
    SELECT 'arrived ' || id || ' ' || received_at || ' ' || 1 FROM events
    UNION SELECT 'duplicate ' || event || ' ' || received_at FROM duplicates
    UNION SELECT iif(outcome = 'delivered', 'delivered ', 'failed ') || delivery || ' '
        || row_number() OVER (PARTITION BY delivery ORDER BY id) || ' ' || ended_at FROM attempts WHERE ended_at IS NOT NULL
    UNION SELECT state || ' ' || id || iif(state = 'moved', ' team', '') || ' ' || settled_at FROM deliveries
        WHERE state IN ('dead', 'discarded', 'moved')
    UNION SELECT 'configuration ' || how || ' ' || at FROM configurations
    UNION SELECT iif(goes_on, 'paused ', 'started ') || started_at || iif((SELECT stopped_at IS NULL FROM runs b WHERE b.id < r.id ORDER BY b.id DESC),
                                                 ' true', ' false') FROM runs r
    UNION SELECT 'stopped ' || stopped_at FROM runs WHERE stopped_at IS NOT NULL
    UNION SELECT 'began ' || destination || ' ' || kind || ' ' || since FROM spells
    UNION SELECT 'ended ' || destination || ' ' || kind || ' ' || until FROM spells WHERE until IS NOT NULL";

/// A story that is watched.
struct Watched {
    story: Story,
    records: Records,
    watch: Watch,
    claim: Option<Claim>,
    run: RunId,
    runs_on: bool,
    told: Vec<News>,
    known: BTreeSet<String>,
    refused: u64,
    number: usize,
}

impl Watched {
    async fn begin() -> Self {
        let story = Story::begin().await;
        let run = story.outbox.begin_run("1.2.3", story.rules).await.unwrap();
        let records = Records::open(&story.folder.path().join("bugle.db")).unwrap().unwrap();
        let watch = Watch::begin(&records, 10_000, story.clock.now()).unwrap();
        let (claim, told, known) = (None, Vec::new(), BTreeSet::new());
        Self { story, records, watch, claim, run, runs_on: true, told, known, refused: 0, number: 0 }
    }

    async fn order(&self, order: Order) {
        // What cannot be done is not done.
        drop(self.story.outbox.carry_out(&order, None).await);
    }

    async fn settle(&mut self, outcome: Outcome, settlement: Settlement) {
        if let Some(claim) = self.claim.take() {
            self.story.settle(&claim, outcome, settlement).await;
        }
    }

    async fn happen(&mut self, what: u8) {
        self.story.clock.advance(Duration::from_secs(1));
        let now = self.story.clock.now();
        let letters =
            Letters { events: Vec::new(), destination: None, reason: None, since: None, until: None };
        match what {
            0 | 1 => {
                self.number += 1;
                self.story.accept(event(&format!("event {}", self.number)), false).await;
            }
            2 => drop(self.story.accept(event(&format!("event {}", self.number.max(1))), false).await),
            3 | 4 if self.claim.is_none() => self.claim = self.story.claim().await,
            5 => self.settle(Outcome::Delivered, Settlement::Delivered).await,
            6 => self.settle(Outcome::Refused, Settlement::Dead(Reason::TooLong)).await,
            7 => self.settle(Outcome::Passing, Settlement::Again { at: now, failures: 1, unclear: 0 }).await,
            8 => self.order(Order::Redrive { letters, to: None }).await,
            9 => self.order(Order::Discard { letters }).await,
            10 => {
                let read = if self.number.is_multiple_of(2) {
                    Reread::Refused
                } else {
                    Reread::Reload(self.story.rules)
                };
                self.story
                    .outbox
                    .note_configuration(read, self.story.clock.now(), &["a line".to_owned()])
                    .await
                    .unwrap();
            }
            11 if self.runs_on => {
                self.refused += 2;
                let (source, sender) = (SourceName::new("backend").ok(), None);
                let refused =
                    Refused { source, reason: "unauthorized", first_at: now, last_at: now, count: 2, sender };
                self.run = self.story.outbox.beat(self.run, vec![refused]).await.unwrap();
            }
            12 => {
                if self.runs_on && !self.number.is_multiple_of(3) {
                    self.story.outbox.end_run(self.run, Vec::new()).await.unwrap();
                    self.runs_on = false;
                } else {
                    self.run = self.story.outbox.begin_run("1.2.3", self.story.rules).await.unwrap();
                    self.runs_on = true;
                }
            }
            13 => {
                let destination = team();
                let suspended = "SELECT count(*) FROM destinations WHERE suspended_since IS NOT NULL";
                let is_suspended = self.story.query::<i64>(suspended) > 0;
                let order =
                    if is_suspended { Order::Resume { destination } } else { Order::Suspend { destination } };
                self.order(order).await;
            }
            14 => self.forget(),
            _ => {}
        }
        self.remember();
    }

    /// Writes down what there is to know now.
    fn remember(&mut self) {
        let file = Connection::open(self.story.folder.path().join("bugle.db")).unwrap();
        let mut statement = file.prepare(KNOWN).unwrap();
        let keys = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
        self.known.extend(keys.filter_map(Result::unwrap));
    }

    /// Forgets the last event that is settled, so that the numbers of what is forgotten with it are used again. What was not
    /// told by then, nobody can tell.
    fn forget(&mut self) {
        self.look();
        let file = Connection::open(self.story.folder.path().join("bugle.db")).unwrap();
        let last = "SELECT max(id) FROM events e WHERE NOT EXISTS (
                        SELECT 1 FROM deliveries d WHERE d.event = e.id AND d.state = 'waiting')";
        if let Some(event) = file.query_row(last, [], |row| row.get::<_, Option<i64>>(0)).unwrap() {
            file.execute_batch(&format!(
                "DELETE FROM attempts WHERE delivery IN (SELECT id FROM deliveries WHERE event = {event});
                 DELETE FROM deliveries WHERE event = {event};
                 DELETE FROM duplicates WHERE event = {event};
                 DELETE FROM identities WHERE event = {event};
                 DELETE FROM events WHERE id = {event};"
            ))
            .unwrap();
        }
    }

    fn look(&mut self) {
        loop {
            let news = self.watch.look(&self.records, self.story.clock.now()).unwrap();
            assert!(news.is_sorted_by_key(|news| news.at));
            self.told.extend(news);
            if !self.watch.has_more() {
                break;
            }
        }
    }

    /// Compares what was told with what there was to know.
    fn compare(mut self) {
        self.look();
        assert_eq!(
            self.watch.look(&self.records, self.story.clock.now()).unwrap(),
            [],
            "nothing has happened since"
        );
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let mut refused = 0;
        for news in &self.told {
            match &news.what {
                Happening::Refused { count, .. } => refused += count,
                _ => *told.entry(key(news)).or_default() += 1,
            }
        }
        assert_eq!(refused, self.refused);
        assert!(told.values().all(|count| *count == 1), "told more than once: {told:#?}");
        let told: BTreeSet<String> = told.into_keys().collect();
        let unknown: Vec<_> = told.difference(&self.known).collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
        // Between two looks a dead letter may come and go: then what became of it is told alone.
        let missing = self.known.difference(&told).filter(|key| {
            let id = key.strip_prefix("dead ").map(|rest| rest.split(' ').next().unwrap());
            id.is_none_or(|id| {
                !told.iter().any(|told| {
                    told.starts_with(&format!("moved {id} ")) || told.starts_with(&format!("discarded {id} "))
                })
            })
        });
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new(), "not told");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_between_two_looks_is_told_once(
        happenings in prop::collection::vec((0..HAPPENINGS, any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watched = Watched::begin().await;
            watched.remember();
            for (what, looks) in happenings {
                watched.happen(what).await;
                if looks {
                    watched.look();
                }
            }
            watched.compare();
        });
    }
}

#[tokio::test]
async fn numbers_that_are_used_again_are_told_of_again() {
    let mut watched = Watched::begin().await;
    for what in [0, 2, 3, 5, 14, 0, 2, 3, 5, 14, 1, 2, 4, 6, 8, 3, 5, 14] {
        watched.happen(what).await;
    }
    assert!(watched.known.contains("duplicate 2 1007000"), "{:#?}", watched.known);
    assert_eq!(watched.story.query::<i64>("SELECT count(*) FROM duplicates"), 0);
    watched.compare();
}

#[tokio::test]
async fn a_burst_is_told_in_full_page_by_page_and_before_what_became_of_it() {
    let story = Story::begin().await;
    let records = Records::open(&story.folder.path().join("bugle.db")).unwrap().unwrap();
    let mut watch = Watch::begin(&records, 0, story.clock.now()).unwrap();
    assert_eq!(watch.look(&records, story.clock.now()).unwrap(), []);
    let route = Route { destination: team(), rule: None, template: None, urgent: false, mention: Vec::new() };
    let offers = (0..5_000).map(|number| Offer {
        event: event(&number.to_string()),
        routing: Routing { matched: Vec::new(), routes: vec![route.clone()] },
    });
    story.outbox.accept(story.rules, offers.collect(), ()).await.unwrap();
    let claim = story.claim().await.unwrap();
    story.settle(&claim, Outcome::Delivered, Settlement::Delivered).await;
    let mut told = Vec::new();
    let mut looks = 0;
    loop {
        let news = watch.look(&records, story.clock.now()).unwrap();
        assert!(news.len() <= 1_001);
        told.extend(news);
        looks += 1;
        if !watch.has_more() {
            break;
        }
    }
    assert_eq!((told.len(), looks), (5_001, 6));
    let arrived = |news: &News| matches!(news.what, Happening::Arrived { .. });
    assert!(told[..5_000].iter().all(arrived) && !arrived(&told[5_000]));
}

#[tokio::test]
async fn what_happens_after_the_clock_was_set_back_is_told_once() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let records = Records::open(&path).unwrap().unwrap();
    let hour = Duration::from_hours(1);
    let later = story.clock.now().plus(hour * 5);
    let mut watch = Watch::begin(&records, 0, later).unwrap();
    let file = Connection::open(&path).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut told = Vec::new();
    // By the clock as it was, set back by four hours, and set right again.
    for (id, now) in [("a", later), ("b", later.minus(hour * 4)), ("c", later.minus(hour * 4)), ("d", later)]
    {
        story.accept(event(id), false).await;
        let claim = story.claim().await.unwrap();
        story.settle(&claim, Outcome::Refused, Settlement::Dead(Reason::TooLong)).await;
        file.execute("UPDATE deliveries SET settled_at = ?1 WHERE id = ?2", [now.0, claim.delivery.id.0])
            .unwrap();
        let refused = Refused {
            source: None,
            reason: "unauthorized",
            first_at: now,
            last_at: now,
            count: 1,
            sender: None,
        };
        let run = story.outbox.begin_run("1.2.3", story.rules).await.unwrap();
        story.outbox.beat(run, vec![refused]).await.unwrap();
        let news = watch.look(&records, now).unwrap();
        let count = |is: fn(&Happening) -> bool| news.iter().filter(|news| is(&news.what)).count();
        let given_up = count(|what| matches!(what, Happening::GivenUp { .. }));
        let refused = count(|what| matches!(what, Happening::Refused { count: 1, .. }));
        assert_eq!((given_up, refused), (1, 1), "{id}: {news:#?}");
        told.extend(news);
    }
    assert_eq!(watch.look(&records, later).unwrap(), []);
}

#[tokio::test]
async fn an_idle_look_asks_nothing_and_a_watch_keeps_nobody_from_serving_or_the_log_from_ending() {
    let story = Story::begin().await;
    let path = story.folder.path().join("bugle.db");
    let records = Records::open(&path).unwrap().unwrap();
    let mut watch = Watch::begin(&records, 100, story.clock.now()).unwrap();
    while watch.has_more() {
        watch.look(&records, story.clock.now()).unwrap();
    }
    story.accept(event("a"), false).await;
    assert_eq!(watch.look(&records, story.clock.now()).unwrap().len(), 1);
    assert_eq!(watch.look(&records, story.clock.now()).unwrap(), []);
    // Nobody reads, so all of the log can be moved.
    let file = Connection::open(&path).unwrap();
    let busy: i64 = file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
    let story = story.restart().await;
    story.accept(event("b"), false).await;
    assert_eq!(watch.look(&records, story.clock.now()).unwrap().len(), 1);
    assert!(Records::open(&story.folder.path().join("none.db")).unwrap().is_none());
}
