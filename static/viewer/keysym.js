/**
 * `KeyboardEvent.key` to X11 keysym.
 * Source: X Window System Protocol, appendix A; xorgproto `keysymdef.h`, `XF86keysym.h`; W3C UI Events key Values.
 */

/** Keys with one keysym wherever they are. @type {Record<string, number>} */
// biome-ignore format: a table
const NAMED = {
  Backspace: 0xff08, Tab: 0xff09, Clear: 0xff0b, Enter: 0xff0d, Pause: 0xff13, ScrollLock: 0xff14,
  Escape: 0xff1b, Compose: 0xff20, KanjiMode: 0xff21, NonConvert: 0xff22, Convert: 0xff23, Romaji: 0xff24,
  Hiragana: 0xff25, Katakana: 0xff26, HiraganaKatakana: 0xff27, Zenkaku: 0xff28, Hankaku: 0xff29,
  ZenkakuHankaku: 0xff2a, KanaMode: 0xff2d, Eisu: 0xff2f, HangulMode: 0xff31, HanjaMode: 0xff34,
  Home: 0xff50, ArrowLeft: 0xff51, ArrowUp: 0xff52, ArrowRight: 0xff53, ArrowDown: 0xff54, PageUp: 0xff55,
  PageDown: 0xff56, End: 0xff57, Select: 0xff60, PrintScreen: 0xff61, Execute: 0xff62, Insert: 0xff63,
  Undo: 0xff65, Redo: 0xff66, ContextMenu: 0xff67, Find: 0xff68, Cancel: 0xff69, Help: 0xff6a,
  NumLock: 0xff7f, CapsLock: 0xffe5, AltGraph: 0xfe03, Delete: 0xffff,
  BrowserBack: 0x1008ff26, BrowserForward: 0x1008ff27, BrowserHome: 0x1008ff18, BrowserRefresh: 0x1008ff29,
  AudioVolumeDown: 0x1008ff11, AudioVolumeMute: 0x1008ff12, AudioVolumeUp: 0x1008ff13,
  MediaPlayPause: 0x1008ff14, MediaStop: 0x1008ff15, MediaTrackPrevious: 0x1008ff16,
  MediaTrackNext: 0x1008ff17, Copy: 0x1008ff57, Cut: 0x1008ff58, Paste: 0x1008ff6d,
};
for (let i = 1; i <= 35; i++) NAMED[`F${i}`] = 0xffbe + i - 1;

/** Modifiers: left, right. @type {Record<string, [number, number]>} */
const SIDED = {
  Shift: [0xffe1, 0xffe2],
  Control: [0xffe3, 0xffe4],
  Alt: [0xffe9, 0xffea],
  Meta: [0xffeb, 0xffec],
  Super: [0xffeb, 0xffec],
  Hyper: [0xffed, 0xffee],
};

/** Keys of the numeric pad, by what they mean at the moment. @type {Record<string, number>} */
// biome-ignore format: a table
const PAD = {
  Enter: 0xff8d, Home: 0xff95, ArrowLeft: 0xff96, ArrowUp: 0xff97, ArrowRight: 0xff98, ArrowDown: 0xff99,
  PageUp: 0xff9a, PageDown: 0xff9b, End: 0xff9c, Clear: 0xff9d, Insert: 0xff9e, Delete: 0xff9f, '=': 0xffbd,
  '*': 0xffaa, '+': 0xffab, '-': 0xffad, '.': 0xffae, '/': 0xffaf,
};
for (let i = 0; i <= 9; i++) PAD[String(i)] = 0xffb0 + i;

/** `KeyboardEvent.location` */
const RIGHT = 2;
const NUMPAD = 3;

/**
 * The keysym of one character: Latin-1 has its own code points, all others the Unicode range.
 * @param {string} character exactly one code point
 */
function keysymOfCharacter(character) {
  const point = character.codePointAt(0) ?? 0;
  if ((point >= 0x20 && point <= 0x7e) || (point >= 0xa0 && point <= 0xff)) return point;
  return point >= 0x100 ? 0x01000000 + point : 0;
}

/**
 * The keysym of a key; 0 where there is none (then the physical key decides).
 * @param {string} key `KeyboardEvent.key`
 * @param {number} [location] `KeyboardEvent.location`
 */
export function keysymOf(key, location = 0) {
  if (location === NUMPAD && Object.hasOwn(PAD, key)) return PAD[key];
  if (Object.hasOwn(SIDED, key)) return SIDED[key][location === RIGHT ? 1 : 0];
  if (Object.hasOwn(NAMED, key)) return NAMED[key];
  return [...key].length === 1 ? keysymOfCharacter(key) : 0;
}
