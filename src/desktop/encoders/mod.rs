//! Which encoders a desktop's capture is to try, from what became of those before.

pub(in crate::desktop) mod encoder_faults;
pub(in crate::desktop) mod encoder_order;
pub(in crate::desktop) mod encoder_set;
