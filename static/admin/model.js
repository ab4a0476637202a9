/**
 * The supervision tree as the page shows it: what rows there are, what they are called, what can be done with them.
 * Pure.
 */

/** @typedef {'starting'|'running'|'stopping'|'restarting'|'ended'|'given_up'|'stopped'} ChildState */
/** @typedef {{reason: string, code?: string, message?: string, on?: string}} Exit */
/**
 * @typedef {object} Child
 * @property {string} id @property {string} path
 * @property {'worker'|'supervisor'|'dynamic'} kind
 * @property {'permanent'|'transient'|'temporary'} restart
 * @property {boolean} significant
 * @property {boolean} once whoever restarts it by hand ends it
 * @property {ChildState} state
 * @property {string | null} strategy
 * @property {number} generation
 * @property {{in_period: number, total: number}} restarts
 * @property {{own: boolean, max: number, period_ms: number, left: number} | null} budget
 * @property {(Exit & {at_ms: number}) | null} last_exit
 * @property {number | null} uptime_ms @property {number | null} restart_in_ms
 * @property {{since_ms: number, limit_ms: number | null} | null} progress
 * @property {number | null} mailbox @property {number | null} pid
 * @property {Record<string, string>} facts
 * @property {Child[]} children
 */
/** @typedef {{p50_ms: number, p95_ms: number, samples: number}} Figures */
/** How long the picture takes at a peer's viewer. @typedef {{click_to_photon: Figures | null, glass_to_glass: Figures | null}} Latency */
/**
 * @typedef {{app: string, session_id: string, status: string, reason?: string, message?: string,
 *   latency?: Record<string, Latency>}} Told
 */
/**
 * @typedef {object} Tree
 * @property {number} at_ms @property {string} version @property {Child} root
 * @property {Record<string, number>} left_out how many children of a path are not shown
 * @property {Record<string, number>} from how many of these are before the first that is shown
 * @property {Record<string, number>} folded how many children there are of which none comes until they are asked for
 * @property {{children: number, restarts: number, down: number, restarting: number}} totals of the whole tree
 * @property {Record<string, Told>} instances
 */
/** @typedef {{at_ms: number, path: string, generation: number, what: string, exit?: Exit, after_ms?: number}} ChildEvent */
/**
 * `more`: children that are not shown, `from`: so many of them before the first that is; `folded`: children that come when
 * they are asked for.
 * @typedef {{child: Child, parent: Child | null, level: number, open: boolean, more: number, from: number, folded: number}} Row
 */

const INSTANCES = 'root/instances/';
/** More paths than these are not named one by one: then all is asked for. */
const MOST_NAMED = 32;
/** Children of one parent that are shown at once, as the host has it. */
const SHOWN_AT_ONCE = 200;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The rows to show, from the root down: children of what is open.
 * @param {Tree} tree @param {ReadonlySet<string>} open paths
 * @returns {Row[]}
 */
export function rows(tree, open) {
  /** @type {Row[]} */
  const all = [];
  /** @param {Child} child @param {Child | null} parent @param {number} level */
  const add = (child, parent, level) => {
    const isOpen = open.has(child.path) && child.children.length > 0;
    const [more, from, folded] = [tree.left_out, tree.from, tree.folded].map(of => of[child.path] ?? 0);
    all.push({ child, parent, level, open: isOpen, more, from, folded });
    if (isOpen) for (const below of child.children) add(below, child, level + 1);
  };
  add(tree.root, null, 1);
  return all;
}

/** What is open when nobody has said: all but the instances' and sessions' own trees. @param {Tree} tree */
export function usuallyOpen(tree) {
  return new Set([tree.root.path, ...tree.root.children.map(child => child.path)]);
}

/** Every path that can be opened. @param {Tree} tree */
export function everything(tree) {
  const can = [...walk(tree.root)].filter(child => child.children.length > 0 || tree.folded[child.path]);
  return new Set(can.map(child => child.path));
}

/**
 * What the host is asked for, as a query: what is below these paths, and from which child on others are shown.
 * @param {ReadonlySet<string> | '*'} unfold @param {ReadonlyMap<string, number>} from
 */
export function query(unfold, from) {
  const all = unfold === '*' || unfold.size > MOST_NAMED ? '*' : [...unfold].sort().join(',');
  const pages = [...from].filter(([, first]) => first > 0).map(([path, first]) => `${path}:${first}`);
  const given = Object.entries({ open: all, from: pages.join(',') }).filter(([, value]) => value);
  return new URLSearchParams(given).toString();
}

/** Which of a parent's children are shown, where it is not all of them. @param {Row} row */
export function pages({ child, more, from }) {
  if (more === 0) return null;
  const [shown, all] = [child.children.length, child.children.length + more];
  return {
    words: `${from + 1}–${from + shown} of ${all}`,
    before: from > 0 ? Math.max(0, from - SHOWN_AT_ONCE) : null,
    after: from + shown < all ? from + shown : null,
  };
}

/** @param {Child} child @returns {Generator<Child>} */
export function* walk(child) {
  yield child;
  for (const below of child.children) yield* walk(below);
}

/** The row that stands for a path now: the child itself, or the closed one that hides it. @param {string} path @param {ReadonlySet<string>} shown */
export function rowOf(path, shown) {
  let at = path;
  while (at && !shown.has(at)) at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
  return at || null;
}

