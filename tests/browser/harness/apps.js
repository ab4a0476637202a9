// The programs that the tests launch.

import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ folder: string, demo: string }} Paths */

/** Small pictures leave the machine's cores to what is tested. */
const size = { width: 640, height: 360 };

/** The measuring pattern, beside moving shapes. @param {Paths} paths */
export const pattern = ({ demo }) => ({
  id: 'pattern',
  name: 'Pattern',
  description: 'Flips at every press',
  command: demo,
  args: ['--pattern', '--content', 'animation', '--fps', '30'],
  ...size,
});

/** The measuring pattern alone: nothing changes but by what is pressed. @param {Paths} paths */
export const still = ({ demo }) => ({ id: 'still', command: demo, args: ['--pattern'], ...size });

/** The measuring pattern with something that moves all the time, slowly enough for two at once. @param {Paths} paths */
export const moving = ({ demo }) => ({
  id: 'moving',
  command: demo,
  args: ['--pattern', '--content', 'animation', '--fps', '20'],
  ...size,
});

/**
 * The still pattern that hangs for a while at F9 and at F10 takes memory, of which it may have one gigabyte (RLIMIT_AS,
 * so that the machine is spared what a real shortage of memory would do to it).
 *
 * @param {Paths} paths
 */
export const troubled = ({ demo }) => ({
  id: 'troubled',
  command: 'sh',
  args: ['-c', `ulimit -v 1048576; exec ${demo} --pattern --hang-key --hunger-key`],
  ...size,
});

/**
 * The moving pattern that at F10 takes memory, much more than the group has that a test puts it into; a limit of its own
 * spares the machine a group that does not hold.
 *
 * @param {Paths} paths
 */
export const hungry = ({ demo }) => ({
  id: 'hungry',
  command: 'sh',
  args: ['-c', `ulimit -v 4194304; exec ${demo} --pattern --content animation --fps 20 --hunger-key`],
  ...size,
});

/** The still pattern within a shell that does not end when it is asked to. @param {Paths} paths */
export const stubborn = ({ demo }) => ({
  id: 'stubborn',
  command: 'sh',
  args: ['-c', `trap '' TERM; ${demo} --pattern & while :; do sleep 1; done`],
  ...size,
});

/** The measuring pattern, which prints every event that reaches it. @param {Paths} paths */
export const logging = ({ demo }) => ({
  id: 'logging',
  command: demo,
  args: ['--pattern', '--content', 'still', '--log-events'],
  ...size,
});

/** Says boom and exits 3 while a file is there (see `breakCrasher`); otherwise it is the pattern. @param {Paths} paths */
export const crasher = ({ demo, folder }) => ({
  id: 'crasher',
  name: 'Crasher',
  command: 'sh',
  args: [
    '-c',
    `if [ -e ${join(folder, 'broken')} ]; then echo boom from the app; exit 3; fi; exec ${demo} --pattern`,
  ],
  ...size,
});

/** @param {import('./host.js').Host} host @param {boolean} broken */
export function breakCrasher(host, broken) {
  const mark = join(host.folder, 'broken');
  if (!broken) return rmSync(mark);
  writeFileSync(mark, '');
  return chmodSync(mark, 0o644);
}

/** Ends by itself, with success, some seconds after its start. @param {Paths} paths */
export const brief = ({ demo }) => ({
  id: 'brief',
  name: 'Brief',
  command: demo,
  args: ['--pattern', '--exit-after', '4000'],
  ...size,
});

/** A command that does not exist. */
export const missing = () => ({ id: 'missing', name: 'Missing', command: '/nonexistent/program', ...size });

/** A program that never opens a window. */
export const windowless = () => ({ id: 'windowless', command: 'sleep', args: ['1000'], ...size });

/** Opens no window until it is told to (see `tellPattern`); then it is the pattern. @param {Paths} paths */
export const patternWhenTold = ({ demo, folder }) => ({
  id: 'told',
  name: 'Told',
  command: 'sh',
  args: ['-c', `while [ ! -e ${join(folder, 'told')} ]; do sleep 0.1; done; exec ${demo} --pattern`],
  ...size,
});

/** @param {import('./host.js').Host} host @param {boolean} told */
export function tellPattern(host, told) {
  const mark = join(host.folder, 'told');
  rmSync(mark, { force: true });
  if (!told) return;
  writeFileSync(mark, '');
  chmodSync(mark, 0o644);
}

