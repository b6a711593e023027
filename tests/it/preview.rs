//! `bugle preview` and the templates of a folder, through the built binary: nothing is sent and no secret is there.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = r#"
[templates]
folder = "templates"

[sources.backend]
type = "bugsnag"
tokens = [{ env = "NOT_SET" }]

[sources.mobile]
type = "bugfender"
tokens = [{ file = "not-there" }]

[destinations.team]
type = "slack"
url = { env = "NOT_SET" }

[destinations.oncall]
type = "discord"
url = { env = "NOT_SET" }

[people.ann]
slack = "U012AB3CD"
discord = "123456789012345678"

[[rules]]
name = "new ones wake the on-call"
when.trigger = "firstException"
send_to = ["oncall", "team"]
mention = ["ann"]
urgent = true

[[rules]]
name = "releases are nobody's business"
when.trigger = "release"
send_to = []
"#;

struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new(templates: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("templates")).unwrap();
        let desk = Self { folder };
        desk.write("config.toml", CONFIG);
        for (name, text) in templates {
            desk.write(&format!("templates/{name}"), text);
        }
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bugle"));
        command.current_dir(self.folder.path()).env_clear().args(arguments);
        command
    }

    /// Standard output and exit code.
    fn run(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.command(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (text, output.status.code().unwrap())
    }

    /// A sample of a Bugsnag trigger in a file.
    fn sample(&self, trigger: &str) -> String {
        let (body, _) = self.run(&["sample", "bugsnag", trigger]);
        self.write(&format!("{trigger}.json"), &body);
        format!("{trigger}.json")
    }
}

#[test]
fn a_payload_is_shown_with_its_rules_and_messages() {
    let desk = Desk::new(&[]);
    let file = desk.sample("firstException");
    let (text, code) = desk.run(&["preview", &file, "--source", "backend"]);
    assert_eq!(code, 0, "{text}");
    for shown in [
        "rule \"new ones wake the on-call\" matches",
        "slack · team",
        "discord · oncall",
        "urgent",
        "Payments::GatewayTimeout in Shop API",
        "app/services/payments/gateway.rb:64 in charge",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let (text, code) = desk.run(&["preview", &desk.sample("release"), "--source", "backend"]);
    assert!(code == 0 && text.contains("it is sent nowhere") && !text.contains("slack · team"), "{text}");
}

#[test]
fn the_exact_bodies_are_json() {
    let desk = Desk::new(&[]);
    let (text, code) =
        desk.run(&["preview", &desk.sample("firstException"), "--source", "backend", "--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &told[0]["decision"][0]),
        (0, &Value::from("rule \"new ones wake the on-call\" matches"))
    );
    let messages = told[0]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["body"]["allowed_mentions"]["users"][0], "123456789012345678");
    assert!(messages[1]["body"]["attachments"][0]["color"].is_string(), "{text}");
}

#[test]
fn a_body_may_come_from_standard_input_and_a_wrong_one_is_told() {
    let desk = Desk::new(&[]);
    let mut command = desk.command(&["preview", "-", "--source", "mobile", "--type", "feedback"]);
    let output =
        command.write_stdin(r#"{"uid":1,"title":"Hello","text":"**so** it goes"}"#).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("feedback from mobile: Hello") && text.contains("no rule matches"), "{text}");

    desk.write("broken.json", "{\"error\":");
    let (text, code) = desk.run(&["preview", "broken.json", "--source", "backend"]);
    assert!(code == 1 && text.contains("the body is not JSON (line 1, column 9)"), "{text}");
    let (text, code) = desk.run(&["preview", "broken.json", "--source", "backnd"]);
    assert!(code == 1 && text.contains("did you mean \"backend\"?"), "{text}");
    let (text, code) = desk.run(&["preview", "broken.json"]);
    assert!(code == 1 && text.contains("--source is missing: configured: backend, mobile"), "{text}");
    let (text, code) = desk.run(&["preview"]);
    assert!(code == 2 && text.contains("<PAYLOAD|--all-samples>"), "{text}");
    let mut command = desk.command(&["preview", "-", "--source", "backend"]);
    let output = command.write_stdin("{").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("standard input is not what a tracker sends"), "{text}");
}

#[test]
fn problems_are_json_where_json_is_asked_for() {
    let desk = Desk::new(&[]);
    let path = desk.write("mine.hbs", "# Mine\n\n{{error.clas}}\n");
    let arguments = ["preview", "--all-samples", "--json", "--template", path.to_str().unwrap()];
    let problem = || {
        let (text, code) = desk.run(&arguments);
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((code, &told["ok"]), (78, &Value::from(false)), "{text}");
        told["problems"][0].clone()
    };
    assert_eq!(problem()["line"], 3);
    desk.write("config.toml", &CONFIG.replace("\"slack\"", "\"slak\""));
    assert_eq!(problem()["path"], "destinations.team.type");
}

#[test]
fn a_template_on_the_command_line_keeps_the_dots_in_its_name_and_a_part_is_tried_in_its_place() {
    let desk = Desk::new(&[]);
    let native = r#"{"text":"native {{id}} {{title}}"}"#;
    for (name, text, shown) in [
        ("v1.2.hbs", "# Dotted: {{title}}\n", "Dotted: "),
        ("v1.2.slack.json.hbs", native, "native "),
        ("_footer.hbs", "*Partly {{id}}*\n", "Partly "),
    ] {
        let path = desk.write(name, text);
        let (text, code) = desk.run(&["preview", "--all-samples", "--template", path.to_str().unwrap()]);
        assert!(code == 0 && text.matches(shown).count() >= 15, "{name}: {text}");
    }
    fs::create_dir(desk.folder.path().join("folder.hbs")).unwrap();
    let (text, code) = desk.run(&["preview", "--all-samples", "--template", "folder.hbs"]);
    assert!(code == 1 && text.contains("folder.hbs: this template is not a regular file"), "{text}");
}

#[test]
fn a_template_is_tried_on_every_sample_whatever_the_rules_say() {
    let desk = Desk::new(&[]);
    let path = desk.write("mine.hbs", "# Mine: {{title}}\n{{text}}\n");
    let path = path.to_str().unwrap();
    let (text, code) = desk.run(&["preview", "--all-samples", "--template", path]);
    assert_eq!(code, 0, "{text}");
    // Each of 17 samples and of 14 notices on both platforms; what cannot be read has no title that could follow.
    assert_eq!(text.matches("Mine: ").count(), 2 * (17 + 14), "{text}");
    assert_eq!(text.matches("it goes where `notices_to` says").count(), 14, "{text}");

    desk.write("mine.hbs", "# Mine\n\n{{error.clas}}\n");
    let (text, code) = desk.run(&["preview", "--all-samples", "--template", path]);
    assert!(
        code == 78 && text.contains("mine.hbs:3:3") && text.contains("did you mean `error.class`?"),
        "{text}"
    );
}

#[test]
fn a_template_for_several_events_is_tried_on_samples_of_many() {
    let desk = Desk::new(&[]);
    for (name, samples) in [("digest.hbs", 5), ("more.hbs", 4), ("digest.slack.json.hbs", 5)] {
        let text = if name.contains("json") {
            r#"{"text":"Ours: {{id}} {{count}}"}"#
        } else {
            "# Ours: {{count}}\n"
        };
        let path = desk.write(name, text);
        let path = path.to_str().unwrap();
        let (shown, code) = desk.run(&["preview", "--all-samples", "--template", path]);
        let platforms = if name.contains("json") { 1 } else { 2 };
        assert!(code == 0 && shown.matches("Ours: ").count() == samples * platforms, "{name}: {shown}");
        let (json, _) = desk.run(&["preview", "--all-samples", "--template", path, "--json"]);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json.as_array().unwrap().len(), samples, "{name}");
    }
    let (path, payload) = (desk.write("more.hbs", "# {{app.name}}\n"), desk.sample("exception"));
    let (text, code) = desk.run(&["preview", "--all-samples", "--template", path.to_str().unwrap()]);
    assert!(code == 78 && text.contains("it is known within `{{#each errors}} … {{/each}}`"), "{text}");
    desk.write("more.hbs", "# {{count}}\n");
    let arguments = ["preview", &payload, "--source", "backend", "--template", path.to_str().unwrap()];
    let (text, code) = desk.run(&arguments);
    assert!(code == 1 && text.contains("say --all-samples"), "{text}");
}

