/** The writing work that is killed at every step. */
import { mkdirSync, readdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pullImage, restoreImage, tagImage, untagImage } from "../../../src/imagestore/index.ts";
import {
  collectGarbage,
  directoryTree,
  initRepository,
  openRepository,
  type Repository,
  repairRepository,
  storeTreeImages,
} from "../../../src/repository/index.ts";

/**
 * `prepare` brings a directory to where `act` begins; `act` is what gets killed, and is run again afterwards. The
 * directory has the vectors' layouts as `layout-1` and `layout-2` and one of many layers as `layout-3`, and the repository becomes `repo`.
 */
export interface Scenario {
  readonly name: string;
  /** Until it is through there may be no repository to check. */
  readonly makesRepository?: boolean;
  readonly withoutUnnamedFiles?: boolean;
  /** What it is about is damage that is there before. */
  readonly beginsDamaged?: boolean;
  prepare(directory: string): Promise<void>;
  act(directory: string): Promise<void>;
}

const INSECURE = { algorithm: "sha256", protection: "insecure" } as const;

async function initialize(directory: string): Promise<void> {
  (await initRepository(join(directory, "repo"), INSECURE)).repository.close();
}

async function withRepository(directory: string, work: (repository: Repository) => Promise<unknown>): Promise<void> {
  using repository = await openRepository(join(directory, "repo"));
  await work(repository);
}

async function pull(directory: string, layout: string, name: string): Promise<void> {
  await withRepository(directory, (repository) =>
    pullImage(repository, `oci:${join(directory, layout)}`, { name, bootable: layout === "layout-1" }),
  );
}

/** A repository that has one image already. */
async function initializeAndPull(directory: string): Promise<void> {
  await initialize(directory);
  await pull(directory, "layout-2", "kept");
}

/** Files of each size class: inline, stored at once, and large enough for the workers. */
function makeRoot(directory: string): string {
  const root = join(directory, "root");
  mkdirSync(join(root, "usr"), { recursive: true });
  for (const sizeBytes of [10, 100, 5000, 300_000, 1_200_000]) {
    writeFileSync(join(root, "usr", `file-${sizeBytes}`), Buffer.alloc(sizeBytes, `${sizeBytes} `));
  }
  return root;
}

async function prepareGarbage(directory: string): Promise<void> {
  await initializeAndPull(directory);
  await pull(directory, "layout-1", "dropped");
  await withRepository(directory, async (repository) => {
    const tree = await directoryTree(makeRoot(directory), { algorithm: "sha256", repository });
    storeTreeImages(repository, tree);
    untagImage(repository, "dropped");
    writeFileSync(join(repository.path, "objects", ".tmp-object-000000000000"), "half");
    symlinkSync("nowhere", join(repository.path, ".symlink-000000000000"));
  });
}

export const SCENARIOS: readonly Scenario[] = [
  { name: "init", makesRepository: true, prepare: async () => {}, act: initialize },
  {
    name: "init on a file system without unnamed files",
    makesRepository: true,
    withoutUnnamedFiles: true,
    prepare: async () => {},
    act: initialize,
  },
  {
    name: "init --reset-metadata",
    makesRepository: true,
    prepare: initializeAndPull,
    act: async (directory) => {
      const { repository } = await initRepository(join(directory, "repo"), { ...INSECURE, resetMetadata: true });
      repository.close();
    },
  },
  {
    name: "pull",
    prepare: initializeAndPull,
    act: (directory) => pull(directory, "layout-1", "new"),
  },
  {
    name: "pull of several layers at once",
    prepare: initializeAndPull,
    act: (directory) => pull(directory, "layout-3", "many"),
  },
  {
    name: "pull over a tag on a file system without unnamed files",
    withoutUnnamedFiles: true,
    prepare: initializeAndPull,
    act: (directory) => pull(directory, "layout-1", "kept"),
  },
  {
    name: "tag",
    prepare: async (directory) => {
      await initializeAndPull(directory);
      await pull(directory, "layout-1", "moved");
    },
    act: (directory) =>
      withRepository(directory, async (repository) => {
        const { manifestDigest } = await pullImage(repository, `oci:${join(directory, "layout-2")}`, { name: "kept" });
        await tagImage(repository, manifestDigest, "moved");
      }),
  },
  {
    name: "create-image",
    prepare: async (directory) => {
      makeRoot(directory);
      await initializeAndPull(directory);
    },
    act: (directory) =>
      withRepository(directory, async (repository) => {
        const root = join(directory, "root");
        // The tests copy the directory, which changes the times.
        for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) utimesSync(join(root, name), 1, 1);
        const tree = await directoryTree(root, { algorithm: "sha256", repository });
        storeTreeImages(repository, tree, "my/image");
      }),
  },
  {
    name: "gc",
    prepare: prepareGarbage,
    act: (directory) => withRepository(directory, (repository) => collectGarbage(repository)),
  },
  {
    name: "fsck --repair",
    beginsDamaged: true,
    prepare: async (directory) => {
      await initializeAndPull(directory);
      await withRepository(directory, async ({ path, objects, streams }) => {
        for (const { entry, objectId } of streams.entries()) {
          if (!entry.startsWith("oci-manifest-")) truncateSync(objects.path(objectId), 3);
        }
        writeFileSync(join(path, "streams", "stray"), "");
        symlinkSync("../nowhere", join(path, "streams", "refs", "dangling"));
      });
    },
    act: (directory) =>
      withRepository(directory, (repository) =>
        repairRepository(repository, {
          restore: () => restoreImage(repository, `oci:${join(directory, "layout-2")}`, () => {}),
        }),
      ),
  },
];
