//! What fuzzing has found so far goes through every target again: the seeds, and the corpora that scripts/fuzz packed.

use std::path::Path;
use std::process::Command;

mod checks;

/// Everything that is kept for a target.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let unpacked = tempfile::tempdir().unwrap();
    let packed = root.join(format!("corpora/{target}.tar.xz"));
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(unpacked.path()).arg("-xf").arg(packed);
    assert!(tar.status().unwrap().success(), "tar and xz unpack the corpus");
    let seeds = root.join("seeds").join(target);
    let folders = [seeds.as_path(), unpacked.path()];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

macro_rules! targets {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                let inputs = inputs(stringify!($target));
                assert!(inputs.len() > 10, "{} inputs", inputs.len());
                for input in inputs {
                    checks::$target::check(&input);
                }
            }
        )*
    };
}

targets!(capture configuration input keeper rest sdp signalling);
