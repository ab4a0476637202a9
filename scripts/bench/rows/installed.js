import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Whether a program is on the search path. @param {string} program */
export function inPath(program) {
  return (process.env.PATH ?? '').split(':').some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
