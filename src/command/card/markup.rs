//! What a platform's mark-up shows: bold and links as such, mentions as names, escapes undone.

use anstyle::Effects;

use super::{Line, Part, Run, push};

/// Slack's text and the text block of a card: mentions in angle brackets, and entities for what stands for itself.
pub(super) fn with_mentions(text: &str) -> Vec<Line> {
    let line = |text: &str| {
        let mut line = Line::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            push(&mut line, &Run::default(), &entities(before));
            let (run, after) = mention(after, &Run::default()).unwrap_or((Run::plain("<"), after));
            push(&mut line, &run, &run.text);
            rest = after;
        }
        push(&mut line, &Run::default(), &entities(rest));
        line
    };
    text.lines().map(line).collect()
}

fn entities(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What an opening angle bracket begins, if that is a mention, and what follows it.
fn mention<'a>(rest: &'a str, style: &Run) -> Option<(Run, &'a str)> {
    let (name, after) = if let Some(tagged) = rest.strip_prefix("at>") {
        tagged.split_once("</at>")?
    } else {
        let (target, after) = rest.split_once('>')?;
        let signs = ["!subteam^", "@&", "@", "!"];
        (signs.iter().find_map(|sign| target.strip_prefix(sign))?, after)
    };
    Some((style.with_text(format!("@{name}")).with(Effects::BOLD, true), after))
}

/// Discord's Markdown with code blocks and quotes in it, as parts of a card.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let pieces = text.split("```").enumerate().filter(|(_, piece)| !piece.trim().is_empty());
    let part = |(index, piece): (usize, &str)| match index % 2 {
        0 => prose(piece.trim_matches('\n')),
        _ => {
            vec![Part::Code(without_language(piece).trim_matches('\n').lines().map(str::to_owned).collect())]
        }
    };
    pieces.flat_map(part).collect()
}

fn prose(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("> "), parts.last_mut()) {
            (Some(quoted), Some(Part::Quote(lines))) => lines.extend(markdown_line(quoted)),
            (Some(quoted), _) => parts.push(Part::Quote(markdown_line(quoted))),
            (None, Some(Part::Text(lines))) => lines.extend(markdown_line(line)),
            (None, _) => parts.push(Part::Text(markdown_line(line))),
        }
    }
    parts
}

fn markdown_line(line: &str) -> Vec<Line> {
    match line.strip_prefix("- ") {
        Some(item) => vec![[vec![Run::plain("• ")], runs(item, &Run::default())].concat()],
        None => vec![runs(line, &Run::default())],
    }
}

/// Discord colours code when its language stands on the line of the fence.
fn without_language(piece: &str) -> &str {
    match piece.split_once('\n') {
        Some((first, rest)) if first.bytes().all(|byte| byte.is_ascii_lowercase()) => rest,
        _ => piece,
    }
}

/// Discord's Markdown without code blocks, as lines.
pub(super) fn markdown(text: &str) -> Vec<Line> {
    text.lines().map(|line| runs(line, &Run::default())).collect()
}

/// One line: its runs of like style.
fn runs(text: &str, style: &Run) -> Line {
    let mut line = Line::default();
    let mut rest = text;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let special = escape(rest)
            .map(|(shown, after)| (vec![style.with_text(shown)], after))
            .or_else(|| {
                let (run, after) = mention(rest.strip_prefix('<')?, style)?;
                Some((vec![run], after))
            })
            .or_else(|| link(rest, style))
            .or_else(|| marked(rest, before, style));
        if let Some((found, after)) = special {
            for run in &found {
                push(&mut line, run, &run.text);
            }
            rest = after;
            before = Some(' ');
        } else {
            let (plain, after) = rest.split_at(first.len_utf8());
            push(&mut line, style, plain);
            rest = after;
            before = Some(first);
        }
    }
    line
}

/// An escaped character at the start of `rest`, and what follows it.
fn escape(rest: &str) -> Option<(char, &str)> {
    let mut after = rest.strip_prefix('\\')?.chars();
    let character = after.next().filter(char::is_ascii_punctuation)?;
    Some((character, after.as_str()))
}

/// `[label](address)`
fn link<'a>(rest: &'a str, style: &Run) -> Option<(Line, &'a str)> {
    let (label, after) = rest.strip_prefix('[')?.split_once("](")?;
    let (url, after) = after.split_once(')')?;
    Some((runs(label, &Run { url: url.to_owned(), ..style.clone() }), after))
}

