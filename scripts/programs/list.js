// The programs: what each is, what of it is installed, and how it is used. Run alone, it prints the packages.

import { pathToFileURL } from 'node:url';

/**
 * @typedef {object} Program
 * @property {string} id
 * @property {string} toolkit
 * @property {string[]} packages of Debian 12
 * @property {string} command
 * @property {string[]} [args]
 * @property {Record<string, unknown>} [entry] further keys of its `[[app]]` entry
 * @property {[number, number]} [click] where, in parts of the picture; its middle if nobody says
 * @property {string} [type] what is typed; nothing if it takes no text
 * @property {string[]} [first] keys pressed before, to be rid of a welcome
 * @property {string} [needs] for the table: what its entry has to say
 */

const WORDS = 'Heliostat 42';

/** @type {Program[]} */
export const programs = [
  { id: 'xterm', toolkit: 'Xaw', packages: ['xterm'], command: 'xterm', type: WORDS },
  {
    id: 'idle',
    toolkit: 'Tk',
    packages: ['idle'],
    command: 'idle',
    args: ['-n'],
    type: '1+2\n',
  },
  { id: 'mousepad', toolkit: 'GTK 3', packages: ['mousepad'], command: 'mousepad', type: WORDS },
  { id: 'gedit', toolkit: 'GTK 3', packages: ['gedit'], command: 'gedit', type: WORDS },
  { id: 'inkscape', toolkit: 'GTK 3', packages: ['inkscape'], command: 'inkscape', first: ['Escape'] },
  { id: 'gimp', toolkit: 'GTK 2', packages: ['gimp'], command: 'gimp' },
  {
    id: 'gnome-calculator',
    toolkit: 'GTK 4',
    packages: ['gnome-calculator'],
    command: 'gnome-calculator',
    type: '12+30\n',
  },
  {
    id: 'gnome-text-editor',
    toolkit: 'GTK 4',
    packages: ['gnome-text-editor'],
    command: 'gnome-text-editor',
    type: WORDS,
  },
  { id: 'kcalc', toolkit: 'Qt 5', packages: ['kcalc'], command: 'kcalc', type: '12+30\n' },
  {
    id: 'kwrite',
    toolkit: 'Qt 5',
    packages: ['kwrite'],
    command: 'kwrite',
    args: ['{folder}/note.txt'],
    type: WORDS,
  },
  { id: 'vlc', toolkit: 'Qt 5', packages: ['vlc'], command: 'vlc', args: ['--no-qt-privacy-ask'] },
  {
    id: 'stellarium',
    toolkit: 'Qt 5, OpenGL',
    packages: ['stellarium'],
    command: 'stellarium',
    args: ['--full-screen', 'no'],
  },
  { id: 'paraview', toolkit: 'Qt 5, OpenGL', packages: ['paraview'], command: 'paraview', first: ['Escape'] },
  { id: 'blender', toolkit: 'own, OpenGL', packages: ['blender'], command: 'blender', first: ['Escape'] },
  {
    id: 'calc',
    toolkit: 'VCL',
    packages: ['libreoffice-calc', 'libreoffice-gtk3'],
    command: 'localc',
    args: ['--norestore', '--nologo'],
    click: [0.3, 0.5],
    type: `${WORDS}\n`,
  },
  {
    id: 'writer',
    toolkit: 'VCL',
    packages: ['libreoffice-writer', 'libreoffice-gtk3'],
    command: 'lowriter',
    args: ['--norestore', '--nologo'],
    type: WORDS,
  },
  { id: 'audacity', toolkit: 'wxWidgets', packages: ['audacity'], command: 'audacity' },
  {
    id: 'swing',
    toolkit: 'Java Swing',
    packages: ['default-jdk'],
    command: 'java',
    args: ['{folder}/Field.java'],
    type: WORDS,
    needs: 'a heap that fits: `memory_mib`, or `-Xmx`',
  },
  {
    id: 'firefox',
    toolkit: 'XUL',
    packages: ['firefox-esr'],
    command: 'firefox-esr',
    args: ['--no-remote', 'file://{folder}/field.html'],
    entry: { user_namespaces: true },
    type: WORDS,
    needs: '`user_namespaces`, and `network` to see anything',
  },
  {
    id: 'chromium-app',
    toolkit: 'Chromium, as Electron',
    packages: ['chromium'],
    command: 'chromium',
    args: ['--no-first-run', '--app=file://{folder}/field.html'],
    entry: { user_namespaces: true },
    type: WORDS,
    needs: '`user_namespaces`',
  },
];

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log([...new Set(programs.flatMap(({ packages }) => packages))].join(' '));
}
