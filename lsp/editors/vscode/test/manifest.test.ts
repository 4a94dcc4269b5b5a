/** Holds `package.json` and the files that it names to what the extension does. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import manifest from "../package.json";
import { forServer } from "../src/settings";

const top = path.join(__dirname, "..");
const properties: Record<string, { default?: unknown; scope?: string }> = manifest.contributes.configuration.properties;

test("what the server is told has the defaults that the settings have", () => {
  const read = new Set<string>();
  const get = <T>(name: string): T | undefined => {
    read.add(`aurora.${name}`);
    assert.ok(`aurora.${name}` in properties, `aurora.${name} is no setting`);
    return properties[`aurora.${name}`]?.default as T;
  };
  assert.deepEqual(forServer({ get }), forServer({ get: () => undefined }));
  const alone = ["aurora.server.path", "aurora.server.log", "aurora.trace.server"];
  assert.deepEqual([...read, ...alone].sort(), Object.keys(properties).sort());
  assert.equal(properties["aurora.cluster.enabled"]?.default, false);
});

test("a folder that is not trusted sets nothing that names files or asks clusters", () => {
  const harmless = /^aurora\.(hints\.|trace\.)/;
  const restricted = Object.keys(properties).filter((name) => !harmless.test(name));
  assert.deepEqual([...manifest.capabilities.untrustedWorkspaces.restrictedConfigurations].sort(), restricted.sort());
});

test("docs/editors.md tells of every setting, with its default", () => {
  const page = readFileSync(path.join(top, "../../../docs/editors.md"), "utf8");
  for (const [name, { default: value }] of Object.entries(properties)) {
    if (/^aurora\.(server|trace)\./.test(name)) {
      assert.ok(page.includes(`\`${name}\``), name);
    } else {
      const shown = value === "" ? "" : `\`${JSON.stringify(value)}\``;
      assert.ok(page.replace(/ +/g, " ").includes(`| \`${name}\` | ${shown} |`.replace(/ +/g, " ")), name);
    }
  }
});

test("the files that it names are there", () => {
  const files = [
    ...manifest.contributes.languages.map((it) => it.configuration),
    ...manifest.contributes.grammars.map((it) => it.path),
    manifest.main,
  ];
  for (const file of files) {
    assert.ok(existsSync(path.join(top, file)), file);
  }
});

interface Rule {
  readonly beforeText: string;
  readonly afterText?: string;
  readonly action: { readonly indent: string };
}

interface Configuration {
  readonly wordPattern: string;
  readonly indentationRules: { readonly increaseIndentPattern: string; readonly decreaseIndentPattern: string };
  readonly onEnterRules: readonly Rule[];
  readonly folding: { readonly markers: { readonly start: string; readonly end: string } };
  readonly autoClosingPairs: readonly { open: string; close: string; notIn: readonly string[] }[];
}

const configuration = JSON.parse(readFileSync(path.join(top, "language-configuration.json"), "utf8")) as Configuration;

test("lines are indented as the language is laid out", () => {
  const { increaseIndentPattern, decreaseIndentPattern } = configuration.indentationRules;
  for (const [line, more, less] of [
    ["jobs = [", true, false],
    ["  Service(", true, false],
    ["    task=Task(  # the task", true, false],
    ["def port(name):", true, false],
    ["if a:  # why", true, false],
    ["else:", true, true],
    ["    ),", false, true],
    ["  ]", false, true],
    [")", false, true],
    ['  name="hello",', false, false],
    ['cmdline="if x:",', false, false],
    ["# if a:", false, false],
    ["x = {'a': 1}", false, false],
  ] as const) {
    assert.equal(new RegExp(increaseIndentPattern).test(line), more, `more after ${line}`);
    assert.equal(new RegExp(decreaseIndentPattern).test(line), less, `less at ${line}`);
  }
});

test("a line after the last of a block is further left", () => {
  const [last] = configuration.onEnterRules;
  for (const [line, is] of [
    ["  return a", true],
    ["  return", true],
    ["  pass", true],
    ["  return Process(", false],
    ["  return [a,", false],
    ["  returned = 1", false],
    ["  x = 1", false],
  ] as const) {
    assert.equal(new RegExp(last?.beforeText ?? "").test(line), is, line);
  }
});

test("its patterns are patterns, and a template is closed within texts", () => {
  const { wordPattern, folding } = configuration;
  for (const pattern of [wordPattern, folding.markers.start, folding.markers.end]) {
    assert.doesNotThrow(() => new RegExp(pattern));
  }
  const template = configuration.autoClosingPairs.find((pair) => pair.open === "{{");
  assert.deepEqual(template, { open: "{{", close: "}}", notIn: ["comment"] });
});

test("the lock of packages names versions and sums, and no place to load them from", () => {
  const lock = JSON.parse(readFileSync(path.join(top, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string; integrity?: string }>;
  };
  for (const [name, entry] of Object.entries(lock.packages)) {
    assert.equal(entry.resolved, undefined, name);
    assert.ok(name === "" || entry.integrity?.startsWith("sha512-"), name);
  }
});
