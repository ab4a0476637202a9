//! `heliostat check-ice`, the credentials of the host and `scripts/install-coturn`, against a real coturn.

mod checks;
mod coturn;
mod install;