/// Text between two marks, as in `**bold**`.
fn marked<'a>(rest: &'a str, before: Option<char>, style: &Run) -> Option<(Line, &'a str)> {
    let mark = ["``", "`", "**", "__", "~~", "*", "_"].into_iter().find(|mark| rest.starts_with(mark))?;
    if mark.starts_with('_') && before.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let inside = rest.strip_prefix(mark)?;
    let (inside, after) = inside.split_at_checked(closing(inside, mark)?)?;
    let after = after.strip_prefix(mark)?;
    if inside.is_empty() || inside.trim() != inside {
        return None;
    }
    let found = match mark {
        "`" | "``" => vec![Run { code: true, ..style.with_text(inside) }],
        "**" => runs(inside, &style.clone().with(Effects::BOLD, true)),
        "~~" => runs(inside, &style.clone().with(Effects::STRIKETHROUGH, true)),
        _ => runs(inside, &style.clone().with(Effects::ITALIC, true)),
    };
    Some((found, after))
}

/// Where the mark stands that ends what `mark` began: not behind a backslash, nor as a part of a longer one.
fn closing(inside: &str, mark: &str) -> Option<usize> {
    let sign = mark.chars().next()?;
    let mut rest = inside.char_indices().peekable();
    while let Some((index, c)) = rest.next() {
        if c == '\\' && sign != '`' {
            rest.next();
        } else if c == sign {
            let mut length = 1;
            while rest.next_if(|(_, next)| *next == sign).is_some() {
                length += 1;
            }
            // Where two marks end at once, the inner one ends first.
            let is_both = sign == '*' && length == 3;
            if length == mark.len() || is_both {
                return Some(index + length - mark.len());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs of all lines, each with its style in front: b, i, c, or the address of a link.
    fn shown(lines: &[Line]) -> String {
        let runs = lines.iter().flatten().map(|run| {
            let mut style = String::new();
            let has = |effect| run.effects.contains(effect);
            let looks = [
                (has(Effects::BOLD), 'b'),
                (has(Effects::ITALIC), 'i'),
                (has(Effects::STRIKETHROUGH), 's'),
                (run.code, 'c'),
            ];
            for (is, letter) in looks {
                if is {
                    style.push(letter);
                }
            }
            style.push_str(&run.url);
            if style.is_empty() { run.text.clone() } else { format!("{{{style} {}}}", run.text) }
        });
        runs.collect()
    }

    #[test]
    fn mentions_are_names_and_entities_are_undone() {
        let show = |text| shown(&with_mentions(text));
        assert_eq!(show("a &lt;!here&gt; &amp;amp; \\*"), "a <!here> &amp; \\*");
        assert_eq!(show("<!here> <@U1> <!subteam^S1> x"), "{b @here} {b @U1} {b @S1} x");
        assert_eq!(show("<at>Ann</at> <at>Bo Li</at>"), "{b @Ann} {b @Bo Li}");
        assert_eq!(show("*\u{200B}not bold*\u{200B}"), "*\u{200B}not bold*\u{200B}");
        assert_eq!(show("1 < 2"), "1 < 2");
    }

    #[test]
    fn markdown_is_shown_and_escapes_undone() {
        let show = |text| shown(&markdown(text));
        assert_eq!(show(r"**Stage** \*x\* [a\_b](https://a.b/)"), "{b Stage} *x* {https://a.b/ a_b}");
        assert_eq!(show("<@123> <@&4> &lt; _x_ `a_b_c`"), "{b @123} {b @4} &lt; {i x} {c a_b_c}");
        assert_eq!(show("2 * 3 * 4, snake_case_name"), "2 * 3 * 4, snake_case_name");
        assert_eq!(show("***x*** **a\\*** ~~*z*~~ ``a`b``"), "{bi x} {b a*} {is z} {c a`b}");
        assert_eq!(show("[**a** `b`](https://a.b/)"), "{bhttps://a.b/ a}{https://a.b/  }{chttps://a.b/ b}");
    }

    #[test]
    fn quotes_and_items_are_shown_as_such() {
        let text = |text: &str| vec![Run::plain(text)];
        let item = |item: &str| vec![Run::plain("• "), Run::plain(item)];
        assert_eq!(
            parts("a\n> b\n> c\n- d\n1. e"),
            [
                Part::Text(vec![text("a")]),
                Part::Quote(vec![text("b"), text("c")]),
                Part::Text(vec![item("d"), text("1. e")])
            ]
        );
    }

    #[test]
    fn code_blocks_are_parts_of_their_own() {
        let parts = parts("before\n```ruby\nputs 1\n```\nafter");
        assert!(
            matches!(&parts[..], [Part::Text(_), Part::Code(code), Part::Text(_)] if code == &["puts 1"])
        );
        let bare = super::parts("```\nretry\nend\n```");
        assert_eq!(bare, [Part::Code(vec!["retry".to_owned(), "end".to_owned()])]);
    }
}
