//! What the bench is asked to do, on its own command line and on the one that `cargo test` gives to all tests alike.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::story::{FAULTS, Fault};

/// The command line, understood.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag on the command line")]
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// Names, or parts of names, of faults; none: all.
    filters: Vec<String>,
    /// Parts of names of faults to leave out.
    skip: Vec<String>,
    /// Whether a filter is a whole name.
    is_exact: bool,
    /// Whether only the names are asked for.
    pub(crate) is_listing: bool,
    /// Whether only tests are wanted that are usually left out: there are none.
    pub(crate) only_ignored: bool,
    /// How many rounds of each fault; nothing: the short form's.
    pub(crate) rounds: Option<u32>,
    /// Whether to keep the folders of stories that went well, too.
    pub(crate) keeps: bool,
    /// The seed.
    pub(crate) seed: u64,
    /// How many stories run beside each other.
    pub(crate) jobs: usize,
}

/// What other test programs take a value for, which is none of ours.
const VALUES: &[&str] =
    &["--test-threads", "--format", "--color", "--logfile", "-Z", "--shuffle-seed", "--report-time"];

impl Arguments {
    /// Reads the command line. What only other tests understand is passed over.
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self { seed: seed_of_now(), jobs: 6, ..Self::default() };
        let words: Vec<String> =
            words.flat_map(|word| word.splitn(2, '=').map(str::to_owned).collect::<Vec<_>>()).collect();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => read.rounds = Some(number(&value()?)?),
                "--seed" => read.seed = number(&value()?)?,
                "--jobs" => read.jobs = number::<usize>(&value()?)?.max(1),
                "--only" => read.filters.extend(value()?.split(',').map(str::to_owned)),
                "--skip" => read.skip.push(value()?),
                "--exact" => read.is_exact = true,
                "--keep" => read.keeps = true,
                "--list" => read.is_listing = true,
                "--ignored" => read.only_ignored = true,
                known if VALUES.contains(&known) => drop(words.next()),
                other if other.starts_with('-') => {}
                filter => read.filters.push(filter.to_owned()),
            }
        }
        Ok(read)
    }

    /// The faults that are asked for.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &'static Fault> {
        FAULTS.iter().filter(|fault| !self.only_ignored && self.wants(fault.name))
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.is_exact { name == filter } else { name.contains(&**filter) };
        (self.filters.is_empty() || self.filters.iter().any(fits))
            && !self.skip.iter().any(|part| name.contains(&**part))
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().or(Err(format!("{text:?} is no number that fits here")))
}

/// A seed that the next run does not have, short enough to be typed.
#[expect(clippy::disallowed_methods, reason = "nothing here depends on which seed it is")]
fn seed_of_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() % 1_000_000)
}
