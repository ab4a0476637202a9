// How like the display a picture is.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const WIDTH = 1280;
const HEIGHT = 720;
const PIXELS = WIDTH * HEIGHT;

/** Decibels; 99 where nothing differs. @param {Buffer} a @param {Buffer} b */
export function psnr(a, b) {
  if (a.length !== b.length) return 0;
  let squares = 0;
  for (let i = 0; i < a.length; i += 1) squares += (a[i] - b[i]) ** 2;
  return squares === 0 ? 99 : 10 * Math.log10((255 * 255 * a.length) / squares);
}

/** What an X client needs to reach the row's display. @param {Record<string, number[]>} groups @returns {NodeJS.ProcessEnv} */
function reaching(groups) {
  const [pid] = groups.capture ?? groups.app;
  const env = Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map(entry => entry.split(/=(.*)/s).slice(0, 2)),
  );
  return { PATH: process.env.PATH, DISPLAY: env.DISPLAY, XAUTHORITY: env.XAUTHORITY ?? '' };
}

/** Has the target draw nothing for 15 s. @param {Record<string, number[]>} groups */
export function hang(groups) {
  execFileSync('xdotool', ['key', 'F9'], { env: reaching(groups), stdio: 'pipe' });
}

/** The brightness of what is on the row's display (X Window Dump, 32 bits a pixel). @param {Record<string, number[]>} groups */
export function display(groups) {
  const dump = execFileSync('xwd', ['-silent', '-root'], {
    env: reaching(groups),
    maxBuffer: 64 << 20,
  });
  const [size, stride, colours] = [dump.readUInt32BE(0), dump.readUInt32BE(48), dump.readUInt32BE(76)];
  const luma = Buffer.alloc(PIXELS);
  for (let i = 0; i < PIXELS; i += 1) {
    const at = size + colours * 12 + Math.floor(i / 1280) * stride + (i % 1280) * 4;
    luma[i] = Math.round(0.299 * dump[at + 2] + 0.587 * dump[at + 1] + 0.114 * dump[at]);
  }
  return luma;
}

/**
 * Structural similarity of two pictures (Wang et al., 2004), over blocks of 8×8 that do not overlap.
 *
 * @param {Buffer} a brightness @param {Buffer} b
 */
export function ssim(a, b) {
  if (a.length !== b.length) return 0;
  let sum = 0;
  for (let top = 0; top < HEIGHT; top += 8)
    for (let left = 0; left < WIDTH; left += 8) sum += similarity(a, b, top * WIDTH + left);
  return sum / (PIXELS / 64);
}

/** Of one block. @param {Buffer} a @param {Buffer} b @param {number} begin its first pixel */
function similarity(a, b, begin) {
  let [pa, pb, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let y = 0; y < 8; y += 1)
    for (let i = begin + y * WIDTH; i < begin + y * WIDTH + 8; i += 1) {
      pa += a[i];
      pb += b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
      ab += a[i] * b[i];
    }
  const [ma, mb] = [pa / 64, pb / 64];
  const [va, vb, cov] = [aa / 64 - ma * ma, bb / 64 - mb * mb, ab / 64 - ma * mb];
  return ((2 * ma * mb + 6.5) * (2 * cov + 58.5)) / ((ma * ma + mb * mb + 6.5) * (va + vb + 58.5));
}
