//! The children of a desktop, each the life of one process or thread, and what tells that one of them hangs or rests.

pub(in crate::desktop) mod capture;
pub(in crate::desktop) mod display;
pub(in crate::desktop) mod input;
pub(in crate::desktop) mod keeper_link;
pub(in crate::desktop) mod pulse;
pub(in crate::desktop) mod render;
pub(in crate::desktop) mod rest;
pub(in crate::desktop) mod silence;
pub(in crate::desktop) mod standstill;
pub(in crate::desktop) mod vnc;
pub(in crate::desktop) mod window_manager;
