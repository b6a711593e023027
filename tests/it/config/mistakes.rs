//! Mistakes, one a line: what is changed, and what is said about it where.

use super::folder::{COMPLETE, Folder};

/// What is replaced, what by, the path of the one problem, a part of its message, its expectation or its help. The
/// mark » stands where the problem is to be pointed at.
type Case = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const BROKEN: &[Case] = &[
    // Names of keys and tables.
    ("listen          = \"127.0.0.1:8080\"", "»lisen = \"127.0.0.1:8080\"", "server.lisen", "did you mean `listen`?"),
    ("[store]", "[»stores]", "stores", "did you mean `store`?"),
    ("url  = { env = \"SLACK_TEAM_URL\" }", "url = { »environ = \"X\" }", "destinations.team.url.environ", "expected env or file"),
    ("thread_id      =", "»thread =", "destinations.oncall.thread", "did you mean `thread_id`?"),
    ("rate           =", "»ratte =", "destinations.oncall.ratte", "did you mean `rate`?"),
    ("crash = \"error\", ", "»crush = \"error\", ", "sources.mobile.severity.crush", "did you mean `crash`?"),
    ("crash = \"error\"", "crash = »\"eror\"", "sources.mobile.severity.crash", "did you mean `error`?"),
    ("retry         = { first", "retry = { »frist", "delivery.retry.frist", "did you mean `first`?"),
    ("urgent             = true", "»urgnet = true", "rules[1].urgnet", "did you mean `urgent`?"),
    ("[groups.backend]", "[groups.»ann]", "groups.ann", "`ann` is a person and a group"),
    ("[groups.backend]", "[groups.»here]", "groups.here", "cannot be a name"),
    ("[[tests]]", "[destinations.»Lab]\ntype = \"slack\"\nurl = { env = \"LAB_URL\" }\n[[tests]]", "destinations.Lab", "a-z, 0-9"),
    ("[[tests]]", "[sources.»a__b]\ntype = \"bugsnag\"\ntokens = { env = \"BUGLE_BACKEND_TOKEN\" }\n[[tests]]", "sources.a__b", "double underscore"),
    ("[[tests]]", "[sources.»bugle]\ntype = \"bugsnag\"\ntokens = { env = \"BUGLE_BACKEND_TOKEN\" }\n[[tests]]", "sources.bugle", "speaks of itself"),
    ("type       = \"bugsnag\"", "type = »\"bugle\"", "sources.backend.type", "there is no type `bugle`"),
    // Types.
    ("listen          = \"127.0.0.1:8080\"", "listen = »8080", "server.listen", "`listen` is a number"),
    ("stop         = true", "stop = »\"yes\"", "rules[3].stop", "expected true or false"),
    ("discord = \"987654321098765432\"", "discord = »987654321098765432", "groups.backend.discord", "expected text in quotes"),
    ("tokens     = [{ env = \"BUGLE_BACKEND_TOKEN\" }]", "tokens = [{ env = \"BUGLE_BACKEND_TOKEN\" }, »5]", "sources.backend.tokens[1]", "{ env = "),
    ("[[tests]]", "[sources]\n»x = 1\n[[tests]]", "sources.x", "[sources.NAME]"),
    // Units.
    ("max_body        = \"5MiB\"", "max_body = »\"5 apples\"", "server.max_body", "`5 apples` is no size"),
    ("keep              = \"30d\"", "keep = »\"30 parsecs\"", "store.keep", "`30 parsecs` is no duration"),
    ("first = \"1s\"", "first = »\"0s\"", "delivery.retry.first", "no duration"),
    ("rate           = \"30/min\"", "rate = »\"30/m\"", "destinations.oncall.rate", "such as \"30/min\""),
    ("[\"10.0.0.0/8\"]", "[»\"10.0.0.0/99\"]", "server.trusted_proxies[0]", "`10.0.0.0/99` is no network"),
    ("\"2001:db8::/32\"", "»\"bugsnag.com\"", "sources.backend.allow_from[1]", "is no network"),
    ("\"Europe/Madrid\"", "»\"Europe/Madird\"", "templates.time_zone", "no time zone"),
    ("digest_over   = 10", "digest_over = »0", "delivery.digest_over", "\"off\" or a number from 1"),
    ("collapse      = \"10m\"", "collapse = »\"never\"", "delivery.collapse", "\"off\" or a duration"),
    ("collapse      = \"10m\"", "collapse = »\"25h\"", "delivery.collapse", "a duration up to a day"),
    ("digest_over = 3", "digest_over = »\"few\"", "destinations.managers.digest_over", "\"off\" or a number from 1"),
    ("digest_over = 3", "»colapse = \"1h\"", "destinations.managers.colapse", "did you mean `collapse`?"),
    ("listen = \"127.0.0.1:8081\"", "listen = »\"localhost\"", "admin.listen", "expected host:port"),
    // What must be there, or must not.
    ("type       = \"bugsnag\"", "", "sources.backend.type", "expected bugsnag or bugfender"),
    ("type       = \"bugsnag\"", "type = »\"sentry\"", "sources.backend.type", "there is no type `sentry`"),
    ("tokens     = [{ env = \"BUGLE_BACKEND_TOKEN\" }]", "tokens = »[]", "sources.backend.tokens", "nobody can call"),
    ("url  = { env = \"SLACK_TEAM_URL\" }", "", "destinations.team.url", "`url` is missing"),
    ("send_to       = \"team\"", "", "rules[4].send_to", "[] if nobody is to hear"),
    ("name         = \"what people write to us\"", "", "rules[2].name", "`name` is missing"),
    ("name          = \"everything that is at least a warning\"", "name = »\"big customers\"", "rules[4].name", "a rule `big customers` already"),
    ("listen = \"127.0.0.1:8081\"", "listen = »\"0.0.0.0:8081\"", "admin.listen", "set `admin.token`"),
    ("listen = \"127.0.0.1:8081\"", "listen = »\"127.0.0.1:8080\"", "admin.listen", "the same address"),
    ("first = \"1s\"", "first = \"1h\"", "delivery.retry", "do not grow"),
    ("most = \"10m\"", "most = »\"2d\"", "delivery.retry.most", "longer than a delay may be"),
    ("\"https://bugle.example.com\"", "»\"bugle.example.com\"", "server.public_url", "no web address"),
    ("\"sqlite:bugle.db\"", "»\"postgres://db/bugle\"", "store.url", "PostgreSQL comes later"),
    ("\"sqlite:bugle.db\"", "»\"sqlite:\"", "store.url", "names no file"),
    ("slack   = \"U012AB3CD\"", "slack = »\"@ann\"", "people.ann.slack", "a member's id"),
    ("slack   = \"U012AB3CD\"", "slack = »\"Ann Lee\"", "people.ann.slack", "or the user name"),
    ("slack   = \"S012AB3CD\"", "slack = »\"\"", "groups.backend.slack", "or its name"),
    ("discord = \"123456789012345678\"", "discord = »\"ann#1234\"", "people.ann.discord", "17 to 20 digits"),
    ("id = \"ann@example.com\", ", "", "people.ann.teams.id", "`id` is missing"),
    // Names of things.
    ("default_destination = \"team\"", "default_destination = »\"taem\"", "default_destination", "did you mean `team`?"),
    ("notices_to          = \"team\"", "notices_to = »\"nobody\"", "notices_to", "there is no destination `nobody`"),
    ("fallback       = \"team\"", "fallback = »\"teams\"", "destinations.oncall.fallback", "did you mean `team`?"),
    ("fallback       = \"team\"", "fallback = »\"oncall\"", "destinations.oncall.fallback", "oncall → oncall"),
    ("send_to            = [\"oncall\", \"team\"]", "send_to = [\"oncall\", »\"tema\"]", "rules[1].send_to[1]", "did you mean `team`?"),
    ("mention            = [\"here\", \"ann\"]", "mention = [\"here\", »\"anne\"]", "rules[1].mention[1]", "did you mean `ann`?"),
    ("when.source        = [\"backend\", \"mobile\"]", "when.source = [\"backend\", »\"mobil\"]", "rules[1].when.source[1]", "did you mean `mobile`?"),
    ("template     = \"incident\"", "template = »\"incidents\"", "rules[3].template", "did you mean `incident`?"),
    ("template     = \"incident\"", "template = »\"digest\"", "rules[3].template", "tells of several events"),
    ("[\"rules/*.toml\"]", "[\"rules/*.toml\", »\"extra.toml\"]", "include[1]", "there is no file"),
    ("[\"rules/*.toml\"]", "[»\"*/10-support.toml\"]", "include[0]", "last part"),
    // Conditions.
    ("when.stage         =", "when.»stages =", "rules[1].when.stages", "did you mean `stage`?"),
    ("unless.error_class =", "unless.error.»class =", "rules[1].unless.error.class", "in rules it is called `error_class`"),
    ("when.app = \"Playground*\"", "when.app.»name = \"Playground*\"", "rules[0].when.app.name", "in rules it is called `app`"),
    ("when.app = \"Playground*\"", "when.raw.project.»apiKey = \"x\"", "rules[0].when.raw.project.apiKey", "credential"),
    ("when.app = \"Playground*\"", "when.app = »[]", "rules[0].when.app", "an empty list"),
    ("when.severity = \">= warning\"", "when.severity = »\">= warnin\"", "rules[4].when.severity", "did you mean `warning`?"),
    ("'/timed? ?out/i'", "»'/timed? (?out/i'", "rules[3].when.message", "regular expression"),
    ("'/timed? ?out/i'", "»'/timed? ?out/q'", "rules[3].when.message", "`q` is no flag"),
    ("[1, \">= 50\"]", "[1, »\">= many\"]", "rules[3].when.users[1]", "`many` is no number"),
    // Secrets.
    ("{ file = \"teams.url\" }", "{ file = »\"team.url\" }", "destinations.managers.url.file", "cannot be read"),
    ("{ env = \"SLACK_TEAM_URL\" }", "{ env = »\"SLACK_TEAM_URI\" }", "destinations.team.url.env", "did you mean `SLACK_TEAM_URL`?"),
    ("{ env = \"SLACK_TEAM_URL\" }", "»{ env = \"SLACK_TEAM_URL\", file = \"teams.url\" }", "destinations.team.url", "either"),
    ("{ env = \"SLACK_TEAM_URL\" }", "»{ }", "destinations.team.url", "no place for the secret"),
    ("{ file = \"mobile.token\" }", "»\"\"", "sources.mobile.tokens[0]", "the secret is empty"),
    ("[\"127.0.0.1:9999\"]", "[\"127.0.0.1:9999\", »\"https://chat.example.com\"]", "delivery.allowed_hosts[1]", "host or host:port"),
    // Syntax.
    ("keep              = \"30d\"", "keep = »30d", "", "this is no TOML"),
];

