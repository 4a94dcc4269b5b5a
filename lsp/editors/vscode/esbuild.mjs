// Makes `dist`, all that VS Code loads, and the tests in `out`.

import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const common = { bundle: true, platform: "node", format: "cjs", target: "node18", logLevel: "warning" };

rmSync("dist", { recursive: true, force: true });
const { metafile } = await build({
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  external: ["vscode"],
  minify: true,
  // For the traces of calls in reports of mistakes.
  keepNames: true,
  metafile: true,
});
writeFileSync("dist/NOTICES.txt", notices(Object.keys(metafile.inputs)));

rmSync("out", { recursive: true, force: true });
const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
await build({
  ...common,
  entryPoints: [...tests.map((name) => `test/${name}`), "test/editor/fake-server.ts"],
  outdir: "out",
  entryNames: "[name]",
  packages: "external",
  sourcemap: "inline",
});

// The licences of the packages that are part of the extension.
function notices(inputs) {
  const folders = inputs.flatMap((file) => /^(?:.*node_modules\/)(?:@[^/]+\/)?[^/]+/.exec(file) ?? []);
  const texts = [...new Set(folders)].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((it) => /^(un)?licen[cs]e/i.test(it));
    if (file === undefined) {
      throw new Error(`${name} says nothing of its licence`);
    }
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
