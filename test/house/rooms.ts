/** The rooms of src/, their layers, and who may import whom (docs/architecture.md). Read by imports.test.ts. */

/** From the ground up. A room imports rooms of lower layers, and of its own layer only what SAME_LAYER lists. */
export const LAYERS: readonly { readonly name: string; readonly rooms: readonly string[] }[] = [
  { name: "ground", rooms: ["errors", "bytes", "events", "platform", "primitives"] },
  {
    name: "formats",
    rooms: [
      ...["tree", "selinux", "erofs", "ext4", "verity", "splitstream", "tar", "zstd", "chunked", "delta"],
      ...["pe", "cms", "efi", "cpio", "elf", "bls", "bootplan", "bootimage", "varlink", "packages", "compare", "tpm"],
    ],
  },
  {
    name: "stores",
    rooms: [
      ...["objects", "repository", "oci", "registry", "policy", "images", "imagestore"],
      ...["deployment", "bootloader", "disk", "keys"],
    ],
  },
  {
    name: "systems",
    rooms: [
      "host",
      "update",
      "repair",
      "service",
      "install",
      "seal",
      "addon",
      "container",
      "diff",
      "inspect",
      "verify",
      "evidence",
      "starter",
      "vm",
    ],
  },
  { name: "cli", rooms: ["verbs", "cli"] },
];

/** Room → rooms of its own layer that it may import. There is no cycle. */
export const SAME_LAYER: Readonly<Record<string, readonly string[]>> = {
  bytes: ["errors"],
  events: ["errors"],
  platform: ["bytes", "errors", "events"],
  primitives: ["errors", "platform"],
  tree: ["selinux"],
  erofs: ["tree", "verity"],
  splitstream: ["zstd"],
  chunked: ["tar", "zstd"],
  delta: ["zstd"],
  pe: ["cms", "tpm"],
  efi: ["cms"],
  bootplan: ["bls"],
  bootimage: ["bls", "cpio", "pe", "tpm", "tree", "zstd"],
  packages: ["bls", "tree"],
  compare: ["tree", "verity"],
  registry: ["oci"],
  policy: ["oci", "registry"],
  images: ["oci", "registry", "policy"],
  repository: ["objects"],
  imagestore: ["objects", "repository", "oci", "policy", "images"],
  deployment: ["repository", "oci", "images", "imagestore"],
  bootloader: ["disk"],
  keys: ["registry"],
  update: ["host"],
  repair: ["host"],
  service: ["host", "update"],
  container: ["seal"],
  diff: ["install"],
  addon: ["install", "seal"],
  inspect: ["container", "diff", "seal"],
  verify: ["diff", "host", "install"],
  evidence: ["host", "verify"],
  cli: ["verbs"],
};

/**
 * Walls inside the large rooms: folder → folders of the same room that it may import; "." is the room's own files. A folder
 * that is not named has no walls yet.
 */
export const INNER_ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  imagestore: {
    layer: ["."],
    tree: [".", "layer"],
    partial: [".", "layer"],
    delta: [".", "layer", "tree"],
    push: ["."],
    pull: [".", "layer", "partial", "tree"],
    ".": ["tree"],
  },
  host: { addons: ["."], boots: ["."], collect: ["."], "soft-reboot": ["."], ".": ["boots", "collect", "soft-reboot"] },
  update: { automatic: [], plan: ["."], ".": [] },
  verify: {
    report: [],
    objects: ["report"],
    boot: ["report"],
    policy: ["boot", "report"],
    walk: ["boot", "objects", "policy", "report"],
    disk: ["boot", "objects", "policy", "report", "walk"],
    image: ["boot", "objects", "policy", "report"],
    program: ["boot", "policy", "report"],
    booted: ["boot", "objects", "policy", "report", "walk"],
    ".": ["boot", "disk", "image", "policy", "program", "report"],
  },
  verbs: {
    ...Object.fromEntries(
      ["addon", "container", "host", "image", "install", "internals", "keys", "repo", "seal", "vm"].map((name) => [
        name,
        ["shared"],
      ]),
    ),
    shared: [],
    ".": ["shared"],
  },
};

/** A room with more needs inner rooms, or is two. */
export const ROOM_MAX_LINES = 4000;

/** Rooms below that are closed to a layer: formats are pure, so the system's door is not for them. */
export const CLOSED: Readonly<Record<string, readonly string[]>> = { formats: ["platform", "events"] };

/** The only modules of Node that a format room may import: computation and plumbing without files, processes or clocks. */
export const PURE_NODE_MODULES = [
  ...["node:crypto", "node:zlib", "node:buffer"],
  ...["node:stream", "node:stream/promises", "node:events"],
];

/** Format rooms that also run outside Node, in the initramfs. */
export const NODE_FREE_ROOMS = ["bls", "bootplan"];

/** What the boot program may take from src/. */
export const INITRAMFS_ROOMS = ["bytes", "errors", "bls", "bootplan"];

/** Reached only through platform/, so that there is one place where programs are started and system calls made. */
export const PLATFORM_ONLY = ["node:child_process", "koffi", "node:worker_threads"];
