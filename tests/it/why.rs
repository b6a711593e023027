//! `bugle why`: ten questions, each answered by one command, in a store of a hundred thousand events.

mod history;
mod nearby;
mod questions;
mod story;
