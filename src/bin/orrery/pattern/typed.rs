//! The typed text and its checksum. Pure.

use std::collections::VecDeque;

use crate::keymap::{KEYSYM_BACKSPACE, KEYSYM_RETURN, character};

/// Characters kept.
const LONGEST: usize = 200;

/// What has been typed.
#[derive(Debug, Default)]
pub struct Typed {
    text: VecDeque<char>,
}

impl Typed {
    /// Takes a pressed key; says whether the text changed.
    pub fn key(&mut self, keysym: u32) -> bool {
        match keysym {
            KEYSYM_BACKSPACE => self.text.pop_back().is_some(),
            KEYSYM_RETURN => {
                let had = !self.text.is_empty();
                self.text.clear();
                had
            }
            _ => character(keysym).is_some_and(|c| {
                if self.text.len() == LONGEST {
                    self.text.pop_front();
                }
                self.text.push_back(c);
                true
            }),
        }
    }

    /// The text.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// CRC-16/CCITT-FALSE of the text in UTF-8.
    pub fn crc(&self) -> u16 {
        crc16(self.text().as_bytes())
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_ccitt_false() {
        // The check value of the catalogue of parametrised CRC algorithms.
        assert_eq!(crc16(b"123456789"), 0x29b1);
        assert_eq!(crc16(b""), 0xffff);
    }

    #[test]
    fn text_grows_shrinks_and_is_emptied() {
        let mut typed = Typed::default();
        for c in "Hé".chars() {
            assert!(typed.key(u32::from(c)));
        }
        assert!(!typed.key(0xffe1), "shift types nothing");
        assert_eq!(typed.text(), "Hé");
        assert_eq!(typed.crc(), crc16("Hé".as_bytes()));
        assert!(typed.key(KEYSYM_BACKSPACE));
        assert_eq!(typed.text(), "H");
        assert!(typed.key(KEYSYM_RETURN));
        assert!(!typed.key(KEYSYM_BACKSPACE));
        assert_eq!(typed.crc(), 0xffff);
    }

    #[test]
    fn only_the_last_200_characters_are_kept() {
        let mut typed = Typed::default();
        for i in 0..250_u32 {
            typed.key(0x61 + i % 26);
        }
        assert_eq!(typed.text().len(), 200);
        assert!(typed.text().starts_with('y'), "250 - 200 = 50 went; the 51st is y");
    }
}
