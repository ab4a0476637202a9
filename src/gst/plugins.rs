//! Loads only the plug-ins that are used.
//!
//! A full registry names some 250 plug-ins: reading its cache costs memory in every capture process, and making it
//! takes seconds and a writable home. Neither is needed for a few plug-ins whose names are known.

use std::path::{Path, PathBuf};
use std::sync::Once;

use gstreamer as gst;

use super::GstError;

/// Always needed.
const BASE: [&str; 2] = ["coreelements", "app"];

/// Starts GStreamer in this process. To be called while the process has one thread.
///
/// # Errors
/// GStreamer is not usable here.
pub fn init() -> Result<(), GstError> {
    static ONCE: Once = Once::new();
    let folder = plugin_folder();
    ONCE.call_once(|| {
        if folder.is_some() {
            // SAFETY: the process has one thread here, as asked for above.
            unsafe { std::env::set_var("GST_REGISTRY_DISABLE", "yes") };
        }
    });
    gst::init().map_err(|error| GstError::Init(error.to_string()))?;
    for name in BASE {
        load(name);
    }
    Ok(())
}

/// Loads a plug-in by its name. One that is missing shows when its elements are made.
pub(super) fn load(name: &str) {
    if let Some(file) = plugin_file(name)
        && let Err(error) = gst::Plugin::load_file(&file)
    {
        log::warn!("plugin={name} cannot be loaded: {error}");
    }
}

/// Whether a plug-in is installed, without loading it.
pub(super) fn installed(name: &str) -> bool {
    // Without a folder of our own the registry knows.
    plugin_folder().is_none() || plugin_file(name).is_some()
}

/// Whether a library is installed where GStreamer's is, without loading it.
pub(super) fn library_installed(file: &str) -> bool {
    plugin_folder()
        .as_deref()
        .and_then(Path::parent)
        .is_none_or(|folder| folder.join(file).exists())
}

fn plugin_file(name: &str) -> Option<PathBuf> {
    let file = plugin_folder()?.join(format!("libgst{name}.so"));
    file.exists().then_some(file)
}

/// Beside the library itself, where every distribution puts them. `None` leaves it to GStreamer's own registry.
fn plugin_folder() -> Option<PathBuf> {
    static FOLDER: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let given = std::env::var_os("GST_PLUGIN_SYSTEM_PATH_1_0").map(PathBuf::from);
            given
                .or_else(library_folder)
                .filter(|folder| folder.join("libgstcoreelements.so").exists())
        })
        .clone()
}

fn library_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let library = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| {
            Path::new(path)
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("libgstreamer-1.0.so"))
        })?;
    Some(Path::new(library).parent()?.join("gstreamer-1.0"))
}
