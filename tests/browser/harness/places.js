// Where things are, for the tests here and for scripts/bench.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Where cargo builds. */
export const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');

/** The program of a build; `HELIOSTAT_BIN` wins. @param {'debug' | 'release'} build */
export const programOf = build => resolve(process.env.HELIOSTAT_BIN ?? join(target, build, 'heliostat'));

/** A new folder that programs running as any user can enter. @param {string} of what it is for @returns {string} its path */
export function temporaryFolder(of = 'test') {
  const folder = mkdtempSync(join(tmpdir(), `heliostat-${of}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Ports that a system gives out by itself begin here or above (`ip_local_port_range`); below are those of services. */
const GIVEN_OUT = 32_768;
const SERVICES = 10_000;

/**
 * A TCP port of loopback that is free now, and that nobody gets by chance while its host is away for a moment: of those
 * that the system gives out each may be the next connection's of another test.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = SERVICES + randomInt(GIVEN_OUT - SERVICES);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
