import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initial, shown, step, words } from '../../static/viewer/states.js';

const app = { id: 'orrery', name: 'Orrery' };
/** @param {string} status @param {object} [more] @returns {any} */
const instance = (status, more = {}) => ({
  type: 'instance',
  message: { instance_id: 'i', app, status, ...more },
});
/** @param {string} state @returns {any} */
const peer = state => ({ type: 'peer', state });
const open = /** @type {const} */ ({ type: 'socket', state: 'open' });
const lost = /** @type {const} */ ({ type: 'socket', state: 'lost', retryAt: 1500 });
/** @param {...any} inputs */
const after = (...inputs) => inputs.reduce((facts, input) => step(facts, input, 1000), initial());
/** @param {...any} inputs */
const state = (...inputs) => shown(after({ type: 'start' }, ...inputs)).state;

test('the way to a picture', () => {
  assert.equal(shown(initial()).state, 'idle');
  assert.equal(state(), 'connecting');
  assert.equal(state(open, instance('INITIALIZING')), 'connecting');
  assert.equal(state(open, instance('RUNNING'), peer('connecting')), 'connecting');
  assert.equal(state(open, instance('RUNNING'), peer('connected')), 'connected');
});

test('an app that is still starting is not yet connected', () => {
  assert.equal(
    state(open, instance('INITIALIZING'), peer('connected'), instance('INITIALIZING')),
    'connecting',
    'nothing was restarted, however long it takes',
  );
  assert.equal(
    state(open, instance('RUNNING'), peer('connected'), instance('INITIALIZING')),
    'restarting',
    'it has run before',
  );
  assert.equal(state(open, peer('connected'), instance('RUNNING')), 'connected');
});

test('a dropped socket does not disturb a living peer', () => {
  assert.equal(state(open, instance('RUNNING'), peer('connected'), lost), 'connected');
});

test('a host that never answered is connecting, with a countdown', () => {
  const view = shown(after({ type: 'start' }, lost));
  assert.equal(view.state, 'connecting');
  assert.equal(view.retryAt, 1500);
});

test('an interrupted or lost peer is reconnecting, and connected again when it is back', () => {
  const before = [open, instance('RUNNING'), peer('connected')];
  assert.equal(state(...before, peer('interrupted')), 'reconnecting');
  assert.equal(state(...before, peer('lost')), 'reconnecting');
  assert.equal(state(...before, { type: 'closed', reason: 'fault' }), 'reconnecting');
  assert.equal(state(...before, { type: 'closed', reason: 'fault' }, peer('connected')), 'connected');
  assert.equal(state(...before, peer('interrupted'), peer('connected')), 'connected');
});

test('what the host says is a sentence on the page', () => {
  const view = shown(
    after({ type: 'start' }, open, instance('RESTARTING', { message: 'the app is starting' })),
  );
  assert.equal(view.detail, 'The app is starting.');
});

test('what is under way is told as it is: the program is not always restarted', () => {
  const title = (/** @type {string} */ reason) =>
    shown(after({ type: 'start' }, open, peer('connected'), instance('RESTARTING', { reason }))).title;
  assert.equal(title('render_lost'), 'Orrery is restarting');
  assert.equal(title('display_starting'), 'Orrery is restarting');
  assert.equal(title('render_held'), 'Orrery stands still');
  assert.equal(title('capture_held'), 'Orrery stands still');
  assert.equal(title('capture_lost'), 'The picture of Orrery is coming back');
  assert.equal(title('input_starting'), 'The picture of Orrery is coming back');
});

test('a silent host is reconnecting, whatever it said last, and connected again when it answers', () => {
  const before = [open, instance('RUNNING'), peer('connected')];
  const silent = { type: 'silent', silent: true };
  const heard = { type: 'silent', silent: false };
  assert.equal(state(...before, silent), 'reconnecting');
  assert.equal(state(...before, instance('RESTARTING'), silent), 'reconnecting');
  assert.equal(shown(after({ type: 'start' }, ...before, silent, lost)).retryAt, 1500);
  assert.equal(state(...before, silent, heard), 'connected');
  assert.equal(state(...before, silent, peer('lost'), peer('connected')), 'connected');
  assert.equal(state(...before, silent, instance('FAILED')), 'failed');
});

test('a restarting app is shown with its countdown while the peer lives', () => {
  const facts = after({ type: 'start' }, open, instance('RUNNING'), peer('connected'));
  const view = shown(
    step(facts, instance('RESTARTING', { retry_in_ms: 2000, message: 'It crashed.' }), 5000),
  );
  assert.deepEqual([view.state, view.retryAt, view.detail], ['restarting', 7000, 'It crashed.']);
});

