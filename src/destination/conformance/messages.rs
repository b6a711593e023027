//! Messages to try platforms with: an ordinary one, a huge one, and everything that ever acted somewhere.

use crate::message::{Field, Link, Message, Tone};

/// Text that is mark-up, a mention, a link, an entity, or a trap on one of the platforms.
pub(super) const HOSTILE: &[&str] = &[
    "*bold* _italic_ ~strike~ `code` ```block``` ***",
    "**bold** __under__ ~~strike~~ ||spoiler|| > quote >>> rest",
    "> quoted\n>>> all the rest\n# heading\n-# small\n- item\n+ item\n1. item\n2) item",
    "<!channel> <!here> <!everyone> <!group> <!subteam^S012AB3CD> <@U012AB3CD> <#C012AB3CD>",
    "@everyone @here @channel <@123456789012345678> <@!123456789012345678> <@&123456789012345678> <#123456789012345678>",
    "<at>Ann Lee</at> <at id=\"0\">x</at>",
    "[label](https://evil.example/x) [x](javascript:alert(1)) ![image](https://evil.example/i.png)",
    "<https://evil.example|safe> <mailto:a@b.example|mail> <https://evil.example>",
    "https://evil.example/a_b_c?x=*y* http://evil.example www.evil.example",
    "[ref]: https://evil.example \"title\"\n[ref]",
    "]: https://evil.example ](http://x) [x]( )",
    ":smile: :+1: <:name:123456789012345678> <a:name:123456789012345678> <t:1700000000:R> <id:browse> </cmd:123456789012345678>",
    "<!date^1700000000^{date_short_pretty}|x>",
    "&lt;!channel&gt; &amp;amp; &#60;b&#62; &nbsp;",
    "{{DATE(2017-02-14T06:08:39Z,SHORT)}} {{TIME(2017-02-14T06:08:39Z)}} ${expression} @{triggerBody()}",
    "{{{error.message}}} {{#each x}}{{/each}} {{> partial}}",
    "<b>bold</b><script>alert(1)</script><img src=x onerror=alert(1)>",
    "```\nout of the fence\n```\n@everyone\n``````````",
    "` `` ``` ```` ````` \\` \\\\` \\",
    "\\*not bold\\* trailing backslash \\",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "left \u{202E}thgir\u{202C} \u{2066}isolated\u{2069}",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇸🇫🇷 👍🏽 \u{FFFD}\u{FFFD}",
    "\u{0}\u{1}\u{7}\u{8}\u{1b}[31mred\u{1b}[0m\u{7f}\u{9b}",
    "a\r\nb\rc\n\n\n\nd\te\u{2028}f",
    "مرحبا بالعالم — שלום עולם — नमस्ते — こんにちは",
    "\u{FFFF}\u{FFFE}\u{10FFFF}\u{F0000}",
];

/// A message as the built-in templates make it.
pub(super) fn ordinary() -> Message {
    let field = |label: &str, value: &str| Field { label: label.into(), value: value.into() };
    Message {
        tone: Tone::Error,
        lead: "New error · Harbor API · production".into(),
        title: "NoMethodError in orders/checkout#create".into(),
        url: "https://app.bugsnag.com/example/harbor-api/errors/65b1?event_id=65b2&i=sk&m=nw".into(),
        text: "undefined method `total' for nil:NilClass\n\n  cart.total > 0 && order[:items] != []".into(),
        fields: vec![
            field("Severity", "error"),
            field("Stage", "production"),
            field("Version", "2026.11.3-rc_1"),
            field("Seen", "1,204 times by 57 users since 2026-11-03 (18 days)"),
        ],
        code: vec![
            "app/services/cart_totals.rb:48 in grand_total".into(),
            "app/controllers/orders_controller.rb:12 in `create'".into(),
        ],
        links: vec![
            Link {
                label: "Open in Bugsnag".into(),
                url: "https://app.bugsnag.com/example/harbor-api".into(),
            },
            Link {
                label: "HARBOR-12 (linked)".into(),
                url: "https://issues.example.com/browse/HARBOR-12_(x)".into(),
            },
        ],
        footer: "backend · event 65b1… · 2b4k".into(),
        at: "2026-11-21T10:00:00Z".into(),
        thread: String::new(),
        summary: "Harbor API production: NoMethodError: undefined method `total' for nil:NilClass".into(),
    }
}

/// `text` in every place of a message.
pub(super) fn of_one_text(text: &str) -> Message {
    let field = Field { label: text.into(), value: text.into() };
    let link = |url: String| Link { label: text.into(), url };
    Message {
        tone: Tone::Warning,
        lead: text.into(),
        title: text.into(),
        url: format!("https://example.com/{text}"),
        text: text.into(),
        fields: vec![field; 11],
        code: vec![text.into(); 3],
        links: vec![
            link("https://example.com/".into()),
            link(format!("https://example.com/x?{text}")),
            link(text.into()),
        ],
        footer: text.into(),
        at: text.into(),
        thread: text.into(),
        summary: text.into(),
    }
}

/// A megabyte in every long text, and too many of everything.
pub(super) fn huge() -> Message {
    let text = "Ein *Fehler* in <orders> & `cart` 👩‍👩‍👧: \"x\"\n".repeat(20_000);
    let long = "value ".repeat(200_000);
    let url = |length| format!("https://example.com/title?{}", "q".repeat(length));
    Message {
        tone: Tone::Error,
        lead: text.clone(),
        title: text.clone(),
        url: url(1_000_000),
        text: text.clone(),
        fields: vec![Field { label: "label ".repeat(1_000), value: "value ".repeat(5_000) }; 12],
        code: text.lines().map(str::to_owned).collect(),
        links: vec![Link { label: "label ".repeat(1_000), url: url(1_000) }; 200],
        footer: format!("{long} the end"),
        at: long.clone(),
        thread: long,
        summary: text,
    }
}
