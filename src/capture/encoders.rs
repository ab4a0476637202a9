//! The running encoders of a capture process, one per wanted rendition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::lane::{Common, Lane, Turn};
use super::pictures::Pictures;
use crate::gst::{ENCODERS, Encoder, GstError};
use crate::media::{Codec, Layout, Rendition};
use crate::protocol::capture::RenditionForm;

/// One that does not start, or no longer works.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct EncoderFailure {
    /// What it was to encode.
    pub(super) codec: Codec,
    /// Which.
    pub(super) element: &'static str,
    /// Why.
    #[source]
    pub(super) error: GstError,
}

impl EncoderFailure {
    const fn of(encoder: &Encoder, error: GstError) -> Self {
        Self {
            codec: encoder.codec,
            element: encoder.element,
            error,
        }
    }
}

/// No encoder of a codec starts.
#[derive(Debug)]
pub(super) struct NoneStarts {
    codec: Codec,
    /// Each with why; at least one.
    pub(super) failures: Vec<EncoderFailure>,
}

impl std::error::Error for NoneStarts {}

impl fmt::Display for NoneStarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no encoder of {} starts", self.codec)?;
        self.failures.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}

/// Without a look for this long, this whole process stood still, and its encoders with it.
const PAUSED_US: u64 = 2_500_000;

/// What is to be done for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Some are to be given a picture.
    pub(super) work: bool,
    /// The screen has to be grabbed for that.
    pub(super) grab: bool,
    /// When to look again, if nothing happens before.
    pub(super) until: Option<u64>,
}

/// The encoders of a codec in the order in which they are tried. On a narrow line it matters most that no frame becomes larger than it
/// should (ADR 36).
fn in_order(candidates: &[Encoder], narrow: bool) -> impl Iterator<Item = Encoder> {
    let last = move |encoder: &Encoder| narrow && encoder.chooses_quantisers();
    let first = candidates.iter().copied().filter(move |encoder| !last(encoder));
    first.chain(candidates.iter().copied().filter(last))
}

/// The encoders.
#[derive(Debug)]
pub(super) struct Encoders {
    lanes: BTreeMap<Rendition, (Lane, RenditionForm, Turn)>,
    chosen: BTreeMap<Codec, Vec<Encoder>>,
    common: Common,
    checked_us: u64,
    resumed_us: u64,
}

impl Encoders {
    /// None running. `preferred` elements come before the installed others of their codec, those `without` not at all.
    pub(super) fn new(preferred: &[Encoder], without: &[String], common: Common) -> Self {
        let mut chosen: BTreeMap<Codec, Vec<Encoder>> = BTreeMap::new();
        for encoder in preferred.iter().chain(&ENCODERS).filter(|e| e.installed()) {
            if without.iter().any(|element| element == encoder.element) {
                continue;
            }
            let list = chosen.entry(encoder.codec).or_default();
            if !list.contains(encoder) {
                list.push(*encoder);
            }
        }
        Self {
            lanes: BTreeMap::new(),
            chosen,
            common,
            checked_us: 0,
            resumed_us: 0,
        }
    }

    /// The element that would be tried first for each codec that can be had.
    pub(super) fn available(&self) -> Vec<(Codec, &'static str)> {
        self.chosen
            .iter()
            .filter_map(|(codec, list)| Some((*codec, list.first()?.element)))
            .collect()
    }

