/**
 * Where a machine keeps its configuration of registries and stores, and credentials; one value, so that tests can use
 * their own.
 */
import { homeDirectory } from "../platform/index.ts";

export interface HostPaths {
  /** `/etc`. */
  readonly etcDirectory: string;
  /** `/usr/share`, where newer systems keep the distribution's own configuration. */
  readonly shareDirectory: string;
  /** `/run`. */
  readonly runDirectory: string;
  readonly homeDirectory: string;
  /** Whose configuration and store count. */
  readonly userId: number;
  /** Environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The paths of this machine and user. */
export function hostPaths(): HostPaths {
  return {
    etcDirectory: "/etc",
    shareDirectory: "/usr/share",
    runDirectory: "/run",
    homeDirectory: homeDirectory(),
    userId: userIdOf(process.env, process.getuid?.() ?? 0),
    environment: process.env,
  };
}

/**
 * Who asks. In `podman unshare` and `buildah unshare` a user is root, and says in the environment who he was outside
 * (`GetRootlessUID` in containers/storage, pkg/unshare/unshare_linux.go): his store is meant, not root's.
 *
 * @param processUserId the user id of this process
 */
export function userIdOf(environment: HostPaths["environment"], processUserId: number): number {
  const outside = environment._CONTAINERS_ROOTLESS_UID ?? "";
  return /^\d+$/.test(outside) ? Number(outside) : processUserId;
}

/** `$XDG_CONFIG_HOME`, or `~/.config` (XDG base directory specification). */
export function userConfigurationDirectory(paths: HostPaths): string {
  return paths.environment.XDG_CONFIG_HOME || `${paths.homeDirectory}/.config`;
}

/** `$XDG_DATA_HOME`, or `~/.local/share` (XDG base directory specification). */
export function userDataDirectory(paths: HostPaths): string {
  return paths.environment.XDG_DATA_HOME || `${paths.homeDirectory}/.local/share`;
}
