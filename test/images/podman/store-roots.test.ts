import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { storeRoots as findRoots } from "../../../src/images/podman/store-roots.ts";
import { openSource } from "../../../src/images/sources/open-source.ts";
import { parseReference } from "../../../src/oci/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { emptyHost, type HostPaths } from "../../registry/empty-host.ts";
import * as stores from "./stores.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

type Files = Readonly<Partial<Record<"user" | "etc" | "share", Readonly<Record<string, string>>>>>;

interface Change {
  readonly userId?: number;
  readonly variables?: Readonly<Record<string, string>>;
  /** By names below `containers/` of the three directories. */
  readonly files?: Files;
}

/** A machine of root with nothing on it, but for what is said. */
async function hostWith({ userId = 0, variables = {}, files = {} }: Change = {}): Promise<HostPaths> {
  const paths: HostPaths = { ...(await emptyHost(scratch.path, variables)), userId };
  const directories = {
    user: join(paths.homeDirectory, ".config"),
    etc: paths.etcDirectory,
    share: paths.shareDirectory,
  } as const;
  for (const [place, byName] of Object.entries(files)) {
    for (const [name, text] of Object.entries(byName ?? {})) {
      const path = join(directories[place as keyof typeof directories], "containers", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }
  return paths;
}

/** All directories in the order in which they are searched. */
async function storeRoots(store: string | undefined, change: Change = {}): Promise<string[]> {
  const { main, imageStore, additional } = await findRoots(store, await hostWith(change));
  return [...(imageStore === undefined ? [] : [imageStore]), main, ...additional];
}

function configuration(storage: string, options = ""): string {
  return `[storage]\n${storage}\n${options === "" ? "" : `[storage.options]\n${options}\n`}`;
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
  for (const [specifier, roots] of specifiers) assert.deepEqual(await storeRoots(specifier), roots, specifier);
});

test("without brackets it is the user's own store, unless storage.conf says otherwise", async () => {
  assert.deepEqual(await storeRoots(undefined), ["/var/lib/containers/storage"]);
  const host = await hostWith({ userId: 1000 });
  assert.equal((await findRoots(undefined, host)).main, join(host.homeDirectory, ".local/share/containers/storage"));
  const common = configuration('graphroot = "/srv/store"', 'additionalimagestores = ["/usr/store"]');
  const files = { share: { "storage.conf": common } };
  assert.deepEqual(await storeRoots(undefined, { files }), ["/srv/store", "/usr/store"]);
  // The machine's graphroot is root's.
  const user = { userId: 1000, variables: { XDG_DATA_HOME: "/data" } };
  assert.deepEqual(await storeRoots(undefined, { ...user, files }), ["/data/containers/storage", "/usr/store"]);
  const ofUsers = configuration('rootless_storage_path = "/users/$UID/store"');
  assert.deepEqual(await storeRoots(undefined, { ...user, files: { etc: { "storage.conf": ofUsers } } }), [
    "/users/1000/store",
  ]);
  const own = configuration('rootless_storage_path = "/a/$USER-$UID"\nimagestore = "/images"');
  const ownFiles = { ...files, user: { "storage.conf": own } };
  const eve = { userId: 1000, variables: { USER: "eve" } };
  assert.deepEqual(await storeRoots(undefined, { ...eve, files: ownFiles }), ["/images", "/a/eve-1000"]);
  // podman 4.3: of both in one file, graphroot.
  const both = configuration('graphroot = "/mine"\nrootless_storage_path = "/theirs"');
  assert.deepEqual(await storeRoots(undefined, { ...user, files: { user: { "storage.conf": both } } }), ["/mine"]);
  const etc = { ...files, etc: { "storage.conf": "" } };
  assert.deepEqual(await storeRoots(undefined, { files: etc }), ["/var/lib/containers/storage"]);
});

test("drop-ins are merged over the file, those for root or for others too", async () => {
  const files = {
    share: {
      "storage.conf": configuration('graphroot = "/srv"', 'additionalimagestores = ["/one"]'),
      "storage.conf.d/10-a.conf": configuration("", 'additionalimagestores = ["/hidden"]'),
      "storage.rootful.conf.d/30-c.conf": configuration('graphroot = "/root-only"'),
      "storage.rootless.conf.d/30-c.conf": configuration('rootless_storage_path = "/others"'),
      "storage.rootless.conf.d/1000/40-d.conf": configuration('rootless_storage_path = "/thousand"'),
    },
    etc: {
      "storage.conf.d/10-a.conf": configuration("", 'additionalimagestores = ["/two", {append=true}]'),
      "storage.conf.d/README": "no TOML",
    },
    user: { "storage.conf.d/20-b.conf": configuration("", 'additionalimagestores = [{append=true}, "/three"]') },
  };
  const additional = ["/one", "/two", "/three"];
  assert.deepEqual(await storeRoots(undefined, { files }), ["/root-only", ...additional]);
  assert.deepEqual(await storeRoots(undefined, { files, userId: 999 }), ["/others", ...additional]);
  assert.deepEqual(await storeRoots(undefined, { files, userId: 1000 }), ["/thousand", ...additional]);
});

test("the environment names a file or a directory", async () => {
  const path = join(scratch.path, "my.conf");
  writeFileSync(path, configuration('graphroot = "/mine"'));
  const variables = { CONTAINERS_STORAGE_CONF: path };
  const files = { etc: { "storage.conf.d/50.conf": configuration('graphroot = "/dropped-in"') } };
  assert.deepEqual(await storeRoots(undefined, { variables, files }), ["/mine"]);
  assert.deepEqual(await storeRoots(undefined, { variables, userId: 1000 }), ["/mine"]);
  const both = { ...variables, CONTAINERS_STORAGE_ROOT: "/root-of-all" };
  assert.deepEqual(await storeRoots(undefined, { variables: both }), ["/root-of-all"]);
  const data = { XDG_DATA_HOME: "/data" };
  assert.deepEqual(await storeRoots(undefined, { userId: 1, variables: data }), ["/data/containers/storage"]);
  const override = { CONTAINERS_STORAGE_CONF_OVERRIDE: path };
  assert.deepEqual(await storeRoots(undefined, { variables: override, files }), ["/mine"]);
  const absent = join(scratch.path, "absent.conf");
  for (const name of ["CONTAINERS_STORAGE_CONF", "CONTAINERS_STORAGE_CONF_OVERRIDE"]) {
    await assert.rejects(storeRoots(undefined, { variables: { [name]: absent } }), {
      code: "not-found",
      message: `Cannot read storage configuration: ${absent} does not exist`,
    });
  }
});

test("variables in paths are those of the environment", async () => {
  const text = configuration(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the braces are storage.conf's
    'graphroot = "$BOX/${KIND}store$UNSET"\nimagestore = "${HOME}/images"',
    'additionalimagestores = ["$BOX/more"]',
  );
  const files = { etc: { "storage.conf": text } };
  const variables = { BOX: "/box", KIND: "my-" };
  const host = await hostWith({ files, variables });
  assert.deepEqual(await findRoots(undefined, host), {
    main: "/box/my-store",
    imageStore: join(host.homeDirectory, "images"),
    additional: ["/box/more"],
  });
});

test("STORAGE_OPTS takes the place of the options of storage.conf, as bootc and bcvk set it", async () => {
  const files = { etc: { "storage.conf": configuration('graphroot = "/srv"', 'additionalimagestores = ["/one"]') } };
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["additionalimagestore=/run/host-container-storage", ["/run/host-container-storage"]],
    ["overlay.additionalimagestore=/two,overlay.imagestore=/three", ["/two", "/three"]],
    ["overlay2.imagestore=/two,mountopt=nodev,overlay.mount_program=/usr/bin/fuse-overlayfs", ["/two"]],
    ["OVERLAY.ImageStore=/two", ["/two"]],
    ["vfs.imagestore=/two", []],
    ["", []],
  ];
  for (const [options, additional] of cases) {
    const roots = await storeRoots(undefined, { files, variables: { STORAGE_OPTS: options } });
    assert.deepEqual(roots, ["/srv", ...additional], options);
  }
  await assert.rejects(storeRoots(undefined, { variables: { STORAGE_OPTS: "additionalimagestores=/two" } }), {
    code: "usage",
    message: 'Cannot open container storage: STORAGE_OPTS has an unknown option: "additionalimagestores=/two"',
  });
  await assert.rejects(storeRoots("overlay@/store:nonsense=1"), {
    code: "usage",
    message: 'Cannot open container storage: the reference has an unknown option: "nonsense=1"',
  });
});

