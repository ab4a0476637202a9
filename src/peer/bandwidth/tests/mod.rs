//! Estimates on lines that are simulated, by name.

mod hostile;
mod line;
mod scenarios;
