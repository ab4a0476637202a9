//! `heliostat config`: the effective configuration and where each value comes from.

use std::io::{self, Write};

use serde::Serialize;

use crate::config::explain::{Row, table};
use crate::config::{AppEntry, Config, ConfigError, Sources, Warning};

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
pub enum ConfigCommandError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The output cannot be written.
    #[error("cannot write the configuration")]
    Output(#[from] io::Error),
}

impl ConfigCommandError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Output(_) => "output",
        }
    }
}

/// The same for programs.
#[derive(Debug, Serialize)]
struct Document {
    /// The file that was read.
    file: Option<String>,
    /// Every key.
    values: Vec<Row>,
    /// The app entries.
    apps: Vec<App>,
    /// What is odd.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct App {
    id: String,
    name: String,
    command: String,
}

/// Writes the effective configuration, as a table or as JSON.
///
/// # Errors
/// The configuration is wrong, or the output cannot be written.
pub fn run(sources: &Sources, json: bool, out: &mut dyn Write) -> Result<(), ConfigCommandError> {
    let (config, warnings) = Config::load(sources)?;
    let file = sources.file_to_read().map(|path| path.display().to_string());
    if json {
        let document = Document {
            file,
            values: config.explain(),
            apps: config.apps.iter().map(app).collect(),
            warnings: warnings.iter().map(|warning| warning.text.clone()).collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        text(file.as_deref(), &config, &warnings, out)?;
    }
    Ok(())
}

fn text(file: Option<&str>, config: &Config, warnings: &[Warning], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "configuration file: {}\n", file.unwrap_or("none"))?;
    write!(out, "{}", table(&config.explain()))?;
    if !config.apps.is_empty() {
        writeln!(out, "\nAPP ENTRIES")?;
        for app in &config.apps {
            writeln!(out, "{}  {}  {}", app.id, app.name, app.command)?;
        }
    }
    for warning in warnings {
        writeln!(out, "\nwarning: {warning}")?;
    }
    Ok(())
}

fn app(entry: &AppEntry) -> App {
    App {
        id: entry.id.clone(),
        name: entry.name.clone(),
        command: entry.command.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flag;

    fn sources(folder: &tempfile::TempDir) -> Sources {
        Sources {
            env: [
                ("HOME".into(), "/home/someone".into()),
                ("HELIOSTAT_VIDEO_FPS".into(), "24".into()),
            ]
            .into(),
            folder: folder.path().to_owned(),
            flags: vec![Flag::new("--auth", "server.auth", "open")],
            file: None,
        }
    }

    fn output(sources: &Sources, json: bool) -> String {
        let mut out = Vec::new();
        run(sources, json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_shows_every_value_with_its_source() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("heliostat.toml"),
            "[[app]]\nid = 'clock'\ncommand = 'xclock'\n",
        )
        .unwrap();
        let text = output(&sources(&folder), false);
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
        assert!(line("server.auth").contains("open") && line("server.auth").ends_with("flag --auth"));
        assert!(line("video.fps").contains("24") && line("video.fps").ends_with("environment HELIOSTAT_VIDEO_FPS"));
        assert!(line("server.state").contains("/home/someone/.local/state/heliostat"));
        assert!(line("clock").ends_with("xclock"));
    }

    #[test]
    fn the_json_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let json: serde_json::Value = serde_json::from_str(&output(&sources(&folder), true)).unwrap();
        let fps = json["values"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["key"] == "video.fps")
            .unwrap();
        assert_eq!(fps["value"], "24");
        assert_eq!(fps["source"], "environment HELIOSTAT_VIDEO_FPS");
        assert_eq!(fps["allowed"], "a whole number from 1 to 240");
    }

    #[test]
    fn a_wrong_configuration_is_an_error_and_shows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("heliostat.toml"), "[video]\nfps = 0\n").unwrap();
        let mut out = Vec::new();
        assert_eq!(run(&sources(&folder), false, &mut out).unwrap_err().code(), "bad_value");
        assert!(out.is_empty());
    }
}
