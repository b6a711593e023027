//! The platforms' rate limits: how many requests a webhook takes in which time, and what is answered beyond.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::json;

use super::{Answer, Product};

/// How a webhook's requests are counted. Time is what has passed on whatever clock the server has.
#[derive(Debug)]
pub(super) struct Rates {
    product: Product,
    keep: bool,
    /// Whether what counts for longer than seconds is kept, too.
    keep_long: bool,
    /// When the requests came that count for longer.
    long: VecDeque<Duration>,
    /// How many pass at once, and the time in which that many come back.
    limit: u32,
    per: Duration,
    /// Requests of the window, and when the first of it came.
    used: u32,
    since: Option<Duration>,
}

/// What Discord takes for a channel, over all of its webhooks, in which time.
const CHANNEL: (usize, Duration) = (30, Duration::from_mins(1));

impl Rates {
    pub(super) fn new(product: Product) -> Self {
        let (limit, seconds) = match product {
            // One a second, with a small burst, which Slack allows without saying how large it may be.
            Product::Slack => (3, 3),
            Product::Teams => (4, 1),
            Product::Discord => (5, 2),
        };
        Self {
            product,
            keep: false,
            keep_long: false,
            long: VecDeque::new(),
            limit,
            per: Duration::from_secs(seconds),
            used: 0,
            since: None,
        }
    }

    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    pub(super) fn keep_long(&mut self) {
        (self.keep, self.keep_long) = (true, true);
    }

    /// Counts a request: the refusal, if it is one too many, and the headers that any answer has.
    pub(super) fn take(&mut self, now: Duration) -> (Option<Answer>, Vec<(String, String)>) {
        self.refill(now);
        let long_wait = self.long_wait(now);
        let refused = self.keep && (self.used >= self.limit || !long_wait.is_zero());
        if self.keep && !refused {
            self.since.get_or_insert(now);
            self.used += 1;
            self.long.push_back(now);
        }
        let wait = self.wait(now);
        (refused.then(|| self.refusal(wait.max(long_wait))), self.headers(wait))
    }

    /// How long until the channel takes one more; nothing if it does now.
    fn long_wait(&mut self, now: Duration) -> Duration {
        let (count, span) = CHANNEL;
        self.long.retain(|at| now.saturating_sub(*at) < span);
        if !self.keep_long || self.product != Product::Discord || self.long.len() < count {
            return Duration::ZERO;
        }
        self.long.front().map_or(Duration::ZERO, |first| (*first + span).saturating_sub(now))
    }

    /// Gives back what time has given back: Slack one by one, the others a whole window at once.
    fn refill(&mut self, now: Duration) {
        let Some(mut start) = self.since else { return };
        while now.saturating_sub(start) >= self.step() && self.used > 0 {
            start += self.step();
            self.used = if self.product == Product::Slack { self.used - 1 } else { 0 };
        }
        self.since = (self.used > 0).then_some(start);
    }

    /// How long until at least one more request passes, if none passes now; until the window ends, if some do.
    fn wait(&self, now: Duration) -> Duration {
        self.since.map_or(Duration::ZERO, |since| (since + self.step()).saturating_sub(now))
    }

    /// How long it takes until any are given back.
    fn step(&self) -> Duration {
        if self.product == Product::Slack { self.per / self.limit } else { self.per }
    }

    fn refusal(&self, wait: Duration) -> Answer {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let answer = match self.product {
            Product::Slack => {
                Answer::json(429, &json!({ "retry_after": whole, "ok": false, "error": "rate_limited" }))
            }
            Product::Teams => Answer::json(
                429,
                &json!({ "error": { "code": "TooManyRequests", "message": "Rate limit is exceeded." } }),
            ),
            Product::Discord => {
                let body = json!({
                    "message": "You are being rate limited.",
                    "retry_after": wait.as_secs_f64(),
                    "global": false,
                });
                Answer::json(429, &body).with("X-RateLimit-Scope", "user")
            }
        };
        answer.with("Retry-After", whole.to_string()).because("too many requests")
    }

