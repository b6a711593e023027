//! What bugle writes down of itself: runs, refusals, configurations, and how long a destination was left alone.

use super::*;
use crate::order::Order;
use crate::outbox::records::{Records, RulesRecord};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

impl Story {
    /// Every spell, as its kind, its beginning and end in seconds from the story's beginning, and its words.
    fn spells(&self) -> Vec<String> {
        let all = "SELECT coalesce(group_concat(kind || ' ' || ((since - 1000000) / 1000) || '-'
                          || coalesce((until - 1000000) / 1000, '') || ' ' || words, ';' ORDER BY id), '') FROM spells";
        self.query::<String>(all).split(';').map(|spell| spell.trim().to_owned()).collect()
    }

    async fn set_rules(&self, names: &[&str]) -> RuleSetId {
        let rules = names.iter().map(|name| crate::rule::Rule {
            name: RuleName::new(name).unwrap(),
            when: Vec::new(),
            unless: Vec::new(),
            send_to: vec![team()],
            mention: Vec::new(),
            template: None,
            urgent: false,
            stop: false,
        });
        self.outbox.keep_rules(&RuleSet::new(rules.collect(), None).unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn a_run_beats_ends_and_begins_anew_after_a_pause() {
    let story = Story::begin().await;
    let runs = || {
        story.query::<String>(
            "SELECT coalesce(group_concat(((started_at - 1000000) / 1000) || '-' || ((beat_at - 1000000) / 1000) || '-'
                    || coalesce((stopped_at - 1000000) / 1000, ''), ' ' ORDER BY id), '') FROM runs",
        )
    };
    let mut run = story.outbox.begin_run("1.0.0", story.rules).await.unwrap();
    for _ in 0..3 {
        story.clock.advance(SECOND * 50);
        run = story.outbox.beat(run, Vec::new()).await.unwrap();
    }
    assert_eq!(runs(), "0-150-");
    // The machine slept.
    story.clock.advance(MINUTE * 5);
    run = story.outbox.beat(run, Vec::new()).await.unwrap();
    assert_eq!(runs(), "0-150- 450-450-");
    story.clock.advance(SECOND * 20);
    story.outbox.end_run(run, Vec::new()).await.unwrap();
    assert_eq!(runs(), "0-150- 450-470-470");

    let absences = |since: i64, now: i64| {
        let all =
            story.records().presence(Moment(1_000_000 + since * 1_000), Moment(1_000_000 + now * 1_000), 9);
        let all = all.unwrap().absences.into_iter().map(|absence| {
            let seconds = |moment: Moment| (moment.0 - 1_000_000) / 1_000;
            (seconds(absence.since), absence.until.map(seconds), absence.kind)
        });
        all.collect::<Vec<_>>()
    };
    // The story's own outbox has the lock: to whoever looks, somebody serves.
    assert_eq!(absences(0, 1_000), [(150, Some(450), AbsenceKind::Paused)]);
    assert_eq!(
        absences(-1_000, 1_000),
        [(150, Some(450), AbsenceKind::Paused)],
        "before the first run nothing is known"
    );
    assert_eq!(absences(200, 300), [(150, Some(450), AbsenceKind::Paused)], "one that has begun before");
    assert_eq!(absences(460, 1_000), []);
    let Story { folder, outbox, closing, .. } = story;
    drop(outbox);
    tokio::task::spawn_blocking(move || closing.wait()).await.unwrap();
    let records = Records::open(&folder.path().join("bugle.db")).unwrap().unwrap();
    let last = records.presence(Moment(1_460_000), Moment(2_000_000), 9).unwrap().absences;
    assert_eq!(last.len(), 1);
    assert_eq!((last[0].since, last[0].until, last[0].kind), (Moment(1_470_000), None, AbsenceKind::Stopped));
}

