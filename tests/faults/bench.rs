//! The bench: plays the stories that are asked for, some of them beside each other, and tells how they went.

use std::io::{Write as _, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::judge::{Findings, judge};
use crate::report::{Line, table};
use crate::stage::Stage;
use crate::story::Fault;

/// A story that is over.
struct Ended {
    fault: &'static Fault,
    rounds: u32,
    findings: Findings,
    longest_stop: Duration,
}

/// What is played: a fault, how often, and with which dice.
type Story = (&'static Fault, u32, u64);

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    if arguments.is_listing {
        arguments.faults().for_each(|fault| println!("{}: test", fault.name));
        return ExitCode::SUCCESS;
    }
    if arguments.faults().next().is_none() {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let lines = runtime.block_on(play(&arguments));
    table(&mut stdout(), &lines, arguments.seed).unwrap();
    if lines.iter().all(|line| line.sum.faults.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn play(arguments: &Arguments) -> Vec<Line> {
    let begun = Instant::now();
    let mut lines: Vec<Line> =
        arguments.faults().map(|fault| Line { name: fault.name, ..Line::default() }).collect();
    let mut waiting = stories(arguments).into_iter();
    let mut playing = JoinSet::new();
    loop {
        while playing.len() < arguments.jobs
            && let Some(story) = waiting.next()
        {
            playing.spawn(tell(story, arguments.keeps));
        }
        let Some(ended) = playing.join_next().await else { break };
        let Ended { fault, rounds, findings, longest_stop } = ended.unwrap();
        if let Some(line) = lines.iter_mut().find(|line| line.name == fault.name) {
            line.add(rounds, &findings, longest_stop);
            let (done, wrong) = (line.rounds, line.sum.faults.len());
            drop(writeln!(
                stdout(),
                "{:>6.0?} {}: {done} rounds, {wrong} wrong",
                begun.elapsed(),
                fault.name
            ));
        }
    }
    lines
}

/// All stories that are asked for, the faults by turns.
fn stories(arguments: &Arguments) -> Vec<Story> {
    let mut stories = Vec::new();
    let mut left: Vec<(&'static Fault, u32)> =
        arguments.faults().map(|fault| (fault, arguments.rounds.unwrap_or(fault.short))).collect();
    for number in 0.. {
        left.retain(|(_, rounds)| *rounds > 0);
        if left.is_empty() {
            break;
        }
        for (fault, rounds) in &mut left {
            let now = (*rounds).min(fault.in_a_story);
            *rounds -= now;
            let name = fault.name.bytes().fold(0_u64, |sum, byte| sum * 31 + u64::from(byte));
            stories.push((*fault, now, arguments.seed.wrapping_mul(1_000_003) ^ name ^ (number << 40)));
        }
    }
    stories
}

async fn tell((fault, rounds, seed): Story, keeps: bool) -> Ended {
    let mut stage = Stage::new(seed, rounds);
    (fault.play)(&mut stage).await;
    if stage.planted.is_none() {
        stage.settle().await;
    }
    let mut findings = judge(&stage, fault);
    if let Some(words) = stage.planted {
        let is_seen = findings.faults.iter().any(|fault| fault.contains(words));
        findings.faults =
            if is_seen { Vec::new() } else { vec![format!("LOST: the judge does not see: {words}")] };
    }
    let longest_stop = stage.longest_stop;
    if keeps || !findings.faults.is_empty() {
        let folder = stage.keep();
        let all = findings.faults.join("\n  ");
        drop(writeln!(stdout(), "{} with the dice {seed}, see {}:\n  {all}", fault.name, folder.display()));
    }
    Ended { fault, rounds, findings, longest_stop }
}
