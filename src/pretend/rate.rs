//! The platforms' rate limits: how many requests a webhook takes in which time, and what is answered beyond.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Answer, Product};

/// How a webhook's requests are counted.
#[derive(Debug)]
pub(super) struct Rates {
    product: Product,
    keep: bool,
    /// How many pass at once, and the time in which that many come back.
    limit: u32,
    per: Duration,
    /// Requests of the window, and when the first of it came.
    used: u32,
    since: Option<Instant>,
}

impl Rates {
    pub(super) fn new(product: Product) -> Self {
        let (limit, seconds) = match product {
            // One a second, with a small burst, which Slack allows without saying how large it may be.
            Product::Slack => (3, 3),
            Product::Teams => (4, 1),
            Product::Discord => (5, 2),
        };
        Self { product, keep: false, limit, per: Duration::from_secs(seconds), used: 0, since: None }
    }

    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Counts a request: the refusal, if it is one too many, and the headers that any answer has.
    pub(super) fn take(&mut self, now: Instant) -> (Option<Answer>, Vec<(String, String)>) {
        self.refill(now);
        let refused = self.keep && self.used >= self.limit;
        if self.keep && !refused {
            self.since.get_or_insert(now);
            self.used += 1;
        }
        let wait = self.wait(now);
        (refused.then(|| self.refusal(wait)), self.headers(wait))
    }

    /// Gives back what time has given back: Slack one by one, the others a whole window at once.
    fn refill(&mut self, now: Instant) {
        let Some(mut start) = self.since else { return };
        while now.duration_since(start) >= self.step() && self.used > 0 {
            start += self.step();
            self.used = if self.product == Product::Slack { self.used - 1 } else { 0 };
        }
        self.since = (self.used > 0).then_some(start);
    }

    /// How long until at least one more request passes, if none passes now; until the window ends, if some do.
    fn wait(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| (since + self.step()).saturating_duration_since(now))
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

    fn statuses(rates: &mut Rates, start: Instant, at_millis: &[u64]) -> Vec<u16> {
        let times = at_millis.iter().map(|ms| start + Duration::from_millis(*ms));
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
        let start = Instant::now();
        assert_eq!(statuses(&mut rates, start, &[0, 0, 0, 0, 1000, 1001]), [200, 200, 200, 429, 200, 429]);
        let mut rates = kept(Product::Slack);
        assert_eq!(statuses(&mut rates, start, &[0, 990, 2000, 2990, 4000, 4990, 6000]), [200; 7]);
    }

    #[test]
    fn discord_counts_a_window_from_its_first_request_and_says_so() {
        let mut rates = kept(Product::Discord);
        let start = Instant::now();
        assert_eq!(
            statuses(&mut rates, start, &[0, 100, 200, 300, 400, 1500, 2000]),
            [200, 200, 200, 200, 200, 429, 200]
        );
        let (_, headers) = rates.take(start + Duration::from_millis(2500));
        assert!(headers.contains(&("X-RateLimit-Remaining".to_owned(), "3".to_owned())), "{headers:?}");
        assert!(headers.contains(&("X-RateLimit-Reset-After".to_owned(), "1.500".to_owned())), "{headers:?}");
    }

    #[test]
    fn a_refusal_names_the_wait_in_the_platforms_own_way() {
        for (product, count) in [(Product::Slack, 3), (Product::Teams, 4), (Product::Discord, 5)] {
            let mut rates = kept(product);
            let now = Instant::now();
            assert_eq!(statuses(&mut rates, now, &vec![0; count]), vec![200; count]);
            let (refused, _) = rates.take(now);
            let refused = refused.expect("one more is one too many");
            let wait = refused.headers.iter().find(|(name, _)| name == "Retry-After").unwrap().1.clone();
            assert!(["1", "2"].contains(&wait.as_str()), "{product}: {wait}");
        }
    }

    #[test]
    fn without_limits_all_pass() {
        let mut rates = Rates::new(Product::Teams);
        assert_eq!(statuses(&mut rates, Instant::now(), &[0; 50]), [200; 50]);
    }
}
