// What the admin page makes of a tree.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { merge } from '../../static/admin/history.js';

import {
  consequence,
  deed,
  eventWords,
  everything,
  exitWords,
  label,
  pages,
  place,
  query,
  restartable,
  rowOf,
  rows,
  span,
  summary,
  usuallyOpen,
} from '../../static/admin/model.js';

const ID = '0197c1d2-0000-7000-8000-00000000abcd';

/** @param {string} path @param {object} [more] @param {any[]} [children] @returns {any} */
function child(path, more = {}, children = []) {
  return {
    id: path.slice(path.lastIndexOf('/') + 1),
    path,
    kind: children.length > 0 ? 'supervisor' : 'worker',
    restart: 'permanent',
    state: 'running',
    strategy: children.length > 0 ? 'one_for_one' : null,
    restarts: { in_period: 0, total: 0 },
    uptime_ms: 1000,
    children,
    ...more,
  };
}

const at = `root/instances/${ID}`;
const stage = child(`${at}/desktop/stage`, {}, [
  child(`${at}/desktop/stage/render`, {
    restarts: { in_period: 1, total: 3 },
    state: 'given_up',
  }),
]);
const desktop = child(`${at}/desktop`, { strategy: 'rest_for_one', restart: 'transient' }, [
  child(`${at}/desktop/keeper`, { restart: 'transient' }),
  child(`${at}/desktop/display`),
  stage,
]);
const peers = child(`${at}/peers`, { kind: 'dynamic' }, [
  child(`${at}/peers/${ID}`, { restart: 'temporary', once: true }),
]);
const instance = child(at, { restart: 'temporary', once: true }, [peers, desktop]);
/** @type {any} */
const tree = {
  at_ms: 1,
  version: '1',
  left_out: { 'root/sessions': 7 },
  from: {},
  folded: {},
  totals: { children: 12, restarts: 3, down: 1, restarting: 0 },
  instances: { [ID]: { app: 'Orrery', session_id: 's', status: 'RUNNING' } },
  root: child('root', { restart: 'temporary' }, [
    child('root/sessions', { kind: 'dynamic' }, [
      child(`root/sessions/${ID}`, { restart: 'temporary', once: true }),
    ]),
    child('root/instances', { kind: 'dynamic' }, [instance]),
    child('root/http'),
  ]),
};
/** @param {ReadonlySet<string>} open */
const paths = open => rows(tree, open).map(row => row.child.path);

test('instances are shown and closed at first, and everything can be opened', () => {
  assert.deepEqual(paths(usuallyOpen(tree)), [
    'root',
    'root/sessions',
    `root/sessions/${ID}`,
    'root/instances',
    at,
    'root/http',
  ]);
  assert.equal(paths(everything(tree)).length, 13);
  assert.deepEqual(paths(new Set()), ['root']);
  assert.equal(rows(tree, usuallyOpen(tree))[1].more, 7);
});

test('of what is not open nothing comes, and it can be opened all the same', () => {
  const closed = { ...instance, children: [] };
  const instances = child('root/instances', { kind: 'dynamic' }, [closed]);
  const folded = {
    ...tree,
    folded: { [at]: 2 },
    root: child('root', {}, [instances]),
  };
  const row = rows(folded, usuallyOpen(folded)).find(({ child }) => child.path === at);
  assert.deepEqual([row?.open, row?.folded], [false, 2]);
  assert.ok(everything(folded).has(at));
});

test('the host is asked for what is below some rows, one by one or all of it', () => {
  const none = new Map();
  assert.equal(query(new Set(), none), '');
  assert.equal(query(new Set([at]), none), `open=${encodeURIComponent(at)}`);
  assert.equal(query('*', none), 'open=*');
  const many = new Set(Array.from({ length: 33 }, (_, n) => `root/instances/${n}`));
  assert.equal(query(many, none), 'open=*');
  const from = new Map([
    ['root/instances', 200],
    ['root/sessions', 0],
  ]);
  assert.equal(query(new Set(), from), `from=${encodeURIComponent('root/instances:200')}`);
});

test('where not all children are shown it is said which, and how to come to the others', () => {
  const row = (/** @type {number} */ number, /** @type {number} */ more, /** @type {number} */ from) => {
    const children = Array.from({ length: number }, (_, n) => child(`root/instances/${n}`));
    return {
      child: child('root/instances', {}, children),
      parent: null,
      level: 2,
      open: true,
      more,
      from,
      folded: 0,
    };
  };
  assert.equal(pages(row(200, 0, 0)), null);
  assert.deepEqual(pages(row(200, 250, 0)), {
    words: '1–200 of 450',
    before: null,
    after: 200,
  });
  assert.deepEqual(pages(row(200, 250, 200)), {
    words: '201–400 of 450',
    before: 0,
    after: 400,
  });
  assert.deepEqual(pages(row(50, 400, 400)), {
    words: '401–450 of 450',
    before: 200,
    after: null,
  });
});

test('an event is shown where it happened, or at the closed row that hides that', () => {
  const shown = new Set(paths(usuallyOpen(tree)));
  assert.equal(rowOf(`${at}/desktop/stage/render`, shown), at);
  assert.equal(rowOf('root/http', shown), 'root/http');
  assert.equal(rowOf('root/gone/for/good', shown), 'root');
  assert.equal(rowOf('elsewhere', shown), null);
});

