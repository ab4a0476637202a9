// Where things are.

import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const target = process.env.CARGO_TARGET_DIR ?? join(repository, 'target');

/** What the benchmarks install and write, out of the way of the build. */
export const benchFolder = join(target, 'bench');
mkdirSync(benchFolder, { recursive: true });

/** The host under test: `HELIOSTAT_BIN`, or the release build. */
export const program = resolve(process.env.HELIOSTAT_BIN ?? join(target, 'release/heliostat'));

/** Selkies' program, where `run` installed it. */
export const selkies = join(benchFolder, 'selkies/bin/selkies');

/** noVNC's pages, where Debian's package puts them. */
export const novnc = '/usr/share/novnc';

/** A new folder that programs running as any user can enter. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'heliostat-bench-'));
  chmodSync(folder, 0o755);
  return folder;
}

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

/** @returns {Promise<number>} a TCP port of loopback that is free now */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** Playwright, from the packages of the tests. @returns {import('playwright-core')} */
export const playwright = () => createRequire(join(repository, 'tests/package.json'))('playwright-core');
