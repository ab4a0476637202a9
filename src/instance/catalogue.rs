//! The catalogue of apps, exchanged whole when the configuration is read again.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::AppEntry;

/// The apps that can be launched now.
#[derive(Debug)]
pub struct Catalogue {
    apps: RwLock<Arc<Vec<AppEntry>>>,
}

impl Catalogue {
    /// A catalogue of these.
    #[must_use]
    pub fn new(apps: Vec<AppEntry>) -> Self {
        Self {
            apps: RwLock::new(Arc::new(apps)),
        }
    }

    /// The apps now.
    #[must_use]
    pub fn apps(&self) -> Arc<Vec<AppEntry>> {
        Arc::clone(&self.apps.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges them; what runs goes on with the entry it was launched with.
    pub fn replace(&self, apps: Vec<AppEntry>) {
        *self.apps.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(apps);
    }

    /// The name of an app, or its id where it is no longer in the catalogue.
    #[must_use]
    pub fn name_of(&self, id: &str) -> String {
        self.apps()
            .iter()
            .find(|a| a.id == id)
            .map_or_else(|| id.to_owned(), |a| a.name.clone())
    }
}
