//! Bodies of REST requests.

use std::sync::LazyLock;

use heliostat::config::{Config, Sources};
use heliostat::ids::{InstanceId, SessionId};
use heliostat::instance::{InstanceSpec, LaunchRequest};
use heliostat::sandbox::Sandboxing;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("heliostat-fuzz-rest-{}.toml", std::process::id()));
    std::fs::write(
        &file,
        "[server]\nstate = \"/nowhere\"\n[[app]]\nid = \"orrery\"\ncommand = \"true\"\n",
    )
    .unwrap();
    let sources = Sources {
        file: Some(file.clone()),
        ..Sources::default()
    };
    let config = Config::load(&sources).unwrap().0;
    std::fs::remove_file(file).unwrap();
    config
});

pub fn check(body: &[u8]) {
    let Ok(request) = serde_json::from_slice::<LaunchRequest>(body) else {
        return;
    };
    let (id, owner) = (InstanceId::new(), SessionId::new());
    let decided = InstanceSpec::decide(id, &request, owner, &CONFIG.apps, &CONFIG, &Sandboxing::default(), 0);
    if let Ok(spec) = decided {
        assert!(spec.width > 0 && spec.height > 0 && spec.fps > 0);
    }
}
