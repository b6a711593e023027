//! Dialogues, played from a script.

use proptest::prelude::*;

use super::*;
use crate::cli::Init;
use crate::command::init::answers::{Answers, complete};
use crate::config::Environment;

const SLACK: &str = "https://hooks.slack.com/services/T0000/B0000/hunter2";
const DISCORD: &str = "https://discord.com/api/webhooks/123456789012345678/hunter2-hunter2";

/// What comes of a dialogue with a person who types `script`, and what the person has seen.
fn play(asked: Init, script: &str) -> (Result<Answers>, String) {
    let (mut input, mut out) = (script.as_bytes(), Vec::new());
    let mut dialogue = Dialogue::with_a_person(&mut input, &mut out, &|| None);
    let answers = complete(asked, &Environment::default(), &mut dialogue);
    (answers, String::from_utf8(out).unwrap())
}

fn address(room: &Room) -> &str {
    match &room.address {
        Address::Typed(secret) => secret.expose(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_first_dialogue_takes_what_is_usual_and_leads_to_a_source_and_a_destination() {
    let (answers, seen) = play(Init::default(), &format!("bugsnag\n\n\nslack\n\n{SLACK}\n\n\n"));
    let answers = answers.unwrap();
    let [source] = &answers.sources[..] else { panic!("{answers:?}") };
    assert_eq!((source.name.as_str(), source.product), ("backend", "bugsnag"));
    let [room] = &answers.rooms[..] else { panic!("{answers:?}") };
    assert_eq!((room.name.as_str(), room.product, address(room)), ("team", "slack", SLACK));
    assert_eq!((answers.public_url, answers.listen.as_str()), (None, "127.0.0.1:8080"));
    assert!(!seen.contains("hunter2"), "{seen}");
}

#[test]
fn wrong_answers_are_explained_and_asked_again() {
    let script = format!(
        "bugsnack\nBugsnag\nMy App\nbugle\napi\nbugfender\napi\nmobile\n\nmsn\nslack\nTeam!\nteam\n\nno address\n{DISCORD}\n\
         https://hooks.slack.com/services/x\n{SLACK}\ndiscord\nteam\noncall\n{DISCORD}\n\nbugle.example.com\n\
         https://bugle.example.com/\n"
    );
    let (answers, seen) = play(Init::default(), &script);
    let answers = answers.unwrap();
    let names: Vec<_> = answers.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["api", "mobile"]);
    let rooms: Vec<_> = answers.rooms.iter().map(|room| (room.name.as_str(), address(room))).collect();
    assert_eq!(rooms, [("team", SLACK), ("oncall", DISCORD)]);
    assert_eq!(answers.public_url.as_deref(), Some("https://bugle.example.com"));
    for words in [
        "did you mean `bugsnag`?",
        "a name is made of",
        "speaks of itself",
        "That name is taken",
        "the types are slack, teams, discord",
        "this is no web address",
        "is the `type` right?",
        "https:// and a host",
    ] {
        assert!(seen.contains(words), "{words}: {seen}");
    }
    assert!(!seen.contains("hunter2"), "{seen}");
}

#[test]
fn a_host_that_is_none_of_the_platforms_is_allowed_by_a_person_only() {
    let local = "http://127.0.0.1:9999/hunter2";
    let script = format!("slack\n\n{local}\nwhat\nno\n{local}\nyes\n\n\n");
    let asked = Init { sources: vec![source("backend")], ..Init::default() };
    let (answers, seen) = play(asked, &script);
    let answers = answers.unwrap();
    assert_eq!(answers.allowed_hosts, ["127.0.0.1:9999"]);
    assert_eq!(address(&answers.rooms[0]), local);
    assert!(
        seen.contains("127.0.0.1:9999 is none of slack's own hosts") && !seen.contains("hunter2"),
        "{seen}"
    );
}

fn source(name: &str) -> SourceWanted {
    SourceWanted { name: source_name(name).unwrap(), product: "bugsnag" }
}

#[test]
fn an_end_of_input_at_any_question_is_an_error_that_says_so() {
    let script = format!("bugsnag\n\n\nslack\n\n{SLACK}\n\n");
    let lines: Vec<&str> = script.lines().collect();
    for count in 0..=lines.len() {
        let begun = lines.iter().take(count).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        let error = play(Init::default(), &begun).0.unwrap_err().to_string();
        assert!(error.contains("the input ended"), "{count}: {error}");
    }
    let last = play(Init::default(), &format!("{}\n{}", lines.join("\n"), "https://x.example")).0;
    assert_eq!(last.unwrap().public_url.as_deref(), Some("https://x.example"), "a last line need not end");
    let (answers, _) = play(Init::default(), "bugsnag\n\u{3}");
    assert!(answers.unwrap_err().to_string().contains("interrupted"));
    let (answers, _) = play(Init::default(), &"x".repeat(LONGEST + 2));
    assert!(answers.unwrap_err().to_string().contains("more than"));
}

proptest! {
    #[test]
    fn whatever_is_typed_ends_and_shows_nothing_that_a_terminal_acts_on(
        script in prop::collection::vec(prop_oneof![Just("bugsnag".to_owned()), Just("slack".to_owned()),
            Just(String::new()), Just(SLACK.to_owned()), any::<String>()], 0..12)
    ) {
        let (answers, seen) = play(Init::default(), &script.join("\n"));
        prop_assert!(!seen.chars().any(|letter| letter.is_control() && letter != '\n'), "{seen:?}");
        if let Ok(answers) = answers {
            prop_assert!(!answers.sources.is_empty() && !answers.rooms.is_empty());
        }
    }
}
