//! Whom rules can mention: `[people.NAME]` and `[groups.NAME]`.

use std::collections::BTreeMap;

use super::super::findings::{Finding, Findings};
use super::super::place::Place;
use super::super::{People, raw};
use crate::message::{Group, Mention, Person, TeamsPerson};

/// The words that stand for themselves.
pub(in crate::config) const WORDS: [&str; 2] = ["here", "channel"];

/// People and groups that are in order, and the names of all.
#[derive(Debug, Default)]
pub(in crate::config) struct Company {
    /// Those in order.
    pub(in crate::config) people: People,
    /// The names of all that are written.
    pub(in crate::config) names: Vec<String>,
}

type Written<T> = Option<BTreeMap<String, Option<T>>>;

/// Checks `[people]` and `[groups]`, which share their names.
pub(in crate::config) fn people(
    findings: &mut Findings<'_>,
    top: &Place,
    people: Written<raw::Person>,
    groups: Written<raw::Group>,
) -> Company {
    let mut company = Company::default();
    for (name, written) in people.into_iter().flatten() {
        let place = top.key("people").key(&name);
        if company.admits(findings, &place, &name)
            && let Some(written) = written
        {
            let mention = Mention::Person(person(findings, &place, &name, written));
            company.people.0.push((name, mention));
        }
    }
    for (name, written) in groups.into_iter().flatten() {
        let place = top.key("groups").key(&name);
        if company.admits(findings, &place, &name)
            && let Some(written) = written
        {
            let slack = written.slack.filter(|id| slack_id(findings, &place, id, "S"));
            let discord = written.discord.filter(|id| discord_id(findings, &place, id));
            company.people.0.push((name.clone(), Mention::Group(Group { name, slack, discord })));
        }
    }
    company
}

impl Company {
    fn admits(&mut self, findings: &mut Findings<'_>, place: &Place, name: &str) -> bool {
        let problem = if WORDS.contains(&name) {
            Some(format!("`{name}` stands for itself and cannot be a name"))
        } else if name.trim().is_empty() {
            Some("a name must not be empty".to_owned())
        } else if self.names.iter().any(|known| known == name) {
            Some(format!("`{name}` is a person and a group"))
        } else {
            None
        };
        self.names.push(name.to_owned());
        let is_fine = problem.is_none();
        if let Some(message) = problem {
            findings.add(Finding::problem(place, message).at_key());
        }
        is_fine
    }
}

fn person(findings: &mut Findings<'_>, place: &Place, name: &str, written: raw::Person) -> Person {
    Person {
        name: name.to_owned(),
        slack: written.slack.filter(|id| slack_id(findings, place, id, "UW")),
        discord: written.discord.filter(|id| discord_id(findings, place, id)),
        teams: written.teams.and_then(|teams| {
            let at = place.key("teams");
            let id = findings.required(
                &at.key("id"),
                teams.id,
                "the person's address, such as ann@example.com",
            )?;
            Some(TeamsPerson { id, name: teams.name.unwrap_or_else(|| name.to_owned()) })
        }),
    }
}

/// Anything but an id would be shown as text, and nobody would be called. On servers that only take Slack's webhooks
/// people have user names instead; whether one is mentioned in the wrong place, the rules are asked.
fn slack_id(findings: &mut Findings<'_>, place: &Place, id: &str, kinds: &str) -> bool {
    let is_id = id.starts_with(|c| kinds.contains(c))
        && id.len() > 1
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_name = !id.is_empty()
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if !is_id && !is_name {
        let expected = match kinds {
            "S" => "the id of a user group, such as S012AB3CD, or its name where `blocks = false`",
            _ => "a member's id, such as U012AB3CD, or the user name where `blocks = false`",
        };
        let finding = Finding::problem(&place.key("slack"), "this is no id of Slack's").expected(expected);
        findings.add(
            finding.help("Slack shows it in the profile, under \"Copy member ID\" or \"Copy group ID\""),
        );
    }
    is_id || is_name
}

fn discord_id(findings: &mut Findings<'_>, place: &Place, id: &str) -> bool {
    let is_id = (15..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    if !is_id {
        let finding = Finding::problem(&place.key("discord"), "this is no id of Discord's");
        findings.add(
            finding
                .expected("17 to 20 digits in quotes, such as \"123456789012345678\"")
                .help("in Discord, switch on developer mode and choose \"Copy ID\""),
        );
    }
    is_id
}
