// Keyboard and clipboard in another engine.

import { logging } from './harness/apps.js';
import { Seen } from './harness/keys.js';
import { suite } from './harness/suite.js';

const { scenario } = suite({ engine: 'firefox', apps: paths => [logging(paths)] });

scenario('in Firefox characters, commands, held keys and pasted text arrive', async stage => {
  const { home, page } = await stage.visitor();
  const viewer = await home.launch('logging', stage.host);
  await viewer.connected();
  await viewer.pattern.appears();
  const seen = new Seen(stage.host, viewer.instanceId);
  await viewer.click(300, 200);
  await page.keyboard.type('Zwölf? a+b');
  await seen.become([...'Zwölf? a+b']);
  for (const chord of ['Control+c', 'Control+Shift+z', 'Shift+ArrowLeft', 'Numpad1'])
    await page.keyboard.press(chord);
  await seen.become(['Control+c', 'Control+Shift+z', 'Shift+Left', 'KP_1']);
  await page.keyboard.down('Delete');
  await page.keyboard.down('Delete');
  await page.keyboard.up('Delete');
  await seen.become(['Delete', 'Delete']);
  // Written while the page may: it was just used.
  await page.evaluate(() => navigator.clipboard.writeText('ein\r\nzwei'));
  await page.keyboard.press('Control+Shift+v');
  await seen.become([...'ein', 'Return', ...'zwei']);
});
