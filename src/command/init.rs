//! `bugle init`: from a few answers to a configuration that works, and to the first event.
//!
//! Questions go to standard error, so that standard output has the result alone. Nothing is written before everything
//! is known and checked, nothing is ever written over, and what cannot be finished is taken back.

mod answers;
mod dialogue;
mod hidden;
mod proposal;
mod text;
mod told;
mod toml;
mod wait;
mod write;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::Init;
use crate::command::{Setting, block_on};
use crate::config;

use dialogue::Dialogue;
use write::{Draft, expect_room, fresh_token};

/// Where a configuration is written if nobody says.
const PATH: &str = "config.toml";

/// Writes a configuration as `asked`, and waits for the first event if that is asked. Gives the exit code.
pub fn run(out: &mut dyn Write, setting: Setting<'_>, asked: Init) -> Result<u8> {
    let path = setting.config.map_or_else(|| PathBuf::from(PATH), Path::to_owned);
    let waits = asked.wait;
    if waits
        && asked.is_bare()
        && let Ok(there) = config::find(setting.config)
        && there.exists()
    {
        return block_on(wait::run(out, setting, &there));
    }
    expect_room(&path)?;
    let answers = ask(setting, asked)?;
    let tokens = answers.sources.iter().map(|_| fresh_token()).collect::<Result<_>>()?;
    let draft = Draft { path, answers, tokens };
    let files = draft.write(setting.environment)?;
    if setting.json {
        writeln!(out, "{:#}", told::as_json(&draft, &files, setting.config))?;
    } else {
        told::tell(out, &draft, &files, setting.config)?;
    }
    if waits {
        return block_on(wait::run(out, setting, &draft.path));
    }
    Ok(0)
}

fn ask(setting: Setting<'_>, asked: Init) -> Result<answers::Answers> {
    let (mut input, mut questions) = (io::stdin().lock(), io::stderr().lock());
    let is_with_a_person = io::stdin().is_terminal();
    let mut dialogue = if is_with_a_person {
        Dialogue::with_a_person(&mut input, &mut questions, &hidden::hide)
    } else {
        Dialogue::with_a_script(&mut input, &mut questions)
    };
    answers::complete(asked, setting.environment, &mut dialogue)
}
