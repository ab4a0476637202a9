//! The keymap as the server's XKB extension has it (XKB protocol, sections 15 and 16.3).

use std::collections::BTreeSet;

use x11rb::connection::Connection as _;
use x11rb::protocol::xkb::{
    ConnectionExt as _, EventType, GetMapReply, ID, KeySymMap, KeyType, MapPart, SelectEventsAux, SetMapAux,
    SetMapFlags,
};
use x11rb::protocol::xproto::{ConnectionExt as _, ModMask};

use super::bindings::Levels;
use super::connect::Display;
use super::usage::reachable;
use super::{X11Error, keymap};

/// The first two types are the same on every server.
const TWO_LEVEL: u8 = 1;
/// Keys that programs know by their place, whatever they mean: Chromium reloads its page, goes back or forward, changes
/// the brightness, ends a line or switches an input method by them. 203 to 207 stand for modifiers.
const KNOWN_BY_PLACE: [u8; 20] = [
    93, 100, 101, 102, 109, 124, 128, 130, 131, 166, 167, 181, 203, 204, 205, 206, 207, 212, 232, 233,
];

/// The server's table of keys.
#[derive(Debug)]
pub(super) struct ServerMap {
    first: u8,
    keys: Vec<KeySymMap>,
    /// The type whose levels are plain, Shift, level three, both; and the key of level three.
    four: Option<(u8, u8)>,
    modifiers: BTreeSet<u8>,
}

impl ServerMap {
    /// Reads it.
    pub(super) fn read(display: &Display) -> Result<Self, X11Error> {
        let none = MapPart::from(0u16);
        let wanted = MapPart::KEY_TYPES | MapPart::KEY_SYMS;
        let map = display.x.xkb_get_map(
            ID::USE_CORE_KBD.into(),
            wanted,
            none,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0u16.into(),
            0,
            0,
            0,
            0,
            0,
            0,
        )?;
        let modifiers = display.x.get_modifier_mapping()?;
        let map = map.reply().map_err(X11Error::reply("the keymap"))?;
        let modifiers = modifiers.reply().map_err(X11Error::reply("the modifiers"))?;
        Ok(Self::of(map, modifiers.keycodes_per_modifier(), &modifiers.keycodes))
    }

    fn of(map: GetMapReply, per_modifier: u8, modifiers: &[u8]) -> Self {
        let keys = map.map.syms_rtrn.unwrap_or_default();
        let types = map.map.types_rtrn.unwrap_or_default();
        let means_level_three = |code: u8| {
            let key = code
                .checked_sub(map.first_key_sym)
                .and_then(|n| keys.get(usize::from(n)));
            key.is_some_and(|key| key.syms.first() == Some(&keymap::LEVEL_THREE))
        };
        let four = types.iter().zip(0..).find_map(|(kind, index)| {
            let bit = four_levels(kind)?;
            let row = usize::try_from(bit.trailing_zeros()).ok()?;
            let codes = modifiers.chunks_exact(usize::from(per_modifier.max(1))).nth(row)?;
            let code = codes.iter().copied().find(|code| means_level_three(*code))?;
            Some((index, code))
        });
        Self {
            first: map.first_key_sym,
            keys,
            four,
            modifiers: modifiers.iter().copied().filter(|code| *code != 0).collect(),
        }
    }

    /// The key that switches to the third level, if there is one.
    pub(super) fn level_three(&self) -> Option<u8> {
        self.four.map(|(_, code)| code)
    }

    /// How many levels a key can be given.
    pub(super) const fn levels(&self) -> u8 {
        if self.four.is_some() { 4 } else { 2 }
    }

    /// The keycodes that no keyboard of a viewer has: free to mean anything.
    pub(super) fn free_codes(&self) -> Vec<u8> {
        (self.first..=u8::MAX)
            .take(self.keys.len())
            .filter(|code| !reachable(*code) && !KNOWN_BY_PLACE.contains(code) && !self.modifiers.contains(code))
            .collect()
    }

