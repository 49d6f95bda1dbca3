/**
 * A repository that somebody tampered with: links that lead anywhere, directories swapped for links, pipes in the
 * place of files. The input is a text of changes, a line each, made to a good repository.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { type TemporaryDirectory, temporaryDirectory } from "../../../src/platform/index.ts";
import {
  checkRepository,
  collectGarbage,
  fsckLines,
  gcLines,
  initRepository,
  openRepository,
  type Repository,
  repairRepository,
  streamContent,
} from "../../../src/repository/index.ts";
import { SplitStreamWriter } from "../../../src/splitstream/index.ts";
import { readVector } from "../../erofs/vectors.ts";
import { savedCorpus } from "../corpus.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

const OBJECT = Buffer.alloc(500, "object ");

/** A repair hashes every object in worker threads, which take longer to start than everything else here. */
const REPAIRS_EVERY = 6;

/** What was built once: the good repository, and beside it a directory that nobody may touch. */
interface Template {
  readonly directory: TemporaryDirectory;
  /** Ids of the objects in it. */
  readonly objectIds: readonly string[];
}

let template: Promise<Template> | undefined;

async function makeTemplate(): Promise<Template> {
  const directory = temporaryDirectory();
  const path = join(directory.path, "good");
  const { repository } = await initRepository(path, { algorithm: "sha256", protection: "insecure" });
  using opened = repository;
  const objectId = opened.objects.ensure(OBJECT);
  const writer = new SplitStreamWriter("sha256", "ocilayer");
  writer.inline(Buffer.from("head"));
  writer.external(objectId, OBJECT.length);
  const streamId = opened.objects.ensure(await writer.finish());
  opened.streams.register([{ entry: "layer", objectId: streamId }]);
  opened.streams.setReference("oci/tag", "layer");
  const { objectId: imageId } = opened.registerImage(readVector("v02-inline.rs-v2.erofs.gz"), "my/image");
  const outside = join(directory.path, "outside");
  for (const name of ["ab", "refs", objectId.slice(0, 2)]) mkdirSync(join(outside, name), { recursive: true });
  writeFileSync(join(outside, "ab", "c".repeat(62)), "not yours");
  writeFileSync(join(outside, objectId.slice(0, 2), "d".repeat(62)), "not yours");
  writeFileSync(join(outside, ".tmp-object-0123456789ab"), "not yours");
  writeFileSync(join(outside, "file"), "not yours");
  symlinkSync("../objects/ab/gone", join(outside, "dangling"));
  symlinkSync("../gone", join(outside, "refs", "dangling"));
  return { directory, objectIds: [objectId, streamId, imageId] };
}

/** Places that changes are made at, targets that links get. `@0` … stand for object ids, `%` for the directory `outside`. */
const PLACES = [
  ...["streams/refs/oci", "images/refs/my"],
  ...["streams/layer", "streams/refs/oci/tag", "images/@2", "images/refs/my/image", "streams/new", "images/new"],
  ...["streams/oci-layer-sha256:@1", "streams/refs/a", "images/refs/b", "streams/refs/oci/a\\nb", "streams/\\xff"],
  ...["objects/@0", "objects/@1", "objects/@2", "objects/00/strange", "objects/cd"],
  ...[".symlink-0123456789ab", ".meta.json.0123", "objects/.tmp-object-0123456789ab", "objects/@0/strange", "x"],
];
/** Places without which a repository is not opened, mostly. */
const FOUNDATIONS = [
  "meta.json",
  "objects",
  "streams",
  "images",
  "streams/refs",
  "images/refs",
  "objects/@0/",
  "objects/ab",
];
const TARGETS = [
  ...[
    "../objects/@0",
    "../objects/@1",
    "../objects/@2",
    "../layer",
    "../../layer",
    "../../@2",
    "../new",
    ".",
    "..",
    "/",
  ],
  ...["%", "%/ab", "%/file", "%/refs", "%/dangling", "../../outside", "../../../outside/file", "../../x/@0", "tag"],
  ...["../../outside/ab/@0", "/dev/zero", "/dev/full", "\\xff\\xfe", "a\\nstatus: ok", "refs", "../refs/oci/tag"],
];
const KINDS = ["link", "file", "pipe", "directory", "gone"];

function change(random: Random): string {
  const places = random.below(16) === 0 ? FOUNDATIONS : PLACES;
  return `${random.pick(KINDS)} ${random.pick(places)} ${random.pick(TARGETS)}`;
}

/** Changes lines: takes some away, adds some, mixes in those of `other`. */
function mutateScript(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const lines = [...linesOf(input), ...linesOf(other)].filter(() => random.below(4) > 0);
  for (let count = 1 + random.below(4); count > 0; count--) lines.push(change(random));
  return Buffer.from(lines.slice(-8).join("\n"));
}

function linesOf(input: Uint8Array): string[] {
  return Buffer.from(input).toString("latin1").split("\n").filter(Boolean);
}

