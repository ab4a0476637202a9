// Processes of a row: started with their output kept, looked at through /proc, stopped by id.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Clock ticks of /proc/PID/stat in a second: USER_HZ, 100 on every Linux that matters here. */
const TICKS = 100;

/**
 * Starts a program.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ log: string, env?: Record<string, string>, cwd?: string }} options `log` gets stdout and stderr
 */
export function start(command, args, { log, env = {}, cwd }) {
  const out = openSync(log, 'a');
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', out, out] });
  child.on('error', error => console.error(`${command}: ${error.message}`));
  return child;
}

/** Ends what `start` started, and waits for it. @param {import('node:child_process').ChildProcess} child */
export async function stop(child, patience = 10_000) {
  if (!child.pid || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = sleep(patience, 'late', { ref: false });
  if ((await Promise.race([ended, late])) === 'late') {
    child.kill('SIGKILL');
    await ended;
  }
}

/** The ids of a process and all that descend from it. @param {number} root */
export function tree(root) {
  /** @type {Map<number, number[]>} */
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const fields = pid ? stat(pid) : null;
    if (!fields) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** What follows the name in /proc/PID/stat: state, parent, …; null if it is gone. @param {number} pid */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** @param {number} pid @returns {string[]} its command line, empty if it is gone */
export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** Seconds of processor time used so far by some processes, in user and kernel mode. @param {number[]} pids */
export function processorSeconds(pids) {
  const ticks = pids.map(pid => {
    const fields = stat(pid);
    return fields ? Number(fields[11]) + Number(fields[12]) : 0;
  });
  return ticks.reduce((sum, n) => sum + n, 0) / TICKS;
}

/**
 * Resident memory of some processes in MiB: the sum of VmRSS, in which pages shared between them count each time.
 *
 * @param {number[]} pids
 */
export const residentMiB = pids => sum(pids, 'status', 'VmRSS');

/** As `residentMiB`, but a page shared by n processes counts 1/n (PSS). @param {number[]} pids */
export const proportionalMiB = pids => sum(pids, 'smaps_rollup', 'Pss');

/** Adds up a line of a file in /proc/PID, in MiB. @param {number[]} pids @param {string} file @param {string} key */
function sum(pids, file, key) {
  const line = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm');
  const sizes = pids.map(pid => {
    try {
      return Number(line.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
  return sizes.reduce((all, size) => all + size, 0) / 1024;
}
