//! Bugfender's three events, in its newer format: always an array.

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::Moment;

/// The triggers.
pub(super) const TRIGGERS: [&str; 3] = ["crash", "issue", "feedback"];

/// A webhook for one of [`TRIGGERS`].
pub(super) fn sample(trigger: &str, now: Moment) -> Option<Value> {
    let (title, text, folder) = match trigger {
        "crash" => (
            "EXC_BAD_ACCESS (SIGSEGV)",
            "```\nThread 0 Crashed:\n\
             0  JuniperShop  0x0000000102f4e1a8 BasketStore.restore(from:) + 184 (BasketStore.swift:112)\n\
             1  JuniperShop  0x0000000102f4c870 BasketStore.init(cache:) + 92 (BasketStore.swift:37)\n\
             2  JuniperShop  0x0000000102ee0b14 AppDelegate.start() + 60 (AppDelegate.swift:21)\n\
             3  UIKitCore    0x0000000185d3a1f4 -[UIApplication _run] + 888\n```\n",
            "crashes",
        ),
        "issue" => (
            "Payment sheet closed without a result",
            "The sheet was dismissed after **31 s** with no answer from the API.\n\n\
             - order: 771930\n- attempts: 2\n- network: wifi\n",
            "issues",
        ),
        "feedback" => (
            "Paying takes forever",
            "I tried to pay three times this morning & it just spins. \
             Is anybody @here reading this? Love the shop otherwise <3",
            "feedback",
        ),
        _ => return None,
    };
    let id = Uuid::new_v4().to_string();
    Some(json!([{
        "id": id,
        "uid": id,
        "title": title,
        "text": text,
        "app": { "id": 51_377, "name": "Juniper Shop", "created_at": "2024-02-12T09:20:41Z" },
        "type": trigger,
        "status": "open",
        "session": {
            "app_version": { "version": "3.8.1", "build": "3810" },
            "os_version": "26.1",
            "language": "en",
        },
        "device": {
            "udid": Uuid::new_v4().to_string(),
            "name": "iPhone 17",
            "language": "en",
            "user_data": { "customer": "40217" },
        },
        "created_at": to_the_second(now),
        "self": format!("https://dashboard.bugfender.com/3/app/Vb3Tq8LmZx/{folder}/{id}"),
    }]))
}

fn to_the_second(now: Moment) -> String {
    let timestamp = Timestamp::from_millisecond(now.0).unwrap_or_default();
    timestamp.round(Unit::Second).unwrap_or(timestamp).to_string()
}