#[tokio::test]
async fn refusals_of_a_kind_share_a_row_for_ten_minutes() {
    let story = Story::begin().await;
    let refused = |reason, at: i64, count| Refused {
        source: SourceName::new("backend").ok(),
        reason,
        first_at: Moment(at),
        last_at: Moment(at + 10),
        count,
        sender: "192.0.2.1".parse().ok(),
    };
    let mut run = story.outbox.begin_run("1.0.0", story.rules).await.unwrap();
    for all in [
        vec![refused("unauthorized", 1_200_000, 3), refused("not_json", 1_200_000, 1)],
        vec![refused("unauthorized", 1_500_000, 4)],
        vec![refused("unauthorized", 1_800_000, 5)],
    ] {
        run = story.outbox.beat(run, all).await.unwrap();
    }
    assert_eq!(story.query::<i64>("SELECT count(*) FROM refusals"), 3);
    let found = story.records().refusals(Moment(0), Moment(9_000_000)).unwrap();
    let found: Vec<_> =
        found.iter().map(|one| (one.reason.as_str(), one.count, one.first_at.0, one.last_at.0)).collect();
    assert_eq!(found, [("unauthorized", 12, 1_200_000, 1_800_010), ("not_json", 1, 1_200_000, 1_200_010)]);
    let late = story.records().refusals(Moment(1_600_000), Moment(9_000_000)).unwrap();
    assert_eq!(late.iter().map(|one| one.count).collect::<Vec<_>>(), [5]);
}

#[tokio::test]
async fn a_spell_begins_and_ends_with_what_the_platform_or_a_person_says() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    let answer = async |outcome, settlement| {
        let claim = story.claim().await.unwrap();
        story.settle(&claim, outcome, settlement).await;
        story.clock.advance(SECOND * 10);
    };
    let again = |story: &Story| Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    answer(Outcome::Passing, again(&story)).await;
    answer(Outcome::Passing, again(&story)).await;
    answer(Outcome::Gone, again(&story)).await;
    assert_eq!(story.spells(), ["failing 0- words", "gone 20- words"]);
    answer(Outcome::Delivered, Settlement::Delivered).await;
    assert_eq!(story.spells(), ["failing 0-30 words", "gone 20-30 words"]);

    for order in [Order::Suspend { destination: team() }, Order::Suspend { destination: team() }] {
        story.outbox.carry_out(&order, None).await.unwrap();
        story.clock.advance(SECOND * 10);
    }
    story.outbox.carry_out(&Order::Resume { destination: team() }, None).await.unwrap();
    assert_eq!(story.spells()[2], "suspended 40-60");
}

#[tokio::test]
async fn waits_that_a_platform_asks_for_one_after_the_other_are_one() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    for (pause, wait) in [(0, 30), (20, 60), (100, 5)] {
        story.clock.advance(SECOND * pause);
        let claim = story.claim().await.unwrap();
        let now = story.clock.now();
        let verdict =
            Verdict::new(Outcome::Wait(Wait::Told(SECOND * wait)), Reason::RateLimited, "slow down");
        let settlement = Settlement::Again { at: now, failures: 0, unclear: 0 };
        let holds = vec![(team(), now.plus(SECOND * wait))];
        let ending = Ending { holds, ..Ending::new(verdict, settlement) };
        story.outbox.settle(&room(team()), &claim, ending).await.unwrap();
    }
    assert_eq!(story.spells(), ["asked_to_wait 0-80 rate_limited", "asked_to_wait 120-125 rate_limited"]);
    let again = "SELECT group_concat((again_at - 1000000) / 1000, ' ' ORDER BY id) FROM attempts";
    assert_eq!(story.query::<String>(again), "30 80 125");
}

#[tokio::test]
async fn a_new_address_ends_what_was_wrong_with_the_old_one() {
    let story = Story::begin().await;
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.accept(event("a"), false).await;
    let claim = story.claim().await.unwrap();
    let again = Settlement::Again { at: story.clock.now(), failures: 0, unclear: 0 };
    story.settle(&claim, Outcome::Gone, again).await;
    story.clock.advance(MINUTE);
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    assert_eq!(story.spells(), ["gone 0- words"], "a restart ends nothing");
    story.outbox.standing(&team(), [2; 32]).await.unwrap();
    assert_eq!(story.spells(), ["gone 0-60 words"]);
}

