//! Which of the keys that no keyboard has mean which character. Pure.
//!
//! A keycode has four levels, so that each is worth four characters ([`Slot`]). Most slots mean the same for the whole
//! life of a display ([`super::charset`]): nothing has to be changed in front of a program for them. The others are
//! lent to whatever else is typed. A program looks a key's meaning up when it gets round to the key's event, so a slot
//! is lent again only when all events made with it have been taken in; which ones have is [`super::uptake`]'s to say.

use std::collections::{BTreeMap, BTreeSet};

use super::charset::FIXED;
use super::keymap::keysym_of;

/// How many keycodes are lent to characters that have no slot of their own.
const LENT_CODES: usize = 20;

/// What a keycode can mean at its levels: plain, with Shift, with `AltGr`, with both.
pub(super) type Levels = [u32; 4];

/// One level of a keycode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub(super) code: u8,
    /// 0 to 3.
    pub(super) level: u8,
}

#[derive(Debug)]
struct Lent {
    slot: Slot,
    /// 0 for none.
    keysym: u32,
    /// The mark that follows the last event made with it.
    used: u64,
}

/// What each slot means.
#[derive(Debug)]
pub(super) struct Bindings {
    codes: Vec<u8>,
    fixed: BTreeMap<u32, Slot>,
    lent: Vec<Lent>,
}

/// What has to be done before something can be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// These keycodes are to be written to the server.
    Write(BTreeSet<u8>),
    /// Too few slots are free before more has been taken in.
    Wait,
}

impl Bindings {
    /// Over `codes`, of which `levels` levels can be reached.
    pub(super) fn new(codes: Vec<u8>, levels: u8) -> Self {
        let slots = |codes: &[u8]| {
            let slots = codes
                .iter()
                .flat_map(|code| (0..levels.min(4)).map(|level| Slot { code: *code, level }));
            slots.collect::<Vec<_>>()
        };
        let (fixed, lent) = codes.split_at(codes.len().saturating_sub(LENT_CODES));
        let fixed = FIXED.chars().filter_map(keysym_of).zip(slots(fixed)).collect();
        let lent = slots(lent).into_iter().map(|slot| Lent {
            slot,
            keysym: 0,
            used: 0,
        });
        let lent = lent.collect();
        Self { codes, fixed, lent }
    }

    /// Its keycodes.
    pub(super) fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// What a keycode is to mean.
    pub(super) fn levels(&self, code: u8) -> Levels {
        let mut levels = Levels::default();
        let fixed = self.fixed.iter().map(|(keysym, slot)| (*slot, *keysym));
        let lent = self.lent.iter().map(|lent| (lent.slot, lent.keysym));
        for (slot, keysym) in fixed.chain(lent).filter(|(slot, _)| slot.code == code) {
            levels[usize::from(slot.level)] = keysym;
        }
        levels
    }

    /// Takes over what an earlier connection lent: `now` is what the keycodes mean at the moment.
    pub(super) fn adopt(&mut self, now: impl Fn(u8) -> Option<Levels>) {
        for lent in &mut self.lent {
            lent.keysym = now(lent.slot.code).map_or(0, |levels| levels[usize::from(lent.slot.level)]);
        }
    }

    /// Where a keysym is.
    pub(super) fn find(&self, keysym: u32) -> Option<Slot> {
        let lent = || {
            self.lent
                .iter()
                .find(|lent| lent.keysym == keysym)
                .map(|lent| lent.slot)
        };
        (keysym != 0)
            .then(|| self.fixed.get(&keysym).copied().or_else(lent))
            .flatten()
    }

    /// A slot is used by an event that comes before `mark`. Says whether it is a lent one.
    pub(super) fn used(&mut self, slot: Slot, mark: u64) -> bool {
        let lent = self.lent.iter_mut().find(|lent| lent.slot == slot);
        lent.map(|lent| lent.used = mark).is_some()
    }

