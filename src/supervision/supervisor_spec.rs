//! What a supervisor runs, and how.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::child_spec::{ChildSpec, Restart};
use super::control::SupervisorRef;
use super::intensity::Intensity;
use super::snapshot::ChildKind;
use super::stop::Shutdown;
use super::strategy::Strategy;

/// Whether the end of significant children ends their supervisor (OTP: `auto_shutdown`). A child ends for good when its
/// restart type asks for no restart, or when it is given up; not when it is stopped by request or with its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoShutdown {
    /// No.
    Never,
    /// As soon as one has ended for good.
    AnySignificant,
    /// Once all of them have.
    AllSignificant,
}

/// Why a spec makes no sense. A supervisor that is specified so ends at once with an error of this code; a child that
/// is to be added so is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Two children have one id.
    #[error("two children have this id")]
    DuplicateChild,
    /// An id is empty or contains a slash, which paths are made of.
    #[error("an id is not empty and contains no slash")]
    BadId,
    /// Only supervisors may take for ever to stop.
    #[error("only supervisors may take for ever to stop")]
    InfinityForWorker,
    /// A significant child under a supervisor that never ends with one.
    #[error("a significant child needs a supervisor that ends with it")]
    SignificantForNothing,
    /// A significant child that never ends for good.
    #[error("a permanent child cannot be significant")]
    SignificantPermanent,
    /// A child that lives once and is restarted.
    #[error("a child that lives once is temporary")]
    OnceAgain,
    /// Supervisors tell no progress.
    #[error("a supervisor makes no progress that it could tell")]
    StallOfSupervisor,
}

impl SpecError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::DuplicateChild => "duplicate_child",
            Self::BadId => "bad_child_id",
            Self::InfinityForWorker => "infinity_for_worker",
            Self::SignificantForNothing => "significant_for_nothing",
            Self::SignificantPermanent => "significant_permanent",
            Self::OnceAgain => "once_again",
            Self::StallOfSupervisor => "stall_of_supervisor",
        }
    }
}

/// What a supervisor runs, and how. It reads as the list of its children, in start order.
#[derive(Clone)]
pub struct SupervisorSpec {
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) children: Vec<ChildSpec>,
    pub(super) dynamic: bool,
    pub(super) max_children: usize,
    pub(super) reference: SupervisorRef,
    pub(super) on_escalation: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for SupervisorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorSpec")
            .field("strategy", &self.strategy)
            .field("intensity", &self.intensity)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

impl SupervisorSpec {
    /// A supervisor of children that are known beforehand, started in the order in which they are added.
    #[must_use]
    pub fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            intensity,
            auto_shutdown: AutoShutdown::Never,
            children: Vec::new(),
            dynamic: false,
            max_children: usize::MAX,
            reference: SupervisorRef::new(),
            on_escalation: None,
        }
    }

    /// A supervisor of children that come and go (OTP: `simple_one_for_one`; Elixir: `DynamicSupervisor`), at most
    /// `max_children` at once, those being stopped included. They are stopped all together.
    #[must_use]
    pub fn dynamic(intensity: Intensity, max_children: usize) -> Self {
        Self {
            dynamic: true,
            max_children,
            ..Self::new(Strategy::OneForOne, intensity)
        }
    }

    /// Adds a child after those before it.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Whether significant children end it.
    #[must_use]
    pub const fn auto_shutdown(mut self, when: AutoShutdown) -> Self {
        self.auto_shutdown = when;
        self
    }

    /// Called when its restart intensity is exceeded, before its children are stopped.
    #[must_use]
    pub fn on_escalation(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_escalation = Some(Arc::new(hook));
        self
    }

    /// The reference by which it is asked to start, stop and restart children; made before it.
    #[must_use]
    pub fn reference(mut self, reference: &SupervisorRef) -> Self {
        self.reference = reference.clone();
        self
    }

    pub(super) const fn kind(&self) -> ChildKind {
        if self.dynamic {
            ChildKind::Dynamic
        } else {
            ChildKind::Supervisor
        }
    }

    /// The first child that makes no sense here.
    pub(super) fn check(&self) -> Result<(), (Arc<str>, SpecError)> {
        let mut ids = HashSet::new();
        for child in &self.children {
            let unique = if ids.insert(&child.id) {
                Ok(())
            } else {
                Err(SpecError::DuplicateChild)
            };
            unique
                .and_then(|()| self.check_child(child))
                .map_err(|e| (Arc::clone(&child.id), e))?;
        }
        Ok(())
    }

    /// Whether this child makes sense here.
    pub(super) fn check_child(&self, child: &ChildSpec) -> Result<(), SpecError> {
        let supervisor = child.kind != ChildKind::Worker;
        if child.id.is_empty() || child.id.contains('/') {
            Err(SpecError::BadId)
        } else if child.shutdown == Shutdown::Infinity && !supervisor {
            Err(SpecError::InfinityForWorker)
        } else if child.significant && self.auto_shutdown == AutoShutdown::Never {
            Err(SpecError::SignificantForNothing)
        } else if child.significant && child.restart == Restart::Permanent && child.budget.is_none() {
            Err(SpecError::SignificantPermanent)
        } else if child.once && child.restart != Restart::Temporary {
            Err(SpecError::OnceAgain)
        } else if child.stalled_after.is_some() && supervisor {
            Err(SpecError::StallOfSupervisor)
        } else {
            Ok(())
        }
    }
}
