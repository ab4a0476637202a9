// A program without a sandbox, under a host that is root: what it plants where the host writes gains it nothing, and a host
// that is not told to run programs so ends it.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { Host } from './harness/host.js';
import { pidOf, processesOf } from './harness/proc.js';
import { Client } from './harness/rest.js';
import { until } from './harness/wait.js';

const LIMIT = { timeout: 180_000 };
const root = process.getuid?.() === 0;

/** Tries everything on what the host keeps beside its home, says so, and stays. @param {string} precious */
const planting = precious =>
  [
    'cd "$HOME/.."',
    'for name in .openbox.xml .Xauthority; do',
    `rm -rf $name; ln -sf ${precious} $name; ln -f ${precious} $name; mv $name $HOME/; mkfifo $name; mkdir $name`,
    'done',
    `rmdir home; mv home home2; ln -s ${dirname(precious)} home`,
    'touch "$HOME/tried"',
    'exec xterm -e sleep 1000',
  ].join('\n');

test('what an app plants in the place of a file of the host gains it nothing', {
  ...LIMIT,
  skip: !root,
}, async () => {
  const host = await Host.start({
    auth: 'open',
    env: { HELIOSTAT_SANDBOX_MODE: 'off' },
    apps: ({ folder }) => [
      { id: 'planting', command: '/bin/sh', args: ['-c', planting(join(folder, 'precious'))] },
    ],
  });
  try {
    const precious = join(host.folder, 'precious');
    writeFileSync(precious, 'precious');
    chmodSync(precious, 0o600);
    const client = await Client.withSession(host);
    const { instance_id: id } = await client.launch('planting');
    await client.statusBecomes(id, 'RUNNING');
    const app = await pidOf(id, 'render');
    const home = /** @type {string} */ (
      readFileSync(`/proc/${app}/environ`, 'utf8')
        .split('\0')
        .find(entry => entry.startsWith('HOME='))
    ).slice(5);
    await until('it has tried', () => existsSync(join(home, 'tried')));

    await host.crash();
    await host.run();
    await client.statusBecomes(id, 'RUNNING');
    assert.equal(await pidOf(id, 'render'), app, 'it was adopted');
    for (const name of ['.openbox.xml', '.Xauthority']) {
      const found = lstatSync(join(dirname(home), name));
      assert.ok(found.isFile() && found.nlink === 1, name);
      assert.deepEqual([found.uid, found.mode & 0o777], [0, 0o640], name);
    }
    const found = lstatSync(precious);
    assert.deepEqual([found.uid, found.mode & 0o777, found.nlink], [0, 0o600, 1]);
    assert.equal(readFileSync(precious, 'utf8'), 'precious');

    // The next host runs nobody without a sandbox.
    await host.crash();
    host.env = {};
    await host.run();
    const failed = await client.statusBecomes(id, 'FAILED');
    assert.equal(failed.reason, 'not_adopted');
    await until('its processes have ended', () => processesOf(id).length === 0);
    assert.equal((await client.post(`/api/v1/instances/${id}/restart`, {})).status, 202);
    await client.statusBecomes(id, 'RUNNING');
    const boxed = await pidOf(id, 'render');
    assert.notEqual(readlinkSync(`/proc/${boxed}/ns/pid`), readlinkSync('/proc/self/ns/pid'));
    await host.stop();
  } finally {
    await host.stop().catch(() => {});
    host.removeFolder();
  }
});
