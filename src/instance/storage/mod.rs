//! What an instance has on disk and in the database.

pub(in crate::instance) mod folder_work;
pub(in crate::instance) mod kept_homes;
pub(in crate::instance) mod rows;
