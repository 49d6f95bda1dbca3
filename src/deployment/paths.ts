/** Where repository and state are below the physical root (spec/host.md 1.2). Paths are relative to it. */
import { statePath } from "../bootplan/index.ts";
import type { ByteString } from "../bytes/index.ts";

/** The composefs repository; the boot program has this path too (`bootplan/mount-plan.ts`). */
export const REPOSITORY_PATH = "composefs";

/** The one `/var` shared by all deployments; "default" is fixed. */
export const SHARED_VAR = "state/os/default/var";

/** The target of the link `var` in a deployment's own directory. */
export const VAR_LINK_TARGET = "../../os/default/var";

/** True for what deployments are called: a SHA-256 or SHA-512 fs-verity digest in lower-case hex. */
export function isDeploymentId(text: string): boolean {
  return /^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(text);
}

/** A deployment's own directory, where the boot program looks for it too. */
export function stateDirectory(deploymentId: string): string {
  return statePath(deploymentId);
}

/** Path of a deployment's origin file. */
export function originPath(deploymentId: string): string {
  return `${stateDirectory(deploymentId)}/${deploymentId}.origin`;
}

/** The path of a state file in the image it came from; other paths just become absolute. */
export function imagePathOf(path: ByteString): ByteString {
  const [, folder, rest] = /^state\/(?:deploy\/[^/]+|os\/default)\/(etc|var)((?:\/.*)?)$/s.exec(path) ?? [];
  return (folder === undefined ? `/${path}` : `/${folder}${rest}`) as ByteString;
}
