//! The command line of the keeper.

use std::path::PathBuf;

use super::isolation::SizedFolder;
use crate::ids::InstanceId;

/// `heliostat keep`: parent of an instance's processes. Started by the host, not by hand.
#[derive(Clone, Debug, clap::Args)]
pub struct KeepArgs {
    /// The instance's folder, which exists.
    #[arg(long)]
    pub dir: PathBuf,
    /// The instance's id.
    #[arg(long)]
    pub instance: InstanceId,
    /// What its processes carry to be known by. By hand: 32 hexadecimal digits.
    #[arg(long, env = "HELIOSTAT_MARK", hide_env_values = true)]
    pub mark: String,
    /// Without a host for so many milliseconds the instance is ended.
    #[arg(long, default_value_t = 600_000)]
    pub host_absence_ms: u64,
    /// Part from the machine's System V shared memory, and from its mounts.
    #[arg(long)]
    pub apart: bool,
    /// With `--apart`: a folder of limited size, in memory, as SIZE:UID:GID:PATH.
    #[arg(long)]
    pub sized: Vec<SizedFolder>,
}
