/** Which repository a verb works on: the same options for all of them, as in cfsctl (spec/repository.md 1, 10). */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { homeDirectory } from "../../platform/index.ts";
import type { ErofsVersion, Repository } from "../../repository/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

const SYSTEM_REPOSITORY = "/sysroot/composefs";
const USER_REPOSITORY = ".var/lib/composefs";

export const REPOSITORY_PATH_OPTIONS = [
  { flags: "--repo <DIR>", summary: "the repository (default: the system's for root, otherwise the user's)" },
  { flags: "--user", summary: `the user's repository, ~/${USER_REPOSITORY}`, excludes: ["repo", "system"] },
  { flags: "--system", summary: `the system's repository, ${SYSTEM_REPOSITORY}`, excludes: ["repo"] },
] as const satisfies readonly OptionSpecification[];

const HASH_OPTION = {
  flags: "--hash <HASH>",
  summary: "refuse a repository with another hash",
  choices: ["sha256", "sha512"],
} as const satisfies OptionSpecification;

const EROFS_VERSION_OPTION = {
  flags: "--erofs-version <N>",
  summary: "make images in this version, just this time",
  choices: ["0", "1", "2"],
} as const satisfies OptionSpecification;

/** For verbs that open an existing repository. */
export const REPOSITORY_OPTIONS = [
  ...REPOSITORY_PATH_OPTIONS,
  HASH_OPTION,
  EROFS_VERSION_OPTION,
  { flags: "--require-verity", summary: "refuse a repository without fs-verity" },
  { flags: "--insecure", summary: "do not demand fs-verity, just this time", hidden: true },
  { flags: "--no-upgrade", summary: "refuse a repository of the old format instead of upgrading it" },
] as const satisfies readonly OptionSpecification[];

/** For verbs that can do without a repository. */
export const OPTIONAL_REPOSITORY_OPTIONS = [
  ...REPOSITORY_OPTIONS,
  { flags: "--no-repo", summary: "do not look for a repository" },
] as const satisfies readonly OptionSpecification[];

/** The path that the options select. */
export function repositoryPath(invocation: Invocation<typeof REPOSITORY_PATH_OPTIONS>): string {
  const [user, system] = [invocation.flag("user"), invocation.flag("system")];
  return invocation.option("repo") ?? defaultRepositoryPath({ user, system });
}

/** The repository without `--repo`: the system's for root or when asked for, else the user's. */
export function defaultRepositoryPath({ user, system }: { readonly user: boolean; readonly system: boolean }): string {
  const useSystem = system || (!user && process.getuid?.() === 0);
  return useSystem ? SYSTEM_REPOSITORY : join(homeDirectory(), USER_REPOSITORY);
}

/** Opens the selected repository as the options say. The caller closes it; `using` does. */
export async function openSelectedRepository(invocation: Invocation<typeof REPOSITORY_OPTIONS>): Promise<Repository> {
  const { openRepository } = await import("../../repository/index.ts");
  const algorithm = hashOption(invocation);
  const erofsVersion = erofsVersionOption(invocation);
  return openRepository(repositoryPath(invocation), {
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(erofsVersion === undefined ? {} : { erofsVersion }),
    requireVerity: invocation.flag("require-verity"),
    insecure: invocation.flag("insecure"),
    upgrade: !invocation.negated("upgrade"),
  });
}

/** The selected repository if there is one, for verbs that can do without. */
export async function openOptionalRepository(
  invocation: Invocation<typeof OPTIONAL_REPOSITORY_OPTIONS>,
): Promise<Repository | undefined> {
  if (invocation.negated("repo")) return undefined;
  const chosen =
    (["user", "system"] as const).some((name) => invocation.flag(name)) || invocation.option("repo") !== undefined;
  if (!chosen && !existsSync(join(repositoryPath(invocation), "meta.json"))) return undefined;
  return openSelectedRepository(invocation);
}

export function hashOption(invocation: Invocation<readonly [typeof HASH_OPTION]>): VerityAlgorithm | undefined {
  const hash = invocation.option("hash");
  return hash === "sha256" || hash === "sha512" ? hash : undefined;
}

export function erofsVersionOption(
  invocation: Invocation<readonly [typeof EROFS_VERSION_OPTION]>,
): ErofsVersion | undefined {
  const version = invocation.option("erofs-version");
  return version === undefined ? undefined : ([0, 1, 2] as const).find((known) => String(known) === version);
}
