// The X display and the measuring target, the same for every row that does not bring its own.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { orrery } from './places.js';
import { start, stop } from './processes.js';

/** What the Xvfb of an instance is started with, too. */
const OPTIONS = ['-noreset', '-nolisten', 'tcp', '-screen', '0', '1280x720x24', '-dpi', '96'];
const EXTENSIONS = ['+extension', 'GLX', '+extension', 'RANDR'];

/** A terminal full of coloured text, which a shell follows. */
const LISTING = [
  '-geometry',
  '210x54',
  '-e',
  'sh',
  '-c',
  'ls -la --color=always /usr/bin | head -60; exec sh',
];

/** The measuring target, which F9 stops for a while. */
const PATTERN = ['--pattern', '--fps', '60', '--size', '1280x720', '--hang-key'];

/** What is shown: the measuring target, or for `listing` a real program. @param {string} content */
export const targetOf = content =>
  content === 'listing'
    ? { command: 'xterm', args: LISTING }
    : { command: orrery(), args: [...PATTERN, '--content', content] };

/**
 * Starts an Xvfb on the first free display.
 *
 * @param {string} folder for its log
 * @param {string[]} more arguments
 */
export async function startDisplay(folder, more = []) {
  const log = openSync(join(folder, 'xvfb.log'), 'a');
  const child = spawn('Xvfb', ['-displayfd', '3', ...OPTIONS, ...EXTENSIONS, ...more], {
    stdio: ['ignore', log, log, 'pipe'],
  });
  const number = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => reject(new Error('Xvfb ended')));
    child.stdio[3]?.on('data', data => resolve(String(data).trim()));
  });
  return { child, name: `:${number}` };
}

/** Starts the measuring target on a display. @param {string} display @param {string} content @param {string} folder */
export function startTarget(display, content, folder) {
  const { command, args } = targetOf(content);
  return start(command, args, { log: join(folder, 'target.log'), env: { DISPLAY: display } });
}

/**
 * The app's own start: milliseconds from the start of its process to its first drawn window, on a display that is
 * already there. The picture is read from Xvfb's framebuffer file, without a client that would disturb.
 *
 * @param {string} folder
 * @returns {Promise<number>}
 */
export async function ownStart(folder) {
  const display = await startDisplay(folder, ['-fbdir', folder]);
  const screen = openSync(join(folder, 'Xvfb_screen0'), 'r');
  const began = performance.now();
  const target = startTarget(display.name, 'still', folder);
  try {
    for (const deadline = began + 10_000; performance.now() < deadline; await sleep(1)) {
      if (blue(screen)) return performance.now() - began;
    }
    throw new Error('the target drew nothing within 10 s');
  } finally {
    closeSync(screen);
    await stop(target);
    await stop(display.child);
  }
}

/** Whether the pixel (150, 200) of a framebuffer file (XWD, 32 bits a pixel) shows the target's first colour. */
function blue(/** @type {number} */ file) {
  const head = Buffer.alloc(100);
  readSync(file, head, 0, 100, 0);
  const [size, stride, colours] = [head.readUInt32BE(0), head.readUInt32BE(48), head.readUInt32BE(76)];
  const pixel = Buffer.alloc(4);
  readSync(file, pixel, 0, 4, size + colours * 12 + 200 * stride + 150 * 4);
  return pixel[0] === 0xa0 && pixel[1] === 0 && pixel[2] === 0;
}
