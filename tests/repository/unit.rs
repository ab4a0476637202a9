//! The systemd unit.

use std::process::Command;

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let unit = std::fs::read_to_string("scripts/heliostat.service").unwrap();
    for needed in ["Type=notify", "WatchdogSec=", "KillMode=process", "OOMPolicy=continue"] {
        assert!(
            unit.contains(needed),
            "{needed} keeps instances alive without their host"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heliostat.service");
    // It is verified where nothing is installed.
    let here = unit.replace("/usr/local/bin/heliostat", env!("CARGO_BIN_EXE_heliostat"));
    std::fs::write(&file, here).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&file).output() else {
        println!("no systemd-analyze here, the unit was not verified");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let about_it: Vec<&str> = said.lines().filter(|line| line.contains("heliostat.service")).collect();
    assert!(output.status.success() && about_it.is_empty(), "{said}");
}
