//! What keeps instances apart: the bubblewrap sandbox of an app, its control group, and what this machine lets us have
//! of both.
//!
//! Owns no process: what is decided here is carried out by the keeper. It survives a machine without any of it: then
//! [`Sandboxing`] says what is missing, and apps run as the apps' user in an emptied environment.
//!
//! - `line` bubblewrap's command line · `arguments` that of an app · `helpers` those of what stands around it (all pure)
//! - `named` the files that an entry names without saying so
//! - `limits` what an app may take · `groups` control groups, 1 and 2
//! - `internet` the way to public addresses · `probe` what works here · `confinement` all that an instance is given

mod arguments;
mod confinement;
mod groups;
mod helpers;
mod internet;
mod limits;
mod line;
mod named;
mod probe;

pub use arguments::{Places, arguments};
pub use confinement::{Confinement, Refused, SandboxPlan, Sandboxing, Surroundings};
pub use groups::{Groups, detect as detect_groups};
pub use helpers::{HELPERS_HOME, VNC_FOLDER};
pub use limits::Limits;
pub use line::HOSTNAME;
pub use probe::{Ability, probe};
