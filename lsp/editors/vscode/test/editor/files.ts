/** A folder with files, and the program that the end-to-end tests use. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";

/** The program, which `$AURORA` names. */
export const aurora = process.env["AURORA"] ?? "";

/** Why a test that needs the program is skipped, if it is. */
export const skip = aurora === "" ? "$AURORA names no program" : false;

/** A file that includes the other. */
export const hello = `include("common.aurora")

hello = Process(name="hello", cmdline="echo {{mesos.instance}} {{greeting}}")

jobs = [
  Service(
    cluster="devcluster",
    role="www-data",
    environment="prod",
    name="hello",
    task=Task(processes=[hello], resources=small),
  ).bind(greeting="hi"),
]
`;

/** Makes the folder, with a home of its own for the program. */
export function folder(): { path: string; file(name: string): string; remove(): void } {
  const top = realpathSync(mkdtempSync(path.join(tmpdir(), "aurora-editor-")));
  const work = path.join(top, "work");
  mkdirSync(work);
  writeFileSync(path.join(work, "common.aurora"), "small = Resources(cpu=0.1, ram=16*MB, disk=16*MB)\n");
  writeFileSync(path.join(work, "hello.aurora"), hello);
  // Whatever of a user's is read and written is in the folder.
  for (const [name, below] of [["HOME", "home"], ["XDG_CACHE_HOME", "cache"], ["AURORA_CONFIG_ROOT", "etc"]] as const) {
    mkdirSync(path.join(top, below));
    process.env[name] = path.join(top, below);
  }
  return {
    path: work,
    file: (name) => path.join(work, name),
    remove: () => rmSync(top, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 }),
  };
}
