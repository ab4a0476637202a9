//! Where a value of the configuration comes from.

use std::fmt;
use std::path::PathBuf;

/// The source of one value, as shown by `heliostat config` and in errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The table of defaults in the code.
    Default,
    /// A line (counted from 1) of a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line of the value or key.
        line: usize,
    },
    /// A variable of the environment.
    Env(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
