// Text on its whole way, from the page to the program.

import assert from 'node:assert/strict';

import { listener } from './harness/apps.js';
import { suite } from './harness/suite.js';
import { until } from './harness/wait.js';

const { scenario } = suite({ apps: () => [listener()] });

scenario('every script arrives as it was pasted, and what cannot be typed is told', async stage => {
  const { home, page } = await stage.visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  const viewer = await home.launch('listener', stage.host);
  await viewer.connected();
  await until('the picture has the keyboard', () =>
    page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.localName === 'textarea'),
  );
  /** @param {string} text */
  const paste = async text => {
    await page.evaluate(it => navigator.clipboard.writeText(it), text);
    await page.keyboard.press('Control+Shift+v');
  };
  // More Chinese characters than can be lent a key at once.
  const chinese = Array.from({ length: 150 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('');
  const lines = ['Zwölf Boxkämpfer à Łódź', 'съешь ещё булок; ψυχοφθόρα', chinese, '日本語 한국어 😀🎉 €“”…'];
  await paste(`${lines.join('\n')}\n`);
  const heard = () => stage.host.outputOf(viewer.instanceId).match(/(?<=heard: ).*/g) ?? [];
  // The last line may be there in part.
  await until(
    'the program heard all of it',
    () => {
      assert.deepEqual(heard(), lines);
      return true;
    },
    { within: 60_000 },
  );
  await paste('one\u0001two\u0002\n');
  await until('the page says what did not', async () =>
    (await viewer.says()).includes('2 characters could not be typed into the program.'),
  );
  await until('the rest arrived', () => heard().at(-1) === 'onetwo');
});
