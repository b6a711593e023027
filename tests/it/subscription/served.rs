//! The whole relay, by a clock that is moved by hand: the chat hears that a webhook is gone, and the commands mend it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bugle::app::App;
use bugle::clock::{Clock, Moment};
use bugle::config::{self, Environment, Secrets};
use bugle::sockets::Sockets;
use bugle::subscription::EVERY;
use tokio::sync::Notify;

use super::{place, run, states};
use crate::apis::bugfender::Bugfender;
use crate::bugle::{PATIENCE, Place, SECOND_TOKEN, shown, visible};

struct Served {
    bugfender: Bugfender,
    place: Place,
    clock: Clock,
    app: App,
}

impl Served {
    async fn begin() -> Self {
        let bugfender = Bugfender::start();
        let place = place(&bugfender);
        let written = std::fs::read_to_string(place.path("config.toml")).unwrap();
        place.write("config.toml", &format!("notices_to = \"slack\"\n{written}"));
        let environment: Environment =
            [("SECOND_TOKEN".to_owned(), SECOND_TOKEN.to_owned())].into_iter().collect();
        let loaded = config::load(&place.path("config.toml"), &environment, Secrets::Resolve).unwrap();
        let clock = Clock::by_hand(Moment(1_800_000_000_000));
        let hang_up = Arc::<Notify>::default();
        let app = App::start(loaded, Sockets::default(), hang_up, clock.clone()).await.unwrap();
        Self { bugfender, place, clock, app }
    }

    /// Lets hours pass until it is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            self.clock.advance(EVERY / 8);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn told(&self) -> Vec<String> {
        shown(&self.place.slack).iter().map(|message| visible(message.json.as_ref().unwrap())).collect()
    }

    fn looks(&self) -> usize {
        self.bugfender.server.lines().iter().filter(|line| line.starts_with("GET /api/hook/")).count()
    }

    /// Lets it look so often more.
    async fn look(&self, times: usize) {
        let before = self.looks();
        self.until("nobody looks", |served| served.looks() >= before + times).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chat_hears_once_that_a_webhook_is_gone_and_a_command_mends_it() {
    let served = Served::begin().await;
    let place = &served.place;
    assert_eq!(run(place, &["subscribe"]).0, Some(0));
    served.look(6).await;
    assert_eq!(served.told(), [""; 0]);

    served.bugfender.with(|known| known.hooks.remove(0));
    served.until("nobody is told", |served| !served.told().is_empty()).await;
    let text = served.told().remove(0);
    for words in
        ["A webhook to \"mobile\" is gone", "new_crash of Harbor Companion", "bugle bugfender subscribe"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    served.look(6).await;
    assert_eq!(served.told().len(), 1, "it is told once");

    assert_eq!(states(place, &["subscribe"], 0), ["subscribed 24", "there 22", "there 23"]);
    served.look(6).await;
    assert_eq!(served.told().len(), 1);
    served.bugfender.with(|known| known.hooks.clear());
    served.until("nobody is told again", |served| served.told().len() >= 2).await;
    served.look(3).await;
    let text = served.told().concat();
    assert!(text.contains("is gone") && !text.contains("hooks/mobile"), "{text}");
    assert_eq!(states(place, &["unsubscribe"], 0).len(), 3);
    let Served { app, .. } = served;
    app.stop().await;
}
