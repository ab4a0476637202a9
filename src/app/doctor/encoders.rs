//! Which encoders really encode.

use std::path::Path;

use super::finding::Finding;
use crate::app::encoders::{self, Trial, working};
use crate::app::error::chain;
use crate::app::exports::anybody_may_run;
use crate::config::{Config, SandboxMode};
use crate::folders::AppOwner;
use crate::gst::{Encoder, Probe};
use crate::media::Codec;
use crate::sandbox::{self, SandboxPlan};

const CHECK: &str = "encoders";
const WITHOUT_ANY: &str =
    "apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly";

/// Lets every encoder encode pictures, each in a process of its own, in a sandbox where the host would have one.
pub fn check(program: &Path, config: Option<&Config>, owner: Option<&AppOwner>) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::problem(CHECK, format!("they cannot be tried: {error}"))],
    };
    let codecs = config.map_or_else(|| Codec::ALL.to_vec(), |config| encoders::codecs(&config.video));
    let mut trial = Trial::new(program.to_owned(), codecs.clone());
    let sandboxed = config.is_some_and(|config| config.sandbox != SandboxMode::Off);
    // The host copies itself to where the apps' user reaches it; nothing is copied for a look.
    if sandboxed && (owner.is_none() || anybody_may_run(program)) {
        trial.owner = owner.cloned();
        trial.sandbox = sandbox::probe(owner)
            .ok()
            .map(|ability| SandboxPlan::bare(&ability, &[]));
    }
    match runtime.block_on(trial.run()) {
        Ok(probes) => describe(&probes, &codecs),
        Err(error) => vec![Finding::problem(CHECK, chain(&error)).hint(WITHOUT_ANY)],
    }
}

/// One finding an encoder; one that does not work is a problem only when none does.
fn describe(probes: &[Probe], codecs: &[Codec]) -> Vec<Finding> {
    let any = !working(probes, codecs).is_empty();
    let absent = |probe: &Probe| Encoder::by_element(&probe.element).and_then(|encoder| encoder.absent());
    let mut found: Vec<Finding> = probes
        .iter()
        .map(|probe| one(probe, any, absent(probe).is_some()))
        .collect();
    if !any && probes.is_empty() {
        found.push(Finding::problem(CHECK, "there is none").hint(WITHOUT_ANY));
    }
    found
}

fn one(probe: &Probe, any: bool, absent: bool) -> Finding {
    let text = encoders::describe(probe);
    if probe.works {
        return Finding::ok(CHECK, text);
    }
    let finding = if any {
        Finding::note(CHECK, text)
    } else {
        Finding::problem(CHECK, text)
    };
    let Some(encoder) = Encoder::by_element(&probe.element) else {
        return finding;
    };
    match (encoder.hardware, absent) {
        // Nobody installs a graphics card by a hint.
        (Some(_), true) => finding,
        (Some(_), false) => finding.hint(format!(
            "{} and the driver of the device are needed, and the user of the apps has to reach the device (group `render` or \
             `video`)",
            encoder.package
        )),
        (None, true) => finding.hint(format!("apt-get install {}", encoder.package)),
        (None, false) => finding.hint(format!(
            "it is installed and does not work here: apt-get install --reinstall gstreamer1.0-plugins-base {}",
            encoder.package
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    fn probe(element: &str, codec: Codec, works: bool) -> Probe {
        Probe {
            codec,
            element: element.into(),
            works,
            ms: 12,
            picture_us: works.then_some(2100),
            reason: (!works).then(|| "no such element".to_owned()),
        }
    }

    #[test]
    fn one_encoder_that_works_is_enough_and_the_others_are_noted_with_their_packages() {
        let found = [
            one(&probe("x264enc", Codec::H264, false), true, true),
            one(&probe("vp8enc", Codec::Vp8, true), true, false),
        ];
        assert_eq!((found[0].level, found[1].level), (Level::Note, Level::Ok));
        assert_eq!(
            found[0].hint.as_deref(),
            Some("apt-get install gstreamer1.0-plugins-ugly")
        );
        assert!(
            found[1].text.contains("12 ms") && found[1].text.contains("2.1 ms: about"),
            "{}",
            found[1].text
        );
    }

    #[test]
    fn without_any_each_is_a_problem_and_an_installed_one_is_not_to_be_installed_again() {
        let found = one(&probe("vp8enc", Codec::Vp8, false), false, false);
        assert_eq!(found.level, Level::Problem);
        assert!(found.hint.as_deref().unwrap().contains("--reinstall"));
        assert_eq!(describe(&[], &Codec::ALL)[0].level, Level::Problem);
    }

    #[test]
    fn a_card_that_is_not_there_is_told_without_advice_and_one_that_fails_with_some() {
        let missing = one(&probe("nvh264enc", Codec::H264, false), true, true);
        assert_eq!((missing.level, missing.hint), (Level::Note, None));
        let broken = one(&probe("vah264enc", Codec::H264, false), true, false);
        assert!(broken.hint.unwrap().contains("`render`"));
    }

    #[test]
    fn a_program_that_cannot_be_run_is_a_problem() {
        assert_eq!(check(Path::new("/does/not/exist"), None, None)[0].level, Level::Problem);
    }
}
