// Caddy before a host. The certificate is the test's: Caddy would ask an authority for one.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freePort, temporaryFolder } from './places.js';
import { documented, ReverseProxy } from './proxy.js';

/** @param {import('./host.js').Host} host @param {import('./certificate.js').Certificate} certificate */
export async function caddy(host, certificate) {
  const folder = temporaryFolder('caddy');
  const port = await freePort();
  const own = `tls ${certificate.certificate} ${certificate.key}\n    bind 127.0.0.1`;
  const site = documented('caddy', [
    ['sky.example {', `https://127.0.0.1:${port} {\n    ${own}`],
    ['127.0.0.1:8080', `127.0.0.1:${host.port}`],
  ]);
  const file = join(folder, 'Caddyfile');
  // No port of its own for orders, nor one that leads from http to https: both are the whole machine's.
  writeFileSync(file, `{\n    admin off\n    auto_https disable_redirects\n}\n${site}`);
  return await ReverseProxy.start(folder, port, 'caddy', ['run', '--adapter', 'caddyfile', '--config', file]);
}