#[test]
fn each_mistake_is_pointed_at() {
    for (old, new, path, words) in BROKEN {
        let context = format!("{old:?} → {new:?}");
        let marked = COMPLETE.replacen(old, new, 1);
        let mark = marked.split_once('»').map(|(before, _)| before);
        let folder = Folder::new().changed(old, &new.replace('»', ""));
        let errors = folder.errors();
        let [error] = &errors[..] else { panic!("{context}: {errors:#?}") };
        assert_eq!(error.path, *path, "{context}");
        assert!(error.to_string().contains(words), "{context}: {error}");
        assert_eq!(error.file.as_deref(), folder.path().to_str(), "{context}");
        if let Some(before) = mark {
            let line_start = before.rsplit('\n').next().unwrap();
            let expected = (before.matches('\n').count() + 1, line_start.chars().count() + 1);
            assert_eq!((error.line.unwrap(), error.column.unwrap()), expected, "{context}: {error}");
            assert!(error.text.as_ref().is_some_and(|text| !text.is_empty()), "{context}");
        }
    }
}

#[test]
fn what_is_missing_is_shown_at_the_table_that_should_have_it() {
    let folder = Folder::new().changed("type       = \"bugsnag\"", "");
    let error = &folder.errors()[0];
    let header = COMPLETE.lines().position(|line| line == "[sources.backend]").unwrap() + 1;
    assert_eq!((error.line, error.text.as_deref()), (Some(header), Some("[sources.backend]")));
}

