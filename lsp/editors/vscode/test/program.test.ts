import assert from "node:assert/strict";
import { test } from "node:test";
import { type Machine, find } from "../src/program";

function machine(programs: string[], more: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    home: "/home/a",
    path: "/usr/bin:/bin",
    isProgram: (file) => programs.includes(file),
    ...more,
  };
}

test("the program is the first of the path, or where programs of a user are", () => {
  for (const [programs, wanted] of [
    [["/usr/bin/aurora", "/bin/aurora"], "/usr/bin/aurora"],
    [["/bin/aurora", "/home/a/.cargo/bin/aurora"], "/bin/aurora"],
    [["/home/a/.local/bin/aurora", "/home/a/.cargo/bin/aurora"], "/home/a/.cargo/bin/aurora"],
    [["/home/a/.local/bin/aurora"], "/home/a/.local/bin/aurora"],
  ] as const) {
    assert.deepEqual(find("  ", undefined, machine([...programs])), { program: wanted });
  }
  assert.match(JSON.stringify(find("", "/project", machine(["/project/aurora", "/aurora"]))), /neither in \$PATH/);
  // An empty part of the path is the folder where one happens to be.
  assert.match(JSON.stringify(find("", "/project", machine(["aurora"], { path: "::" }))), /missing/);
});

test("a setting names the program", () => {
  const there = machine(["/opt/aurora", "/home/a/x/aurora", "/project/target/debug/aurora", "/usr/bin/aurora"]);
  for (const [setting, folder, wanted] of [
    ["/opt/aurora", undefined, { program: "/opt/aurora" }],
    [" ~/x/aurora ", undefined, { program: "/home/a/x/aurora" }],
    ["${workspaceFolder}/target/debug/aurora", "/project", { program: "/project/target/debug/aurora" }],
    ["${workspaceFolder}/target/debug/aurora", undefined, /no folder is open/],
    ["/opt/other", undefined, /names \/opt\/other, which is no program/],
    ["aurora", "/usr/bin", /does not begin with/],
    ["./aurora", "/usr/bin", /does not begin with/],
  ] as const) {
    const found = find(setting, folder, there);
    if (wanted instanceof RegExp) {
      assert.match("missing" in found ? found.missing : "", wanted);
    } else {
      assert.deepEqual(found, wanted);
    }
  }
});

test("on Windows paths and names are as there", () => {
  const there = { platform: "win32", home: "C:\\Users\\a", path: "C:\\bin;D:\\tools" };
  for (const [setting, program] of [
    ["", "D:\\tools\\aurora.exe"],
    ["", "C:\\Users\\a\\.cargo\\bin\\aurora.exe"],
    ["D:\\x\\aurora.exe", "D:\\x\\aurora.exe"],
    ["~\\aurora.exe", "C:\\Users\\a\\aurora.exe"],
  ] as const) {
    assert.deepEqual(find(setting, undefined, machine([program], there)), { program });
  }
});
