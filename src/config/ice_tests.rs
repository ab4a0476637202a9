use std::time::Duration;

use super::*;

const SECRET: &str = "north-wind-and-sun";

/// Loads what a file says, in a folder where the secret file is.
fn load(text: &str, env: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("heliostat.toml"), text).unwrap();
    std::fs::write(
        folder.path().join("secret"),
        format!("# shared\n{SECRET}\nthe-next-one-of-them\n"),
    )
    .unwrap();
    std::fs::write(folder.path().join("short"), "short\n").unwrap();
    let mut sources = Sources {
        env: [("HOME".into(), "/home/someone".into())].into(),
        folder: folder.path().to_owned(),
        ..Sources::default()
    };
    for (name, value) in env {
        sources.env.insert((*name).into(), (*value).into());
    }
    Config::load(&sources)
}

fn exposed(config: &Config) -> Vec<&str> {
    config.ice.secrets.iter().map(Hidden::expose).collect()
}

#[test]
fn servers_and_secrets_come_from_file_and_environment_and_are_not_shown() {
    let text =
        "[ice]\nservers = ['stun:a.example', 'turns:a.example']\nsecret_file = 'secret'\ncredentials_life = '10s'\n";
    let (config, warnings) = load(text, &[]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(exposed(&config), [SECRET, "the-next-one-of-them"]);
    assert_eq!(config.ice.servers[1].to_string(), "turns:a.example:5349?transport=tcp");
    assert_eq!(config.ice.credentials_life, Duration::from_secs(10));
    assert!(config.ice.can_relay() && !config.ice.relay_only);

    let (config, _) = load(text, &[("HELIOSTAT_ICE_SECRETS", "one-that-comes-before")]).unwrap();
    assert_eq!(exposed(&config), ["one-that-comes-before"]);
    let shown = format!("{config:?}{:?}", config.explain());
    assert!(
        shown.contains("(1 set, not shown)") && !shown.contains("one-that-comes"),
        "{shown}"
    );
}

#[test]
fn a_secret_that_is_none_is_an_error_that_does_not_show_it() {
    for (text, env) in [
        ("[ice]\nsecret_file = 'short'\n", vec![]),
        ("", vec![("HELIOSTAT_ICE_SECRETS", "short")]),
        ("[ice]\nsecrets = ['short']\n", vec![]),
    ] {
        let error = load(text, &env).unwrap_err();
        assert_eq!(error.code(), "bad_value");
        assert!(error.to_string().contains("not shown"), "{error}");
    }
    assert_eq!(
        load("[ice]\nsecret_file = 'nowhere'\n", &[]).unwrap_err().code(),
        "config_unreadable"
    );
}

#[test]
fn what_browsers_could_make_no_use_of_is_warned_about() {
    let text = |text: &str| {
        load(text, &[])
            .unwrap()
            .1
            .into_iter()
            .map(|w| w.text)
            .collect::<String>()
    };
    assert!(text("[ice]\nservers = ['turn:a.example']\n").contains("there is no secret"));
    assert!(text("[ice]\ntransport_policy = 'relay'\n").contains("no browser can connect"));
    assert_eq!(text("[ice]\nservers = ['stun:a.example']\n"), "");
}

#[test]
fn the_public_address_is_asked_for_where_somebody_can_be_asked() {
    let (config, _) = load("[ice]\npublic_address = ['192.0.2.7']\n", &[]).unwrap();
    assert_eq!(
        config.ice.public_address,
        PublicAddress::Known(vec!["192.0.2.7".parse().unwrap()])
    );
    let asks = "[ice]\npublic_address = 'stun'\n";
    assert_eq!(load(asks, &[]).unwrap_err().code(), "nothing_to_ask");
    let (config, _) = load(&format!("{asks}servers = ['stun:a.example']\n"), &[]).unwrap();
    assert_eq!(config.ice.public_address, PublicAddress::AskStun);
}
