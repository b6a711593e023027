//! Mistakes in `[sources.NAME.api]` and `[sources.NAME.catch_up]`, with what is said of each; and what is understood.

use bugle::api::{Access, Api, Credentials};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::folder::Folder;

/// The smallest configuration with two sources, and after it what a case has to say.
const BASE: &str = r#"
default_destination = "team"
[destinations.team]
type = "slack"
url = { env = "SLACK_TEAM_URL" }
[sources.backend]
type = "bugsnag"
tokens = [{ env = "BUGLE_BACKEND_TOKEN" }]
[sources.mobile]
type = "bugfender"
tokens = [{ env = "BUGLE_BACKEND_TOKEN" }]
"#;

const SNAG: &str =
    "[sources.backend.api]\ntoken = { env = \"API_TOKEN\" }\nprojects = [\"50baee27a43ccdf778000002\"]\n";
const FENDER: &str = "[sources.mobile.api]\ntoken = { env = \"API_TOKEN\" }\napps = [1234]\n";

fn folder(text: &str) -> Folder {
    Folder::new().config(&format!("{BASE}{text}")).variable("API_TOKEN", "hunter2-0123456789abcdef")
}

fn apis(text: &str) -> Vec<Api> {
    folder(text).loaded().settings.apis
}

type Case = (String, &'static str, &'static str);

