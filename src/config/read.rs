//! Turns values into the types of `raw`, and finds all faults in their shape, not only the first.
//!
//! Serde stops at the first fault. It is reported, taken out of the tree, and the rest is read again, until nothing is
//! at fault any more.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Deserializer, Path, Segment, Track};

use super::findings::{Finding, Findings, did_you_mean};
use super::names::any_of;
use super::node::{Fault, Node};
use super::place::{Place, Step};

/// More faults than this in one table are not worth reading.
const FAULTS: usize = 100;

/// A value that is being read, with its path.
pub(super) type Tracked<'a, 'b> = Deserializer<'a, 'b, &'a Node>;

impl Findings<'_> {
    /// Reads what stands at `place`. What is at fault in it is reported and left out.
    pub(super) fn read<T: DeserializeOwned>(&mut self, place: &Place, node: &Node) -> Option<T> {
        self.read_with(place, node, &[], |tracked| Some(T::deserialize(tracked)))
    }

    /// Reads what stands at `place` with `make`. `also` are further keys of the same table, which `make` is not shown.
    pub(super) fn read_with<T>(
        &mut self,
        place: &Place,
        node: &Node,
        also: &[&str],
        make: impl for<'a, 'b> Fn(Tracked<'a, 'b>) -> Option<Result<T, Fault>>,
    ) -> Option<T> {
        let mut node = node.clone();
        for _ in 0..FAULTS {
            let mut track = Track::new();
            let fault = match make(Deserializer::new(&node, &mut track))? {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            let steps = steps(&track.path());
            self.add(finding(&place.follow(&steps), fault, also));
            if !node.take(&steps) {
                return None;
            }
        }
        None
    }
}

fn steps(path: &Path) -> Vec<Step> {
    let steps = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    steps.collect()
}

fn finding(place: &Place, fault: Fault, also: &[&str]) -> Finding {
    match fault {
        Fault::Type { found, expected } => {
            let part = if place.is_element() { "an entry of " } else { "" };
            let message = format!("{part}`{}` is {found}", place.last_key());
            Finding::problem(place, message).expected(expected)
        }
        Fault::Key { key, known } => {
            let known = also.iter().chain(known).copied();
            Finding::problem(place, format!("unknown key `{key}`"))
                .at_key()
                .expected(any_of(known.clone()))
                .help_opt(did_you_mean(&key, known))
        }
        Fault::Word { word, known } => {
            let message = format!("`{word}` is not known here");
            Finding::unknown(place, message, &word, known.iter().copied())
        }
        Fault::Other(message) => Finding::problem(place, message),
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::super::layer;
    use super::super::raw;
    use super::*;

    #[test]
    fn all_faults_of_a_table_are_found_and_the_rest_is_read() {
        let text =
            "lisen = \"a\"\nlisten = 5\nmax_body = \"1KiB\"\ntrusted_proxies = [1, \"::1\", true]\nx.y = 1\n";
        let environment = Environment::default();
        let mut findings = Findings::new(&environment);
        let top = findings.add_file("config.toml".to_owned(), text.to_owned()).unwrap();
        let server: raw::Server = findings.read(&top, &layer::alone(text).unwrap()).unwrap();
        assert_eq!(server.max_body.as_deref(), Some("1KiB"));
        assert_eq!(server.trusted_proxies, Some(vec![None, Some("::1".to_owned()), None]));
        assert!(findings.is_broken(&top.key("listen")));
        let found: Vec<_> =
            findings.into_sorted().into_iter().map(|p| (p.line.unwrap(), p.path, p.message)).collect();
        let expected = [
            (1, "lisen", "unknown key `lisen`"),
            (2, "listen", "`listen` is a number"),
            (4, "trusted_proxies[0]", "an entry of `trusted_proxies` is a number"),
            (4, "trusted_proxies[2]", "an entry of `trusted_proxies` is true or false"),
            (5, "x", "unknown key `x`"),
        ];
        assert_eq!(found, expected.map(|(line, path, message)| (line, path.to_owned(), message.to_owned())));
    }
}