test('a failed instance shows reason and output, whatever the peer does', () => {
  const failed = instance('FAILED', { reason: 'crash_loop', output: ['a', 'b'] });
  for (const p of ['none', 'connected', 'interrupted', 'lost']) {
    const view = shown(after({ type: 'start' }, peer(p), failed));
    assert.deepEqual([view.state, view.action, view.code], ['failed', 'restart', 'crash_loop']);
    assert.deepEqual(view.output, ['a', 'b']);
    assert.match(view.detail, /again and again/);
  }
});

test('a program without its picture is not called failed itself', () => {
  const message = 'no encoder of vp8 works any more: vp8enc said “out of memory”';
  const failed = instance('FAILED', { reason: 'encoders_failed', message });
  const view = shown(after({ type: 'start' }, peer('connected'), failed));
  assert.deepEqual([view.state, view.action, view.detail], ['failed', 'restart', `N${message.slice(1)}.`]);
  assert.match(view.title, /^The picture of .+ has failed$/);
});

test('a restart takes the failure back', () => {
  const failed = instance('FAILED', { reason: 'crash_loop', output: ['a'] });
  const facts = after({ type: 'start' }, open, peer('connected'), failed, instance('INITIALIZING'));
  assert.equal(shown(facts).state, 'restarting');
  assert.equal(facts.instance?.reason, undefined);
  assert.equal(facts.instance?.output, undefined);
  assert.equal(shown(step(facts, instance('RUNNING'), 0)).state, 'connected');
});

test('an ended instance offers to launch again', () => {
  const exited = shown(after({ type: 'start' }, peer('connected'), { type: 'closed', reason: 'app_exited' }));
  assert.deepEqual([exited.state, exited.action, exited.code], ['ended', 'launch', 'app_exited']);
  assert.equal(state(instance('TERMINATED')), 'ended');
  assert.equal(shown(after({ type: 'start' }, instance('DEINITIALIZING'))).action, null);
});

test('an end is taken back only by an instance that lives', () => {
  const ended = [{ type: 'closed', reason: 'instance_ended' }];
  assert.equal(state(instance('RUNNING'), ...ended), 'ended');
  assert.equal(state(...ended, instance('TERMINATED')), 'ended');
  assert.equal(state(...ended, instance('INITIALIZING')), 'connecting');
});

test('a fault is said in words and mended by what works after it', () => {
  const view = shown(after({ type: 'start' }, { type: 'fault', code: 'unknown_instance', message: '' }));
  assert.deepEqual([view.state, view.action], ['error', null]);
  assert.ok(view.title && view.detail);
  assert.equal(state({ type: 'fault', code: 'not_allowed', message: 'no' }, peer('connected')), 'connected');
  assert.equal(
    state({ type: 'fault', code: 'not_allowed', message: 'no' }, instance('RUNNING')),
    'connecting',
  );
});

test('every combination of facts has one state with a title, and only the right ones have an action', () => {
  const statuses = [
    'IDLE',
    'INITIALIZING',
    'RUNNING',
    'DEINITIALIZING',
    'TERMINATED',
    'RESTARTING',
    'FAILED',
    null,
  ];
  /** @type {Set<string>} */
  const met = new Set();
  for (const started of [true, false])
    for (const socket of ['connecting', 'open', 'lost'])
      for (const p of ['none', 'connecting', 'connected', 'interrupted', 'lost'])
        for (const seen of [true, false])
          for (const status of statuses)
            for (const ended of [null, 'app_exited'])
              for (const fault of [null, { code: 'not_allowed', message: '' }]) {
                const facts = /** @type {any} */ ({
                  ...initial(),
                  started,
                  socket,
                  peer: p,
                  seen,
                  ended,
                  fault,
                  instance: status && { status, app },
                });
                const view = shown(facts);
                met.add(view.state);
                assert.ok(view.title.length > 0);
                if (view.state === 'connected') assert.ok(p === 'connected' && !fault && !ended);
                if (fault && started) assert.equal(view.state, 'error');
                if (view.action === 'restart') assert.equal(view.state, 'failed');
                if (view.action === 'launch') assert.equal(view.state, 'ended');
              }
  assert.equal(met.size, 8);
});

test('unknown codes become words', () => {
  assert.equal(words('disk_full'), 'Disk full.');
  assert.equal(words('toString'), 'Tostring.');
  assert.equal(words(undefined), '');
});
