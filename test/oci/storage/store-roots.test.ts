import assert from "node:assert/strict";
import { test } from "node:test";
import { storeRoots as findRoots, type StoreEnvironment } from "../../../src/oci/storage/store-roots.ts";

const ROOT: StoreEnvironment = {
  variables: {},
  uid: 0,
  user: "root",
  home: "/root",
  readText: () => undefined,
};

const storeRoots = async (store: string | undefined, environment: StoreEnvironment) =>
  (await findRoots(store, environment)).all;

function withFiles(files: Readonly<Record<string, string>>, change: Partial<StoreEnvironment> = {}): StoreEnvironment {
  return { ...ROOT, ...change, readText: (path) => files[path] };
}

test("the store in brackets is the store, with what its options add", async () => {
  const specifiers: readonly (readonly [string, readonly string[]])[] = [
    ["/store", ["/store"]],
    ["overlay@/store", ["/store"]],
    ["overlay@/store+/run/store", ["/store"]],
    [
      "overlay@/store+/run:overlay.imagestore=/more,overlay.mountopt=nodev,additionalimagestore=/most",
      ["/store", "/more", "/most"],
    ],
    ["overlay@/store:overlay.imagestore=/store", ["/store"]],
    ["overlay2@", ["/var/lib/containers/storage"]],
  ];
  for (const [specifier, roots] of specifiers) assert.deepEqual(await storeRoots(specifier, ROOT), roots, specifier);
});

test("without brackets it is the user's own store, unless storage.conf says otherwise", async () => {
  assert.deepEqual(await storeRoots(undefined, ROOT), ["/var/lib/containers/storage"]);
  const user = { uid: 1000, user: "eve", home: "/home/eve" };
  const own = "/home/eve/.local/share/containers/storage";
  assert.deepEqual(await storeRoots(undefined, { ...ROOT, ...user }), [own]);
  const common = '[storage]\ngraphroot = "/srv/store"\n[storage.options]\nadditionalimagestores = ["/usr/store"]\n';
  const files = { "/usr/share/containers/storage.conf": common };
  assert.deepEqual(await storeRoots(undefined, withFiles(files)), ["/srv/store", "/usr/store"]);
  assert.deepEqual(await storeRoots(undefined, withFiles(files, user)), [own, "/usr/store"]);
  const rootless = '[storage]\nrootless_storage_path = "$HOME/x/$USER-$UID"\nimagestore = "/images"\n';
  const ownFiles = { ...files, "/home/eve/.config/containers/storage.conf": rootless };
  assert.deepEqual(await storeRoots(undefined, withFiles(ownFiles, user)), ["/images", "/home/eve/x/eve-1000"]);
  const etc = { ...files, "/etc/containers/storage.conf": "" };
  assert.deepEqual(await storeRoots(undefined, withFiles(etc)), ["/var/lib/containers/storage"]);
});

test("the environment names a file or a directory", async () => {
  const files = { "/my.conf": '[storage]\ngraphroot = "/mine"\n' };
  const variables = { CONTAINERS_STORAGE_CONF: "/my.conf" };
  assert.deepEqual(await storeRoots(undefined, withFiles(files, { variables })), ["/mine"]);
  const both = { ...variables, CONTAINERS_STORAGE_ROOT: "/root-of-all" };
  assert.deepEqual(await storeRoots(undefined, withFiles(files, { variables: both })), ["/root-of-all"]);
  const data = { XDG_DATA_HOME: "/data" };
  assert.deepEqual(await storeRoots(undefined, { ...ROOT, uid: 1, variables: data }), ["/data/containers/storage"]);
});

test("other drivers, relative paths and a configuration that is none are refused", async () => {
  await assert.rejects(storeRoots("btrfs@/store", ROOT), {
    code: "unsupported",
    message: "Cannot open container storage: driver btrfs is not supported",
  });
  const variables = { STORAGE_DRIVER: "vfs" };
  await assert.rejects(storeRoots(undefined, { ...ROOT, variables }), { code: "unsupported" });
  assert.deepEqual(await storeRoots("overlay@/store", { ...ROOT, variables }), ["/store"]);
  await assert.rejects(storeRoots("overlay@store", ROOT), {
    code: "usage",
    message: 'Cannot open container storage: "store" is not an absolute path',
  });
  const path = "/etc/containers/storage.conf";
  await assert.rejects(storeRoots(undefined, withFiles({ [path]: "[" })), {
    code: "corrupt",
    message: `Cannot read ${path}: it is not TOML`,
  });
  await assert.rejects(storeRoots(undefined, withFiles({ [path]: "[storage]\ngraphroot = 1\n" })), {
    code: "corrupt",
    message: /^Cannot read .*: storage\.graphroot: Invalid type/,
  });
});
