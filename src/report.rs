//! An error with its whole chain of causes, written once, where it is finally shown.

use std::error::Error;
use std::fmt;

/// Shows `error` and each of its causes, joined by `: `.
#[derive(Debug)]
pub struct Report<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
