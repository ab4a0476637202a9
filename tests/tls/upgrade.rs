//! `heliostat upgrade` of a real host: whatever would keep the next one from serving is found before this one lets go.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::support::Host;

/// What the command ends with and says.
fn upgrade(host: &Host, binary: Option<&Path>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOSTAT_")) {
        command.env_remove(name);
    }
    command.args(["upgrade", "--state"]).arg(host.state());
    if let Some(binary) = binary {
        command.arg("--binary").arg(binary);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn sql(host: &Host, statement: &str) {
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as c: c.execute(sys.argv[2])";
    let database = host.state().join("heliostat.db");
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(database).arg(statement);
    assert!(command.status().unwrap().success());
}

fn answers(host: &Host) -> bool {
    let mut stream = host.plain();
    let request = format!(
        "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
        host.port
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 200")
}

/// An upgrade to the same binary, in the same process.
fn goes_well(host: &Host) {
    let (well, said) = upgrade(host, None);
    assert!(
        well && said.contains(&format!("pid {}", host.pid())),
        "{said}\n{}",
        host.log()
    );
    assert!(answers(host));
}

#[test]
fn a_host_that_could_not_serve_again_goes_on_as_it_was() {
    let host = Host::start(&["--auth", "open"]);
    let refused = |why: &str| {
        let (well, said) = upgrade(&host, None);
        assert!(
            !well && said.contains("goes on as it was") && said.contains(why),
            "{why}: {said}"
        );
        assert!(answers(&host), "{why}");
    };
    sql(
        &host,
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')",
    );
    refused("database_newer");
    sql(
        &host,
        "DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'",
    );
    for (file, why) in [("server_id", "server_identity"), ("token", "token")] {
        let file = host.state().join(file);
        let good = std::fs::read(&file).unwrap();
        std::fs::write(&file, "half").unwrap();
        refused(why);
        std::fs::write(&file, good).unwrap();
    }
    // The address and the folder are in use by the host itself, which is no reason.
    goes_well(&host);
}

#[test]
fn a_binary_that_does_not_serve_after_all_is_followed_by_the_one_before() {
    let host = Host::start(&["--auth", "open"]);
    // It passes every trial, and then names a database that there is none of.
    let next = host.folder.path().join("next");
    let real = env!("CARGO_BIN_EXE_heliostat");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--check*) exec {real} \"$@\";; esac\nexec {real} \"$@\" --set store.url=sqlite:/nowhere/at.db\n"
    );
    std::fs::write(&next, script).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let (well, said) = upgrade(&host, Some(&next));
        assert!(
            !well && said.contains("did not serve") && said.contains("database_unavailable"),
            "{said}\n{}",
            host.log()
        );
        assert!(answers(&host), "{}", host.log());
    }
    goes_well(&host);
}
