//! What somebody may mean: a short id, an address of a tracker's page, an id of the tracker, or words.

use url::Url;

use crate::event::EventId;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// This short id: with a `#`, as in a message, there is no other way to read it.
    Short(EventId),
    /// The address of a page.
    Address {
        /// The event that it names for certain.
        event: Option<String>,
        /// What else may be an id in it, the likeliest first.
        ids: Vec<String>,
    },
    /// A word, which may be a short id or an id of the tracker.
    Word(Option<EventId>, String),
    /// Several words.
    Words,
    /// Nothing is said.
    Nothing,
}

impl What {
    /// Understands what was `said`.
    pub(super) fn of(said: &[String]) -> Self {
        let said: Vec<&str> = said.iter().flat_map(|text| text.split_whitespace()).collect();
        if let Some(short) = said.iter().find_map(|word| marked(word)) {
            return Self::Short(short);
        }
        match said.as_slice() {
            [] => Self::Nothing,
            [address] if address.contains("://") => address_of(address),
            [word] => Self::Word(EventId::parse(word), (*word).to_owned()),
            _ => Self::Words,
        }
    }

    pub(super) fn is_address(&self) -> bool {
        matches!(self, Self::Address { .. })
    }
}

/// A short id behind a `#`, as it stands in the last line of a message, with whatever sign around it.
fn marked(word: &str) -> Option<EventId> {
    let (before, id) = word.split_once('#')?;
    let id = id.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_mark = before.chars().all(|letter| !letter.is_alphanumeric());
    if is_mark { EventId::parse(id) } else { None }
}

/// In a Bugsnag address the event stands in the query and the error in the path, in a Bugfender one the event ends the path.
fn address_of(address: &str) -> What {
    let Ok(url) = Url::parse(address) else { return What::Address { event: None, ids: Vec::new() } };
    let event = url.query_pairs().find(|(name, id)| name == "event_id" && !id.is_empty());
    let event = event.map(|(_, id)| id.into_owned());
    let mut ids: Vec<String> = url.path_segments().into_iter().flatten().map(str::to_owned).collect();
    ids.reverse();
    ids.retain(|id| id.len() > 3);
    What::Address { event, ids }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(said: &str) -> What {
        What::of(&[said.to_owned()])
    }

    fn address(event: Option<&str>, ids: &[&str]) -> What {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        What::Address { event: event.map(str::to_owned), ids }
    }

    #[test]
    fn ids_addresses_and_words_are_told_apart() {
        assert_eq!((What::of(&[]), what("  ")), (What::Nothing, What::Nothing));
        assert_eq!(what("gateway timeout"), What::Words);
        assert_eq!(what("2223"), What::Word(EventId::parse("2223"), "2223".to_owned()));
        let class = "Payments::GatewayTimeout";
        assert_eq!(what(class), What::Word(None, class.to_owned()));
    }

    #[test]
    fn a_short_id_is_found_wherever_it_was_copied_from() {
        let short = What::Short(EventId::parse("2223").unwrap());
        for said in [" #2223", "(#2223)", "#2223.", "backend · dd914413bcdd · #2223", "#2223 • 2026-11-22"]
        {
            assert_eq!(what(said), short, "{said}");
        }
        assert_ne!(what("C#2223"), short);
    }

    #[test]
    fn an_address_has_the_event_before_the_error() {
        assert_eq!(
            what(
                "https://app.bugsnag.com/org/shop-api/errors/66f2a3c04be07d0013a61e58?event_id=dd914413bcdd4c26a8d40000&i=wh"
            ),
            address(Some("dd914413bcdd4c26a8d40000"), &["66f2a3c04be07d0013a61e58", "errors", "shop-api"])
        );
        assert_eq!(
            what(
                "https://dashboard.bugfender.com/3/app/Kq7Zr2mVbT/crashes/534c6d1e-2b1a-41ca-a3fa-5e000000000a"
            ),
            address(None, &["534c6d1e-2b1a-41ca-a3fa-5e000000000a", "crashes", "Kq7Zr2mVbT"])
        );
        assert_eq!(what("nothing://"), address(None, &[]));
    }
}
