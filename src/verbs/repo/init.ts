/** `sealroot repo init [PATH]`. */
import { SealrootError } from "../../errors/index.ts";
import { command } from "../shared/command.ts";
import { erofsVersionOption, REPOSITORY_PATH_OPTIONS, repositoryPath } from "../shared/repository-option.ts";

export const repoInit = command({
  description: `Makes a composefs repository, or confirms that one with the same settings is there. Objects get fs-verity,
so the file system must support it (ext4 made with -O verity, btrfs), unless --insecure is given: then names alone
vouch for contents, and only fsck compares them.`,
  arguments: [{ name: "PATH", summary: "where; the same as --repo", optional: true }],
  options: [
    ...REPOSITORY_PATH_OPTIONS,
    { flags: "--algorithm <NAME>", summary: "fsverity-sha512-12 (default) or fsverity-sha256-12" },
    { flags: "--erofs-version <N>", summary: "version of images (default 1)", choices: ["0", "1", "2"] },
    { flags: "--insecure", summary: "do without fs-verity" },
    { flags: "--ensure", summary: "accept an existing repository as it is" },
    { flags: "--reset-metadata", summary: "delete streams, images and settings first; objects stay" },
  ],
  reportsJson: true,
  examples: ["sealroot repo init /srv/composefs", "sealroot repo init --insecure --repo build/repo"],
  async run(invocation) {
    const { initRepository, parseAlgorithm } = await import("../../repository/index.ts");
    const given = invocation.optionalArgument("PATH");
    const selected =
      (["user", "system"] as const).some((flag) => invocation.flag(flag)) || invocation.option("repo") !== undefined;
    if (given !== undefined && selected) {
      throw new SealrootError("usage", "Cannot choose a repository: give PATH or one of --repo, --user and --system");
    }
    const path = given ?? repositoryPath(invocation);
    const erofsVersion = erofsVersionOption(invocation);
    const ensure = invocation.flag("ensure");
    const { repository, created } = await initRepository(path, {
      algorithm: parseAlgorithm(invocation.option("algorithm") ?? "fsverity-sha512-12"),
      ...(erofsVersion === undefined ? {} : { erofsVersion }),
      protection: invocation.flag("insecure") ? "insecure" : "secure",
      ensure,
      resetMetadata: invocation.flag("reset-metadata"),
    });
    using opened = repository;
    if (invocation.json) {
      const { algorithm, formats, protection } = opened;
      const settings = { algorithm, erofsVersion: formats.default, requiresVerity: protection === "secure" };
      invocation.output.json({ path, created, ...settings });
      return;
    }
    if (!created) {
      const preserved = ensure ? " (existing configuration preserved)" : "";
      invocation.output.line(`Repository already initialized at ${path}${preserved}`);
      return;
    }
    invocation.output.line(`Initialized composefs repository at ${path}`);
    invocation.output.line(`  algorithm: fsverity-${opened.algorithm}-12`);
    invocation.output.line(`  verity:    ${opened.protection === "secure" ? "required" : "not required (insecure)"}`);
  },
});
