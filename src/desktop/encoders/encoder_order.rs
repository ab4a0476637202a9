//! Which encoder a capture shall try first, after others have failed in this instance. Pure but for its file.
//!
//! An encoder that failed or stalled while running goes behind those that failed less often: the next capture begins
//! with the next one. When all of them fail, the capture's restart budget ends it, and [`super::encoder_faults`] says
//! why.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::files::{Folder, Readers};
use crate::media::Codec;

/// The file in the instance's folder, so that the next host knows what this one has learned.
const FILE: &str = "encoders.json";
/// A few names and numbers.
const MOST_BYTES: u64 = 64 * 1024;

/// How often each encoder has failed in this instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderOrder {
    failures: BTreeMap<&'static str, u32>,
}

impl EncoderOrder {
    /// This encoder has failed; `known` are all, the best of each codec first. Gives its name if it is one of them.
    pub fn failed(&mut self, element: &str, known: &[(Codec, &'static str)]) -> Option<&'static str> {
        let (_, name) = known.iter().find(|(_, name)| *name == element)?;
        let failures = self.failures.entry(name).or_default();
        *failures = failures.saturating_add(1);
        Some(name)
    }

    /// The order to try encoders in, of those codecs only whose usual order is not the best any more.
    #[must_use]
    pub fn preferred(&self, known: &[(Codec, &'static str)]) -> Vec<&'static str> {
        let failures = |name: &str| self.failures.get(name).copied().unwrap_or(0);
        let mut preferred = Vec::new();
        for codec in Codec::ALL {
            let usual: Vec<&str> = known
                .iter()
                .filter(|(c, _)| *c == codec)
                .map(|(_, name)| *name)
                .collect();
            let mut order = usual.clone();
            order.sort_by_key(|name| failures(name));
            if order != usual {
                preferred.extend(order);
            }
        }
        preferred
    }

    /// What the host before this one has learned; nothing where that cannot be read. Blocks.
    #[must_use]
    pub fn load(folder: &Path, known: &[(Codec, &'static str)]) -> Self {
        let read = || -> io::Result<BTreeMap<String, u32>> {
            Ok(serde_json::from_slice(&Folder::open(folder)?.read(FILE, MOST_BYTES)?)?)
        };
        let stored = read().unwrap_or_default();
        let failures = known
            .iter()
            .filter_map(|(_, name)| Some((*name, *stored.get(*name)?)))
            .collect();
        Self { failures }
    }

    /// Keeps it for the next host. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        Folder::open(folder)?.write(FILE, &serde_json::to_vec(&self.failures)?, Readers::Nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [(Codec, &str); 4] = [
        (Codec::H264, "first"),
        (Codec::H264, "second"),
        (Codec::H264, "third"),
        (Codec::Vp8, "only"),
    ];

    fn after(failed: &[&str]) -> Vec<&'static str> {
        let mut order = EncoderOrder::default();
        for name in failed {
            assert_eq!(order.failed(name, &KNOWN), Some(*name));
        }
        order.preferred(&KNOWN)
    }

    #[test]
    fn a_failed_encoder_is_replaced_by_the_next_of_its_codec() {
        assert_eq!(after(&[]), Vec::<&str>::new());
        assert_eq!(after(&["first"]), ["second", "third", "first"]);
        assert_eq!(after(&["first", "second"]), ["third", "first", "second"]);
    }

    #[test]
    fn when_all_have_failed_it_begins_anew_with_the_best() {
        assert_eq!(after(&["first", "second", "third"]), Vec::<&str>::new());
        assert_eq!(
            after(&["first", "second", "third", "first"]),
            ["second", "third", "first"]
        );
    }

    #[test]
    fn the_only_encoder_of_a_codec_is_tried_again() {
        assert_eq!(after(&["only", "only"]), Vec::<&str>::new());
    }

    #[test]
    fn the_next_host_knows_it_and_understands_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(EncoderOrder::load(folder.path(), &KNOWN), EncoderOrder::default());
        let mut order = EncoderOrder::default();
        order.failed("first", &KNOWN);
        order.save(folder.path()).unwrap();
        assert_eq!(EncoderOrder::load(folder.path(), &KNOWN), order);
        std::fs::write(folder.path().join(FILE), r#"{"unheard_of": 3}"#).unwrap();
        assert_eq!(EncoderOrder::load(folder.path(), &KNOWN), EncoderOrder::default());
        std::fs::write(folder.path().join(FILE), "[").unwrap();
        assert_eq!(EncoderOrder::load(folder.path(), &KNOWN), EncoderOrder::default());
        assert_eq!(order.failed("unheard_of", &KNOWN), None);
    }

    proptest! {
        #[test]
        fn what_has_just_failed_is_never_tried_first_while_one_has_failed_less(
            failed in prop::collection::vec(0usize..4, 1..40)
        ) {
            let mut order = EncoderOrder::default();
            for at in failed {
                let (codec, name) = KNOWN[at];
                order.failed(name, &KNOWN);
                let preferred = order.preferred(&KNOWN);
                let of_codec: Vec<&str> = KNOWN.iter().filter(|k| k.0 == codec).map(|k| k.1).collect();
                let first = preferred.iter().find(|n| of_codec.contains(n)).copied().unwrap_or(of_codec[0]);
                let least = of_codec.iter().map(|n| order.failures.get(n).copied().unwrap_or(0)).min();
                prop_assert_eq!(order.failures.get(first).copied().unwrap_or(0), least.unwrap_or(0));
            }
        }
    }
}
