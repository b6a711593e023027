//! The limit of open files that the process runs under: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside connections from callers: the store, the log, connections to chats.
const BESIDE: usize = 256;

/// Sees to it that `connections` can be open at once, as far as the process may, and says so if it may not.
pub(super) fn make_room_for(connections: usize) {
    let needed = (connections + BESIDE) as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    let is_raised = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok();
    let limit = if is_raised { raised } else { current.unwrap_or_default() };
    if limit < needed {
        let words = "fewer files may be open than connections: raise the limit (LimitNOFILE, ulimit -n)";
        tracing::warn!(limit, needed, "{words} or lower `server.max_connections`");
    }
}
