// Where things are.

import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import * as places from '../../tests/browser/harness/places.js';

export { freePort, repository } from '../../tests/browser/harness/places.js';

/** Where a row serves its pages. @typedef {{ address: string, port: number }} Where */

/** A free port of loopback. @returns {Promise<Where>} */
export const loopback = async () => ({ address: '127.0.0.1', port: await places.freePort() });

/** What the benchmarks install and write, out of the way of the build. */
export const benchFolder = join(places.target, 'bench');
mkdirSync(benchFolder, { recursive: true });

/** The host under test: `HELIOSTAT_BIN`, or the release build. */
export const program = places.programOf('release');

/** Viewers without browsers (`tests/receivers`), built beside it. */
export const receivers = join(dirname(program), 'examples/heliostat-receivers');

/** Selkies' program, where `run` installed it. */
export const selkies = join(benchFolder, 'selkies/bin/selkies');

/** noVNC's pages, where Debian's package puts them. */
export const novnc = '/usr/share/novnc';

/** A new folder that programs running as any user can enter. */
export const temporaryFolder = () => places.temporaryFolder('bench');

let copy = '';

/** The measuring target, copied to where an unprivileged user can run it as well. */
export function orrery() {
  if (!copy || !existsSync(copy)) {
    copy = join(temporaryFolder(), 'heliostat-orrery');
    copyFileSync(join(dirname(program), 'heliostat-orrery'), copy);
    chmodSync(copy, 0o755);
  }
  return copy;
}
