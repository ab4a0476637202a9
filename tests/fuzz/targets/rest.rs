//! Bodies of REST requests.
#![no_main]

use heliostat::config::{Config, Sources};
use heliostat::ids::SessionId;
use heliostat::instance::{InstanceSpec, LaunchRequest};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::load(&Sources::default()).unwrap().0);

fuzz_target!(|body: &[u8]| {
    let Ok(request) = serde_json::from_slice::<LaunchRequest>(body) else {
        return;
    };
    if let Ok(spec) = InstanceSpec::decide(&request, SessionId::new(), &CONFIG.apps, &CONFIG, 0) {
        assert!(spec.width > 0 && spec.height > 0 && spec.fps > 0);
    }
});