test('an instance is called by its app, other ids by their end', () => {
  assert.deepEqual(label(at, tree.instances), {
    name: 'Orrery',
    more: '00abcd',
  });
  assert.deepEqual(label(`root/sessions/${ID}`, {}), {
    name: '00abcd',
    more: '',
  });
  assert.equal(label(`${at}/desktop/stage/window_manager`, tree.instances).name, 'window manager');
  assert.equal(place(`${at}/desktop/stage/render`, tree.instances), 'Orrery › desktop › stage › render');
  assert.equal(place('root/http', {}), 'http');
  assert.equal(place('root', {}), 'root');
  const figures = (/** @type {number} */ p50_ms) => ({
    p50_ms,
    p95_ms: 90,
    samples: 4,
  });
  /** @param {import('../../static/admin/model.js').Latency} told */
  const peer = told =>
    label(`${at}/peers/${ID}`, {
      [ID]: { ...tree.instances[ID], latency: { [ID]: told } },
    }).more;
  assert.equal(
    peer({ click_to_photon: figures(18.4), glass_to_glass: figures(9.6) }),
    'click 18 ms · picture 10 ms',
  );
  assert.equal(peer({ click_to_photon: null, glass_to_glass: figures(9) }), 'picture 9 ms');
});

test('what cannot be restarted has no button', () => {
  const can = (/** @type {string} */ path) => {
    const row = rows(tree, everything(tree)).find(({ child: one }) => one.path === path);
    assert.ok(row, path);
    return restartable(row, tree.instances);
  };
  assert.deepEqual(
    ['root', `${at}/desktop/keeper`, at, `${at}/desktop`, `${at}/desktop/stage/render`, 'root/http'].map(can),
    [false, true, true, true, true, true],
  );
  const ending = rows(tree, everything(tree)).find(({ child: one }) => one.path === at);
  assert.ok(ending);
  assert.equal(
    restartable(ending, {
      [ID]: { ...tree.instances[ID], status: 'DEINITIALIZING' },
    }),
    false,
  );
});

test('what lives once is ended, and the question says who makes another', () => {
  for (const [path, words] of /** @type {[string, RegExp][]} */ ([
    [`${at}/peers/${ID}`, /page of that viewer makes another/],
    [`root/sessions/${ID}`, /pages come back/],
  ])) {
    const row = rows(tree, everything(tree)).find(({ child: one }) => one.path === path);
    assert.ok(row, path);
    assert.equal(restartable(row, tree.instances), true);
    assert.equal(deed(row), 'End');
    assert.match(consequence(row, tree.instances), words);
  }
  const whole = rows(tree, everything(tree)).find(({ child: one }) => one.path === at);
  assert.ok(whole);
  assert.equal(deed(whole), 'Restart', 'an instance is started again under its id');
});

test('the question says what else is restarted', () => {
  const words = (/** @type {string} */ path) => {
    const row = rows(tree, everything(tree)).find(({ child: one }) => one.path === path);
    assert.ok(row, path);
    return consequence(row, tree.instances);
  };
  assert.match(words(`${at}/desktop/display`), /these are restarted: stage\.$/);
  assert.match(words(`${at}/desktop/stage`), /everything below/);
  assert.match(words('root/http'), /this one too/);
  assert.match(words('root/instances'), /programs go on/);
  assert.match(words(at), /same address/);
});

test('ends and events are told in words', () => {
  assert.equal(exitWords({ reason: 'error', code: 'x', message: 'it broke' }), 'it broke');
  assert.equal(exitWords({ reason: 'dependency', on: 'display_lost' }), 'display lost');
  assert.equal(exitWords(null), '');
  /** @param {object} what @returns {any} */
  const event = what => ({ at_ms: 1, path: 'root', generation: 1, ...what });
  assert.equal(eventWords(event({ what: 'exited', exit: { reason: 'shutdown' } })), '');
  assert.equal(eventWords(event({ what: 'exited', exit: { reason: 'stalled' } })), 'stalled');
  assert.equal(eventWords(event({ what: 'restarting', after_ms: 400 })), 'started again in 0.4 s');
  assert.equal(eventWords(event({ what: 'started' })), '');
});

test('the figures are those of the whole tree', () => {
  assert.deepEqual(summary(tree), {
    children: 12,
    instances: 1,
    restarts: 3,
    down: 1,
    restarting: 0,
    uptime_ms: 1000,
  });
  assert.deepEqual([400, 12_000, 59_600, 61_000, 7_500_000, 4 * 86_400_000].map(span), [
    '0.4 s',
    '12 s',
    '60 s',
    '1 min',
    '2 h 5 min',
    '4 d',
  ]);
});

test('what is stored joins what was seen, each event once, the newest first', () => {
  /** @param {number} at @param {string} kind */
  const event = (at, kind) => ({ at, actor: 'root/http', kind, detail: '' });
  const seen = [event(5, 'restarting'), event(4, 'exited')];
  const stored = [event(4, 'exited'), event(3, 'restart_asked'), event(3, 'exited')];
  assert.deepEqual(
    merge(seen, stored).map(({ at, kind }) => [at, kind]),
    [
      [5, 'restarting'],
      [4, 'exited'],
      [3, 'restart_asked'],
      [3, 'exited'],
    ],
  );
  assert.deepEqual(merge([], []), []);
});
