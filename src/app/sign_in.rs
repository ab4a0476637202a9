//! How the host says where it is, and by what the first browser gets in.
//!
//! A terminal is read by who started the host: it shows the whole address. Anything else (a journal, a file, a pipe to some
//! collector) is kept and read by others: it gets the address without its secret, and the whole one stands in a file of the
//! state folder, for the host's user only, until somebody has signed in by whatever, or a ticket would have expired.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::entrance::Entrance;
use crate::session::{Secret, TICKET_LIFE};
use crate::tls::Tls;

/// The file in the state folder.
pub const FILE: &str = "sign-in";

/// The file, as long as the host runs.
#[derive(Debug)]
pub struct Told(PathBuf);

impl Drop for Told {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Says what to open; below it what to compare, where the browser will warn of the certificate.
pub fn announce(state: &Path, entrance: &Entrance, secret: Option<&Secret>, tls: Option<&Tls>) -> Told {
    let told = Told(state.join(FILE));
    // One that an earlier host left.
    remove(&told.0);
    let mut out = std::io::stdout().lock();
    let hidden = secret.is_some() && !out.is_terminal();
    // The file first, for who waits for the line that names it.
    let written = hidden.then(|| write(&told.0, &entrance.address(secret)));
    let _ = writeln!(out, "{}", entrance.address(secret.filter(|_| !hidden)));
    let _ = match written {
        None => Ok(()),
        Some(Ok(())) => {
            actix_rt::spawn(forget(told.0.clone(), entrance.clone()));
            let minutes = TICKET_LIFE.as_secs() / 60;
            let path = told.0.display();
            writeln!(
                out,
                "sign in by the address in {path} (within {minutes} minutes), or by `heliostat token`"
            )
        }
        Some(Err(error)) => {
            log::warn!("{} cannot be written: {error}", told.0.display());
            writeln!(out, "sign in by `heliostat token`")
        }
    };
    if let Some(tls) = tls.filter(|tls| tls.is_self_signed()) {
        let _ = writeln!(out, "self-signed certificate, SHA-256 {}", tls.facts().fingerprint);
    }
    let _ = out.flush();
    told
}

/// The address has served, or serves no more.
async fn forget(path: PathBuf, entrance: Entrance) {
    let _ = tokio::time::timeout(TICKET_LIFE, entrance.admins.next_sign_in()).await;
    remove(&path);
}

fn write(path: &Path, address: &str) -> std::io::Result<()> {
    // Nothing is followed, and nobody who has opened another file of this name reads this one.
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{address}")
}

/// It need not be there.
pub fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            log::warn!("{} cannot be removed: {error}", path.display());
        }
        _ => {}
    }
}
