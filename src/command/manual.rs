//! `bugle completions` and `bugle man`: what is made from the grammar of the command line.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;

/// Writes the completions for `shell` to `out`.
pub fn completions(out: &mut dyn Write, shell: Shell) -> Result<()> {
    let mut completions = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bugle", &mut completions);
    out.write_all(&completions)?;
    Ok(())
}

/// Writes one manual page for all commands to `out`; or a page for each into `folder`, which is made if need be.
pub fn pages(out: &mut dyn Write, folder: Option<&Path>) -> Result<()> {
    let Some(folder) = folder else {
        return Ok(page(out)?);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("no page can be written into {}", folder.display()))
}

/// What a reader of a manual page expects at its end.
const END: &str = r".SH ENVIRONMENT
.TP
.B BUGLE__SECTION__KEY
stands above the configuration file: BUGLE__SERVER__LISTEN sets listen in [server].
.TP
.B RUST_LOG
what is logged, such as info or bugle=debug.
.TP
.B LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES
sockets that systemd passes.
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC
how systemd asks to be told that bugle is ready and alive.
.SH FILES
.TP
.B ./config.toml, /etc/bugle/config.toml
the configuration, looked for in this order.
";

fn page(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let whole = Man::new(command.clone());
    whole.render_title(out)?;
    whole.render_name_section(out)?;
    whole.render_synopsis_section(out)?;
    whole.render_description_section(out)?;
    whole.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    for subcommand in command.get_subcommands() {
        section(out, "bugle", subcommand)?;
    }
    out.write_all(END.as_bytes())
}

/// A command as a section of the one page, and after it those that it has itself.
fn section(out: &mut dyn Write, above: &str, command: &clap::Command) -> io::Result<()> {
    let name = format!("{above} {}", command.get_name());
    let parts: Vec<_> = command.get_subcommands().filter(|part| part.get_name() != "help").cloned().collect();
    // What holds for every command has been said once, at the top.
    let command = command.clone().mut_args(|argument| {
        let is_global = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(is_global)
    });
    let man = Man::new(command);
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    writeln!(out, ".SS {name}")?;
    for line in String::from_utf8_lossy(&text).lines() {
        match line.strip_prefix(".SH ") {
            Some(_) => writeln!(out, ".PP")?,
            None => writeln!(out, "{line}")?,
        }
    }
    parts.iter().try_for_each(|part| section(out, &name, part))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    fn names() -> Vec<String> {
        Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn the_page_has_every_command_and_says_once_what_holds_for_all() {
        let mut page = Vec::new();
        pages(&mut page, None).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains(".TH bugle 1"), "{page}");
        for name in names() {
            assert!(page.contains(&format!(".SS bugle {name}\n")), "{name}: {page}");
        }
        let (whole, commands) = page.split_once(".SH COMMANDS").unwrap();
        assert!(whole.contains("\\-\\-config") && !commands.contains("\\-\\-config"), "{page}");
        assert!(commands.contains("\\-\\-without\\-secrets"), "{page}");
    }

    #[test]
    fn a_folder_gets_a_page_for_each_command() {
        let folder = tempfile::tempdir().unwrap();
        let pages_folder = folder.path().join("man/man1");
        pages(&mut Vec::new(), Some(&pages_folder)).unwrap();
        for name in names() {
            assert!(pages_folder.join(format!("bugle-{name}.1")).exists(), "{name}");
        }
        assert!(pages_folder.join("bugle.1").exists());
    }

    #[test]
    fn every_shell_gets_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            completions(&mut script, *shell).unwrap();
            let script = String::from_utf8(script).unwrap();
            for name in names() {
                assert!(script.contains(&name), "{shell}: {name}");
            }
        }
    }
}
