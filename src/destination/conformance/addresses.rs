//! Where to post: the shapes that are refused at load, and what is added to an address.

use serde_json::json;
use url::Url;

use super::{plain, with_options};
use crate::destination::PRODUCTS;
use crate::event::Event;
use crate::message::Message;
use crate::name::SourceName;

const TENANT: &str =
    "https://default0a1b.42.environment.api.powerplatform.com:443/powerautomate/automations/direct";

fn complaint(product: &str, url: &str) -> Option<String> {
    plain(product).check_url(&Url::parse(url).unwrap()).err()
}

fn is_own(product: &str, url: &str) -> bool {
    let host = Url::parse(url).unwrap().host_str().unwrap().to_owned();
    plain(product).hosts().iter().any(|pattern| match pattern.strip_prefix('*') {
        Some(end) => host.ends_with(end),
        None => host == *pattern,
    })
}

#[test]
fn the_platforms_own_addresses_are_taken() {
    let workflow = format!(
        "{TENANT}/workflows/1f/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s3"
    );
    let unit = format!("{TENANT}/cu/07/workflows/1f/triggers/manual/paths/invoke/?sig=s3");
    for (product, url) in [
        ("slack", "https://hooks.slack.com/services/T012AB3CD/B012AB3CD/s3"),
        ("slack", "https://hooks.slack-gov.com/services/T012AB3CD/B012AB3CD/s3"),
        ("teams", workflow.as_str()),
        ("teams", unit.as_str()),
        (
            "teams",
            "https://prod-12.westeurope.logic.azure.com:443/workflows/1f/triggers/manual/paths/invoke?sig=s3",
        ),
        ("discord", "https://discord.com/api/webhooks/123456789012345678/s3-_x"),
        ("discord", "https://canary.discord.com/api/v9/webhooks/123456789012345678/s3?thread_id=1"),
    ] {
        assert_eq!(complaint(product, url), None, "{url}");
        assert!(is_own(product, url), "{url}");
    }
}

#[test]
fn what_is_no_webhook_is_refused_with_what_to_do_and_without_the_address() {
    for (product, url, says) in [
        ("slack", "https://hooks.slack.com/workflows/T0/A0/1/s3cr3t", "Workflow Builder"),
        ("slack", "https://hooks.slack.com/triggers/T0/1/s3cr3t", "Workflow Builder"),
        ("slack", "https://hooks.slack.com/services/T0/B0", "/services/T…/B…/…"),
        ("slack", "https://hooks.slack.com/", "/services/T…/B…/…"),
        ("teams", "https://acme.webhook.office.com/webhookb2/s3cr3t", "retired"),
        ("teams", "https://outlook.office.com/webhook/s3cr3t", "retired"),
        (
            "teams",
            "https://a.environment.api.powerplatform.com/workflows/1/triggers/manual/paths/invoke?s3cr3t",
            "sig=",
        ),
        (
            "teams",
            "https://a.environment.api.powerplatform.com/workflows/1/triggers/manual/paths/invoke?sig=",
            "sig=",
        ),
        ("teams", "https://a.environment.api.powerplatform.com/x/s3cr3t?sig=1", "/workflows/"),
        ("discord", "https://discord.com/api/webhooks/123/s3cr3t/slack", "/slack"),
        ("discord", "https://discord.com/api/v10/webhooks/123/s3cr3t/github", "/github"),
        ("discord", "https://discord.com/api/webhooks/abc/s3cr3t", "/api/webhooks/"),
        ("discord", "https://discord.com/api/webhooks/123", "/api/webhooks/"),
        ("discord", "https://discord.com/channels/123/s3cr3t", "/api/webhooks/"),
    ] {
        let complaint = complaint(product, url).unwrap_or_else(|| panic!("{url} is taken"));
        assert!(complaint.contains(says), "{complaint}");
        assert!(!complaint.contains("s3cr3t"), "{complaint}");
        assert!(is_own(product, url), "{url}");
    }
}

#[test]
fn an_address_is_used_byte_for_byte() {
    let url = "https://h.example:443/a%2Fb/../c?sp=%2Ftriggers%2F&x=ü&&sig=a+b%20c";
    for own in [true, false] {
        assert_eq!(plain("slack").address(url, own), url);
        assert_eq!(plain("teams").address(url, own), url);
    }
    assert_eq!(
        plain("discord").address(url, false),
        "https://h.example:443/a%2Fb/../c?sp=%2Ftriggers%2F&x=ü&sig=a+b%20c&wait=true"
    );
}

