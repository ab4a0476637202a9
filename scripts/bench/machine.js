import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';

import { repository } from './places.js';

/** The load of the last minute, as the system counts it. */
export const load = () => Number(loadavg()[0].toFixed(2));

/** What was measured on, and when. */
export function describeMachine() {
  const [cpu] = cpus();
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync('git', ['-C', repository, ...args])
      .toString()
      .trim();
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cpu: cpu?.model ?? 'unknown',
    cores: cpus().length,
    kernel: release(),
    commit: git('rev-parse', '--short', 'HEAD'),
    command: ['scripts/bench/run', ...process.argv.slice(2)].join(' '),
  };
}
