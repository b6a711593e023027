//! Numbers begin at nothing, count what they are told of, and show only names from the configuration.

use super::*;

fn metrics() -> (Metrics, Clock) {
    let clock = Clock::by_hand(Moment(1_750_000_000_500));
    (Metrics::new(clock.clone()), clock)
}

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no {start} in {text}")).rsplit(' ').next().unwrap()
}

#[test]
fn what_is_known_begins_at_0_and_what_happens_is_counted() {
    let (metrics, clock) = metrics();
    let (backend, team) = (SourceName::new("backend").unwrap(), DestinationName::new("team").unwrap());
    metrics.know_sources([&backend], &["unauthorized"]);
    metrics.know_destinations([&team]);
    let before = metrics.text(&[], None).unwrap();
    assert_eq!(line(&before, "bugle_webhooks_received_total{source=\"backend\"}"), "0");
    let rejected = "bugle_webhooks_rejected_total{source=\"backend\",reason=\"unauthorized\"}";
    assert_eq!(line(&before, rejected), "0");
    let gone = "bugle_delivery_attempts_total{destination=\"team\",outcome=\"gone\",reason=\"webhook_gone\"}";
    assert_eq!(line(&before, gone), "0");
    assert!(!before.contains("bugle_destination_last_success_timestamp_seconds{"), "there was none");
    metrics.webhook_rejected(Some(&backend), "unauthorized");
    metrics.webhook_rejected(None, "unknown_source");
    metrics.attempted(&team, Outcome::Gone, Reason::WebhookGone, Duration::from_millis(30));
    metrics.delivered(&team, clock.now().minus(Duration::from_secs(4)));
    let after = metrics.text(&[], None).unwrap();
    assert_eq!(line(&after, rejected), "1");
    assert_eq!(line(&after, "bugle_webhooks_received_total{source=\"\"}"), "1");
    assert_eq!(line(&after, gone), "1");
    assert_eq!(line(&after, "bugle_delivery_delay_seconds_sum{destination=\"team\"}"), "4.0");
    let last = "bugle_destination_last_success_timestamp_seconds{destination=\"team\"}";
    assert_eq!(line(&after, last), "1750000000.5");
    assert!(after.ends_with("# EOF\n"));
}

#[test]
fn a_destination_that_has_left_shows_only_what_is_kept_for_it() {
    let (metrics, _) = metrics();
    let [team, old] = ["team", "old"].map(|name| DestinationName::new(name).unwrap());
    metrics.know_destinations([&team, &old]);
    metrics.buried(&old, Reason::Stranded, 2);
    let queue = |destination: &str, waiting| Queue {
        destination: destination.to_owned(),
        waiting,
        held: waiting.min(1),
        settled: [("dead".to_owned(), waiting)].into(),
        oldest: Some(Moment(1_750_000_000_000)),
        dead: 0,
        is_gone: true,
        is_suspended: false,
    };
    let stock = Stock { queues: vec![queue("old", 3), queue("older", 0)], ..Stock::default() };
    let text = metrics.text(&[(team, Duration::from_millis(1_500))], Some(&stock)).unwrap();
    assert_eq!(line(&text, "bugle_destination_hold_seconds{destination=\"team\"}"), "1.5");
    let buried = "bugle_dead_letters_total{destination=\"old\",reason=\"stranded\"}";
    assert_eq!(line(&text, buried), "2");
    assert_eq!(line(&text, "bugle_deliveries_queued{destination=\"old\"}"), "3");
    assert_eq!(line(&text, "bugle_deliveries_oldest_age_seconds{destination=\"old\"}"), "0.5");
    assert_eq!(line(&text, "bugle_deliveries_queued{destination=\"team\"}"), "0");
    assert_eq!(line(&text, "bugle_destination_gone{destination=\"team\"}"), "0");
    assert_eq!(line(&text, "bugle_deliveries_held{destination=\"old\"}"), "1");
    assert_eq!(line(&text, "bugle_deliveries_owed{destination=\"old\"}"), "6");
    assert_eq!(line(&text, "bugle_deliveries_owed{destination=\"team\"}"), "0");
    assert_eq!(line(&text, "bugle_deliveries_settled{destination=\"old\",state=\"dead\"}"), "3");
    assert_eq!(line(&text, "bugle_deliveries_settled{destination=\"team\",state=\"folded\"}"), "0");
    for absent in ["hold_seconds{destination=\"old\"", "gone{destination=\"old\"", "\"older\""] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
}

#[test]
fn what_a_source_has_brought_is_shown_whole_and_by_its_fate() {
    let brought = [("routed".to_owned(), 5), ("duplicate".to_owned(), 2)].into();
    let stock = Stock { arrivals: [("backend".to_owned(), brought)].into(), ..Stock::default() };
    let text = metrics().0.text(&[], Some(&stock)).unwrap();
    assert_eq!(line(&text, "bugle_events_read{source=\"backend\"}"), "7");
    for (fate, count) in [("routed", "5"), ("duplicate", "2"), ("dropped", "0"), ("unmatched", "0")] {
        assert_eq!(line(&text, &format!("bugle_events{{source=\"backend\",fate=\"{fate}\"}}")), count);
    }
}

#[test]
fn the_last_reload_decides_what_is_said_of_the_configuration() {
    let (metrics, clock) = metrics();
    metrics.configuration("abc");
    clock.advance(Duration::from_mins(1));
    metrics.reload(Reloaded::Refused);
    let text = metrics.text(&[], None).unwrap();
    assert_eq!(line(&text, "bugle_configuration_info{hash=\"abc\"}"), "1");
    assert_eq!(line(&text, "bugle_configuration_last_reload_successful"), "0");
    assert_eq!(line(&text, "bugle_configuration_last_success_timestamp_seconds"), "1750000000.5");
    assert_eq!(line(&text, "bugle_configuration_reloads_total{result=\"refused\"}"), "1");
    metrics.configuration("def");
    metrics.reload(Reloaded::Applied);
    let text = metrics.text(&[], None).unwrap();
    assert!(!text.contains("\"abc\""), "only one configuration is in force");
    assert_eq!(line(&text, "bugle_configuration_info{hash=\"def\"}"), "1");
    assert_eq!(line(&text, "bugle_configuration_last_reload_successful"), "1");
    assert_eq!(line(&text, "bugle_configuration_last_success_timestamp_seconds"), "1750000060.5");
}