#[tokio::test]
async fn the_rules_of_a_time_are_found_with_what_brought_them_and_what_was_before() {
    let story = Story::begin().await;
    let (one, two) = (story.set_rules(&["one"]).await, story.set_rules(&["two"]).await);
    let step = || story.clock.advance(MINUTE);
    let accept = async |rules: RuleSetId, id: &str| {
        let routing = Routing { matched: Vec::new(), routes: Vec::new() };
        let offers = vec![Offer { event: event(id), routing }];
        story.outbox.accept(rules, offers, ()).await.unwrap()[0].id
    };
    let before = accept(one, "before").await;
    step();
    story.outbox.begin_run("1.0.0", one).await.unwrap();
    step();
    let first = accept(one, "first").await;
    step();
    story
        .outbox
        .note_configuration(Reread::Refused, story.clock.now(), &["it is wrong".to_owned()])
        .await
        .unwrap();
    story
        .outbox
        .note_configuration(Reread::Reload(two), story.clock.now(), &["a line".to_owned()])
        .await
        .unwrap();
    step();
    // A restart with the same rules, and a reload of something else.
    story.outbox.begin_run("1.0.0", two).await.unwrap();
    story.outbox.note_configuration(Reread::Reload(two), story.clock.now(), &[]).await.unwrap();
    step();
    let second = accept(two, "second").await;
    step();
    story.outbox.note_configuration(Reread::Reload(one), story.clock.now(), &[]).await.unwrap();
    step();
    let third = accept(one, "third").await;

    let rules = |id| {
        let trail = story.records().trail(id, story.clock.now()).unwrap().unwrap();
        let came = |rules: &RulesRecord| {
            rules.came.as_ref().map(|came| (came.how.clone(), (came.at.0 - 1_000_000) / 60_000))
        };
        let name = |text: &str| if text.contains("\"one\"") { 1 } else { 2 };
        let RulesRecord { text, came: brought } = &trail.rules;
        let before = brought.as_ref().and_then(|came| came.before.as_deref());
        let now = trail.rules_now.as_ref().map(|rules| (name(&rules.text), came(rules)));
        (name(text), came(&trail.rules), before.map(name), now)
    };
    assert_eq!(rules(before), (1, None, None, None));
    assert_eq!(rules(first), (1, Some(("start".to_owned(), 1)), None, None));
    assert_eq!(
        rules(second),
        (2, Some(("reload".to_owned(), 3)), Some(1), Some((1, Some(("reload".to_owned(), 6)))))
    );
    assert_eq!(rules(third), (1, Some(("reload".to_owned(), 6)), Some(2), None));
    let all = story.records().configurations(Moment(0), story.clock.now(), 4).unwrap();
    assert_eq!(
        all.iter().map(|one| one.how.as_str()).collect::<Vec<_>>(),
        ["refused", "reload", "reload", "reload"],
        "the last; a restart with the same rules is none"
    );
}

#[tokio::test]
async fn what_was_written_down_goes_with_the_history_but_the_rules_in_force_stay_known() {
    let story = Story::begin().await;
    let refused = Refused {
        source: None,
        reason: "unknown_source",
        first_at: story.clock.now(),
        last_at: story.clock.now(),
        count: 1,
        sender: None,
    };
    for _ in 0..3 {
        let run = story.outbox.begin_run("1.0.0", story.rules).await.unwrap();
        story.outbox.end_run(run, vec![refused.clone()]).await.unwrap();
        story.clock.advance(MINUTE);
    }
    story.outbox.standing(&team(), [1; 32]).await.unwrap();
    story.outbox.carry_out(&Order::Suspend { destination: team() }, None).await.unwrap();
    story.clock.advance(MINUTE * 60 * 48);
    story.outbox.begin_run("1.0.0", story.rules).await.unwrap();
    let keep = Keep { history: MINUTE * 60 * 24, dead_letters: Duration::MAX, max_size: u64::MAX };
    while story.outbox.prune(keep).await.unwrap().more {}
    let counts = "SELECT (SELECT count(*) FROM runs) || ' ' || (SELECT count(*) FROM configurations) || ' '
                  || (SELECT count(*) FROM refusals) || ' ' || (SELECT count(*) FROM spells)";
    assert_eq!(story.query::<String>(counts), "1 2 0 1", "what goes on stays");
}