/** The pattern, whose screen becomes smaller when it is told to (see `tellPattern`). @param {Paths} paths */
export const shrinking = ({ demo, folder }) => ({
  id: 'shrinking',
  command: 'sh',
  args: [
    '-c',
    `(while [ ! -e ${join(folder, 'told')} ]; do sleep 0.1; done; python3 ${join(folder, 'shrink.py')}) &
     exec ${demo} --pattern --content animation --fps 20`,
  ],
  ...size,
});

/** What makes the screen smaller, as `xrandr --fb 480x270` would: without a monitor, for that would not fit. */
export const shrink = `from ctypes import CDLL, POINTER, Structure, c_int, c_ulong, c_void_p
class Resources(Structure):
    _fields_ = [('at', c_ulong), ('configured', c_ulong), ('count', c_int), ('crtcs', POINTER(c_ulong))]
x, randr = CDLL('libX11.so.6'), CDLL('libXrandr.so.2')
x.XOpenDisplay.restype, x.XDefaultRootWindow.restype = c_void_p, c_ulong
randr.XRRGetScreenResourcesCurrent.restype = POINTER(Resources)
display = c_void_p(x.XOpenDisplay(None))
root = c_ulong(x.XDefaultRootWindow(display))
resources = randr.XRRGetScreenResourcesCurrent(display, root)
for i in range(resources.contents.count):
    crtc = c_ulong(resources.contents.crtcs[i])
    randr.XRRSetCrtcConfig(display, resources, crtc, c_ulong(0), 0, 0, c_ulong(0), 1, None, 0)
randr.XRRSetScreenSize(display, root, 480, 270, 127, 71)
x.XSync(display, 0)
`;

/** A terminal with the simplest shell. */
export const terminal = () => ({
  id: 'terminal',
  name: 'Terminal',
  command: 'xterm',
  args: ['-fn', '10x20', '-bg', 'black', '-fg', 'white', '-e', '/bin/sh'],
  ...size,
});

/** A terminal whose program says what it was told, line by line. */
export const listener = () => ({
  id: 'listener',
  command: 'sh',
  args: [
    '-c',
    `: > "$HOME/heard"; tail -f "$HOME/heard" & exec xterm -u8 -fn 10x20 -e sh -c 'sed -u "s/^/heard: /" > "$HOME/heard"'`,
  ],
  ...size,
});

/** A browser that shows one page and nothing else. @param {Paths} paths */
export const browser = ({ folder }) => ({
  id: 'browser',
  name: 'Browser',
  command: '/usr/bin/chromium',
  // For a sandbox of its own.
  user_namespaces: true,
  args: [
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--password-store=basic',
    '--user-data-dir={home}/profile',
    '--kiosk',
    `file://${join(folder, 'typing.html')}`,
  ],
  width: 800,
  height: 450,
});

/** The colours of `typingPage`. */
export const typing = {
  /** Its text field has the focus, and holds nothing. */
  awaited: { r: 200, g: 0, b: 0 },
  /** It has been clicked besides. */
  clicked: { r: 0, g: 0, b: 200 },
  /** It holds something else than the word. */
  other: { r: 200, g: 0, b: 200 },
  /** It holds the word. */
  done: { r: 0, g: 160, b: 0 },
};

const css = (/** @type {{ r: number, g: number, b: number }} */ { r, g, b }) => `rgb(${r}, ${g}, ${b})`;

/** The page of `browser`: grey while what is typed would not come to it. */
export const typingPage = `<!doctype html>
<meta charset="utf-8">
<title>Typing</title>
<style>
  html { background: rgb(60, 60, 60) }
  input { font-size: 40px; margin: 40px; width: 300px }
</style>
<input autofocus aria-label="Word">
<script>
  const field = document.querySelector('input');
  let clicked = false;
  field.addEventListener('click', () => { clicked = true });
  const colour = () => {
    if (field.value === 'Heliostat: 42%') return '${css(typing.done)}';
    if (field.value) return '${css(typing.other)}';
    if (!document.hasFocus() || document.activeElement !== field) return '';
    return clicked ? '${css(typing.clicked)}' : '${css(typing.awaited)}';
  };
  setInterval(() => { document.documentElement.style.background = colour() }, 50);
</script>
`;
