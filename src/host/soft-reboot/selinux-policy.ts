/** Which SELinux policy a root has: a soft reboot does not load another one (spec/host-lifecycle.md 8). */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../../errors/index.ts";
import { selinuxTypeOf } from "../../selinux/index.ts";
import type { NodeFinder } from "../../tree/index.ts";

/** The kernel's policies have a version in their names, and libselinux loads the highest it knows (selinux_set_policy_root(3)). */
const POLICY_NAME = /^policy\.(\d+)$/;

/** Files below an `/etc`, by their paths in it. */
interface EtcFiles {
  /** Undefined when there is none. */
  read(path: string): Uint8Array | undefined;
  /** Names in a directory; none when there is none. */
  list(path: string): readonly string[];
}

/**
 * The SHA-256 of the policy in a live `/etc`.
 * @returns undefined when it has none
 */
export function livePolicyDigest(etcDirectory: string): string | undefined {
  const orUndefined = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  };
  return policyDigest({
    read: (path) => orUndefined(() => readFileSync(join(etcDirectory, path))),
    list: (path) => orUndefined(() => readdirSync(join(etcDirectory, path))) ?? [],
  });
}

/** The SHA-256 of the policy of an image. */
export function imagePolicyDigest(files: ImageFiles): string | undefined {
  const isFile = (path: string) => files.resolve(path)?.node.kind === "file";
  return policyDigest({
    read: (path) => (isFile(`/etc/${path}`) ? files.read(`/etc/${path}`) : undefined),
    list: (path) => files.list(`/etc/${path}`),
  });
}

type ImageFiles = NodeFinder & { read(path: string): Uint8Array; list(path: string): readonly string[] };

function policyDigest(etc: EtcFiles): string | undefined {
  const config = etc.read("selinux/config");
  const type = config && selinuxTypeOf(config);
  if (type === undefined) return undefined;
  const folder = `selinux/${type}/policy`;
  const versions = etc.list(folder).flatMap((name) => {
    const version = POLICY_NAME.exec(name)?.[1];
    return version === undefined ? [] : [{ name, version: Number(version) }];
  });
  const [highest] = versions.sort((a, b) => b.version - a.version);
  const policy = highest && etc.read(`${folder}/${highest.name}`);
  return policy && createHash("sha256").update(policy).digest("hex");
}