/// Each is one mistake, at that place, said so.
fn are_said(cases: impl IntoIterator<Item = Case>) {
    for (text, path, message) in cases {
        let errors = folder(&text).errors();
        let [error] = &errors[..] else { panic!("{text}: {errors:#?}") };
        assert_eq!(error.path, path, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{text}: {error}");
    }
}

#[test]
fn each_mistake_in_bugsnags_api_is_said_in_one_sentence() {
    are_said([
        // Bugsnag.
        (
            SNAG.replace("token = { env = \"API_TOKEN\" }\n", ""),
            "sources.backend.api.token",
            "`token` is missing",
        ),
        (
            SNAG.replace("API_TOKEN", "NO_SUCH"),
            "sources.backend.api.token.env",
            "the variable `NO_SUCH` is not set",
        ),
        (
            SNAG.replace("projects = [\"50baee27a43ccdf778000002\"]\n", ""),
            "sources.backend.api.projects",
            "`projects` is missing",
        ),
        (
            SNAG.replace("[\"50baee27a43ccdf778000002\"]", "[]"),
            "sources.backend.api.projects",
            "there is nothing to ask about",
        ),
        (
            SNAG.replace("50baee27a43ccdf778000002", "a/../b"),
            "sources.backend.api.projects[0]",
            "`a/../b` is no id",
        ),
        (
            SNAG.replace("[\"50baee27a43ccdf778000002\"]", "[\"a1\", \"a2\", \"a1\"]"),
            "sources.backend.api.projects[2]",
            "this project is there already",
        ),
        (format!("{SNAG}apps = [1234]\n"), "sources.backend.api.apps", "bugsnag has no use for `apps`"),
        (
            format!("{SNAG}client_id = {{ env = \"API_TOKEN\" }}\n"),
            "sources.backend.api.client_id",
            "bugsnag has no use for `client_id`",
        ),
    ]);
}

#[test]
fn each_mistake_in_bugfenders_api_is_said_in_one_sentence() {
    are_said([
        // Bugfender.
        (
            format!("{FENDER}projects = [\"a\"]\n"),
            "sources.mobile.api.projects",
            "bugfender has no use for `projects`",
        ),
        (
            FENDER.replace("token = { env = \"API_TOKEN\" }\n", ""),
            "sources.mobile.api",
            "credentials are missing",
        ),
        (
            format!("{FENDER}client_id = {{ env = \"API_TOKEN\" }}\n"),
            "sources.mobile.api",
            "two ways to prove who bugle is",
        ),
        (FENDER.replace("token =", "client_id ="), "sources.mobile.api", "credentials are missing"),
        (FENDER.replace("apps = [1234]\n", ""), "sources.mobile.api.apps", "`apps` is missing"),
        (FENDER.replace("[1234]", "[]"), "sources.mobile.api.apps", "there is nothing to ask about"),
        (FENDER.replace("[1234]", "[0]"), "sources.mobile.api.apps[0]", "`0` is no application's number"),
        (
            FENDER.replace("[1234]", "[{ number = \"twelve\" }]"),
            "sources.mobile.api.apps[0]",
            "`twelve` is no application's number",
        ),
        (FENDER.replace("[1234]", "[-1]"), "sources.mobile.api.apps[0]", "`-1` is no application's number"),
        (
            FENDER.replace("[1234]", "[{ id = \"-12\" }]"),
            "sources.mobile.api.apps[0]",
            "`-12` is no application's number",
        ),
        (
            FENDER.replace("[1234]", "[{ nmber = 1 }]"),
            "sources.mobile.api.apps[0].nmber",
            "unknown key `nmber`",
        ),
        (FENDER.replace("[1234]", "[\"5X3c/eRGV\"]"), "sources.mobile.api.apps[0]", "`5X3c/eRGV` is no id"),
        (
            FENDER.replace("[1234]", "[{ name = \"Shop\" }]"),
            "sources.mobile.api.apps[0]",
            "which application it is is not said",
        ),
    ]);
}

#[test]
fn each_mistake_in_what_both_have_is_said_in_one_sentence() {
    are_said([
        // Both.
        (
            format!("{FENDER}url = \"ftp://x\"\n"),
            "sources.mobile.api.url",
            "this is no web address that paths can be added to",
        ),
        (
            format!("{FENDER}url = \"https://x.example/?a=b\"\n"),
            "sources.mobile.api.url",
            "this is no web address that paths can be added to",
        ),
        (
            format!("{FENDER}url = \"https://hunter2:x@x.example\"\n"),
            "sources.mobile.api.url",
            "credentials do not belong into the address",
        ),
        (format!("{FENDER}authority = \"no.pem\"\n"), "sources.mobile.api.authority", "cannot be read"),
        (
            format!("{FENDER}authority = \"mobile.token\"\n"),
            "sources.mobile.api.authority",
            "there is no certificate in the file",
        ),
        // How often.
        (
            "[sources.mobile.catch_up]\nevery = \"15m\"\n".to_owned(),
            "sources.mobile.catch_up",
            "there is nobody to ask",
        ),
        (
            format!("{FENDER}[sources.mobile.catch_up]\n"),
            "sources.mobile.catch_up.every",
            "`every` is missing",
        ),
        (
            format!("{FENDER}[sources.mobile.catch_up]\nevery = \"59s\"\n"),
            "sources.mobile.catch_up.every",
            "that is too often for a tracker",
        ),
        (
            format!("{FENDER}[sources.mobile.catch_up]\nevery = \"169h\"\n"),
            "sources.mobile.catch_up.every",
            "what is older than seven days cannot be asked for",
        ),
        (
            format!("{FENDER}[sources.mobile.catch_up]\nevery = \"often\"\n"),
            "sources.mobile.catch_up.every",
            "`often` is no duration",
        ),
        (
            format!("{FENDER}[sources.mobile.catch_up]\nevery = \"15m\"\ntriggers = [\"crsh\"]\n"),
            "sources.mobile.catch_up.triggers[0]",
            "`crsh` cannot be asked for",
        ),
        (
            format!("{SNAG}[sources.backend.catch_up]\nevery = \"15m\"\ntriggers = [\"exception\"]\n"),
            "sources.backend.catch_up.triggers[0]",
            "`exception` cannot be asked for",
        ),
    ]);
}

#[test]
fn a_credential_that_no_request_can_carry_is_a_problem_in_its_place() {
    let pair = FENDER.replace("token = {", "client_id = { env = \"API_TOKEN\" }\nclient_secret = {");
    let texts = [
        (SNAG.to_owned(), "sources.backend.api.token"),
        (FENDER.to_owned(), "sources.mobile.api.token"),
        (pair.replacen("API_TOKEN", "OTHER", 1), "sources.mobile.api.client_secret"),
        (
            pair.replace("client_secret = { env = \"API_TOKEN", "client_secret = { env = \"OTHER"),
            "sources.mobile.api.client_id",
        ),
    ];
    for (text, path) in texts {
        for secret in ["hunter2\nhunter2", "hunter2\u{7}", "hünter2", "hunter2 hunter2", "  "] {
            let is_encoded = !path.ends_with("token");
            if is_encoded && secret == "hunter2 hunter2" {
                continue;
            }
            let folder = folder(&text).variable("API_TOKEN", secret).variable("OTHER", "hunter2-0123456789");
            let errors = folder.errors();
            let [error] = &errors[..] else { panic!("{text} {secret:?}: {errors:#?}") };
            assert_eq!(error.path, path, "{secret:?}: {error}");
            assert!(error.message.contains("a character in it that no request can carry"), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let fine = if path.ends_with("token") { " hunter2 \n" } else { "hunter2 hunter2" };
        let folder = folder(&text).variable("API_TOKEN", fine).variable("OTHER", "hunter2-0123456789");
        assert_eq!(folder.loaded().settings.apis.len(), 1, "{fine:?}");
    }
}

#[test]
fn nothing_is_asked_about_twice_and_something_is_asked_for() {
    let apps = |list: &str| FENDER.replace("[1234]", list);
    let twice = [
        "[1234, 1234]",
        "[1234, { number = 1234, id = \"5X3c4veRGV\" }]",
        "[\"5X3c4veRGV\", { number = 1234, id = \"5X3c4veRGV\" }]",
        "[{ number = 1234, id = \"a1\" }, { number = 1234, id = \"a2\" }]",
        "[1234, { id = \"1234\" }]",
    ];
    are_said(
        twice.map(|list| (apps(list), "sources.mobile.api.apps[1]", "this application is there already")),
    );
    let found = apis(&apps("[1234, { number = 1235, id = \"a1\" }, \"a2\"]"));
    assert_eq!(found[0].subjects(), ["1234", "a1", "a2"]);

    let triggers =
        |list: &str| format!("{FENDER}[sources.mobile.catch_up]\nevery = \"15m\"\ntriggers = {list}\n");
    are_said([
        (triggers("[]"), "sources.mobile.catch_up.triggers", "there is nothing to ask for"),
        (
            triggers("[\"crash\", \"issue\", \"crash\"]"),
            "sources.mobile.catch_up.triggers[2]",
            "this trigger is there already",
        ),
    ]);
    let found = apis(&triggers("[\"crash\"]"));
    assert_eq!(found[0].catch_up.as_ref().unwrap().triggers, ["crash"]);
}

#[test]
fn what_goes_in_the_clear_is_warned_of_unless_it_stays_on_this_machine() {
    for (url, is_warned) in [
        ("http://bugfender.example.com", true),
        ("https://bugfender.example.com", false),
        ("http://127.0.0.1:9999/", false),
        ("http://localhost:9999", false),
    ] {
        let loaded = folder(&format!("{FENDER}url = {url:?}\n")).loaded();
        let warned = loaded.warnings.iter().any(|warning| warning.path == "sources.mobile.api.url");
        assert_eq!(warned, is_warned, "{url}: {:?}", loaded.warnings);
        assert_eq!(loaded.settings.apis[0].base, url.trim_end_matches('/'));
    }
}

#[test]
fn an_application_is_named_by_a_number_an_id_or_both() {
    for (written, expected) in [
        ("1234", (Some(1234), None, "1234", "1234")),
        ("\"1234\"", (Some(1234), None, "1234", "1234")),
        ("\"5X3c4veRGV\"", (None, Some("5X3c4veRGV"), "5X3c4veRGV", "5X3c4veRGV")),
        (
            "{ number = 1234, id = \"5X3c4veRGV\" }",
            (Some(1234), Some("5X3c4veRGV"), "5X3c4veRGV", "5X3c4veRGV"),
        ),
        ("{ number = \"1234\", name = \"Shop\" }", (Some(1234), None, "1234", "Shop")),
    ] {
        for list in [format!("[{written}]"), written.to_owned()] {
            let apis = apis(&FENDER.replace("[1234]", &list));
            let Access::Bugfender { apps, .. } = &apis[0].access else { panic!("{apis:?}") };
            let [app] = &apps[..] else { panic!("{apps:?}") };
            let found = (app.number, app.id.as_deref(), app.key(), app.to_string());
            assert_eq!((found.0, found.1, found.2.as_str(), found.3.as_str()), expected, "{list}");
        }
    }
}

#[test]
fn an_api_has_the_vendors_address_and_asks_for_all_unless_it_is_said() {
    let text = format!("{SNAG}[sources.backend.catch_up]\nevery = \"15m\"\n{FENDER}");
    let found = apis(&text);
    let [snag, fender] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (snag.base.as_str(), fender.base.as_str()),
        ("https://api.bugsnag.com", "https://dashboard.bugfender.com")
    );
    assert_eq!(snag.catch_up.as_ref().unwrap().triggers, ["firstException", "reopened"]);
    assert!(fender.catch_up.is_none() && fender.webhook.is_none(), "nobody knows where trackers reach bugle");
    assert!(!format!("{found:?}").contains("hunter2"), "no secret is shown");

    let public = format!("{FENDER}[server]\npublic_url = \"https://bugle.example.com\"\n");
    let webhook = apis(&public)[0].webhook.clone().unwrap();
    assert_eq!(webhook.expose(), "https://bugle.example.com/hooks/mobile/backend-token-0123456789abcdef");

    let pair = FENDER.replace("token = {", "client_id = { env = \"API_TOKEN\" }\nclient_secret = {");
    let found = apis(&pair);
    assert!(matches!(&found[0].access, Access::Bugfender { credentials: Credentials::Client { .. }, .. }));

    let CertifiedKey { cert, .. } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let signed = folder(&format!("{FENDER}authority = \"ca.pem\"\n")).file("ca.pem", &cert.pem()).loaded();
    assert_eq!(signed.settings.apis[0].authority.as_deref(), Some(cert.pem().as_str()));
}
