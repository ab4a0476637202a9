// A real nginx before a host, with the very configuration that docs/deploy.md gives.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freePort, repository, temporaryFolder } from './places.js';
import { statusOf } from './request.js';
import { until } from './wait.js';

/** The block of the document, with what is this machine's put in. @param {[string, string][]} replaced */
function configuration(replaced) {
  const document = readFileSync(join(repository, 'docs/deploy.md'), 'utf8');
  let text = /```nginx\n(.*?)```/s.exec(document)?.[1] ?? '';
  for (const [theirs, ours] of replaced) {
    if (!text.includes(theirs)) throw new Error(`docs/deploy.md has no ${theirs} for nginx`);
    text = text.replaceAll(theirs, ours);
  }
  return text;
}

export class Nginx {
  /** @param {import('node:child_process').ChildProcess} process @param {number} port @param {string} log */
  constructor(process, port, log) {
    this.process = process;
    this.origin = `https://127.0.0.1:${port}`;
    this.log = log;
  }

  /**
   * @param {import('./host.js').Host} host
   * @param {import('./certificate.js').Certificate} certificate
   */
  static async before(host, certificate) {
    const folder = temporaryFolder('nginx');
    const [port, plain] = [await freePort(), await freePort()];
    const site = configuration([
      ['listen 80;', `listen 127.0.0.1:${plain};`],
      ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
      ['/etc/letsencrypt/live/sky.example/fullchain.pem', certificate.certificate],
      ['/etc/letsencrypt/live/sky.example/privkey.pem', certificate.key],
      ['http://127.0.0.1:8080', `http://127.0.0.1:${host.port}`],
    ]);
    // Everything that it writes lies in the folder; the system's nginx, if there is one, is another.
    const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      name => `${name}_temp_path ${folder}/${name};`,
    );
    const file = join(folder, 'nginx.conf');
    const text = `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; ${own.join(' ')}
${site}}
`;
    writeFileSync(file, text);
    const log = join(folder, 'log');
    const output = openSync(log, 'a');
    const child = spawn('nginx', ['-p', folder, '-c', file, '-e', 'stderr'], {
      stdio: ['ignore', output, output],
    });
    child.on('error', () => {});
    const nginx = new Nginx(child, port, log);
    await until('nginx answers', async () => {
      if (child.exitCode !== null) throw new Error(readFileSync(log, 'utf8'));
      return (await statusOf(`${nginx.origin}/healthz`)) === 200;
    });
    return nginx;
  }

  async stop() {
    if (this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}
