/** The golden vectors of test/vectors/repo: what they hold, and their layouts unpacked. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const VECTORS = new URL("../vectors/repo/", import.meta.url).pathname;

interface Refused {
  readonly exit: number;
  readonly stderr: readonly string[];
}

export interface ListedFile {
  readonly path: string;
  readonly type: "dir" | "file" | "symlink";
  readonly mode?: string;
  readonly size?: number;
  readonly target?: string;
}

/** What the reference reported for one fresh repository. */
export interface ExpectedRun {
  readonly pull: { readonly exit: number; readonly stdout?: readonly string[]; readonly stderr?: readonly string[] };
  readonly image_id?: string;
  readonly image_id_keep_user_xattrs?: string;
  readonly boot_image_id?: string | Refused;
  readonly oci_images?: { readonly images: readonly object[] };
  readonly repository_after_pull?: readonly ListedFile[];
}

export interface Expected {
  readonly case: string;
  readonly oci: {
    readonly manifest: string;
    readonly config: string;
    readonly diff_ids: readonly string[];
  };
  readonly runs: Readonly<Record<string, ExpectedRun>>;
}

export interface Vector {
  readonly name: string;
  readonly directory: string;
  readonly expected: Expected;
}

/** All cases made from a layout, in order. */
export async function readVectors(): Promise<Vector[]> {
  const names = (await readdir(VECTORS)).filter((name) => /^\d\d-/.test(name) && !name.startsWith("40-")).sort();
  return Promise.all(
    names.map(async (name) => {
      const directory = join(VECTORS, name);
      const expected: Expected = JSON.parse(await readFile(join(directory, "expected.json"), "utf8"));
      return { name, directory, expected };
    }),
  );
}

/** A directory that is removed when the test is over. */
export async function scratchDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "sealroot-oci-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Unpacks an archive of the vectors and gives the directory that is in it. */
export async function unpack(archive: string, into: string, inner: string): Promise<string> {
  await mkdir(into, { recursive: true });
  execFileSync("tar", ["-xzf", archive, "-C", into]);
  return join(into, inner);
}
