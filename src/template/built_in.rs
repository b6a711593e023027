//! The templates that are compiled in: those of the folder `templates/`, each of which a file of the same name in the
//! configured folder replaces.

use super::written::TemplateFile;

const FILES: &[(&str, &str)] = &[
    ("_change.hbs", include_str!("../../templates/_change.hbs")),
    ("_error.hbs", include_str!("../../templates/_error.hbs")),
    ("_facts.hbs", include_str!("../../templates/_facts.hbs")),
    ("_footer.hbs", include_str!("../../templates/_footer.hbs")),
    ("_links.hbs", include_str!("../../templates/_links.hbs")),
    ("_mobile.hbs", include_str!("../../templates/_mobile.hbs")),
    ("_seen.hbs", include_str!("../../templates/_seen.hbs")),
    ("_title.hbs", include_str!("../../templates/_title.hbs")),
    ("_version.hbs", include_str!("../../templates/_version.hbs")),
    ("_why.hbs", include_str!("../../templates/_why.hbs")),
    ("comment.hbs", include_str!("../../templates/comment.hbs")),
    ("crash.hbs", include_str!("../../templates/crash.hbs")),
    ("default.hbs", include_str!("../../templates/default.hbs")),
    ("digest.hbs", include_str!("../../templates/digest.hbs")),
    ("errorEventFrequency.hbs", include_str!("../../templates/errorEventFrequency.hbs")),
    ("errorStateManualChange.hbs", include_str!("../../templates/errorStateManualChange.hbs")),
    ("exception.hbs", include_str!("../../templates/exception.hbs")),
    ("feedback.hbs", include_str!("../../templates/feedback.hbs")),
    ("firstException.hbs", include_str!("../../templates/firstException.hbs")),
    ("issue.hbs", include_str!("../../templates/issue.hbs")),
    ("more.hbs", include_str!("../../templates/more.hbs")),
    ("notice.hbs", include_str!("../../templates/notice.hbs")),
    ("powerTen.hbs", include_str!("../../templates/powerTen.hbs")),
    ("projectApproachingRateLimit.hbs", include_str!("../../templates/projectApproachingRateLimit.hbs")),
    ("projectSamplingStarted.hbs", include_str!("../../templates/projectSamplingStarted.hbs")),
    ("projectSpiking.hbs", include_str!("../../templates/projectSpiking.hbs")),
    ("release.hbs", include_str!("../../templates/release.hbs")),
    ("reopened.hbs", include_str!("../../templates/reopened.hbs")),
    ("test.hbs", include_str!("../../templates/test.hbs")),
    ("unreadable.hbs", include_str!("../../templates/unreadable.hbs")),
];

/// The built-in files.
pub(super) fn files() -> impl Iterator<Item = TemplateFile> {
    FILES.iter().map(|(name, text)| TemplateFile { name: (*name).to_owned(), text: (*text).to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_compiled_in_is_what_lies_in_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut found: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        found.sort();
        let names: Vec<String> = files().map(|file| file.name).collect();
        assert_eq!(names, found, "the table in this file lists them in order of name");
        for file in files() {
            assert_eq!(file.text, fs::read_to_string(folder.join(&file.name)).unwrap(), "{}", file.name);
        }
    }
}
