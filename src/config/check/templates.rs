//! Templates: `[templates]`, and which names rules may use.

use std::path::Path;

use jiff::tz::TimeZone;

use super::super::findings::{Finding, Findings, did_you_mean};
use super::super::place::Place;
use super::super::{Templates, raw, unit};

/// The template that is always there.
const DEFAULT: &str = "default";

/// Checks `[templates]`; gives the names of all templates as well.
pub(in crate::config) fn templates(
    findings: &mut Findings<'_>,
    base: &Path,
    place: &Place,
    written: raw::Templates,
) -> (Templates, Vec<String>) {
    let at = place.key("time_zone");
    let zone = written.time_zone.as_deref();
    let time_zone = findings.parsed(&at, zone, unit::time_zone).unwrap_or(TimeZone::UTC);
    let folder = written.folder.map(|folder| base.join(folder));
    let mut names = vec![DEFAULT.to_owned()];
    if let Some(folder) = &folder {
        match std::fs::read_dir(folder) {
            Ok(entries) => names.extend(
                entries
                    .flatten()
                    .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".hbs")?.to_owned())),
            ),
            Err(error) => {
                let message = format!("the folder `{}` cannot be read: {error}", folder.display());
                let finding = Finding::warning(&place.key("folder"), message);
                findings.add(finding.help("the built-in templates are used alone"));
            }
        }
    }
    (Templates { folder, time_zone }, names)
}

/// Checks that a template which a rule names exists.
pub(in crate::config) fn check_name(
    findings: &mut Findings<'_>,
    place: &Place,
    name: &str,
    known: &[String],
) {
    if !known.iter().any(|known| known == name) {
        let finding = Finding::problem(place, format!("there is no template `{name}`"));
        findings.add(
            finding
                .expected(format!("default, or a file `{name}.hbs` in the folder of `templates.folder`"))
                .help_opt(did_you_mean(name, known.iter().map(String::as_str))),
        );
    }
}
