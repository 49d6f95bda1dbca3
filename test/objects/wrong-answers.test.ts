import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { contentDigests } from "../../src/objects/content-digests.ts";
import { FileImporter } from "../../src/objects/file-importer.ts";
import type { ObjectJobs } from "../../src/objects/jobs/object-jobs.ts";
import { ObjectImporter } from "../../src/objects/object-importer.ts";
import { ObjectVerifier } from "../../src/objects/object-verifier.ts";
import { FileReadQueue } from "../../src/objects/scan-queue.ts";
import { WorkerPool } from "../../src/platform/index.ts";
import { checkRepository, initRepository } from "../../src/repository/index.ts";

const directory = mkdtempSync(join(tmpdir(), "sealroot-test-"));
const { repository } = await initRepository(join(directory, "repository"), { protection: "insecure" });
const objectId = repository.objects.ensure(randomBytes(5000));
const { settings } = repository.objects;
const file = join(directory, "file");
writeFileSync(file, randomBytes(300 << 10));

after(() => {
  repository.close();
  rmSync(directory, { recursive: true });
});

async function withWorkers(module: string, work: (workers: WorkerPool<ObjectJobs>) => Promise<void>): Promise<void> {
  const workers = new WorkerPool<ObjectJobs>(new URL(module, import.meta.url), { size: 1 });
  try {
    await work(workers);
  } finally {
    await workers.close();
  }
}

/** Everything that asks workers, with one thing to ask about. */
const ASKING: Readonly<Record<string, (workers: WorkerPool<ObjectJobs>) => Promise<unknown>>> = {
  "the check of a repository": async (workers) => {
    Object.defineProperty(repository, "workers", { value: workers, configurable: true });
    return checkRepository(repository).finally(() => Reflect.deleteProperty(repository, "workers"));
  },
  "the digests of contents": (workers) =>
    contentDigests(settings, workers, [{ objectId, sizeBytes: 5000 }], () => assert.fail("nothing was hashed")),
  "the verifier of objects": async (workers) => {
    const verifier = new ObjectVerifier(settings, workers);
    await verifier.expect([objectId]);
    for await (const _ of verifier.chunksOf(objectId) ?? []);
    return verifier.finish();
  },
  "the reader of files": (workers) => {
    const queue = new FileReadQueue(workers, "sha512", undefined, false);
    queue.add(byteStringOfText(file), () => assert.fail("nothing was read"));
    return queue.finish();
  },
  "the importer of objects": async (workers) => {
    const importer = new ObjectImporter(settings, workers);
    const stored = importer.add(randomBytes(300 << 10));
    await assert.rejects(importer.finish());
    return stored;
  },
};

const ABOUT_NOTHING = { message: "Cannot use a worker's answer: it is about 0 things, not about 1" };
const OF_ANOTHER_JOB = { message: /^Cannot use a worker's answer: it is to abort-draft, not to [a-z-]+$/ };

for (const [who, ask] of Object.entries(ASKING)) {
  test(`${who} refuses an answer that leaves things out`, () =>
    withWorkers("./lying-worker.ts", async (workers) => {
      await assert.rejects(ask(workers), ABOUT_NOTHING);
    }));

  test(`${who} refuses an answer to another job`, () =>
    withWorkers("./confused-worker.ts", async (workers) => {
      await assert.rejects(ask(workers), OF_ANOTHER_JOB);
    }));
}

test("files and large objects are not stored by an answer to another job", () =>
  withWorkers("./confused-worker.ts", async (workers) => {
    const statistics = { newObjects: 0, presentObjects: 0, storedBytes: 0 };
    const fd = openSync(file, "r");
    const files = new FileImporter(settings, workers, statistics);
    await assert.rejects(files.add(fd, 300 << 10, { linkFile: false }), OF_ANOTHER_JOB);
    closeSync(fd);
    const importer = new ObjectImporter(settings, workers);
    const sink = importer.open();
    sink.write(randomBytes(1000));
    await assert.rejects(sink.finish(), {
      message: "Cannot use a worker's answer: it is to abort-draft, not to begin-draft",
    });
    await assert.rejects(importer.finish(), OF_ANOTHER_JOB);
    assert.deepEqual(importer.statistics, statistics);
    assert.deepEqual(statistics, { newObjects: 0, presentObjects: 0, storedBytes: 0 });
  }));
