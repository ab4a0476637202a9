//! The language and the time zone of apps.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, Sources};

impl Config {
    /// The variables of the environment that every app has, unless its entry sets them: `LANG`, and the host's own `TZ`.
    /// Without that, apps read the system's time zone, which they see (`/etc/localtime`).
    #[must_use]
    pub fn locale(&self, sources: &Sources) -> BTreeMap<String, String> {
        let zone = sources.env.get(Path::new("TZ").as_os_str());
        let zone = zone.and_then(|zone| zone.to_str()).filter(|zone| !zone.is_empty());
        let mut variables = BTreeMap::from([("LANG".to_owned(), self.instances.lang.clone())]);
        variables.extend(zone.map(|zone| ("TZ".to_owned(), zone.to_owned())));
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_have_the_configured_language_and_the_time_zone_of_the_host() {
        let sources = Sources {
            env: [
                ("HOME", "/home/u"),
                ("TZ", "Europe/Berlin"),
                ("HELIOSTAT_INSTANCES_LANG", "de_DE.UTF-8"),
            ]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
            folder: "/nowhere".into(),
            ..Sources::default()
        };
        let (config, _) = Config::load(&sources).unwrap();
        let locale = config.locale(&sources);
        assert_eq!(locale["LANG"], "de_DE.UTF-8");
        assert_eq!(locale["TZ"], "Europe/Berlin");

        let sources = Sources {
            env: [("HOME".into(), "/home/u".into())].into(),
            ..sources
        };
        let (config, _) = Config::load(&sources).unwrap();
        assert_eq!(
            config.locale(&sources),
            BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())])
        );
    }
}