    /// Discord's account of its window, on every answer; the others say nothing.
    fn headers(&self, wait: Duration) -> Vec<(String, String)> {
        if self.product != Product::Discord {
            return Vec::new();
        }
        // Without limits every request is the first of its window.
        let remaining = if self.keep { self.limit.saturating_sub(self.used) } else { self.limit - 1 };
        let header = |name: &str, value: String| (format!("X-RateLimit-{name}"), value);
        vec![
            header("Limit", self.limit.to_string()),
            header("Remaining", remaining.to_string()),
            header("Reset-After", format!("{:.3}", wait.as_secs_f64())),
            header("Bucket", "pretend".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1_000);

    fn statuses(rates: &mut Rates, at_millis: &[u64]) -> Vec<u16> {
        let times = at_millis.iter().map(|ms| START + Duration::from_millis(*ms));
        times.map(|now| rates.take(now).0.map_or(200, |answer| answer.status)).collect()
    }

    fn kept(product: Product) -> Rates {
        let mut rates = Rates::new(product);
        rates.keep(true);
        rates
    }

    #[test]
    fn slack_takes_one_a_second_for_ever_and_a_burst_of_three() {
        let mut rates = kept(Product::Slack);
        assert_eq!(statuses(&mut rates, &[0, 0, 0, 0, 1000, 1001]), [200, 200, 200, 429, 200, 429]);
        let mut rates = kept(Product::Slack);
        assert_eq!(statuses(&mut rates, &[0, 990, 2000, 2990, 4000, 4990, 6000]), [200; 7]);
    }

    #[test]
    fn discord_counts_a_window_from_its_first_request_and_says_so() {
        let mut rates = kept(Product::Discord);
        assert_eq!(
            statuses(&mut rates, &[0, 100, 200, 300, 400, 1500, 2000]),
            [200, 200, 200, 200, 200, 429, 200]
        );
        let (_, headers) = rates.take(START + Duration::from_millis(2500));
        assert!(headers.contains(&("X-RateLimit-Remaining".to_owned(), "3".to_owned())), "{headers:?}");
        assert!(headers.contains(&("X-RateLimit-Reset-After".to_owned(), "1.500".to_owned())), "{headers:?}");
    }

    #[test]
    fn a_refusal_names_the_wait_in_the_platforms_own_way() {
        for (product, count) in [(Product::Slack, 3), (Product::Teams, 4), (Product::Discord, 5)] {
            let mut rates = kept(product);
            assert_eq!(statuses(&mut rates, &vec![0; count]), vec![200; count]);
            let (refused, _) = rates.take(START);
            let refused = refused.expect("one more is one too many");
            let wait = refused.headers.iter().find(|(name, _)| name == "Retry-After").unwrap().1.clone();
            assert!(["1", "2"].contains(&wait.as_str()), "{product}: {wait}");
        }
    }

    #[test]
    fn without_limits_all_pass() {
        let mut rates = Rates::new(Product::Teams);
        assert_eq!(statuses(&mut rates, &[0; 50]), [200; 50]);
    }

    #[test]
    fn a_discord_channel_takes_thirty_in_any_minute_if_that_is_kept_too() {
        let every_two_seconds: Vec<u64> = (0..32).map(|number| number * 1_900).collect();
        assert_eq!(statuses(&mut kept(Product::Discord), &every_two_seconds), [200; 32]);
        let mut rates = kept(Product::Discord);
        rates.keep_long();
        let answered = statuses(&mut rates, &every_two_seconds);
        assert_eq!(answered[..30], [200; 30]);
        assert_eq!(answered[30..], [429, 429], "at 57 and 58.9 seconds");
        assert_eq!(statuses(&mut rates, &[59_900, 60_000]), [429, 200]);
        let (refused, _) = rates.take(START + Duration::from_millis(60_500));
        let wait = refused.unwrap().headers.iter().find(|(name, _)| name == "Retry-After").unwrap().1.clone();
        assert_eq!(wait, "2", "the second of them came after 1.9 seconds");
    }
}