/** The instance that a path is, or is in. @param {string} path */
export function instanceOf(path) {
  if (!path.startsWith(INSTANCES)) return null;
  const id = path.slice(INSTANCES.length).split('/')[0];
  return UUID.test(id) ? id : null;
}

/**
 * A child's name for people: an instance by its app, other ids that nobody remembers by their beginning.
 * @param {string} path @param {Record<string, Told>} instances
 * @returns {{name: string, more: string}}
 */
export function label(path, instances) {
  const id = path.slice(path.lastIndexOf('/') + 1);
  if (!UUID.test(id)) return { name: id.replaceAll('_', ' '), more: '' };
  const short = id.slice(-6);
  if (path === INSTANCES + id && instances[id]) return { name: instances[id].app, more: short };
  return { name: short, more: latencyWords(instances[instanceOf(path) ?? '']?.latency?.[id]) };
}

/** @param {Latency | undefined} latency */
function latencyWords(latency) {
  const say = (/** @type {string} */ what, /** @type {Figures | null | undefined} */ figures) =>
    figures ? [`${what} ${Math.round(figures.p50_ms)} ms`] : [];
  return [...say('click', latency?.click_to_photon), ...say('picture', latency?.glass_to_glass)].join(' · ');
}

/** A path for people: `Crasher › desktop › stage › render`. @param {string} path @param {Record<string, Told>} instances */
export function place(path, instances) {
  const parts = path.split('/');
  const from = instanceOf(path) ? 2 : Math.min(1, parts.length - 1);
  return parts
    .slice(from)
    .map((_, index) => label(parts.slice(0, from + index + 1).join('/'), instances).name)
    .join(' › ');
}

/** Whether an administrator can restart it now. @param {Row} row @param {Record<string, Told>} instances */
export function restartable({ child, parent }, instances) {
  if (!parent) return false;
  const id = instanceOf(child.path);
  if (id && child.path === INSTANCES + id)
    return !['DEINITIALIZING', 'TERMINATED'].includes(instances[id]?.status ?? '');
  return child.state === 'running' || child.state === 'given_up';
}

/** What the button of a row does: a child that lives once can only be ended. @param {Row} row */
export function deed({ child, parent }) {
  const whole = instanceOf(child.path) !== null && parent?.path === 'root/instances';
  return child.once && !whole ? 'End' : 'Restart';
}

/** What restarting it brings about, as a sentence. @param {Row} row @param {Record<string, Told>} instances */
export function consequence({ child, parent }, instances) {
  if (instanceOf(child.path) && parent?.path === 'root/instances') {
    return 'Its program is ended and started anew under the same address. What is not saved in it is lost.';
  }
  if (child.path === 'root/http') {
    return 'Pages lose their sockets for a moment, this one too, and come back by themselves. Pictures go on.';
  }
  if (child.path === 'root/instances') {
    return 'Every instance is let go and taken up again. Their programs go on; the pages of their viewers reconnect.';
  }
  if (child.once) {
    if (parent?.path === 'root/sessions')
      return 'It cannot be started again from here. Its sockets are closed; the pages come back and make another.';
    if (parent?.id === 'peers')
      return 'It cannot be started again from here. Its connection is closed in a safe state; the page of that viewer makes another.';
    return 'It cannot be started again from here. It is ended, and whoever needs it makes another.';
  }
  const siblings = parent?.children ?? [];
  const at = siblings.findIndex(sibling => sibling.path === child.path);
  const taken =
    parent?.strategy === 'one_for_all'
      ? siblings.filter(sibling => sibling !== child)
      : parent?.strategy === 'rest_for_one'
        ? siblings.slice(at + 1)
        : [];
  const names = taken.map(sibling => label(sibling.path, instances).name);
  const alone =
    child.children.length > 0 ? 'It is restarted with everything below it.' : 'It alone is restarted.';
  return names.length === 0 ? alone : `With it, these are restarted: ${names.join(', ')}.`;
}

/** @param {Exit | null | undefined} exit */
export function exitWords(exit) {
  if (!exit) return '';
  switch (exit.reason) {
    case 'error':
      return exit.message || exit.code || 'error';
    case 'panic':
      return `panic: ${exit.message}`;
    case 'dependency':
      return (exit.on ?? 'dependency').replaceAll('_', ' ');
    default:
      return exit.reason.replaceAll('_', ' ');
  }
}

/** @param {Exit | null | undefined} exit */
export const isFault = exit => Boolean(exit) && exit?.reason !== 'normal' && exit?.reason !== 'shutdown';

/** What a child's event says, for people; empty where it is not worth a line. @param {ChildEvent} event */
export function eventWords(event) {
  switch (event.what) {
    case 'exited':
      return isFault(event.exit) ? exitWords(event.exit) : '';
    case 'restarting':
      return event.after_ms
        ? `started again in ${(event.after_ms / 1000).toFixed(1)} s`
        : 'started again at once';
    case 'restart_asked':
      return 'an administrator asked for it';
    case 'given_up':
      return `its budget is used up: ${exitWords(event.exit)}`;
    case 'escalated':
      return `its children fail too often: ${exitWords(event.exit)}`;
    default:
      return '';
  }
}

/** Figures of the whole tree. @param {Tree} tree */
export function summary(tree) {
  return {
    ...tree.totals,
    instances: Object.keys(tree.instances).length,
    uptime_ms: tree.root.uptime_ms ?? 0,
  };
}

/** A span of time, short: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `4 d`. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}
