//! Which lines are wanted.

use std::io;

use crate::cli::Tail;
use crate::command::events::choices;
use crate::command::hint;
use crate::name::SourceName;
use crate::outbox::Happening;
use crate::rule::{Choice, ChoiceError};

/// What narrows the lines down. It hides only lines that have what it looks at: that bugle has stopped is always told.
pub(super) struct Filter {
    source: Choice,
    app: Choice,
    trigger: Choice,
    severity: Choice,
    destination: Choice,
}

impl Filter {
    pub(super) fn new(asked: &Tail) -> Result<Self, ChoiceError> {
        let [source, app, trigger, severity] = choices(&asked.of)?;
        // Names of destinations are names like those of sources.
        let destination = Choice::parse("source", &asked.destination)?;
        Ok(Self { source, app, trigger, severity, destination })
    }

    /// Says so where nothing can pass, because there is nothing of that name among `sources`.
    pub(super) fn hint(&self, sources: &[SourceName]) -> io::Result<()> {
        hint::of_words(&self.source, &self.severity, sources)
    }

    /// Whether nothing is hidden.
    pub(super) fn is_everything(&self) -> bool {
        [&self.source, &self.app, &self.trigger, &self.severity, &self.destination]
            .into_iter()
            .all(Choice::is_everything)
    }

    pub(super) fn passes(&self, what: &Happening) -> bool {
        let event = what.event().is_none_or(|event| {
            self.app.chooses(&event.app)
                && self.trigger.chooses(&event.trigger)
                && self.severity.chooses(&event.severity)
        });
        let destination = self.destination.is_everything()
            || what.destinations().is_none_or(|all| all.iter().any(|name| self.destination.chooses(name)));
        event && destination && what.source().is_none_or(|source| self.source.chooses(source))
    }
}
