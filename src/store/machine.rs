//! What a server says about its machine.

use std::path::Path;

/// The hardware, as `servers` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Memory, in bytes; 0: unknown.
    pub ram: i64,
    /// The graphics card, or `none`.
    pub graphics_card: String,
    /// Bytes free where instances keep their files; 0: unknown.
    pub storage: i64,
}

impl Machine {
    /// This machine. `folder` is where instances keep their files. What cannot be found out is 0 or `none`.
    #[must_use]
    pub fn probe(folder: &Path) -> Self {
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let storage = nix::sys::statvfs::statvfs(folder).map_or(0, |found| {
            i64::try_from(u128::from(found.blocks_available()) * u128::from(found.fragment_size())).unwrap_or(i64::MAX)
        });
        Self {
            ram: total_memory(&memory).unwrap_or(0),
            graphics_card: graphics_card(Path::new("/sys/class/drm")),
            storage,
        }
    }
}

/// Bytes, from the text of `/proc/meminfo`.
fn total_memory(text: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<i64>()
        .ok()?
        .checked_mul(1024)
}

/// The first card that has a vendor: its PCI ids and driver, as no database of names is at hand.
fn graphics_card(class: &Path) -> String {
    let mut cards: Vec<_> = std::fs::read_dir(class)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    cards.sort();
    cards
        .iter()
        .find_map(|card| {
            let device = card.join("device");
            let read = |name| {
                std::fs::read_to_string(device.join(name))
                    .ok()
                    .map(|text: String| text.trim().to_owned())
            };
            let driver = std::fs::read_link(device.join("driver")).ok()?;
            let driver = driver.file_name()?.to_string_lossy().into_owned();
            Some(format!("{driver} ({}:{})", read("vendor")?, read("device")?))
        })
        .unwrap_or_else(|| "none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernels_text() {
        assert_eq!(
            total_memory("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16_777_216)
        );
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
        assert_eq!(total_memory("MemTotal: 99999999999999999999 kB"), None);
    }

    #[test]
    fn a_card_is_named_by_its_driver_and_ids_and_none_is_none() {
        let class = tempfile::tempdir().unwrap();
        assert_eq!(graphics_card(class.path()), "none");
        let device = class.path().join("card0/device");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("vendor"), "0x8086\n").unwrap();
        std::fs::write(device.join("device"), "0x1234\n").unwrap();
        std::os::unix::fs::symlink("/sys/bus/pci/drivers/i915", device.join("driver")).unwrap();
        assert_eq!(graphics_card(class.path()), "i915 (0x8086:0x1234)");
    }

    #[test]
    fn this_machine_has_memory_and_room() {
        let machine = Machine::probe(Path::new("/"));
        assert!(machine.ram > 0 && machine.storage > 0);
    }
}
