//! What the start of a desktop waits for: its turn, its app's home, its app.

pub(in crate::desktop) mod kept_home;
pub(in crate::desktop) mod readiness;
pub(in crate::desktop) mod ready_mark;
pub(in crate::desktop) mod starts;