test("podman has the same stores", async () => {
  const [main, more] = [join(scratch.path, "podman"), join(scratch.path, "podman-more")];
  mkdirSync(main);
  mkdirSync(more);
  const path = join(scratch.path, "podman.conf");
  writeFileSync(path, configuration(`driver = "overlay"\nrunroot = "${main}-run"\ngraphroot = "$BOX/podman"`));
  const variables = { CONTAINERS_STORAGE_CONF: path, BOX: scratch.path, STORAGE_OPTS: `additionalimagestore=${more}` };
  assert.deepEqual(await storeRoots(undefined, { variables }), [main, more]);
  const format = "{{.Store.GraphRoot}} {{.Store.GraphOptions}}";
  const said = execFileSync("podman", ["info", "--format", format], { env: { ...process.env, ...variables } });
  assert.equal(said.toString().trim(), `${main} map[additionalimagestore:${more}]`);
  stores.unmountBelow(main);
});

test("an image is found in the store that STORAGE_OPTS adds; one that is not there is told", async () => {
  const store = stores.unpackStore(scratch.path, "full");
  const main = join(scratch.path, "nothing-yet");
  const open = (additional: string) =>
    hostWith({ variables: { CONTAINERS_STORAGE_ROOT: main, STORAGE_OPTS: `additionalimagestore=${additional}` } }).then(
      (paths) => openSource(parseReference(`containers-storage:${stores.NAME}`), { paths }),
    );
  const source = await open(store);
  assert.equal(source.index.manifests[0]?.digest, stores.MANIFEST);
  await source.close();
  await assert.rejects(open("/absent"), {
    code: "not-found",
    message: "Cannot open container storage: the additional store /absent does not exist",
  });
  mkdirSync(join(scratch.path, "empty"));
  await assert.rejects(open(join(scratch.path, "empty")), {
    code: "not-found",
    message: `Cannot open container storage ${main}: there is no store`,
  });
});