#[test]
fn a_template_in_the_folder_replaces_the_built_in_one_and_its_problems_are_found_by_check() {
    let desk = Desk::new(&[("firstException.hbs", "# Ours: {{error.class}}\n\n{{> _footer}}\n")]);
    let (text, code) = desk.run(&["check", "--without-secrets"]);
    assert_eq!(code, 0, "{text}");
    let file = desk.sample("firstException");
    let (text, _) = desk.run(&["preview", &file, "--source", "backend"]);
    assert!(text.contains("Ours: Payments::GatewayTimeout"), "{text}");

    desk.write("templates/firstException.hbs", "# Ours\n{{{error.class}}}\n{{#if title}}\n");
    desk.write("templates/_footer.hbs", "*{{sorce.name}}*\n");
    let (text, code) = desk.run(&["check", "--without-secrets"]);
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("firstException.hbs") && text.contains("_footer.hbs:1:4"), "{text}");
    assert!(text.contains("did you mean `source.name`?"), "{text}");
    let (json, _) = desk.run(&["check", "--without-secrets", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["ok"], false);
    assert!(json["problems"][0]["file"].as_str().unwrap().contains(".hbs"), "{json}");
}

#[test]
fn a_native_template_wins_on_its_platform_and_gives_way_when_it_is_too_long() {
    let native = r#"{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*native* {{error.message}} {{id}}"}}]}"#;
    let desk = Desk::new(&[("firstException.slack.json.hbs", native)]);
    let file = desk.sample("firstException");
    let preview = |file: &str| {
        let (text, code) = desk.run(&["preview", file, "--source", "backend", "--json"]);
        assert_eq!(code, 0, "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        (told[0]["messages"][0]["body"].to_string(), told[0]["messages"][1]["body"].to_string())
    };
    let (discord, slack) = preview(&file);
    assert!(slack.contains("*native* no answer") && slack.contains("<@U012AB3CD>"), "{slack}");
    assert!(discord.contains("Payments") && !discord.contains("native"), "{discord}");

    let body = fs::read_to_string(desk.folder.path().join(&file)).unwrap();
    desk.write("long.json", &body.replace("no answer", &"no answer ".repeat(1_000)));
    let (_, slack) = preview("long.json");
    assert!(slack.contains("the native template could not be used"), "{slack}");
    assert!(slack.contains("characters left out"), "{slack}");
}