    /// Whether any runs.
    pub(super) fn any(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// The layouts of pictures that those who run take.
    pub(super) fn layouts(&self) -> BTreeSet<Layout> {
        self.lanes.values().map(|(lane, ..)| lane.layout()).collect()
    }

    /// Runs exactly the wanted ones. Says what was started.
    ///
    /// # Errors
    /// A codec of which no encoder starts.
    pub(super) fn want(
        &mut self,
        forms: &BTreeMap<Rendition, RenditionForm>,
    ) -> Result<Vec<(Rendition, &'static str)>, NoneStarts> {
        self.lanes.retain(|rendition, _| forms.contains_key(rendition));
        let mut started = Vec::new();
        for (rendition, form) in forms {
            if let Some((lane, ..)) = self.lanes.get_mut(rendition) {
                lane.set_kbps(form.kbps);
                continue;
            }
            let codec = rendition.track.codec();
            let Some(candidates) = self.chosen.get(&codec) else {
                log::warn!("codec={codec} is wanted but no encoder is installed");
                continue;
            };
            let lane = self
                .start(candidates, *rendition, *form)
                .map_err(|failures| NoneStarts { codec, failures })?;
            started.push((*rendition, lane.encoder().element));
            self.lanes.insert(*rendition, (lane, *form, Turn::Wait(None)));
        }
        Ok(started)
    }

    /// Pictures are of another size from now on: those that run are started anew.
    ///
    /// # Errors
    /// A codec of which no encoder starts.
    pub(super) fn resize(&mut self, size: (u16, u16)) -> Result<(), NoneStarts> {
        let forms = self.forms();
        self.lanes.clear();
        self.common.size = size;
        self.want(&forms).map(drop)
    }

    /// Starts another encoder for those whose line has become broad or narrow, where that has a better one. Says what was started.
    ///
    /// # Errors
    /// A codec of which no encoder starts.
    pub(super) fn suit_lines(&mut self, now: u64) -> Result<Vec<(Rendition, &'static str)>, NoneStarts> {
        let mut changing = BTreeSet::new();
        for (rendition, (lane, ..)) in &mut self.lanes {
            let Some(candidates) = self.chosen.get(&rendition.track.codec()) else {
                continue;
            };
            let narrow = self.common.breadth(*rendition, lane.kbps()).narrow();
            let best = |narrow| in_order(candidates, narrow).next();
            // One that runs since a better one did not start is left alone where the line makes no difference.
            let differ = best(narrow) != best(!narrow) && best(narrow) != Some(lane.encoder());
            if lane.changes_line(now) && differ {
                changing.insert(*rendition);
            }
        }
        if changing.is_empty() {
            return Ok(Vec::new());
        }
        let forms = self.forms();
        self.lanes.retain(|rendition, _| !changing.contains(rendition));
        let started = self.want(&forms)?;
        self.damaged();
        Ok(started)
    }

    /// What runs, at the rate that it has now.
    fn forms(&self) -> BTreeMap<Rendition, RenditionForm> {
        let now = |(rendition, (lane, form, _)): (&Rendition, &(Lane, RenditionForm, Turn))| {
            let kbps = lane.kbps();
            (*rendition, RenditionForm { kbps, ..*form })
        };
        self.lanes.iter().map(now).collect()
    }

    /// Starts the first one that can be started.
    fn start(
        &self,
        candidates: &[Encoder],
        rendition: Rendition,
        form: RenditionForm,
    ) -> Result<Lane, Vec<EncoderFailure>> {
        let mut failures = Vec::new();
        for encoder in in_order(candidates, self.common.breadth(rendition, form.kbps).narrow()) {
            match Lane::start(&self.common, rendition, form, encoder) {
                Ok(lane) => return Ok(lane),
                Err(error) => {
                    log::warn!(
                        "rendition={rendition} encoder={} does not start: {error}",
                        encoder.element
                    );
                    failures.push(EncoderFailure::of(&encoder, error));
                }
            }
        }
        Err(failures)
    }

    /// The screen has changed.
    pub(super) fn damaged(&mut self) {
        for (lane, ..) in self.lanes.values_mut() {
            lane.damaged();
        }
    }

    /// An input was injected.
    pub(super) fn expect_change(&mut self, now: u64) {
        for (lane, ..) in self.lanes.values_mut() {
            lane.expect_change(now);
        }
    }

    /// What is to be done now, each by itself. `stale`: the last picture is not what is on the screen.
    pub(super) fn plan(&mut self, stale: bool, now: u64) -> Plan {
        for (lane, _, turn) in self.lanes.values_mut() {
            *turn = lane.turn(now);
        }
        if stale {
            self.share_grabs(now);
        }
        let mut plan = Plan {
            grab: stale && self.lanes.values().any(|(.., turn)| *turn == Turn::Grab),
            ..Plan::default()
        };
        for (lane, _, turn) in self.lanes.values_mut() {
            if plan.grab && *turn != Turn::Grab && lane.joins(now) {
                *turn = Turn::Grab;
            }
            match turn {
                Turn::Grab | Turn::Again => plan.work = true,
                Turn::Wait(until) => plan.until = plan.until.into_iter().chain(*until).min(),
            }
        }
        plan
    }

    /// The one of the most frames grabs for the others, too, where it is about to.
    fn share_grabs(&mut self, now: u64) {
        let first = self.lanes.values().max_by_key(|(lane, ..)| lane.fps());
        let Some((lane, _, Turn::Wait(Some(at)))) = first else {
            return;
        };
        let (at, fps) = (*at, lane.fps());
        if !lane.behind() || at > now + 1_000_000 / u64::from(fps.max(1)) {
            return;
        }
        for (lane, _, turn) in self.lanes.values_mut() {
            if lane.fps() < fps && *turn == Turn::Grab {
                *turn = Turn::Wait(Some(at));
            }
        }
    }

    /// Gives those a picture for which [`Self::plan`] said so.
    pub(super) fn push(&mut self, pictures: &mut Pictures, now: u64) {
        let stamps = pictures.stamps();
        for (lane, _, turn) in self.lanes.values_mut() {
            match std::mem::replace(turn, Turn::Wait(None)) {
                Turn::Grab => lane.push(pictures, now),
                Turn::Again => lane.push_again(pictures.of(lane.layout(), lane.size()), stamps, now),
                Turn::Wait(_) => {}
            }
        }
    }

    /// Somebody waits for a key frame of this.
    pub(super) fn want_key(&mut self, rendition: Rendition, now: u64) {
        if let Some((lane, ..)) = self.lanes.get_mut(&rendition) {
            lane.want_key(now);
        }
    }

    /// Changes a rate.
    pub(super) fn set_kbps(&mut self, rendition: Rendition, kbps: u32) {
        if let Some((lane, ..)) = self.lanes.get_mut(&rendition) {
            lane.set_kbps(kbps);
        }
    }

    /// Says whether all still work; to be called about every second.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn check(&mut self, now_us: u64) -> Result<(), EncoderFailure> {
        if now_us.saturating_sub(self.checked_us) > PAUSED_US {
            // Time in which the process was stopped is no stall of theirs.
            self.resumed_us = now_us;
        }
        self.checked_us = now_us;
        self.lanes.values().try_for_each(|(lane, ..)| {
            lane.check(now_us, self.resumed_us)
                .map_err(|error| EncoderFailure::of(&lane.encoder(), error))
        })
    }

    /// Lets go without stopping: a failed encoder may hang in being stopped, and the process ends anyway.
    pub(super) fn abandon(self) {
        std::mem::forget(self.lanes);
    }
}