test("other drivers, relative paths and a configuration that is none are refused", async () => {
  const unsupported = (driver: string) => ({
    code: "unsupported",
    message: `Cannot open container storage: driver ${driver} is not supported`,
  });
  await assert.rejects(storeRoots("btrfs@/store"), unsupported("btrfs"));
  const variables = { STORAGE_DRIVER: "vfs" };
  await assert.rejects(storeRoots(undefined, { variables }), unsupported("vfs"));
  assert.deepEqual(await storeRoots("overlay@/store", { variables }), ["/store"]);
  await assert.rejects(storeRoots("overlay@store"), {
    code: "usage",
    message: 'Cannot open container storage: "store" is not an absolute path',
  });
  const withText = (text: string) => ({ files: { etc: { "storage.conf": text } } });
  await assert.rejects(storeRoots(undefined, withText(configuration('driver = "vfs"'))), unsupported("vfs"));
  assert.deepEqual(await storeRoots("overlay@/store", withText(configuration('driver = "vfs"'))), ["/store"]);
  const priority = withText(configuration('driver_priority = ["zfs", "btrfs"]'));
  await assert.rejects(storeRoots(undefined, priority), unsupported("zfs"));
  const overlay = withText(configuration('driver_priority = ["zfs", "overlay"]\ngraphroot = "/x"'));
  assert.deepEqual(await storeRoots(undefined, overlay), ["/x"]);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["[", /^Cannot read \S+\/storage\.conf: it is not TOML$/],
    ["[storage]\ngraphroot = 1\n", /^Cannot read .*: storage\.graphroot: Invalid type/],
    ['[storage]\ngraphrot = "/x"\n', /^Cannot read \S+\/storage\.conf: storage\.graphrot is not known here$/],
    [
      '[storage.options]\nadditionalimagestore = ["/x"]\n',
      /: storage\.options\.additionalimagestore is not known here$/,
    ],
    [
      '[storage.options.overlay]\nadditionalimagestores = ["/x"]\n',
      /: storage\.options\.overlay\.additionalimagestores is/,
    ],
    ['[stroage]\ngraphroot = "/x"\n', /: stroage is not known here$/],
  ];
  for (const [text, message] of wrong) {
    await assert.rejects(storeRoots(undefined, withText(text)), { code: "corrupt", message }, text);
  }
});

test("what podman's own storage.conf of any age says is known", async () => {
  const text = configuration(
    'driver = "overlay"\nrunroot = "/run"\ngraphroot = "/var"\ntransient_store = true\ndriver_priority = ["overlay"]',
    [
      'additionalimagestores = []\npull_options = {enable_partial_images = "true"}\nremap-uids = "0:1:2"',
      'root-auto-userns-user = "storage"\nauto-userns-min-size = 1024\ndisable-volatile = true',
      '[storage.options.overlay]\nmountopt = "nodev"\nsize = "1g"\nskip_mount_home = "true"\nuse_composefs = "false"',
      '[storage.options.thinpool]\n[storage.options.vfs]\n[storage.options.zfs]\nfsname = "x"',
    ].join("\n"),
  );
  assert.deepEqual(await storeRoots(undefined, { files: { share: { "storage.conf": text } } }), ["/var"]);
});
