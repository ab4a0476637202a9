import assert from 'node:assert/strict';
import { test } from 'node:test';

import { diagnose } from '../../static/viewer/diagnosis.js';

const stun = { urls: ['stun:a.example:3478'] };
const turn = {
  urls: ['turn:a.example:3478?transport=udp', 'turns:a.example:5349?transport=tcp'],
  username: 'u',
  credential: 'c',
};

/** @param {Partial<import('../../static/viewer/diagnosis.js').Evidence>} evidence */
const of = evidence => diagnose({ servers: [], policy: 'all', found: ['host'], errors: [], ...evidence });

test('without a TURN server the operator is told to open the ports or to set one up', () => {
  for (const servers of [[], [stun]]) {
    const { code, detail } = of({ servers });
    assert.equal(code, 'no_path');
    assert.match(detail, /no TURN server is configured/);
    assert.match(detail, /operator .*media\.udp_ports.*ice\.servers/);
  }
});

test('a host that wants relays and has none says so', () => {
  const { code, detail } = of({ servers: [stun], policy: 'relay', found: [] });
  assert.equal(code, 'relay_without_turn');
  assert.match(detail, /ice\.servers and ice\.secret_file/);
});

test('refused credentials are told apart from a server that is not reached', () => {
  const refused = of({ servers: [turn], errors: [{ code: 401, url: 'turn:a.example:3478?transport=udp' }] });
  assert.equal(refused.code, 'turn_refused');
  assert.match(refused.detail, /same secret/);
  const silent = of({ servers: [stun, turn], errors: [{ code: 701, url: 'turn:a.example:3478' }] });
  assert.equal(silent.code, 'turn_unreachable');
  assert.match(silent.detail, /turn:a\.example:3478 udp, turns:a\.example:5349 tcp/);
  assert.equal(of({ servers: [turn] }).code, 'turn_unreachable');
  assert.equal(of({ servers: [turn], errors: [{ code: 486, url: '' }] }).code, 'turn_full');
});

test('a relay that leads nowhere is the affair of the host and its firewall', () => {
  const { code, detail } = of({
    servers: [turn],
    found: ['host', 'relay'],
    errors: [{ code: 701, url: '' }],
  });
  assert.equal(code, 'relay_blocked');
  assert.match(detail, /let the TURN server reach the UDP ports/);
});

test('every diagnosis names a command to go on with', () => {
  for (const servers of [[], [turn]]) {
    for (const policy of /** @type {const} */ (['all', 'relay'])) {
      for (const found of [[], ['host'], ['relay']]) {
        assert.match(of({ servers, policy, found }).detail, /heliostat check-ice/);
      }
    }
  }
});
