//! The configuration file, and a variable of the environment.
#![no_main]

use std::collections::BTreeMap;

use heliostat::config::{Config, Sources};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str)| {
    let (text, value) = input;
    let file = std::env::temp_dir().join(format!("heliostat-fuzz-{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file),
        env: BTreeMap::from([
            ("HELIOSTAT_MEDIA_BIND".into(), value.into()),
            ("HOME".into(), "/nowhere".into()),
        ]),
        ..Sources::default()
    };
    if let Err(error) = Config::load(&sources) {
        assert!(!error.to_string().is_empty());
    }
});