    /// What a keycode means, if it has the type that [`Self::write`] gives.
    pub(super) fn meaning(&self, code: u8) -> Option<Levels> {
        let key = self.keys.get(usize::from(code.checked_sub(self.first)?))?;
        let ours = key.group_info & 0x0f == 1 && key.kt_index[0] == self.kind() && key.width == self.levels();
        ours.then(|| {
            let mut levels = Levels::default();
            for (level, keysym) in levels.iter_mut().zip(&key.syms) {
                *level = *keysym;
            }
            levels
        })
    }

    fn kind(&self) -> u8 {
        self.four.map_or(TWO_LEVEL, |(kind, _)| kind)
    }

    /// Gives keycodes new meanings, by one request. Every program on the display is told.
    pub(super) fn write(
        &mut self,
        display: &Display,
        codes: &BTreeSet<u8>,
        levels: impl Fn(u8) -> Levels,
    ) -> Result<(), X11Error> {
        let (Some(low), Some(high)) = (codes.first().copied(), codes.last().copied()) else {
            return Ok(());
        };
        let (kind, width) = (self.kind(), self.levels());
        for code in codes {
            let index = usize::from(code.saturating_sub(self.first));
            if let Some(key) = self.keys.get_mut(index) {
                *key = KeySymMap {
                    kt_index: [kind, 0, 0, 0],
                    group_info: 1,
                    width,
                    syms: levels(*code)[..usize::from(width)].to_vec(),
                };
            }
        }
        // The request takes a range: those in between are written as they are.
        let range = usize::from(low.saturating_sub(self.first))..=usize::from(high.saturating_sub(self.first));
        let syms = self.keys.get(range).unwrap_or_default().to_vec();
        let total = u16::try_from(syms.iter().map(|key| key.syms.len()).sum::<usize>()).unwrap_or(u16::MAX);
        let count = u8::try_from(syms.len()).unwrap_or(u8::MAX);
        let setup = display.x.setup();
        let (min, max) = (setup.min_keycode, setup.max_keycode);
        let values = SetMapAux::new().syms(syms);
        // Its error, if it has one, comes as an event and is logged.
        display.x.xkb_set_map(
            ID::USE_CORE_KBD.into(),
            SetMapFlags::RECOMPUTE_ACTIONS,
            min,
            max,
            0,
            0,
            low,
            count,
            total,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0u16.into(),
            &values,
        )?;
        Ok(())
    }
}

/// Whether the levels of a type are plain, Shift, a modifier, both: that modifier's bit.
fn four_levels(kind: &KeyType) -> Option<u16> {
    let mask = u16::from(kind.mods_mask);
    let shift = u16::from(ModMask::SHIFT);
    let other = mask & !shift;
    let level_of = |mods: u16| {
        let entry = kind
            .map
            .iter()
            .find(|entry| u16::from(entry.mods_mask) == mods && entry.active);
        entry.map_or(0, |entry| entry.level)
    };
    let fits = kind.num_levels == 4
        && mask & shift != 0
        && other.count_ones() == 1
        && other >= u16::from(ModMask::M1)
        && [shift, other, mask].map(level_of) == [1, 2, 3];
    fits.then_some(other)
}

/// Opens the extension on a connection, and asks to be told when the keymap changes: who has opened it is not told by
/// `MappingNotify`.
pub(super) fn open(display: &Display) -> Result<(), X11Error> {
    let reply = display.x.xkb_use_extension(1, 0)?.reply();
    if !reply.is_ok_and(|reply| reply.supported) {
        return Err(X11Error::MissingExtension("XKEYBOARD"));
    }
    let events = EventType::NEW_KEYBOARD_NOTIFY | EventType::MAP_NOTIFY;
    let parts = MapPart::KEY_TYPES | MapPart::KEY_SYMS | MapPart::MODIFIER_MAP;
    let none = SelectEventsAux::new();
    display.x.xkb_select_events(
        ID::USE_CORE_KBD.into(),
        EventType::from(0u16),
        events,
        parts,
        parts,
        &none,
    )?;
    Ok(())
}
