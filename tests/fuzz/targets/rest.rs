//! Bodies of REST requests.
#![no_main]

use std::sync::LazyLock;

use heliostat::config::{Config, Sources};
use heliostat::ids::SessionId;
use heliostat::instance::{InstanceSpec, LaunchRequest};
use libfuzzer_sys::fuzz_target;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let file = std::env::temp_dir().join(format!("heliostat-fuzz-rest-{}.toml", std::process::id()));
    std::fs::write(&file, "[server]\nstate = \"/nowhere\"\n[[app]]\nid = \"orrery\"\ncommand = \"true\"\n").unwrap();
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    Config::load(&sources).unwrap().0
});

fuzz_target!(|body: &[u8]| {
    let Ok(request) = serde_json::from_slice::<LaunchRequest>(body) else {
        return;
    };
    if let Ok(spec) = InstanceSpec::decide(&request, SessionId::new(), &CONFIG.apps, &CONFIG, 0) {
        assert!(spec.width > 0 && spec.height > 0 && spec.fps > 0);
    }
});
