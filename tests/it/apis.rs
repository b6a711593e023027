//! The trackers' APIs: pretend ones over real HTTP, as strict as what is known of the real ones, and bugle's side against them.

pub(crate) mod bugfender;
pub(crate) mod bugsnag;
mod client;
mod doubts;
mod listings;
pub(crate) mod server;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of the files in `folder` that end in `ending`, without it and without `beginning`.
fn stems(folder: &str, beginning: &str, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let stem = |name: String| name.strip_prefix(beginning)?.strip_suffix(ending).map(str::to_owned);
    names.map(|name| stem(name.clone()).unwrap_or_else(|| panic!("{folder}/{name}"))).collect()
}

#[test]
fn every_fixture_has_a_snapshot_and_says_how_real_it_is_and_no_snapshot_is_left_over() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/apis/README.md");
    let page = fs::read_to_string(page).unwrap();
    for product in ["bugfender", "bugsnag"] {
        let fixtures = stems(&format!("tests/fixtures/apis/{product}"), "", ".json");
        let beginning = format!("bugle__api__{product}__tests__");
        assert_eq!(stems(&format!("src/api/{product}/snapshots"), &beginning, ".snap"), fixtures);
        let told: Vec<_> =
            fixtures.iter().filter(|name| page.contains(&format!("| `{product}/{name}.json` |"))).collect();
        assert_eq!(told.len(), fixtures.len());
        assert_eq!(page.matches(&format!("| `{product}/")).count(), fixtures.len());
    }
}
