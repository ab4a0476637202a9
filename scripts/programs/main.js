// Launches each program of the list on a host of its own, and uses it as somebody at a browser would.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { launchBrowser } from '../../tests/browser/harness/browser.js';
import { Host } from '../../tests/browser/harness/host.js';
import { Stage } from '../../tests/browser/harness/stage.js';
import { until } from '../../tests/browser/harness/wait.js';
import { programs } from './list.js';
import { changed, mark, settled } from './looks.js';
import { windows } from './windows.js';

/** @typedef {import('./list.js').Program} Program */
/** @typedef {{ program: Program, ready: number, row: Record<string, string>, faults: string[] }} Result */

const SIZE = { width: 1280, height: 720 };
/** Since the launch; a cold start of a large program on a busy machine. */
const READY = 120_000;
/** A splash screen stands for at most so long. */
const SPLASH = 60_000;
/** So long after it is used an alarm would be false: longer than a program may leave pings unanswered. */
const WATCHED = 12_000;
/** So many pixels are a text or a button that is pressed, and no caret. */
const SEEN = 60;

const FIELD = `import javax.swing.*;
class Field {
  public static void main(String[] args) {
    SwingUtilities.invokeLater(() -> {
      var frame = new JFrame("Field");
      frame.add(new JScrollPane(new JTextArea()));
      frame.setSize(400, 300);
      frame.setDefaultCloseOperation(JFrame.EXIT_ON_CLOSE);
      frame.setVisible(true);
    });
  }
}
`;

/** @param {string} name */
const option = name => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : (process.argv[at + 1] ?? '');
};
const only = option('only')?.split(',');
const chosen = programs.filter(({ id }) => !only || only.includes(id));
const pictures = join(import.meta.dirname ?? '.', '../../target/programs');
mkdirSync(pictures, { recursive: true });

const host = await Host.start({
  sections: {
    instances: { capacity: 4, readiness_timeout: '120s' },
    video: SIZE,
    // The tests' machine is shared: what a program needs is for its entry to say.
    apps: { memory_mib: 4096 },
  },
  apps: ({ folder }) =>
    chosen.map(({ id, command, args = [], entry = {} }) => ({
      id: `it-${id}`,
      name: id,
      command,
      args: args.map(arg => arg.replace('{folder}', folder)),
      ...entry,
    })),
});
host.give('Field.java', FIELD);
host.give('note.txt', 'A note.\n');
host.give('field.html', '<!doctype html><textarea autofocus style="width:100%;height:90vh"></textarea>');
const browser = await launchBrowser();
/** @type {Result[]} */
const results = [];
try {
  for (const program of chosen) {
    process.stderr.write(`${program.id} …`);
    const stage = new Stage(host, browser);
    const result = await used(stage, program).catch(error => ({
      program,
      ready: 0,
      row: {},
      faults: [String(error.message).split('\n')[0]],
    }));
    await stage.clear().catch(error => result.faults.push(`end: ${error.message}`));
    process.stderr.write(` ${result.faults.join('; ') || 'well'}\n`);
    results.push(result);
  }
} finally {
  await browser.close();
  await host.stop().catch(error => console.error(error.message));
  await host.destroy();
}
console.log(table(results));
process.exitCode = results.some(({ faults }) => faults.length > 0) ? 1 : 0;

/** @param {Stage} stage @param {Program} program @returns {Promise<Result>} */
async function used(stage, program) {
  const { id, click = [0.5, 0.5], type, first = [] } = program;
  /** @type {string[]} */
  const faults = [];
  const { home, page, user } = await stage.visitor();
  const rest = await stage.rest(user);
  const since = Date.now();
  const viewer = await home.launch(`it-${id}`, stage.host);
  await viewer.stateBecomes('connected', READY);
  // What is shown first may be a splash screen; a dialogue that has come instead stays as small as it is.
  await until('a window fills the display', async () => (await windows(viewer.instanceId, SIZE)).fills, {
    within: SPLASH,
  }).catch(() => {});
  await settled(page);
  const ready = Date.now() - since;
  await page.screenshot({ path: join(pictures, `${id}-1-started.png`) });
  const seen = await windows(viewer.instanceId, SIZE);
  if (!seen.whole) faults.push(`windows: ${seen.words}`);

  for (const key of first) await page.keyboard.press(key);
  if (first.length > 0) await settled(page);
  await mark(page);
  await viewer.click(click[0] * SIZE.width, click[1] * SIZE.height);
  const clicked = await happens(page);
  /** @type {boolean | null} */
  let typed = null;
  if (type) {
    await settled(page);
    await mark(page);
    await page.keyboard.type(type, { delay: 40 });
    typed = await happens(page);
    if (!typed) faults.push('what was typed did not arrive');
  }
  await page.screenshot({ path: join(pictures, `${id}-2-used.png`) });

  await page.waitForTimeout(WATCHED);
  const { reason, status, restarts } = await rest.instance(viewer.instanceId);
  const alarm =
    reason || status !== 'RUNNING' || restarts > 0 ? `${status} ${reason ?? ''} restarts=${restarts}` : '';
  if (alarm) faults.push(`after a while: ${alarm}`);
  await page.screenshot({ path: join(pictures, `${id}-3-later.png`) });

  const ending = Date.now();
  await rest.delete(`/api/v1/instances/${viewer.instanceId}`);
  await until('no process of it is left', () => stage.host.processesLeft([viewer.instanceId]).length === 0);
  const row = {
    window: seen.words,
    click: clicked ? 'seen' : 'nothing to see',
    text: typed === null ? 'takes none' : typed ? 'arrives' : 'LOST',
    alarm: alarm || 'none',
    end: `${((Date.now() - ending) / 1000).toFixed(1)} s`,
  };
  return { program, ready, row, faults };
}

/** Whether the picture changes by more than a caret within a few seconds. @param {import('playwright-core').Page} page */
async function happens(page) {
  try {
    await until('the picture changes', async () => (await changed(page)) > SEEN, { within: 8_000 });
    return true;
  } catch {
    return false;
  }
}

/** @param {Result[]} all */
function table(all) {
  const head = [
    'program',
    'toolkit',
    'first picture',
    'window',
    'click',
    'text',
    'alarms',
    'gone after',
    'needs',
  ];
  const lines = all.map(({ program, ready, row, faults }) => [
    program.id,
    program.toolkit,
    ready ? `${(ready / 1000).toFixed(1)} s` : '–',
    ...(row.window
      ? [row.window, row.click, row.text, row.alarm, row.end]
      : [faults.join('; '), '', '', '', '']),
    program.needs ?? '',
  ]);
  return [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}
