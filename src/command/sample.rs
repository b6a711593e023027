//! `bugle sample`: prints a webhook as a tracker would send it, to be posted with curl.

use std::io::Write;

use anyhow::{Result, bail};

use crate::clock::Clock;
use crate::name::nearest;
use crate::sample::{sample, triggers};
use crate::source::PRODUCTS;

/// Prints a sample of `trigger` from the tracker `source` as JSON to `out`.
///
/// The case of letters does not matter; an unknown name is answered with those that are known.
pub fn run(out: &mut dyn Write, source: &str, trigger: &str, clock: &Clock) -> Result<()> {
    let source = known("tracker", source, &PRODUCTS)?;
    let trigger = known(&format!("{source} trigger"), trigger, triggers(source))?;
    let Some(body) = sample(source, trigger, clock.now()) else {
        bail!("there is no sample of {trigger} from {source}");
    };
    writeln!(out, "{body:#}")?;
    Ok(())
}

fn known(what: &str, name: &str, names: &[&'static str]) -> Result<&'static str> {
    if let Some(known) = names.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(known);
    }
    let near = nearest(name, names.iter().copied());
    let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    bail!("there is no {what} {name:?}{hint} (known: {})", names.join(", "));
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::clock::Moment;

    fn shown(source: &str, trigger: &str) -> Result<String> {
        let mut out = Vec::new();
        run(&mut out, source, trigger, &Clock::by_hand(Moment(1_790_000_000_000)))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_sample_is_pretty_json_with_an_end_of_line() {
        let text = shown("BugSnag", "FIRSTEXCEPTION").unwrap();
        assert!(text.starts_with("{\n  \"account\"") && text.ends_with("}\n"), "{text}");
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["trigger"]["type"], "firstException");
        assert!(shown("bugfender", "feedback").unwrap().starts_with("[\n"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_and_the_nearest() {
        let error = shown("bugsnag", "firstexeption").unwrap_err().to_string();
        assert!(error.contains("there is no bugsnag trigger \"firstexeption\""), "{error}");
        assert!(error.contains("did you mean \"firstException\"?") && error.contains("powerTen"), "{error}");
        let error = shown("bugfendr", "crash").unwrap_err().to_string();
        assert!(error.contains("did you mean \"bugfender\"?") && error.contains("known: bugsnag"), "{error}");
        let error = shown("bugsnag", "xyz").unwrap_err().to_string();
        assert!(!error.contains("did you mean"), "{error}");
    }
}
