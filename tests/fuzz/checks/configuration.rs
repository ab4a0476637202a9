//! The configuration file and, after a NUL, a variable of the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use heliostat::config::{Config, Sources};

pub fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == 0);
    let (text, value) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 1..]));
    let value = OsString::from_vec(value.to_vec());
    let file = std::env::temp_dir().join(format!("heliostat-fuzz-{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file.clone()),
        env: BTreeMap::from([
            ("HELIOSTAT_MEDIA_BIND".into(), value),
            ("HOME".into(), "/nowhere".into()),
        ]),
        ..Sources::default()
    };
    if let Err(error) = Config::load(&sources) {
        assert!(!error.to_string().is_empty());
    }
    std::fs::remove_file(file).unwrap();
}
