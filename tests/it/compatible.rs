//! A server that takes Slack's webhooks but not its blocks, from the configuration to what it answers.

use bugle::pretend::{Answer, Behaviour};
use serde_json::json;

use crate::bugle::{PATIENCE, Place, bugsnag};

fn place() -> Place {
    let place = Place::with("", "");
    place.write("hook.url", &format!("http://{}/hooks/9yqtm3ho4ifnmxz5ckr1wjbn8e", place.slack.host()));
    let rooms = "[destinations.mattermost]\ntype = \"slack\"\nblocks = false\nurl = { file = \"hook.url\" }\nrate = \"50/s\"\n\n\
        [people.bob]\nslack = \"bob.b\"\n\n\
        [[rules]]\nname = \"r\"\nsend_to = \"mattermost\"\nmention = [\"channel\", \"bob\"]\n";
    place.configure("", rooms);
    place
}

#[tokio::test]
async fn it_gets_text_and_attachments_and_says_so_in_its_own_way() {
    let place = place();
    place.slack.always(Behaviour::Answer(Answer::json(200, &json!({"success": true}))));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one @here <!channel>", json!({}))).await;
    let received = place.slack.wait_for(1, PATIENCE).await.unwrap();
    let body = received[0].json.clone().unwrap();
    assert!(body["text"].as_str().unwrap().starts_with("@all @bob.b\n"), "{body:#}");
    assert_eq!(body.get("blocks"), None);
    assert_eq!(body.to_string().matches("@here").count() + body.to_string().matches("<!channel>").count(), 0);
    assert!(body["attachments"][0]["fields"].is_array());
    place.until("SELECT state FROM deliveries", "delivered").await;
}

#[tokio::test]
async fn what_it_refuses_is_a_dead_letter_with_its_words() {
    let place = place();
    let refusal = json!({"success": false, "error": "error-message-size-exceeded"});
    place.slack.always(Behaviour::Answer(Answer::json(200, &refusal)));
    let bugle = place.serve();
    bugle.accept("backend", bugsnag("one", json!({}))).await;
    place
        .until(
            "SELECT state || (SELECT words FROM attempts) FROM deliveries",
            "deaderror-message-size-exceeded",
        )
        .await;
}
