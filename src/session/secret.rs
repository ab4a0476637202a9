//! Secrets that open things: made here, shown once, kept only as hashes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a secret: 256 bit.
const LEN: usize = 32;

/// A secret as its owner holds it: 43 characters of base64url. Never logged, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What is stored of a secret: SHA-256 of its text, in hexadecimal. A fast hash is enough for 256 random bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SecretHash(String);

impl Secret {
    /// A new random secret.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; LEN];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads what a browser or a file gives. `None` when it cannot be a secret of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == LEN).then(|| Self(text.to_owned()))
    }

    /// The text, to be handed to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(hex::encode(Sha256::digest(self.0.as_bytes())))
    }

    /// A second secret that follows from this one, for another `purpose`: showing it does not show this one.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(&self.0)
            .finalize();
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl SecretHash {
    /// Reads what was stored. `None` when it is no hash of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digest.then(|| Self(text.to_owned()))
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }

    /// The hexadecimal text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({}…)", &self.0[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_only_with_itself() {
        let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert!(one.matches(&Secret::parse(one.expose()).unwrap()));
        assert!(!one.matches(&two));
        assert_ne!(one.hash(), two.hash());
        let stored = SecretHash::parse(one.hash().as_str()).unwrap();
        assert!(stored.matches(&one.hash()) && !stored.matches(&two.hash()));
        assert!(SecretHash::parse(one.expose()).is_none(), "a secret is no hash");
    }

    #[test]
    fn a_derived_secret_is_stable_and_differs_by_purpose() {
        let secret = Secret::generate().unwrap();
        assert!(secret.derive("cookie").matches(&secret.derive("cookie")));
        assert!(!secret.derive("cookie").matches(&secret.derive("other")));
        assert!(Secret::parse(secret.derive("cookie").expose()).is_some());
    }

    #[test]
    fn neither_a_short_text_nor_a_print_shows_a_secret() {
        assert!(Secret::parse("abc").is_none());
        let secret = Secret::generate().unwrap();
        assert!(!format!("{secret:?}{:?}", secret.hash()).contains(secret.expose()));
    }
}