#[test]
fn discord_is_asked_to_wait_and_for_its_tenth_version() {
    let address = |url, own| plain("discord").address(url, own);
    let base = "https://discord.com/api";
    assert_eq!(
        address("https://discord.com/api/webhooks/1/t", true),
        format!("{base}/v10/webhooks/1/t?wait=true")
    );
    assert_eq!(
        address("https://discord.com/api/v9/webhooks/1/t", true),
        format!("{base}/v9/webhooks/1/t?wait=true")
    );
    assert_eq!(
        address("https://discord.com/api/v10/webhooks/1/t?wait=false", true),
        format!("{base}/v10/webhooks/1/t?wait=true")
    );
    assert_eq!(
        address("https://discord.com/api/webhooks/1/t?thread_id=7", true),
        format!("{base}/v10/webhooks/1/t?thread_id=7&wait=true")
    );
    assert_eq!(
        address("http://127.0.0.1:9/api/webhooks/1/t", false),
        "http://127.0.0.1:9/api/webhooks/1/t?wait=true"
    );
}

#[test]
fn a_discord_message_goes_to_the_thread_it_is_configured_for() {
    let thread = with_options("discord", json!({"thread_id": "1234567890123456789"})).unwrap();
    assert_eq!(
        thread.address("https://discord.com/api/webhooks/1/t?thread_id=7", true),
        "https://discord.com/api/v10/webhooks/1/t?wait=true&thread_id=1234567890123456789"
    );
    assert_eq!(thread.compose(&super::messages::ordinary(), &[]).get("thread_name"), None);

    let post = with_options("discord", json!({"thread_name": "Crashes 👩‍👩‍👧 {{app.name}}"})).unwrap();
    let mut event = Event::blank(SourceName::new("backend").unwrap(), "bugsnag", "{}");
    event.app.name = "@everyone\n".repeat(50);
    for (name, begins) in [
        (post.thread_name().unwrap().render(&event), "Crashes 👩‍👩‍👧 @everyone @everyone"),
        (String::new(), "🔴 NoMethodError in Harbor API"),
    ] {
        let body = post.compose(&Message { thread: name, ..super::messages::ordinary() }, &[]);
        let shown = body["thread_name"].as_str().unwrap();
        assert!(shown.starts_with(begins) && shown.chars().count() <= 100, "{shown}");
        super::check("discord", &body);
    }
    assert_eq!(
        post.address("https://discord.com/api/webhooks/1/t", true),
        "https://discord.com/api/v10/webhooks/1/t?wait=true"
    );
}

#[test]
fn discord_options_that_cannot_work_are_refused() {
    for (options, says) in [
        (json!({"thread_id": "1", "thread_name": "x"}), "exclude each other"),
        (json!({"thread_id": "general"}), "`thread_id` is a number"),
        (json!({"thread_id": ""}), "`thread_id` is a number"),
        (json!({"thread_name": " "}), "`thread_name` has 1 to 100"),
        (json!({"thread_name": "x".repeat(101)}), "`thread_name` has 1 to 100"),
        (json!({"thread_name": "{{app.nam}}"}), "did you mean `app.name`?"),
        (json!({"thread_name": "a\nb"}), "`thread_name` has 1 to 100"),
        (json!({"thread": "1"}), "unknown field `thread`"),
    ] {
        let error = with_options("discord", options.clone()).unwrap_err().to_string();
        assert!(error.contains(says), "{options}: {error}");
    }
    assert!(with_options("discord", json!({"thread_name": "é".repeat(100)})).is_ok());
}

#[test]
fn the_paces_keep_the_published_limits_and_one_tenant_shares_one() {
    let pace = |product| {
        let pace = plain(product).pace();
        (pace.count, pace.per.as_secs(), pace.burst)
    };
    assert_eq!((pace("slack"), pace("teams"), pace("discord")), ((1, 1, 1), (25, 300, 5), (30, 60, 5)));
    let group = |product, url: &str| plain(product).pace_group(&Url::parse(url).unwrap());
    assert_eq!(
        group("teams", &format!("{TENANT}/workflows/1?sig=a")),
        group("teams", &format!("{TENANT}/workflows/2?sig=b"))
    );
    assert_ne!(group("teams", "https://a.example/"), group("teams", "https://b.example/"));
    for product in PRODUCTS.iter().filter(|product| **product != "teams") {
        assert_eq!(group(product, "https://a.example/"), None);
    }
}
