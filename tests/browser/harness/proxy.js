// A real reverse proxy before a host, with the very configuration that docs/deploy.md gives.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { repository } from './places.js';
import { statusOf } from './request.js';
import { until } from './wait.js';

/**
 * A block of the document, with what is this machine's put in.
 *
 * @param {string} kind what the block is marked as
 * @param {[string, string][]} replaced
 */
export function documented(kind, replaced) {
  const document = readFileSync(join(repository, 'docs/deploy.md'), 'utf8');
  let text = new RegExp(`\`\`\`${kind}\\n(.*?)\`\`\``, 's').exec(document)?.[1] ?? '';
  for (const [theirs, ours] of replaced) {
    if (!text.includes(theirs)) throw new Error(`docs/deploy.md has no ${theirs} for ${kind}`);
    text = text.replaceAll(theirs, ours);
  }
  return text;
}

export class ReverseProxy {
  /** @param {import('node:child_process').ChildProcess} process @param {number} port */
  constructor(process, port) {
    this.process = process;
    this.origin = `https://127.0.0.1:${port}`;
  }

  /**
   * Starts a program, and waits until the host answers through it.
   *
   * @param {string} folder its own; everything that it writes lies there
   * @param {number} port
   * @param {string} program
   * @param {string[]} flags
   */
  static async start(folder, port, program, flags) {
    const log = join(folder, 'log');
    const output = openSync(log, 'a');
    const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const child = spawn(program, flags, { stdio: ['ignore', output, output], cwd: folder, env });
    let failed = '';
    child.on('error', error => {
      failed = error.message;
    });
    const proxy = new ReverseProxy(child, port);
    await until(`${program} answers`, async () => {
      if (failed || child.exitCode !== null) throw new Error(failed || readFileSync(log, 'utf8'));
      return (await statusOf(`${proxy.origin}/healthz`)) === 200;
    });
    return proxy;
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}
