/** What is in the package that VS Code installs. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import manifest from "../package.json";

const top = path.join(__dirname, "..");

/** The files of a ZIP archive, found by its directory (APPNOTE.TXT 4.3.12, 4.3.16). */
function unzip(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = archive.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  assert.ok(end >= 0, "this is no ZIP archive");
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const method = archive.readUInt16LE(at + 10);
    const packed = archive.readUInt32LE(at + 20);
    const [name, extra, comment] = [28, 30, 32].map((it) => archive.readUInt16LE(at + it)) as [number, number, number];
    const local = archive.readUInt32LE(at + 42);
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const data = archive.subarray(start, start + packed);
    files.set(archive.toString("utf8", at + 46, at + 46 + name), method === 0 ? data : inflateRawSync(data));
    at += 46 + name + extra + comment;
  }
  return files;
}

const files = unzip(readFileSync(path.join(top, `aurora-${manifest.version}.vsix`)));

test("the package holds what the extension needs, and nothing else", () => {
  assert.deepEqual([...files.keys()].sort(), [
    "[Content_Types].xml",
    "extension.vsixmanifest",
    "extension/LICENSE.txt",
    "extension/README.md",
    "extension/dist/NOTICES.txt",
    "extension/dist/extension.js",
    "extension/language-configuration.json",
    "extension/package.json",
    "extension/syntaxes/aurora.tmLanguage.json",
  ]);
});

test("each file is as it was built", () => {
  for (const file of ["dist/extension.js", "language-configuration.json", "syntaxes/aurora.tmLanguage.json"]) {
    assert.deepEqual(files.get(`extension/${file}`), readFileSync(path.join(top, file)), file);
  }
});

test("VS Code is told of a language, its version and what starts the extension", () => {
  const packed = JSON.parse(files.get("extension/package.json")?.toString() ?? "") as typeof manifest;
  assert.equal(packed.main, "./dist/extension.js");
  assert.equal(packed.version, manifest.version);
  assert.deepEqual(packed.activationEvents, ["onLanguage:aurora"]);
  const described = files.get("extension.vsixmanifest")?.toString() ?? "";
  assert.match(described, new RegExp(`<Identity [^>]*Id="aurora" Version="${manifest.version}"`));
  assert.match(described, /Microsoft\.VisualStudio\.Code\.Engine" Value="\^1\.91\.0"/);
});

test("the licence of each package that is part of it is there", () => {
  const notices = files.get("extension/dist/NOTICES.txt")?.toString() ?? "";
  for (const name of ["vscode-languageclient", "vscode-jsonrpc", "minimatch", "semver"]) {
    assert.match(notices, new RegExp(`^${name} \\d`, "m"));
  }
});

test("nothing in it tells where it was built", () => {
  for (const [name, data] of files) {
    assert.ok(!data.includes(top), name);
  }
});
