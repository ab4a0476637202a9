import { enter, tokenOf } from '../home/entry.js';
import { Notice } from '../home/notice.js';
import { Api, ApiError } from '../lib/api.js';
import { setText } from '../lib/dom.js';
import { RestartDialog } from './ask.js';
import { Feed } from './feed.js';
import { History } from './history.js';
import { Summary } from './summary.js';
import { TreeTable } from './tree.js';

/** The page of administrators: the supervision tree as it changes, its history, and restarts by hand. */

/** @param {string} id */
const byId = id => /** @type {HTMLElement} */ (document.getElementById(id));

const api = new Api();
const feed = new Feed(api);
const notice = new Notice(byId('notice'));
const summary = new Summary(byId('summary'));
const history = new History(byId('history'));
const dialog = new RestartDialog();
const table = new TreeTable(byId('tree'), row => {
  if (table.tree) dialog.ask(row, table.tree, () => restart(row.child.path));
});
/** How many events of the past are shown at first. */
const PAST = 60;
/** The page has what happened before the feed began, this time. */
let loaded = false;

/** @param {string} path */
async function restart(path) {
  try {
    return await api.call('POST', '/admin/supervision/restart', { child: path });
  } catch (error) {
    // The one that would answer is being restarted. A browser whose connection goes before an answer may ask again by
    // itself, and then the next one says so.
    const { code } = /** @type {ApiError} */ (error);
    if (path === 'root/http' && ['unreachable', 'already_restarting'].includes(code)) return null;
    throw error;
  }
}

/** @param {Event} event */
const detail = event => /** @type {CustomEvent} */ (event).detail;

table.addEventListener('wanted', event => {
  // What happens between two feeds comes with the past.
  loaded = false;
  feed.want(detail(event));
});
feed.addEventListener('tree', event => {
  const tree = detail(event);
  history.tree = tree;
  table.show(tree);
  summary.show(tree);
  byId('content').hidden = false;
  notice.clear();
  if (!loaded) void past();
});
feed.addEventListener('child', event => {
  table.happened(detail(event));
  history.happened(detail(event));
});
feed.addEventListener('missed', event => history.missed(detail(event)));
feed.addEventListener('state', event => live(detail(event)));
feed.addEventListener('refused', event => refused(detail(event)));
byId('open-all').addEventListener('click', () => table.openAll());
byId('close-all').addEventListener('click', () => table.closeAll());
window.addEventListener('hashchange', () => void begin(tokenOf(location)));

async function past() {
  loaded = true;
  try {
    history.load((await api.call('GET', `/admin/events?limit=${PAST}`)).events);
  } catch {
    // Without the database there is no past to show; the feed goes on.
    history.load([]);
  }
}

/** @param {'live' | 'away'} state */
function live(state) {
  const node = byId('live');
  // What happens while the feed is away comes with the past.
  if (state === 'away') loaded = false;
  node.dataset.state = state;
  setText(node, state === 'live' ? 'live' : 'reconnecting');
}

/** @param {ApiError} error */
function refused(error) {
  feed.stop();
  byId('content').hidden = true;
  const node = byId('live');
  node.dataset.state = 'refused';
  setText(node, 'not let in');
  const wrong = error.code === 'bad_token' || error.code === 'locked_out';
  notice.askForToken(wrong, token => void begin(token));
}

/** @param {string | null} token */
async function begin(token) {
  if (token) {
    try {
      await enter(api, token);
    } catch (error) {
      const refusal = /** @type {ApiError} */ (error);
      if (refusal.status === 401) return refused(refusal);
    }
  }
  feed.start();
}

void begin(tokenOf(location));
document.documentElement.dataset.runs = '';
