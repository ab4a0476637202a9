//! Who watches an instance, by what, as whom, and who of them steers.
//!
//! [`roster`] is the one place where that changes; [`viewers`] decides, and [`steering`] says what becomes of input.

pub(in crate::instance) mod announcing;
pub(in crate::instance) mod door;
pub(in crate::instance) mod leaving;
pub(in crate::instance) mod outbound;
pub(in crate::instance) mod roster;
pub(in crate::instance) mod speaker;
pub(in crate::instance) mod steering;
pub(in crate::instance) mod viewers;
pub(in crate::instance) mod visits;
