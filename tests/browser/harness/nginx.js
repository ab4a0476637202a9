// nginx before a host.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freePort, temporaryFolder } from './places.js';
import { documented, ReverseProxy } from './proxy.js';

/** @param {import('./host.js').Host} host @param {import('./certificate.js').Certificate} certificate */
export async function nginx(host, certificate) {
  const folder = temporaryFolder('nginx');
  const [port, plain] = [await freePort(), await freePort()];
  const site = documented('nginx', [
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
  return await ReverseProxy.start(folder, port, 'nginx', ['-p', folder, '-c', file, '-e', 'stderr']);
}
