import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { hooksFor } from "../../../src/update/automatic/hooks.ts";
import { readUpdateRecord } from "../../../src/update/automatic/record.ts";
import { runUpdates, type UpdateActions } from "../../../src/update/automatic/run-updates.ts";
import { DEFAULT_SETTINGS } from "../../../src/update/automatic/settings.ts";

const NOW_MS = 1_800_000_000_000;
const FACTS = { imageReference: "docker://registry.example/os:1", manifestDigest: "sha256:22" };

class FakeHost {
  readonly calls: string[] = [];
  readonly lines: string[] = [];
  readonly directory: string;
  staged: string | undefined;
  /** Of the registry: nothing new, or why it does not answer. */
  answer: "new" | "unchanged" | Error = "new";
  settings = DEFAULT_SETTINGS;
  unmet: string[] = [];
  nowMs = NOW_MS;

  constructor(directory: string) {
    this.directory = directory;
  }

  get recordPath() {
    return join(this.directory, "record");
  }

  hook(path: string, script: string, mode = 0o755) {
    const file = join(this.directory, path);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, mode);
    return file;
  }

  get folders() {
    return ["usr", "etc"].map((name) => join(this.directory, name));
  }

  run(isDry = false) {
    const actions: UpdateActions = {
      update: async (beforeFetch) => {
        this.calls.push("ask");
        if (this.answer instanceof Error) throw this.answer;
        if (this.answer === "unchanged") return { ...FACTS, deploymentId: undefined };
        await beforeFetch(FACTS);
        this.calls.push("stage");
        this.staged = "2222";
        return { ...FACTS, deploymentId: "2222" };
      },
      apply: async (deploymentId) => {
        this.calls.push(`apply ${deploymentId}`);
      },
    };
    const clock = { day: 6, minutes: 180 };
    const situation = { settings: this.settings, fraction: () => 0.5, nowMs: this.nowMs, bootMs: 0, clock };
    return runUpdates({
      situation: { ...situation, bootMs: NOW_MS - 3_600_000 },
      stagedDeploymentId: this.staged,
      unmet: this.unmet,
      recordPath: this.recordPath,
      hookFolders: this.folders,
      actions: isDry ? "none" : actions,
      say: (line) => this.lines.push(line),
    });
  }
}

const withHost = (name: string, check: (host: FakeHost) => Promise<void>) =>
  test(name, async () => {
    using scratch = temporaryDirectory({ purpose: "run-updates" });
    await check(new FakeHost(scratch.path));
  });

withHost(
  "an update is asked for, staged and applied, with hooks before and after, and the question is remembered",
  async (host) => {
    const log = join(host.directory, "log");
    const words = '"$SEALROOT_UPDATE_IMAGE $SEALROOT_UPDATE_DIGEST $SEALROOT_UPDATE_DEPLOYMENT"';
    host.hook("usr/before.d/10-image", `echo image-before ${words} >>${log}`);
    host.hook("etc/before.d/05-first", `echo first >>${log}`);
    host.hook("etc/after.d/10-after", `echo after ${words} >>${log}`);
    await host.run();
    assert.deepEqual(host.calls, ["ask", "stage", "apply 2222"]);
    assert.deepEqual(readFileSync(log, "utf8").split("\n"), [
      "first",
      `image-before ${FACTS.imageReference} sha256:22 `,
      `after ${FACTS.imageReference} sha256:22 2222`,
      "",
    ]);
    assert.deepEqual(readUpdateRecord(host.recordPath), {
      lastCheckMs: NOW_MS,
      failures: 0,
      heldDeploymentId: undefined,
    });
    assert.equal(statSync(host.recordPath).mode & 0o777, 0o600);
  },
);

withHost("asked a minute later, it says when the next question is, and does nothing", async (host) => {
  host.answer = "unchanged";
  await host.run();
  host.nowMs += 60_000;
  await host.run();
  assert.deepEqual(host.calls, ["ask"]);
  assert.match(host.lines.join("\n"), /^The next question to the registry is due at 2027-01-1\dT[0-9:.]+Z$/);
});