/// Like [`BROKEN`], but what is found is a warning, and the configuration loads.
#[rustfmt::skip]
const ODD: &[Case] = &[
    ("when.trigger = [\"comment\", \"feedback\"]", "when.trigger = [»\"coment\", \"feedback\"]", "rules[2].when.trigger[0]", "did you mean `comment`?"),
    ("when.severity      = \"error\"", "when.severity = »\"warn\"", "rules[1].when.severity", "did you mean `warning`?"),
    ("mention      = \"ann\"", "mention = [»\"here\"]", "rules[2].mention[0]", "cannot be mentioned in `managers`, which is teams"),
    ("rate           = \"30/min\"", "rate = »\"31/min\"", "destinations.oncall.rate", "no more than 30 in 60 s"),
    ("fallback       = \"team\"", "", "destinations.oncall.fallback_after", "without `fallback`"),
    ("fallback_after = \"15m\"", "fallback_after = \"3d\"", "destinations.oncall.fallback_after", "given up before they would move"),
    ("[\"rules/*.toml\"]", "[\"rules/*.toml\", »\"more/*.toml\"]", "include[1]", "no file fits"),
    ("folder    = \"templates\"", "folder = »\"missing\"", "templates.folder", "cannot be read"),
    ("{ env = \"SLACK_TEAM_URL\" }", "»\"https://hooks.slack.com/services/T1/B1/x\"", "destinations.team.url", "in the file itself"),
    ("{ file = \"mobile.token\" }", "{ env = \"SHORT\" }", "sources.mobile.tokens[0]", "fewer than 16 characters"),
    ("{ file = \"mobile.token\" }", "{ env = \"SLASHED\" }", "sources.mobile.tokens[0]", "does not fit into an address"),
];

#[test]
fn what_is_odd_is_warned_of_and_loads() {
    for (old, new, path, words) in ODD {
        let context = format!("{old:?} → {new:?}");
        // One case needs a rule without the template that its folder no longer has.
        let text = COMPLETE.replacen(old, &new.replace('»', ""), 1);
        let text =
            if *path == "templates.folder" { text.replace("template     = \"incident\"", "") } else { text };
        let folder = Folder::new()
            .config(&text)
            .variable("SHORT", "short-token")
            .variable("SLASHED", "a/token/with/slashes");
        let warnings = folder.loaded().warnings;
        let found = warnings.iter().find(|warning| warning.path == *path);
        let warning = found.unwrap_or_else(|| panic!("{context}: {warnings:#?}"));
        assert!(warning.to_string().contains(words), "{context}: {warning}");
        let marked = COMPLETE.replacen(old, new, 1);
        if let Some((before, _)) = marked.split_once('»') {
            assert_eq!(warning.line, Some(before.matches('\n').count() + 1), "{context}");
        }
    }
}
