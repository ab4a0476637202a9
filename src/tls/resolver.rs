//! The certificate in use, as handshakes ask for it.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{Facts, Pair};

/// One certificate for every name, until another replaces it.
#[derive(Debug)]
pub struct InUse(RwLock<Pair>);

impl InUse {
    /// This one.
    pub const fn new(pair: Pair) -> Self {
        Self(RwLock::new(pair))
    }

    /// From now on this one; whether it is another than before.
    pub fn replace(&self, pair: Pair) -> bool {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = held.facts != pair.facts || held.certified.cert != pair.certified.cert;
        *held = pair;
        is_other
    }

    /// What is said of it.
    pub fn facts(&self) -> Facts {
        self.0.read().unwrap_or_else(PoisonError::into_inner).facts.clone()
    }
}

impl ResolvesServerCert for InUse {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&held.certified))
    }
}