/** The bytes that a word of a script stands for. */
function bytesOfWord(word: string, { directory, objectIds }: Template): Buffer {
  const text = word
    .replace(/@(\d)(\/?)/g, (_, index: string, slash: string) => {
      const id = objectIds[Number(index)] ?? "";
      return slash === "/" ? id.slice(0, 2) : `${word.includes("objects") ? `${id.slice(0, 2)}/${id.slice(2)}` : id}`;
    })
    .replace("%", join(directory.path, "outside"))
    .replace("\\n", "\n");
  const [before = "", ...rest] = text.split("\\x");
  return Buffer.concat([
    Buffer.from(before),
    ...rest.map((part) => Buffer.concat([Buffer.from(part.slice(0, 2), "hex"), Buffer.from(part.slice(2))])),
  ]);
}

/** Makes one change; what is impossible is left out. Never follows a link that an earlier change made. */
function applyChange(root: string, line: string, made: Template): void {
  const [kind = "", place = "", target = ""] = line.split(" ");
  const path = Buffer.concat([Buffer.from(`${root}/`), bytesOfWord(place, made)]);
  const text = path.toString("latin1");
  if (text.includes("/../") || text.endsWith("/..")) return;
  try {
    if (leavesRoot(root, text)) return;
    rmSync(path, { recursive: true, force: true });
    if (kind === "link") symlinkSync(bytesOfWord(target, made), path);
    else if (kind === "file") writeFileSync(path, bytesOfWord(target, made));
    else if (kind === "directory") mkdirSync(path);
    else if (kind === "pipe") execFileSync("mkfifo", [path.toString("utf8")], { stdio: "ignore" });
  } catch {
    // Its directory is gone, or the name cannot be.
  }
}

function leavesRoot(root: string, text: string): boolean {
  for (let parent = dirname(text); parent.length > root.length; parent = dirname(parent)) {
    if (lstatSync(parent, { throwIfNoEntry: false })?.isSymbolicLink() === true) return true;
  }
  return !text.startsWith(root + sep);
}

/** Names, kinds, contents' sizes and link targets of everything below. */
function listing(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return entry.isSymbolicLink() ? `${path} -> ${readlinkSync(path)}` : `${path} ${entry.isFile() ? "f" : "o"}`;
    })
    .sort();
}

export const repositoryTarget: FuzzTarget = {
  name: "repository",
  corpus: () => [Buffer.from(""), ...savedCorpus("repository")],
  mutate: mutateScript,
  async run(input, random) {
    template ??= makeTemplate();
    const made = await template;
    const outside = resolve(made.directory.path, "outside");
    const before = listing(outside);
    const root = join(made.directory.path, "changed");
    rmSync(root, { recursive: true, force: true });
    cpSync(join(made.directory.path, "good"), root, { recursive: true, verbatimSymlinks: true });
    for (const line of linesOf(input)) applyChange(root, line, made);
    const opened = await refusalOf(() => openRepository(root));
    if ("value" in opened) {
      using repository = opened.value;
      await readEverything(repository);
      await writeEverything(repository, made, random);
      await collectAndCheck(repository);
      if (random.below(REPAIRS_EVERY) === 0) await refusalOf(() => repairRepository(repository));
    }
    assert.deepEqual(listing(outside), before, "something outside the repository was changed");
    return "value" in opened;
  },
};

async function readEverything(repository: Repository): Promise<void> {
  for (const store of [repository.streams, repository.images]) {
    refusalOfSync(() => store.references());
    for (const { entry, objectId } of valueOr(
      refusalOfSync(() => store.entries()),
      [],
    )) {
      refusalOfSync(() => store.resolve(entry));
      await refusalOf(async () => {
        for await (const _ of streamContent(repository, objectId));
      });
    }
    for (const name of ["layer", "refs/oci/tag", "my/image", "a", "refs/a"]) refusalOfSync(() => store.resolve(name));
  }
}

async function writeEverything(repository: Repository, { objectIds }: Template, random: Random): Promise<void> {
  const [objectId = "", streamId = ""] = objectIds;
  refusalOfSync(() => repository.objects.ensure(OBJECT));
  refusalOfSync(() => repository.objects.ensure(Buffer.from(`another ${random.below(1000)}`)));
  refusalOfSync(() => repository.streams.register([{ entry: "new", objectId: streamId }]));
  refusalOfSync(() => repository.images.register([{ entry: objectId, objectId }]));
  for (const name of ["a", "oci/tag", "oci/b/c", "my/image"]) {
    refusalOfSync(() => repository.streams.setReference(name, "layer"));
    refusalOfSync(() => repository.images.setReference(name, objectId));
  }
  for (const name of ["a", "oci/tag"]) refusalOfSync(() => repository.streams.removeReference(name));
}

async function collectAndCheck(repository: Repository): Promise<void> {
  await refusalOf(() => collectGarbage(repository, { dryRun: true }));
  const collected = await refusalOf(() => collectGarbage(repository));
  const checked = await refusalOf(() => checkRepository(repository, { metadataOnly: true }));
  const lines = [
    ...("value" in collected ? gcLines(collected.value, false) : []),
    ...("value" in checked ? fsckLines(checked.value) : []),
  ];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  for (const line of lines) assert.doesNotMatch(line, /[\0-\x1f\x7f]/);
}

function valueOr<T>(result: { value: T } | { refusal: unknown }, fallback: T): T {
  return "value" in result ? result.value : fallback;
}
