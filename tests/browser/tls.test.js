// Encrypted pages: served by the host itself, and by a proxy before it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { pattern } from './harness/apps.js';
import { caddy } from './harness/caddy.js';
import { Certificate, shownAt } from './harness/certificate.js';
import { Host } from './harness/host.js';
import { nginx } from './harness/nginx.js';
import { temporaryFolder } from './harness/places.js';
import { assertProblem, Client } from './harness/rest.js';
import { Stage } from './harness/stage.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const certificate = new Certificate(temporaryFolder('certificate'));
const server = { tls_certificate: certificate.certificate, tls_key: certificate.key };
const instances = { capacity: 2 };
/** @type {(paths: { folder: string, demo: string }) => import('./harness/host.js').App[]} */
const apps = paths => [pattern(paths)];

const { scenario } = suite({ sections: { server, instances }, apps, flags: [certificate.flag] });

/** Launches the pattern and steers it. @param {Stage} stage */
async function steered(stage) {
  const { user, page, home } = await stage.visitor();
  const viewer = await home.launch('pattern', stage.host);
  await viewer.stateBecomes('connected');
  const { flips } = await viewer.pattern.appears();
  await viewer.click(320, 180);
  await viewer.pattern.flipsBecome(flips + 1);
  for (const cookie of await user.cookies()) {
    assert.ok(cookie.secure && cookie.httpOnly && cookie.name.startsWith('__Host-heliostat_'), cookie.name);
  }
  return { user, page, viewer, flips: flips + 1 };
}

scenario('a stream goes on while the certificate of its host is exchanged', async stage => {
  assert.match(stage.host.entry, /^https:/);
  const { viewer, page, flips } = await steered(stage);
  await viewer.rememberConnection();
  const before = await shownAt(stage.host.origin);
  certificate.renew();
  await until('another certificate is shown', async () => (await shownAt(stage.host.origin)) !== before);
  await viewer.click(320, 180);
  await viewer.pattern.flipsBecome(flips + 1);
  assert.ok(await viewer.sameConnection(), 'the picture did not notice');
  await page.reload();
  await viewer.stateBecomes('connected');
  await viewer.pattern.appears();
  const log = stage.host.log();
  const key = readFileSync(certificate.key, 'utf8').split('\n');
  for (const line of key.filter(text => text.length > 20))
    assert.ok(!log.includes(line), 'the key is secret');
});

/** What the scenario of each proxy does. @param {typeof nginx} start @returns {(direct: Stage) => Promise<void>} */
const throughProxy = start => async direct => {
  const host = await Host.start({
    sections: { server: { trusted_proxies: ['127.0.0.1'], hsts: 'on' }, instances },
    apps,
  });
  /** @type {import('./harness/proxy.js').ReverseProxy | undefined} */
  let proxy;
  try {
    proxy = await start(host, certificate);
    const { origin } = proxy;
    [host.entry, host.origin] = [host.entry.replace(host.origin, origin), origin];
    const stage = new Stage(host, direct.browser);
    const { user } = await steered(stage);

    const admin = await user.newPage();
    const [answer] = await Promise.all([
      admin.waitForResponse(`${origin}/admin`),
      admin.goto(`${origin}/admin`),
    ]);
    assert.equal(answer.headers()['strict-transport-security'], 'max-age=31536000');
    await until('events arrive', async () => (await admin.locator('#live').textContent()) === 'live');

    // Somebody at another address, who claims to be at a third.
    const other = new Client(host);
    other.from = '127.0.0.5';
    const claims = {
      origin: 'https://evil.example',
      'x-forwarded-for': '203.0.113.1',
      forwarded: 'for=203.0.113.2',
    };
    assertProblem(await other.ask('POST', '/api/v1/instances', {}, claims), 403, 'foreign_origin');
    await until('the host knows whom it refused', () =>
      /refused=foreign_origin path=\/api\/v1\/instances client=127\.0\.0\.5$/m.test(host.log()),
    );
    await stage.clear();
  } finally {
    await proxy?.stop();
    await host.stop().finally(() => host.destroy());
  }
  host.removeFolder();
};

scenario('through the nginx of the documentation it is as without', throughProxy(nginx));
scenario('through the Caddy of the documentation it is as without', throughProxy(caddy));
