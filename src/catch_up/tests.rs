//! How long to wait between two times of asking.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn each_failure_doubles_the_pause_up_to_six_hours_and_a_wait_is_never_cut_short() {
    let down = ApiError::Down("503".to_owned());
    // How often it asks, how often it has failed, what the tracker says, when it is tried again.
    let cases = [
        (15 * MINUTE, 1, down.clone(), 15 * MINUTE),
        (15 * MINUTE, 2, down.clone(), 30 * MINUTE),
        (15 * MINUTE, 3, ApiError::Unauthorized, HOUR),
        (15 * MINUTE, 5, down.clone(), 4 * HOUR),
        (15 * MINUTE, 6, down.clone(), 6 * HOUR),
        (15 * MINUTE, u32::MAX, ApiError::Forbidden, 6 * HOUR),
        (24 * HOUR, 1, down.clone(), 24 * HOUR),
        (24 * HOUR, 9, down, 24 * HOUR),
        (15 * MINUTE, 1, ApiError::Wait(MINUTE), 15 * MINUTE),
        (15 * MINUTE, 1, ApiError::Wait(9 * HOUR), 9 * HOUR),
    ];
    for (every, failures, error, expected) in cases {
        assert_eq!(backoff(every, failures, &error), expected, "{every:?} {failures} {error:?}");
    }
}

#[test]
fn what_could_not_be_read_is_said_once_while_it_stays_as_much() {
    let mut subject = Subject::default();
    for (unread, is_said) in [(0, false), (3, true), (3, false), (4, true), (0, false), (4, true)] {
        assert_eq!(subject.is_news(unread), is_said, "{unread}");
        subject.recover();
    }
}

proptest! {
    #[test]
    fn nobody_asks_sooner_than_configured_nor_much_later(minutes in 1..10_000_u64, dice in -1.0..2.0_f64) {
        let pause = MINUTE * u32::try_from(minutes).unwrap();
        let jittered = jittered(pause, dice);
        prop_assert!(pause <= jittered && jittered <= pause + pause / 10 + Duration::from_millis(1));
    }
}
