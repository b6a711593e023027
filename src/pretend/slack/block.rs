//! Block Kit: which blocks a message may hold, and how large each part may be.

use std::collections::HashSet;

use crate::pretend::shape::{Checked, Fault, Place};

/// All text of a message's blocks together. Undocumented; refusals were reported from about here on.
const TEXT_IN_ALL: usize = 13_000;
/// The text of all `markdown` blocks together.
const MARKDOWN_IN_ALL: usize = 12_000;

/// How a piece of rich text can look.
const LOOKS: [&str; 8] =
    ["bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink"];

/// The blocks of one message so far, for what must be unique in it or is limited over all of it.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    ids: HashSet<String>,
    length: usize,
    markdown: usize,
    tables: usize,
}

/// Slack does not say what a character is; this is the larger of what it may mean.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

impl Blocks {
    /// Checks a list of blocks; gives how many there are.
    pub(super) fn check(&mut self, blocks: &Place<'_>) -> Checked<usize> {
        let blocks = blocks.list(0..=50)?;
        blocks.iter().try_for_each(|block| self.block(block))?;
        Ok(blocks.len())
    }

    /// Checks what all text of all blocks adds up to.
    pub(super) fn length(&self) -> Checked {
        if self.length > TEXT_IN_ALL {
            let words = format!("has {} characters in its blocks", self.length);
            return Err(Fault { path: String::new(), words });
        }
        Ok(())
    }

    fn block(&mut self, block: &Place<'_>) -> Checked {
        block.object()?;
        if let Some(id) = block.at("block_id")
            && !self.ids.insert(id.sized(1..=255, units)?.to_owned())
        {
            return Err(id.fault("is there twice"));
        }
        match block.need("type")?.text()? {
            "section" => self.section(block),
            "header" => {
                block.only(&["type", "block_id", "text", "level"])?;
                self.plain(&block.need("text")?, 150)
            }
            "context" => self.context(block),
            "rich_text" => self.rich_text(block),
            "actions" => {
                block.only(&["type", "block_id", "elements"])?;
                let mut ids = HashSet::new();
                block
                    .need("elements")?
                    .list(1..=25)?
                    .iter()
                    .try_for_each(|button| self.button(button, &mut ids))
            }
            "divider" => block.only(&["type", "block_id"]),
            "image" => self.image(block),
            "markdown" => self.markdown(block),
            "table" => self.table(block),
            kind => Err(block.fault(format!("is of the unknown type {kind:?}"))),
        }
    }

    fn section(&mut self, block: &Place<'_>) -> Checked {
        block.only(&["type", "block_id", "text", "fields", "accessory", "expand"])?;
        let (text, fields) = (block.at("text"), block.at("fields"));
        if text.is_none() && fields.is_none() {
            return Err(block.fault("has neither text nor fields"));
        }
        if let Some(text) = text {
            self.text(&text, 3000)?;
        }
        if let Some(fields) = fields {
            fields.list(1..=10)?.iter().try_for_each(|field| self.text(field, 2000))?;
        }
        if let Some(accessory) = block.at("accessory") {
            match accessory.need("type")?.text()? {
                "image" => self.image(&accessory)?,
                _ => self.button(&accessory, &mut HashSet::new())?,
            }
        }
        Ok(())
    }

    fn context(&mut self, block: &Place<'_>) -> Checked {
        block.only(&["type", "block_id", "elements"])?;
        for element in block.need("elements")?.list(1..=10)? {
            match element.need("type")?.text()? {
                "image" => self.image(&element)?,
                _ => self.text(&element, 3000)?,
            }
        }
        Ok(())
    }

    /// A text object of either kind. Slack refuses an empty one, and members that it does not know.
    fn text(&mut self, text: &Place<'_>, most: usize) -> Checked {
        match text.need("type")?.text()? {
            "mrkdwn" => {
                text.only(&["type", "text", "verbatim"])?;
                text.at("verbatim").map_or(Ok(false), |flag| flag.flag())?;
            }
            "plain_text" => {
                text.only(&["type", "text", "emoji"])?;
                text.at("emoji").map_or(Ok(false), |flag| flag.flag())?;
            }
            kind => return Err(text.fault(format!("is of the unknown type {kind:?}"))),
        }
        self.length += units(text.need("text")?.sized(1..=most, units)?);
        Ok(())
    }

    fn plain(&mut self, text: &Place<'_>, most: usize) -> Checked {
        text.need("type")?.word(&["plain_text"])?;
        self.text(text, most)
    }

    fn button(&mut self, button: &Place<'_>, ids: &mut HashSet<String>) -> Checked {
        button.need("type")?.word(&["button"])?;
        let known = ["type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"];
        button.only(&known)?;
        self.plain(&button.need("text")?, 75)?;
        for (key, most) in [("url", 3000), ("value", 2000), ("action_id", 255), ("accessibility_label", 75)] {
            if let Some(text) = button.at(key) {
                text.sized(1..=most, units)?;
            }
        }
        if let Some(style) = button.at("style") {
            style.word(&["primary", "danger"])?;
        }
        match button.at("action_id") {
            Some(id) if !ids.insert(id.text()?.to_owned()) => Err(id.fault("is there twice")),
            _ => Ok(()),
        }
    }

