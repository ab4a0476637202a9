//! Rules about the source tree itself, which no compiler checks: who may import whom, how long files are, and what
//! they do not contain.

mod documents;
mod layers;
mod security;
mod source;
mod tidiness;
mod unit;
mod vendor;
