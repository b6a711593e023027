//! Messages to try platforms with: an ordinary one, a huge one, and everything that ever acted somewhere.

use crate::message::{Block, Field, Link, List, Message, Span, Style, Text, Tone};

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
    let field = |label: &str, value: &str| Field { label: Text::plain(label), value: Text::plain(value) };
    let link = |label: &str, url: &str| Link { label: label.into(), url: url.into() };
    let text = "undefined method `total' for nil:NilClass\n\n  cart.total > 0 && order[:items] != []";
    let code =
        "app/services/cart_totals.rb:48 in grand_total\napp/controllers/orders_controller.rb:12 in `create'";
    Message {
        tone: Tone::Error,
        title: Text(vec![
            Span { text: "🔴 ".into(), ..Span::default() },
            Span {
                text: "NoMethodError in Harbor API".into(),
                url: "https://app.bugsnag.com/example/harbor-api/errors/65b1?event_id=65b2&i=sk&m=nw".into(),
                ..Span::default()
            },
        ]),
        subtitle: Text::plain("New error · production · orders/checkout#create"),
        blocks: vec![
            Block::Paragraph(Text::plain(text)),
            Block::Fields(vec![
                field("Severity", "error"),
                field("Stage", "production"),
                field("Version", "2026.11.3-rc_1"),
                field("Seen", "1,204 times by 57 users since 2026-11-03 (18 days)"),
            ]),
            Block::Code(code.into()),
            Block::Links(vec![
                link("Open in Bugsnag", "https://app.bugsnag.com/example/harbor-api"),
                link("HARBOR-12 (linked)", "https://issues.example.com/browse/HARBOR-12_(x)"),
            ]),
        ],
        footer: Text::plain("backend · event 65b1… · #2b4k"),
        at: "2026-11-21T10:00:00Z".into(),
        thread: String::new(),
    }
}

/// `text` in every place of a message, plain and in every look.
pub(super) fn of_one_text(text: &str) -> Message {
    let link = |url: String| Link { label: text.into(), url };
    let field = Field { label: Text::plain(text), value: Text::plain(text) };
    let fields = [vec![Field { label: every_look(text), value: every_look(text) }], vec![field; 10]].concat();
    Message {
        tone: Tone::Warning,
        title: every_look(text),
        subtitle: every_look(text),
        blocks: vec![
            Block::Paragraph(Text::plain(text)),
            Block::Paragraph(every_look(text)),
            Block::Heading(every_look(text)),
            Block::Quote(every_look(text)),
            Block::List(List { first: None, items: vec![Text::plain(text), every_look(text)] }),
            Block::List(List { first: Some(7), items: vec![Text::plain(text), every_look(text)] }),
            Block::Fields(fields),
            Block::Code(format!("{text}\n{text}\n{text}")),
            Block::Links(vec![
                link("https://example.com/".into()),
                link(format!("https://example.com/x?{text}")),
                link(text.into()),
            ]),
        ],
        footer: every_look(text),
        at: text.into(),
        thread: text.into(),
    }
}

/// `text` in every place of a message, once and plain.
pub(super) fn of_one_plain_text(text: &str) -> Message {
    let plain = || Text::plain(text);
    Message {
        tone: Tone::Info,
        title: plain(),
        subtitle: plain(),
        blocks: vec![
            Block::Heading(plain()),
            Block::Paragraph(plain()),
            Block::Quote(plain()),
            Block::List(List { first: None, items: vec![plain()] }),
            Block::Fields(vec![Field { label: plain(), value: plain() }]),
            Block::Code(text.into()),
            Block::Links(vec![Link { label: text.into(), url: "https://example.com/".into() }]),
        ],
        footer: plain(),
        at: text.into(),
        thread: text.into(),
    }
}

/// `text` plain, bold, italic, struck through, as code, as a link, and as all of these at once.
pub(super) fn every_look(text: &str) -> Text {
    let plain = Span { text: text.into(), ..Span::default() };
    let styled = |style| Span { style, ..plain.clone() };
    let style = Style::default();
    let all = Style { bold: true, italic: true, struck: true };
    let url = format!("https://example.com/{text}");
    Text(vec![
        plain.clone(),
        styled(Style { bold: true, ..style }),
        styled(Style { italic: true, ..style }),
        styled(Style { struck: true, ..style }),
        styled(all),
        Span { code: true, ..plain.clone() },
        Span { url: url.clone(), ..plain.clone() },
        Span { url: text.into(), ..plain.clone() },
        Span { code: true, url, style: all, ..plain.clone() },
    ])
}

/// A megabyte in every long text, and too many of everything.
pub(super) fn huge() -> Message {
    let text = "Ein *Fehler* in <orders> & `cart` 👩‍👩‍👧: \"x\"\n".repeat(20_000);
    let long = "value ".repeat(200_000);
    let url = |length| format!("https://example.com/title?{}", "q".repeat(length));
    let field =
        Field { label: Text::plain("label ".repeat(1_000)), value: Text::plain("value ".repeat(5_000)) };
    Message {
        tone: Tone::Error,
        title: Text(vec![Span { text: text.clone(), url: url(1_000_000), ..Span::default() }]),
        subtitle: Text::plain(text.clone()),
        blocks: vec![
            Block::Paragraph(Text::plain(text.clone())),
            Block::Fields(vec![field; 12]),
            Block::Code(text),
            Block::Links(vec![Link { label: "label ".repeat(1_000), url: url(1_000) }; 200]),
        ],
        footer: Text::plain(format!("{long} the end")),
        at: long.clone(),
        thread: long,
    }
}
