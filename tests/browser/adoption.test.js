// What a new host knows of a program that the host before it had started.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { patternWhenTold, tellPattern, windowless } from './harness/apps.js';
import { keeperOf, processesOf, startTime } from './harness/proc.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({
  sections: { instances: { capacity: 4, readiness_timeout: '25s' } },
  apps: paths => [patternWhenTold(paths), windowless()],
});

/** The program's first process; those that it starts come later. @param {string} id */
function renderOf(id) {
  const pids = processesOf(id)
    .filter(({ role }) => role === 'render')
    .map(({ pid }) => pid);
  return pids.length === 0 ? null : Math.min(...pids);
}

scenario(
  'a program that is still starting when its host dies is waited for by the next host',
  async stage => {
    tellPattern(stage.host, false);
    const client = await stage.client();
    const { instance_id: id } = await client.launch('told');
    const pid = await until('the program runs', () => renderOf(id));
    await stage.host.crash();
    await stage.host.run();
    const adopted = await until('it is adopted and the picture is there', async () => {
      const instance = await client.instance(id);
      return instance.reason === 'app_starting' && instance;
    });
    assert.equal(adopted.status, 'INITIALIZING', 'it shows no window yet');
    tellPattern(stage.host, true);
    await client.statusBecomes(id, 'RUNNING');
    assert.equal(renderOf(id), pid, 'the same process');

    // Now it has been ready, which the host after that knows.
    await stage.host.crash();
    await stage.host.run();
    await client.statusBecomes(id, 'RUNNING');
    assert.equal(renderOf(id), pid, 'the same process');
  },
);

scenario(
  'an adopted program that never becomes ready fails when the rest of its time is over',
  async stage => {
    const client = await stage.client();
    const { instance_id: id } = await client.launch('windowless');
    const began = Date.now();
    await until('the program runs', () => renderOf(id));
    await stage.host.crash();
    await stage.host.run();
    const failed = await client.statusBecomes(id, 'FAILED', 60_000);
    assert.equal(failed.reason, 'not_ready');
    const seconds = (Date.now() - began) / 1000;
    assert.ok(seconds > 20, `it had its whole time, not ${seconds} s`);
  },
);

/**
 * A keeper that greets as it should, and says of everything that it runs as process 1.
 *
 * @param {string} path
 */
async function lyingKeeper(path) {
  const server = createServer(socket => {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', more => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE()) {
        const end = 4 + bytes.readUInt32BE();
        const { id, request } = JSON.parse(bytes.subarray(4, end).toString());
        bytes = bytes.subarray(end);
        const answers = {
          hello: { type: 'welcome', pid: process.pid },
          ensure: {
            type: 'started',
            role: request.role,
            pid: 1,
            generation: 1,
            attached: true,
            display: 1,
            stopped: false,
          },
          status: { type: 'status', roles: [] },
        };
        const answer = answers[/** @type {keyof typeof answers} */ (request.type)] ?? { type: 'done' };
        const text = Buffer.from(JSON.stringify({ reply: { id, result: { Ok: answer } } }));
        const head = Buffer.alloc(4);
        head.writeUInt32BE(text.length);
        socket.write(Buffer.concat([head, text]));
      }
    });
  }).listen(path);
  await once(server, 'listening');
  return server;
}

scenario(
  'a keeper that speaks of processes of others is not believed: its instance has failed, and only what is ours ends',
  async stage => {
    const { host } = stage;
    tellPattern(host, true);
    const client = await stage.client();
    const { instance_id: id } = await client.launch('told');
    await client.statusBecomes(id, 'RUNNING');
    assert.ok(keeperOf(host, id));
    await host.crash();

    const folder = join(host.state, 'instances', id);
    const manifest = JSON.parse(readFileSync(join(folder, 'keeper.json'), 'utf8'));
    rmSync(join(folder, 'keeper.sock'));
    const liar = await lyingKeeper(join(folder, 'keeper.sock'));
    const lie = { ...manifest, pid: process.pid, start_time: startTime(process.pid) };
    writeFileSync(join(folder, 'keeper.json'), JSON.stringify(lie));
    const logged = host.log().length;
    await host.run();
    const failed = await client.statusBecomes(id, 'FAILED');
    assert.equal(failed.reason, 'keeper_not_ours');
    await until('nothing of it is left', () => processesOf(id).length === 0);
    const lines = host.log().slice(logged).split('\n');
    assert.equal(
      lines.filter(line => /code=keeper_not_ours .*pid 1 /.test(line)).length,
      1,
      'one line says so',
    );
    liar.close();

    const { status } = await client.post(`/api/v1/instances/${id}/restart`, {});
    assert.equal(status, 202, 'it can be started again');
    await client.statusBecomes(id, 'RUNNING');
  },
);

scenario(
  'an instance that the next host cannot understand has failed, and nothing of it is left',
  async stage => {
    const { host } = stage;
    tellPattern(host, true);
    const client = await stage.client();
    const [{ instance_id: id }, { instance_id: other }] = [
      await client.launch('told'),
      await client.launch('told'),
    ];
    await client.statusBecomes(id, 'RUNNING');
    await client.statusBecomes(other, 'RUNNING');
    const pid = renderOf(other);
    await host.crash();
    const description = join(host.state, 'instances', id, 'instance.json');
    writeFileSync(description, readFileSync(join(host.state, 'instances', other, 'instance.json')));
    await host.run();
    const failed = await client.statusBecomes(id, 'FAILED');
    assert.equal(failed.reason, 'not_adopted');
    await until('nothing of it is left', () => processesOf(id).length === 0);
    await client.statusBecomes(other, 'RUNNING');
    assert.equal(renderOf(other), pid, 'its neighbour is adopted as ever');

    const { status } = await client.post(`/api/v1/instances/${id}/restart`, {});
    assert.equal(status, 202, 'it can be started again');
    await client.statusBecomes(id, 'RUNNING');
  },
);
