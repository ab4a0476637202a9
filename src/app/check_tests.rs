use super::*;

/// A state folder that a host has used.
struct Used(tempfile::TempDir);

impl Used {
    fn new() -> Self {
        let used = Self(tempfile::tempdir().unwrap());
        let state = StateDir::open(&used.state()).unwrap();
        Store::open("heliostat.db", state.path()).unwrap();
        identity::server_id(state.path()).unwrap();
        token::load_or_create(state.path()).unwrap();
        used
    }

    fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// As root it is in a place of its own.
    fn apps(&self) -> AppsDir {
        let state = self.state().canonicalize().unwrap();
        AppsDir::open(&state, AppOwner::resolve("nobody").unwrap()).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.state().join(name), text).unwrap();
    }

    /// What stops a host that is configured like this.
    fn refused(&self, also: &[(&str, &str)]) -> &'static str {
        let (config, _) = Config::load(&self.sources(also)).unwrap();
        let refused = address(&config.server)
            .map_err(StartError::from)
            .and_then(|()| folders(&config));
        refused.map_or_else(|error| error.code(), |_| "nothing")
    }

    fn sources(&self, also: &[(&str, &str)]) -> Sources {
        let state = self.state();
        let usual = [
            ("HOME", self.0.path().to_str().unwrap()),
            ("HELIOSTAT_SERVER_STATE", state.to_str().unwrap()),
            ("HELIOSTAT_SERVER_LISTEN", "127.0.0.1:0"),
            ("HELIOSTAT_SANDBOX_MODE", "off"),
            ("HELIOSTAT_APPS_USER", "nobody"),
        ];
        let all = usual.iter().chain(also);
        Sources {
            env: all.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            folder: self.0.path().to_owned(),
            ..Sources::default()
        }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.apps().root());
    }
}

#[test]
fn a_folder_that_a_host_has_used_is_taken_and_one_that_is_not_there_is_not_made() {
    let used = Used::new();
    assert_eq!(used.refused(&[]), "nothing");
    let missing = used.0.path().join("missing");
    assert_eq!(
        used.refused(&[("HELIOSTAT_SERVER_STATE", missing.to_str().unwrap())]),
        "nothing"
    );
    assert!(!missing.exists());
}

#[test]
fn a_folder_in_use_is_taken_by_who_follows() {
    let used = Used::new();
    let _host = StateDir::open(&used.state()).unwrap();
    assert_eq!(used.refused(&[]), "nothing");
}

#[test]
fn a_state_folder_that_is_none_is_refused() {
    let used = Used::new();
    std::fs::remove_dir(used.state().join("instances")).unwrap();
    used.write("instances", "");
    assert_eq!(used.refused(&[]), "state_unusable");
    let file = used.state().join("token");
    assert_eq!(
        used.refused(&[("HELIOSTAT_SERVER_STATE", file.to_str().unwrap())]),
        "state_unusable"
    );
}

#[test]
fn a_lock_that_leads_elsewhere_is_refused() {
    let used = Used::new();
    std::fs::remove_file(used.state().join("lock")).unwrap();
    std::os::unix::fs::symlink("/dev/null", used.state().join("lock")).unwrap();
    assert_eq!(used.refused(&[]), "state_unusable");
}

#[test]
fn a_database_of_another_kind_is_refused() {
    let used = Used::new();
    used.write("text.db", "no database at all, but long enough for its head");
    assert_eq!(
        used.refused(&[("HELIOSTAT_STORE_URL", "sqlite:text.db")]),
        "database_unavailable"
    );
}

#[test]
fn a_server_id_that_is_none_is_refused() {
    let used = Used::new();
    used.write("server_id", "half");
    assert_eq!(used.refused(&[]), "server_identity");
}

#[test]
fn a_token_that_is_none_is_refused_and_left() {
    let used = Used::new();
    used.write("token", "sha256:half");
    assert_eq!(used.refused(&[]), "token");
    assert_eq!(
        std::fs::read_to_string(used.state().join("token")).unwrap(),
        "sha256:half"
    );
}

#[test]
fn an_address_of_another_program_is_refused() {
    let used = Used::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    assert_eq!(used.refused(&[("HELIOSTAT_SERVER_LISTEN", &address)]), "port_in_use");
    // It may be that of the host that runs.
    let _host = StateDir::open(&used.state()).unwrap();
    assert_eq!(used.refused(&[("HELIOSTAT_SERVER_LISTEN", &address)]), "nothing");
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let used = Used::new();
    let file = |name: &str| {
        used.write(name, "no certificate");
        used.state().join(name).to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("c.pem"), file("k.pem"));
    let also = [
        ("HELIOSTAT_SERVER_TLS_CERTIFICATE", certificate.as_str()),
        ("HELIOSTAT_SERVER_TLS_KEY", key.as_str()),
    ];
    assert!(used.refused(&also).starts_with("tls"), "{}", used.refused(&also));
}

#[test]
fn a_folder_of_homes_that_is_none_is_refused() {
    let used = Used::new();
    let homes = used.apps().root().join("homes");
    std::fs::remove_dir(&homes).unwrap();
    std::fs::write(&homes, "").unwrap();
    let refused = used.refused(&[]);
    std::fs::remove_file(homes).unwrap();
    assert_eq!(refused, "apps_folder");
}

#[test]
fn an_unknown_user_for_apps_is_refused_where_the_host_is_root() {
    let used = Used::new();
    let refused = used.refused(&[("HELIOSTAT_APPS_USER", "nobody-of-this-name")]);
    let root = nix::unistd::geteuid().is_root();
    assert_eq!(refused, if root { "apps_user_missing" } else { "nothing" });
}