    /// Lends slots to the first of `wanted` and to as many of the others as may be: one change of the keymap for all.
    /// Free are those that are not held down and whose events have all been taken in (`settled`); the one unused for
    /// longest goes first. `mark` is the next one.
    pub(super) fn plan(
        &mut self,
        wanted: impl Iterator<Item = u32>,
        held: &BTreeSet<u8>,
        settled: u64,
        mark: u64,
    ) -> Plan {
        let mut order: Vec<u32> = Vec::new();
        let mut ahead = BTreeSet::new();
        for keysym in wanted {
            if ahead.len() == self.lent.len() {
                break;
            }
            if ahead.insert(keysym) && self.find(keysym).is_none() {
                order.push(keysym);
            }
        }
        let may_go = |lent: &&mut Lent| !held.contains(&lent.slot.code) && !ahead.contains(&lent.keysym);
        let movable = self.lent.iter_mut().filter(may_go).count();
        let mut free: Vec<&mut Lent> = self
            .lent
            .iter_mut()
            .filter(may_go)
            .filter(|l| l.used <= settled)
            .collect();
        // Each change costs every program a new keymap: few large ones rather than many small ones.
        if free.is_empty() || free.len() < order.len().min(movable).min(movable.div_ceil(2)) {
            return Plan::Wait;
        }
        free.sort_by_key(|lent| (lent.keysym != 0, lent.used));
        let mut codes = BTreeSet::new();
        for (lent, keysym) in free.into_iter().zip(order) {
            (lent.keysym, lent.used) = (keysym, mark);
            codes.insert(lent.slot.code);
        }
        Plan::Write(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How many keycodes are free on Xvfb with the usual keymap.
    const XVFB: u8 = 96;

    fn bindings(codes: u8) -> Bindings {
        Bindings::new((256 - u16::from(codes)..256).map(|c| c as u8).collect(), 4)
    }

    fn cjk(n: u32) -> u32 {
        0x0100_4e00 + n
    }

    fn write(bindings: &mut Bindings, wanted: &[u32], settled: u64, mark: u64) -> Plan {
        bindings.plan(wanted.iter().copied(), &BTreeSet::new(), settled, mark)
    }

    #[test]
    fn what_is_common_in_europe_needs_no_change_of_the_keymap() {
        let bindings = bindings(XVFB);
        for c in "äöüßÄÖÜéèêàçñ¿¡ãõåæøÅœŒąćęłńóśźżčďěňřšťůžőűğışİăâîșțđþðΑΩαωςάέήίόύώабвгдеёжзийклмнопрстуфхцчшщъыьэюяЁЯіїєґ€–—‘’“”„…«»°±²³µ·×÷".chars() {
            assert!(bindings.find(keysym_of(c).unwrap()).is_some(), "{c}");
        }
    }

    #[test]
    fn no_character_has_two_places_and_no_place_two_characters() {
        let bindings = bindings(XVFB);
        let unique: BTreeSet<char> = FIXED.chars().collect();
        assert_eq!(unique.len(), FIXED.chars().count());
        let slots: BTreeSet<Slot> = bindings.fixed.values().copied().collect();
        assert_eq!(slots.len(), bindings.fixed.len());
        for (keysym, slot) in &bindings.fixed {
            assert_eq!(bindings.levels(slot.code)[usize::from(slot.level)], *keysym);
        }
    }

    #[test]
    fn a_whole_text_is_bound_by_one_change() {
        let mut bindings = bindings(30);
        let text: Vec<u32> = (0..50).map(cjk).collect();
        assert!(matches!(write(&mut bindings, &text, 0, 1), Plan::Write(codes) if codes.len() == 13));
        assert!(text.iter().all(|keysym| bindings.find(*keysym).is_some()));
    }

    #[test]
    fn a_slot_is_lent_again_only_when_its_events_were_taken_in_the_oldest_first() {
        let mut bindings = bindings(20);
        let first: Vec<u32> = (0..80).map(cjk).collect();
        assert!(matches!(write(&mut bindings, &first, 0, 1), Plan::Write(_)));
        for (n, keysym) in first.iter().enumerate() {
            assert!(bindings.used(bindings.find(*keysym).unwrap(), 2 + n as u64));
        }
        assert_eq!(write(&mut bindings, &[cjk(100)], 1, 90), Plan::Wait);
        let oldest = bindings.find(first[0]).unwrap();
        assert_eq!(
            write(&mut bindings, &[cjk(100)], 2, 90),
            Plan::Write([oldest.code].into())
        );
        assert_eq!(bindings.find(cjk(100)), Some(oldest));
        assert_eq!(bindings.find(first[0]), None);
        // Many more are wanted: worth waiting for more than one.
        let next: Vec<u32> = (200..260).map(cjk).collect();
        assert_eq!(write(&mut bindings, &next, 3, 91), Plan::Wait);
        assert!(matches!(write(&mut bindings, &next, 70, 91), Plan::Write(_)));
    }

    #[test]
    fn a_key_that_is_held_keeps_its_meaning() {
        let mut bindings = bindings(20);
        let held: BTreeSet<u8> = bindings.codes()[1..].iter().copied().collect();
        let codes = [bindings.codes()[0]].into();
        assert_eq!(bindings.plan([cjk(1)].into_iter(), &held, 0, 1), Plan::Write(codes));
        let all: BTreeSet<u8> = bindings.codes().iter().copied().collect();
        assert_eq!(bindings.plan([cjk(2)].into_iter(), &all, 0, 2), Plan::Wait);
    }

    #[test]
    fn what_an_earlier_connection_lent_is_taken_over() {
        let mut before = bindings(30);
        write(&mut before, &[cjk(1), cjk(2)], 0, 1);
        let mut after = bindings(30);
        after.adopt(|code| Some(before.levels(code)));
        assert_eq!(after.find(cjk(2)), before.find(cjk(2)));
        assert!(
            after
                .codes()
                .iter()
                .all(|code| after.levels(*code) == before.levels(*code))
        );
    }

    proptest! {
        /// A program that reads each event late, at a pace of its own, sees exactly what was typed.
        #[test]
        fn whatever_the_pace_of_a_program_it_reads_what_was_typed(
            text in prop::collection::vec(0u32..300, 1..400),
            reads in prop::collection::vec(0usize..40, 1..50),
        ) {
            let mut bindings = bindings(22);
            let mut queue = std::collections::VecDeque::new();
            let (mut mark, mut settled, mut read) = (1, 0, Vec::new());
            let mut paces = reads.iter().cycle();
            let mut at = 0;
            while at < text.len() {
                let keysym = cjk(text[at]);
                if let Some(slot) = bindings.find(keysym) {
                    bindings.used(slot, mark);
                    queue.push_back((mark, slot));
                    mark += 1;
                    at += 1;
                    continue;
                }
                let ahead = text[at..].iter().map(|n| cjk(*n));
                if bindings.plan(ahead, &BTreeSet::new(), settled, mark) == Plan::Wait {
                    // At least one, or it would never go on.
                    for _ in 0..=*paces.next().unwrap() {
                        let Some((mark, slot)) = queue.pop_front() else { break };
                        read.push(bindings.levels(slot.code)[usize::from(slot.level)]);
                        settled = mark;
                    }
                }
            }
            for (_, slot) in queue {
                read.push(bindings.levels(slot.code)[usize::from(slot.level)]);
            }
            prop_assert_eq!(read, text.iter().map(|n| cjk(*n)).collect::<Vec<_>>());
        }
    }
}
