//! `heliostat check-ice` and the credentials of the host, against a real coturn.

mod checks;
mod coturn;
