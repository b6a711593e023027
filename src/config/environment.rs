//! The process's environment as a value, so that a test can make one up.

use std::collections::BTreeMap;

use super::place::Place;

/// What the names of settings among the variables begin with.
const PREFIX: &str = "BUGLE__";

/// Environment variables: those of the process, or a test's.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. A variable that is not UTF-8 counts as not set.
    pub fn from_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The value of the variable `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The names of all variables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The variables that are settings. No other variable is one, whatever its case.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(name, _)| name.starts_with(PREFIX)).map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The variable that sets `place`, or a whole of which it is a part.
    pub(super) fn setting(&self, place: &Place) -> Option<&str> {
        let path = place.dotted();
        self.settings().map(|(name, _)| name).find(|name| within(&path, &dotted(name)))
    }

    /// A variable that sets a part of `place`.
    pub(super) fn setting_within(&self, place: &Place) -> Option<&str> {
        let path = place.dotted();
        self.settings().map(|(name, _)| name).find(|name| within(&dotted(name), &path))
    }

    /// A variable for a whole, of which another variable sets a part: one of the two would be lost.
    pub(super) fn contradiction(&self) -> Option<(&str, &str)> {
        self.settings().find_map(|(whole, _)| {
            let path = dotted(whole);
            let part = self.settings().map(|(name, _)| name);
            part.into_iter()
                .find(|name| *name != whole && within(&dotted(name), &path))
                .map(|part| (whole, part))
        })
    }
}

impl Environment {
    /// What systemd calls the sockets that it passes, with colons between them.
    pub fn socket_names(&self) -> &str {
        self.get("LISTEN_FDNAMES").unwrap_or_default()
    }

    /// A variable that would set a rule: rules are a list, whose entries have no names to set them by.
    pub(super) fn sets_rules(&self) -> Option<&str> {
        let is_list = |name: &str| ["rules", "tests"].iter().any(|list| within(&dotted(name), list));
        self.settings().map(|(name, _)| name).find(|name| is_list(name))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl std::fmt::Debug for Environment {
    /// Values may be secrets; only the names of settings are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.settings().map(|(name, _)| name)).finish_non_exhaustive()
    }
}

/// The path in the configuration that a variable sets.
fn dotted(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase().replace("__", ".")
}

fn within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        [("BUGLE__SERVER__LISTEN", "x"), ("bugle__store__url", "x"), ("BUGLER", "x"), ("SECRET", "hunter2")]
            .map(pair)
            .into_iter()
            .collect()
    }

    #[test]
    fn only_variables_with_the_prefix_are_settings() {
        let names: Vec<_> = environment().settings().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["BUGLE__SERVER__LISTEN"]);
    }

    #[test]
    fn a_variable_is_found_by_what_it_sets() {
        let environment = environment();
        let server = Place::top(0).key("server");
        assert_eq!(environment.setting(&server.key("listen")), Some("BUGLE__SERVER__LISTEN"));
        assert_eq!(environment.setting(&server.key("listen").index(2)), Some("BUGLE__SERVER__LISTEN"));
        assert_eq!(environment.setting(&server), None);
        assert_eq!(environment.setting_within(&server), Some("BUGLE__SERVER__LISTEN"));
    }

    #[test]
    fn a_whole_and_its_part_contradict_each_other() {
        let variables = ["BUGLE__ADMIN", "BUGLE__ADMIN__LISTEN"].map(|name| (name.to_owned(), String::new()));
        let environment: Environment = variables.into_iter().collect();
        assert_eq!(environment.contradiction(), Some(("BUGLE__ADMIN", "BUGLE__ADMIN__LISTEN")));
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", environment());
        assert!(!shown.contains("hunter2") && !shown.contains("SECRET"), "{shown}");
    }
}
