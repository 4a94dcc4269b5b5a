/** Finds the `aurora` program, whose language server is used. */

import * as path from "node:path";

/** What is known of the machine; tests make one up. */
export interface Machine {
  readonly platform: string;
  readonly home: string;
  /** `$PATH`. */
  readonly path: string;
  /** Whether a file is there and may be run. */
  isProgram(file: string): boolean;
}

/** A program, or where it was looked for in vain. */
export type Found = { readonly program: string } | { readonly missing: string };

/**
 * The program that a setting names, or else the first of that name where programs are. `folder` is
 * the folder that is open.
 */
export function find(setting: string, folder: string | undefined, machine: Machine): Found {
  const { join } = machine.platform === "win32" ? path.win32 : path.posix;
  const named = setting.trim();
  if (named !== "") {
    return findNamed(named, folder, machine);
  }
  const folders = machine.path.split(machine.platform === "win32" ? ";" : ":").filter((it) => it !== "");
  // An editor that was not started from a shell often lacks these in its path.
  folders.push(join(machine.home, ".cargo", "bin"), join(machine.home, ".local", "bin"));
  const name = machine.platform === "win32" ? "aurora.exe" : "aurora";
  const program = folders.map((it) => join(it, name)).find((it) => machine.isProgram(it));
  return program === undefined
    ? { missing: "The program aurora is neither in $PATH nor in ~/.cargo/bin or ~/.local/bin." }
    : { program };
}

function findNamed(named: string, folder: string | undefined, machine: Machine): Found {
  const { join, isAbsolute } = machine.platform === "win32" ? path.win32 : path.posix;
  const inFolder = /^\$\{workspaceFolder\}[\\/]/.exec(named);
  let program = named;
  if (/^~[\\/]/.test(named)) {
    program = join(machine.home, named.slice(2));
  } else if (inFolder !== null) {
    if (folder === undefined) {
      return { missing: `aurora.server.path is ${named}, and no folder is open.` };
    }
    program = join(folder, named.slice(inFolder[0].length));
  } else if (!isAbsolute(named)) {
    return { missing: `aurora.server.path is ${named}, which does not begin with /, ~/ or \${workspaceFolder}/.` };
  }
  return machine.isProgram(program)
    ? { program }
    : { missing: `aurora.server.path names ${program}, which is no program.` };
}
