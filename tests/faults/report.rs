//! What the bench prints: a line for each fault, and everything that went wrong.

use std::io::Write;
use std::time::Duration;

use crate::judge::Findings;

/// All stories of one fault.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) rounds: u32,
    pub(crate) sum: Findings,
    pub(crate) longest_stop: Duration,
}

impl Line {
    /// Adds a story.
    pub(crate) fn add(&mut self, rounds: u32, findings: &Findings, longest_stop: Duration) {
        let sum = &mut self.sum;
        self.rounds += rounds;
        self.longest_stop = self.longest_stop.max(longest_stop);
        sum.accepted += findings.accepted;
        sum.refused += findings.refused;
        sum.unanswered += findings.unanswered;
        sum.shown += findings.shown;
        sum.dead += findings.dead;
        sum.moved += findings.moved;
        sum.doubled += findings.doubled;
        sum.hurried += findings.hurried;
        sum.faults.extend_from_slice(&findings.faults);
    }

    fn lost(&self) -> usize {
        self.sum.faults.iter().filter(|fault| fault.starts_with("LOST")).count()
    }
}

/// Writes the table.
pub(crate) fn table(out: &mut impl Write, lines: &[Line], seed: u64) -> std::io::Result<()> {
    let heads = [
        "fault",
        "rounds",
        "accepted",
        "refused",
        "no answer",
        "shown",
        "moved",
        "dead",
        "doubled",
        "429s",
        "stop",
        "wrong",
        "LOST",
    ];
    let row = |cells: [String; 13]| {
        let [name, rest @ ..] = cells;
        format!("{name:<9}{}", rest.map(|cell| format!("{cell:>10}")).concat())
    };
    writeln!(out, "\n{}", row(heads.map(str::to_owned)))?;
    for line in lines {
        let sum = &line.sum;
        let stop = match line.longest_stop {
            Duration::ZERO => "-".to_owned(),
            longest => format!("{:.1} s", longest.as_secs_f64()),
        };
        let cells = [
            line.name.to_owned(),
            line.rounds.to_string(),
            sum.accepted.to_string(),
            sum.refused.to_string(),
            sum.unanswered.to_string(),
            sum.shown.to_string(),
            sum.moved.to_string(),
            sum.dead.to_string(),
            sum.doubled.to_string(),
            sum.hurried.to_string(),
            stop,
            sum.faults.len().to_string(),
            line.lost().to_string(),
        ];
        writeln!(out, "{}", row(cells))?;
    }
    writeln!(out, "\nseed {seed}")
}
