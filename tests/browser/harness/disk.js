// A small disk of a test's own, which can be filled up.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Whether this user may mount one. */
export const mayMount = process.getuid?.() === 0;

/** @param {string} folder where it is mounted @param {number} mebibytes */
export function mountDisk(folder, mebibytes) {
  mkdirSync(folder, { mode: 0o700 });
  const options = `size=${mebibytes}m,mode=0700`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'heliostat-test', folder]);
}

/** @param {string} folder */
export function mounted(folder) {
  return readFileSync('/proc/self/mounts', 'utf8').includes(` ${folder} `);
}

/** Even if something of it is still open. @param {string} folder */
export function unmountDisk(folder) {
  execFileSync('umount', ['--lazy', folder]);
}

/** Writes until nothing more can be written. @param {string} folder @returns {() => void} gives the room back */
export function fillUp(folder) {
  const path = join(folder, 'filler');
  const file = openSync(path, 'w');
  for (const size of [1 << 20, 1 << 12, 1]) {
    const block = Buffer.alloc(size);
    try {
      for (;;) writeSync(file, block);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
  return () => rmSync(path);
}
