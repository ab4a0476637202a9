// A limit of the kernel's to the memory of single processes: a cgroup, of version 1 or 2.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { until } from './wait.js';

const VERSIONS = [
  {
    root: '/sys/fs/cgroup/memory',
    // Swap, where it is counted, after memory: its limit may not be the lower one.
    limits: ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'],
    events: 'memory.oom_control',
  },
  { root: '/sys/fs/cgroup', limits: ['memory.max', 'memory.swap.max'], events: 'memory.events' },
];

export class MemoryGroup {
  /**
   * @param {number} bytes more than this, and the kernel kills
   * @returns {MemoryGroup | null} null where this machine does not let us
   */
  static make(bytes) {
    for (const version of VERSIONS) {
      const folder = join(version.root, `heliostat-test-${process.pid}`);
      try {
        mkdirSync(folder);
      } catch {
        continue;
      }
      const group = new MemoryGroup(folder, version.events);
      try {
        for (const name of version.limits.filter(name => existsSync(join(folder, name)))) {
          writeFileSync(join(folder, name), name === 'memory.swap.max' ? '0' : `${bytes}`);
        }
        group.kills();
        if (existsSync(join(folder, version.limits[0]))) return group;
      } catch {
        // Not this version's.
      }
      rmdirSync(folder);
    }
    return null;
  }

  /** @param {string} folder @param {string} events */
  constructor(folder, events) {
    this.folder = folder;
    this.events = events;
  }

  /** What the process takes from now on counts here. @param {number} pid */
  take(pid) {
    const file = join(this.folder, 'cgroup.procs');
    writeFileSync(file, `${pid}`);
    if (!readFileSync(file, 'utf8').split('\n').includes(`${pid}`))
      throw new Error(`${pid} is not in its group`);
  }

  /** How many processes the kernel has killed here. @returns {number} */
  kills() {
    const found = /^oom_kill (\d+)$/m.exec(readFileSync(join(this.folder, this.events), 'utf8'));
    if (!found) throw new Error('the kernel does not count what it kills');
    return Number(found[1]);
  }

  /** Afterwards nothing is left of it. */
  remove() {
    return until('the group is gone', () => {
      rmdirSync(this.folder);
      return true;
    });
  }
}

/** Whether this machine lets us make one. */
export async function mayLimitMemory() {
  const group = MemoryGroup.make(1 << 30);
  await group?.remove();
  return group !== null;
}
