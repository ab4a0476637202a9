//! What of a machine an encoder needs beside the processor.

use std::path::{Path, PathBuf};

/// A kind of device that encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hardware {
    /// A graphics card by its render node (VA-API, Quick Sync).
    Dri,
    /// A graphics card of NVIDIA by its own driver.
    Nvidia,
    /// A board's own encoder (V4L2, memory to memory).
    Video,
}

/// What NVIDIA's driver opens beside the cards.
const NVIDIA: [&str; 4] = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"];

impl Hardware {
    /// The device files of this machine, in a fixed order; none: there is no such hardware.
    #[must_use]
    pub fn nodes(self) -> Vec<PathBuf> {
        self.nodes_in(Path::new("/dev"), Path::new("/sys/class/video4linux"))
    }

    fn nodes_in(self, dev: &Path, video: &Path) -> Vec<PathBuf> {
        let numbered = |folder: &Path, before: &str| {
            let mut found: Vec<String> = names(folder)
                .into_iter()
                .filter(|name| is_numbered(name, before))
                .collect();
            found.sort_by_key(|name| (name.len(), name.clone()));
            found
        };
        match self {
            Self::Dri => {
                let dri = dev.join("dri");
                let found = numbered(&dri, "renderD");
                found.iter().map(|name| dri.join(name)).collect()
            }
            Self::Nvidia => {
                let cards = numbered(dev, "nvidia");
                if cards.is_empty() {
                    return Vec::new();
                }
                let others = NVIDIA.iter().map(|name| dev.join(name)).filter(|path| path.exists());
                cards.iter().map(|name| dev.join(name)).chain(others).collect()
            }
            // Cameras are video devices, too, and nothing for a process that parses what a program draws.
            Self::Video => numbered(video, "video")
                .iter()
                .filter(|name| encodes(&video.join(name).join("name")))
                .map(|name| dev.join(name))
                .filter(|path| path.exists())
                .collect(),
        }
    }

    /// What is looked for, for people.
    #[must_use]
    pub const fn looked_for(self) -> &'static str {
        match self {
            Self::Dri => "/dev/dri/renderD*",
            Self::Nvidia => "/dev/nvidia0",
            Self::Video => "/dev/video* that encodes",
        }
    }
}

/// Whether a device of V4L2 calls itself an encoder.
fn encodes(name: &Path) -> bool {
    std::fs::read_to_string(name).is_ok_and(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("codec") || name.contains("enc")
    })
}

fn is_numbered(name: &str, before: &str) -> bool {
    name.strip_prefix(before)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn machine(files: &[&str]) -> tempfile::TempDir {
        let machine = tempfile::tempdir().unwrap();
        for file in files {
            let path = machine.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        machine
    }

    fn found(hardware: Hardware, machine: &tempfile::TempDir) -> Vec<String> {
        let (dev, video) = (machine.path().join("dev"), machine.path().join("v4l"));
        let nodes = hardware.nodes_in(&dev, &video);
        let inside = |path: PathBuf| path.strip_prefix(&dev).unwrap().to_string_lossy().into_owned();
        nodes.into_iter().map(inside).collect()
    }

    #[test]
    fn a_card_is_its_render_node_and_not_the_screens_it_drives() {
        let one = machine(&[
            "dev/dri/card0",
            "dev/dri/renderD129",
            "dev/dri/renderD128",
            "dev/dri/by-path/x",
        ]);
        assert_eq!(found(Hardware::Dri, &one), ["dri/renderD128", "dri/renderD129"]);
        assert!(found(Hardware::Dri, &machine(&["dev/null"])).is_empty());
    }

    #[test]
    fn nvidias_driver_without_a_card_is_none() {
        let driver = ["dev/nvidiactl", "dev/nvidia-uvm"];
        assert!(found(Hardware::Nvidia, &machine(&driver)).is_empty());
        let card = machine(&["dev/nvidiactl", "dev/nvidia-uvm", "dev/nvidia0", "dev/nvidia-caps/x"]);
        assert_eq!(found(Hardware::Nvidia, &card), ["nvidia0", "nvidiactl", "nvidia-uvm"]);
    }

    #[test]
    fn a_camera_is_no_encoder() {
        let board = machine(&["dev/video0", "dev/video11", "v4l/video0/name", "v4l/video11/name"]);
        fs::write(board.path().join("v4l/video0/name"), "HD Webcam C270\n").unwrap();
        fs::write(board.path().join("v4l/video11/name"), "bcm2835-codec-encode\n").unwrap();
        assert_eq!(found(Hardware::Video, &board), ["video11"]);
    }
}
