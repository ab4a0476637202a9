// Where things are, for the tests here and for scripts/bench.

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

/** @returns {Promise<number>} a TCP port of loopback that is free now */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
