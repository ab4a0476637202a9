// The processes of instances, found as the host finds them: by the environment they were started with.

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { until } from './wait.js';

/**
 * @typedef {{ pid: number, parent: number, state: string, command: string, instance?: string, role?: string }} Process
 */

/** @param {number} pid @returns {Process | null} null when it has gone meanwhile */
function read(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const environment = new Map();
    try {
      for (const entry of readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) {
        const [name, ...value] = entry.split('=');
        environment.set(name, value.join('='));
      }
    } catch {
      // Somebody else's process.
    }
    const instance = environment.get('HELIOSTAT_INSTANCE');
    const role = environment.get('HELIOSTAT_ROLE');
    return { pid, parent: Number(parent), state, command, instance, role };
  } catch {
    return null;
  }
}

/** Whether a process has a handler for a signal. @param {number} pid @param {number} signal */
export function catches(pid, signal) {
  const [, caught = '0'] =
    /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return (BigInt(`0x${caught}`) & (1n << BigInt(signal - 1))) !== 0n;
}

/** Every process of the machine, zombies included. @returns {Process[]} */
export function processes() {
  const found = [];
  for (const name of readdirSync('/proc')) {
    const process = /^\d+$/.test(name) && read(Number(name));
    if (process) found.push(process);
  }
  return found;
}

/** @param {string} instance its id */
export function processesOf(instance) {
  return processes().filter(process => process.instance === instance && process.state !== 'Z');
}

/** A process that makes a sandbox for another one, or carries its network. @param {Process} process */
const isMaker = ({ command }) => /^(\S*\/)?(bwrap|slirp4netns) /.test(command);

/** The processes of a role, without what makes its sandbox. @param {string} instance @param {string} role */
export function programsOf(instance, role) {
  return processesOf(instance).filter(process => process.role === role && !isMaker(process));
}

/**
 * The first process of a role: the one that the keeper started, not one of its children, nor what makes its sandbox.
 *
 * @param {string} instance
 * @param {'xvfb' | 'wm' | 'render' | 'capture' | 'vnc'} role
 * @returns {Promise<number>} its pid
 */
export function pidOf(instance, role) {
  return until(`the instance has a process with the role ${role}`, () => {
    const all = programsOf(instance, role);
    const pids = new Set(all.map(process => process.pid));
    return all.find(process => !pids.has(process.parent))?.pid;
  });
}

/** The keeper of an instance. @param {import('./host.js').Host} host @param {string} instance @returns {number} its pid */
export function keeperOf(host, instance) {
  const file = host.files().find(path => path.includes(instance) && path.endsWith('keeper.json'));
  if (!file) throw new Error(`no keeper.json of ${instance}`);
  return JSON.parse(readFileSync(file, 'utf8')).pid;
}

/** A process's state as proc(5) names it: `T` is stopped. @param {number} pid */
export function stateOf(pid) {
  return read(pid)?.state ?? null;
}

/** When a process was started, in clock ticks since boot: field 22 of proc(5). @param {number} pid */
export function startTime(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

/** @param {number} pid */
export function isAlive(pid) {
  const process = read(pid);
  return process !== null && process.state !== 'Z';
}

/**
 * Kills one process, at once, and waits until it is gone.
 *
 * @param {number} pid
 */
export async function killNow(pid) {
  process.kill(pid, 'SIGKILL');
  await until(`process ${pid} is gone`, () => !isAlive(pid));
}

/** How many descriptors a process has open. @param {number} pid */
export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Unix sockets bound below a folder, of living processes. @param {string} folder */
export function unixSocketsBelow(folder) {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return lines.map(line => line.split(/\s+/)[7] ?? '').filter(path => path.startsWith(folder));
}

/** Processes that work in a folder or were given a path in it. @param {string} folder */
export function processesIn(folder) {
  return processes().filter(process => {
    if (process.state === 'Z') return false;
    let cwd = '';
    try {
      cwd = readlinkSync(`/proc/${process.pid}/cwd`);
    } catch {
      // Somebody else's process.
    }
    return process.command.includes(folder) || cwd.startsWith(folder);
  });
}

/** The locks of X servers, of those that are no longer there as well. */
export function displayLocks() {
  return readdirSync('/tmp')
    .filter(name => /^\.X\d+-lock$/.test(name))
    .map(name => `/tmp/${name}`);
}

/** The locks of X servers that are no longer there. */
export function staleDisplayLocks() {
  return displayLocks().filter(path => {
    try {
      return !existsSync(`/proc/${Number(readFileSync(path, 'utf8'))}`);
    } catch {
      return false;
    }
  });
}