    fn image(&mut self, image: &Place<'_>) -> Checked {
        image.only(&["type", "block_id", "image_url", "slack_file", "alt_text", "title"])?;
        image.need("alt_text")?.sized(1..=2000, units)?;
        if image.at("slack_file").is_none() {
            image.need("image_url")?.sized(1..=3000, units)?;
        }
        image.at("title").map_or(Ok(()), |title| self.plain(&title, 2000))
    }

    fn markdown(&mut self, block: &Place<'_>) -> Checked {
        block.only(&["type", "block_id", "text"])?;
        let text = block.need("text")?;
        self.markdown += units(text.sized(1..=MARKDOWN_IN_ALL, units)?);
        if self.markdown > MARKDOWN_IN_ALL {
            return Err(text.fault(format!("makes {} characters with those before", self.markdown)));
        }
        Ok(())
    }

    fn table(&mut self, block: &Place<'_>) -> Checked {
        self.tables += 1;
        if self.tables > 1 {
            return Err(block.fault("is a second table"));
        }
        block.only(&["type", "block_id", "rows", "column_settings"])?;
        for row in block.need("rows")?.list(1..=100)? {
            for cell in row.list(1..=20)? {
                match cell.need("type")?.text()? {
                    "raw_text" => drop(cell.need("text")?.sized(1..=usize::MAX, units)?),
                    _ => self.rich_text(&cell)?,
                }
            }
        }
        Ok(())
    }

    fn rich_text(&mut self, block: &Place<'_>) -> Checked {
        block.need("type")?.word(&["rich_text"])?;
        block.only(&["type", "block_id", "elements"])?;
        block.need("elements")?.list(1..=usize::MAX)?.iter().try_for_each(|part| self.rich_part(part))
    }

    fn rich_part(&mut self, part: &Place<'_>) -> Checked {
        let elements = part.need("elements")?;
        match part.need("type")?.text()? {
            "rich_text_section" => part.only(&["type", "elements"])?,
            "rich_text_preformatted" => part.only(&["type", "elements", "border", "language"])?,
            "rich_text_quote" => part.only(&["type", "elements", "border"])?,
            "rich_text_list" => {
                part.only(&["type", "elements", "style", "indent", "offset", "border"])?;
                part.need("style")?.word(&["bullet", "ordered"])?;
                for key in ["indent", "offset", "border"] {
                    part.at(key).map_or(Ok(0), |number| number.whole())?;
                }
                return elements.list(1..=usize::MAX)?.iter().try_for_each(|item| {
                    item.need("type")?.word(&["rich_text_section"])?;
                    self.rich_part(item)
                });
            }
            kind => return Err(part.fault(format!("is of the unknown type {kind:?}"))),
        }
        elements.list(1..=usize::MAX)?.iter().try_for_each(|leaf| self.rich_leaf(leaf))
    }

    fn rich_leaf(&mut self, leaf: &Place<'_>) -> Checked {
        match leaf.need("type")?.text()? {
            "text" => {
                leaf.only(&["type", "text", "style"])?;
                self.length += units(leaf.need("text")?.sized(1..=usize::MAX, units)?);
            }
            "link" => {
                leaf.only(&["type", "url", "text", "unsafe", "style"])?;
                link(&leaf.need("url")?)?;
                if let Some(text) = leaf.at("text") {
                    self.length += units(text.sized(1..=usize::MAX, units)?);
                }
            }
            "emoji" => drop(leaf.need("name")?.sized(1..=255, units)?),
            "user" => drop(leaf.need("user_id")?.sized(1..=255, units)?),
            "usergroup" => drop(leaf.need("usergroup_id")?.sized(1..=255, units)?),
            "broadcast" => drop(leaf.need("range")?.word(&["here", "channel", "everyone"])?),
            "channel" => drop(leaf.need("channel_id")?.sized(1..=255, units)?),
            "date" => drop(leaf.need("format")?.sized(1..=255, units)?),
            "color" => drop(leaf.need("value")?.sized(1..=255, units)?),
            kind => return Err(leaf.fault(format!("is of the unknown type {kind:?}"))),
        }
        let Some(style) = leaf.at("style") else { return Ok(()) };
        style.only(&LOOKS)?;
        LOOKS.iter().filter_map(|look| style.at(look)).try_for_each(|flag| flag.flag().map(|_| ()))
    }
}

fn link(url: &Place<'_>) -> Checked {
    let text = url.sized(1..=3000, units)?;
    let is_absolute = ["http://", "https://", "mailto:"].iter().any(|scheme| text.starts_with(scheme));
    if is_absolute { Ok(()) } else { Err(url.fault("is not an absolute address")) }
}