withHost("a registry that does not answer is asked later each time, and the error is told", async (host) => {
  host.answer = new Error("no answer");
  for (const failures of [1, 2, 3]) {
    await assert.rejects(host.run(), { message: "no answer" });
    assert.deepEqual(readUpdateRecord(host.recordPath), {
      lastCheckMs: host.nowMs,
      failures,
      heldDeploymentId: undefined,
    });
    const waitMs = 600_000 * 2 ** (failures - 1);
    host.nowMs += waitMs - 1;
    await host.run();
    assert.equal(host.calls.length, failures, "too early");
    host.nowMs += 1;
  }
  host.answer = "unchanged";
  await host.run();
  assert.equal(readUpdateRecord(host.recordPath).failures, 0);
});

withHost("a hook before that says no leaves the host as it is", async (host) => {
  const path = host.hook("etc/before.d/10-no", "echo backup runs >&2; exit 3");
  host.hook("etc/before.d/20-later", `touch ${host.directory}/later`);
  await assert.rejects(host.run(), (error: Error) => {
    assert.ok(error.message.startsWith(`Cannot go on: the update hook ${path} says no: `), error.message);
    assert.match(error.message, /backup runs/);
    return true;
  });
  assert.deepEqual(host.calls, ["ask"]);
  assert.equal(existsSync(join(host.directory, "later")), false);
  assert.equal(readUpdateRecord(host.recordPath).failures, 1);
});

withHost("a hook after that fails keeps the host from rebooting into this update, now and later", async (host) => {
  host.hook("etc/after.d/10-no", "exit 1");
  await assert.rejects(host.run(), { code: "failed" });
  assert.deepEqual(host.calls, ["ask", "stage"]);
  host.nowMs += 60_000;
  await host.run();
  assert.deepEqual(host.calls, ["ask", "stage"]);
  assert.equal(host.lines.at(-1), "Not rebooting into the staged update: an update hook has failed for it");
  host.staged = "3333";
  await host.run();
  assert.deepEqual(host.calls, ["ask", "stage", "apply 3333"]);
});

withHost("with a condition that does not hold nothing is asked, and it is tried again", async (host) => {
  host.unmet = ["it runs on battery"];
  await host.run();
  assert.deepEqual([host.calls, host.lines], [[], ["Nothing is done on this host now: it runs on battery"]]);
  host.unmet = [];
  await host.run();
  assert.deepEqual(host.calls, ["ask", "stage", "apply 2222"]);
});

withHost("what somebody else has staged is applied without asking", async (host) => {
  host.answer = "unchanged";
  await host.run();
  host.staged = "4444";
  await host.run();
  assert.deepEqual(host.calls, ["ask", "apply 4444"]);
});

withHost("a dry run says what would be done, and writes nothing", async (host) => {
  await host.run(true);
  assert.deepEqual([host.calls, host.lines], [[], ["The registry would be asked now"]]);
  assert.equal(existsSync(host.recordPath), false);
});

withHost("a record that is not ours is as none", async (host) => {
  for (const text of ["", "null", "[]", "{", '{"lastCheckMs":"x","failures":-1,"heldDeploymentId":7}']) {
    writeFileSync(host.recordPath, text);
    const none = { lastCheckMs: undefined, failures: 0, heldDeploymentId: undefined };
    assert.deepEqual(readUpdateRecord(host.recordPath), none, text);
  }
});

withHost(
  "the administrator's hook takes the place of the image's, and a link to /dev/null leaves it out",
  async (host) => {
    host.hook("usr/before.d/10-a", "exit 1");
    host.hook("usr/before.d/20-b", "exit 1");
    host.hook("usr/before.d/30-c", "true");
    const own = host.hook("etc/before.d/10-a", "true");
    symlinkSync("/dev/null", join(host.directory, "etc/before.d/20-b"));
    assert.deepEqual(hooksFor("before", host.folders), [own, join(host.directory, "usr/before.d/30-c")]);
    assert.deepEqual(hooksFor("after", host.folders), []);
    const path = host.hook("etc/before.d/40-text", "true", 0o644);
    assert.throws(() => hooksFor("before", host.folders), {
      code: "no-access",
      message: new RegExp(`^Cannot run the update hook ${path}: `),
    });
  },
);
