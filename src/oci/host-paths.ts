/** Where a machine keeps its configuration of registries and stores, and credentials; one value, so that tests can bring their own. */
import { homeDirectory } from "../platform/index.ts";

export interface HostPaths {
  /** `/etc`. */
  readonly etcDirectory: string;
  /** `/usr/share`, where newer systems keep the distribution's own configuration. */
  readonly shareDirectory: string;
  /** `/run`. */
  readonly runDirectory: string;
  readonly homeDirectory: string;
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
    userId: process.getuid?.() ?? 0,
    environment: process.env,
  };
}

/** `$XDG_CONFIG_HOME`, or `~/.config` (XDG base directory specification). */
export function userConfigurationDirectory(paths: HostPaths): string {
  return paths.environment.XDG_CONFIG_HOME || `${paths.homeDirectory}/.config`;
}

/** `$XDG_DATA_HOME`, or `~/.local/share` (XDG base directory specification). */
export function userDataDirectory(paths: HostPaths): string {
  return paths.environment.XDG_DATA_HOME || `${paths.homeDirectory}/.local/share`;
}
