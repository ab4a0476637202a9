//! Which encoders really encode.

use std::path::Path;

use super::finding::Finding;
use crate::app::encoders::{probe, working};
use crate::app::error::chain;
use crate::gst::{Encoder, Probe};

const CHECK: &str = "encoders";
const WITHOUT_ANY: &str =
    "apt-get install gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly";

/// Lets every encoder encode a picture, in a process of its own.
pub fn check(program: &Path) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::problem(CHECK, format!("they cannot be tried: {error}"))],
    };
    match runtime.block_on(probe(program)) {
        Ok(probes) => describe(&probes, |probe| {
            Encoder::by_element(&probe.element).is_some_and(|encoder| encoder.installed())
        }),
        Err(error) => vec![Finding::problem(CHECK, chain(&error)).hint(WITHOUT_ANY)],
    }
}

/// One finding an encoder; one that does not work is a problem only when none does.
fn describe(probes: &[Probe], installed: impl Fn(&Probe) -> bool) -> Vec<Finding> {
    let any = !working(probes).is_empty();
    let mut found: Vec<Finding> = probes.iter().map(|probe| one(probe, any, installed(probe))).collect();
    if !any && probes.is_empty() {
        found.push(Finding::problem(CHECK, "there is none").hint(WITHOUT_ANY));
    }
    found
}

fn one(probe: &Probe, any: bool, installed: bool) -> Finding {
    let Probe { codec, element, ms, .. } = probe;
    if probe.works {
        return Finding::ok(CHECK, format!("{element} encodes {codec}, first picture after {ms} ms"));
    }
    let reason = probe.reason.as_deref().unwrap_or("it does not say why");
    let text = format!("{element} does not encode {codec}: {reason}");
    let finding = if any {
        Finding::note(CHECK, text)
    } else {
        Finding::problem(CHECK, text)
    };
    match (package(element), installed) {
        (Some(package), false) => finding.hint(format!("apt-get install {package}")),
        (Some(package), true) => finding.hint(format!(
            "it is installed and does not work here: apt-get install --reinstall gstreamer1.0-plugins-base {package}"
        )),
        (None, _) => finding,
    }
}

/// The package of Debian that has the element.
fn package(element: &str) -> Option<&'static str> {
    match element {
        "x264enc" => Some("gstreamer1.0-plugins-ugly"),
        "openh264enc" => Some("gstreamer1.0-plugins-bad"),
        "vp8enc" => Some("gstreamer1.0-plugins-good"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;
    use crate::gst::ENCODERS;
    use crate::media::Codec;

    fn probe(element: &str, codec: Codec, works: bool) -> Probe {
        Probe {
            codec,
            element: element.into(),
            works,
            ms: 12,
            reason: (!works).then(|| "no such element".to_owned()),
        }
    }

    #[test]
    fn one_encoder_that_works_is_enough_and_the_others_are_noted_with_their_packages() {
        let probes = [probe("x264enc", Codec::H264, false), probe("vp8enc", Codec::Vp8, true)];
        let found = describe(&probes, |_| false);
        assert_eq!((found[0].level, found[1].level), (Level::Note, Level::Ok));
        assert_eq!(
            found[0].hint.as_deref(),
            Some("apt-get install gstreamer1.0-plugins-ugly")
        );
        assert!(found[1].text.contains("12 ms"));
    }

    #[test]
    fn without_any_each_is_a_problem_and_an_installed_one_is_not_to_be_installed_again() {
        let found = describe(&[probe("vp8enc", Codec::Vp8, false)], |_| true);
        assert_eq!(found[0].level, Level::Problem);
        assert!(found[0].hint.as_deref().unwrap().contains("--reinstall"));
        assert_eq!(describe(&[], |_| false)[0].level, Level::Problem);
    }

    #[test]
    fn every_encoder_has_its_package() {
        for encoder in ENCODERS {
            assert!(package(encoder.element).is_some(), "{}", encoder.element);
        }
    }

    #[test]
    fn a_program_that_cannot_be_run_is_a_problem() {
        assert_eq!(check(Path::new("/does/not/exist"))[0].level, Level::Problem);
    }
}
