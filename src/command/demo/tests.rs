//! The demo, played to its end.

use super::*;
use crate::pretend::Product;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_demo_shows_both_trackers_on_all_three_platforms() {
    let mut out = Vec::new();
    run(&mut out, true, false).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    for product in Product::ALL {
        let cards: Vec<&str> =
            out.split("\n── ").filter(|card| card.starts_with(&product.to_string())).collect();
        assert!(cards.iter().any(|card| card.contains("app.bugsnag.com")), "{product}: {out}");
        assert!(cards.iter().any(|card| card.contains("dashboard.bugfender.com")), "{product}: {out}");
    }
    assert_eq!(out.matches("→ 200 ").count(), SAMPLES.len());
    assert!(out.contains("@here") && !out.contains("refused"), "{out}");
}
