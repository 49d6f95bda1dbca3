/** `sealroot diff A B`. */
import { SealrootError } from "../errors/index.ts";
import { BOOT_TIMES_OPTION } from "./shared/boot-times-option.ts";
import { command, type Invocation, type OptionSpecification } from "./shared/command.ts";
import { checkOutputFile, writePage } from "./shared/output-file.ts";
import { POLICY_OPTIONS, policyChoice } from "./shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "./shared/registry-options.ts";
import { REPOSITORY_PATH_OPTIONS, repositoryPath } from "./shared/repository-option.ts";
import { XATTRS_OPTION } from "./shared/xattrs-option.ts";

const OPTIONS = [
  { flags: "--html <FILE>", summary: "also write the result as one page, readable without scripts" },
  { flags: "--plain", summary: "of the plain image, in which /boot and /sysroot count", excludes: ["boot-times"] },
  {
    flags: "--erofs-version <V>",
    summary: "of images in this version (default: v1; an EROFS image among the two has its own)",
    choices: ["v1", "v2"],
  },
  XATTRS_OPTION,
  BOOT_TIMES_OPTION,
  ...REPOSITORY_PATH_OPTIONS,
  ...POLICY_OPTIONS,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS>;

export const diffVerb = command({
  description: `Explains why two digests differ: which paths, in which field, and which rule made it count for the digest. Exits
with 0 when both have one digest, with 1 when not, also with --json.

A and B are each one of: an image anywhere (docker://…, oci:DIR:TAG …), an image of a repository by its id, tag or digest
(--repo), a directory, a dump file, an EROFS image, a UKI (the images that it names), a disk file (the image that boots, and
the ESP), or an image id alone. With --repo, a name of the repository goes before a file of that name.

Of a UKI or an id without its image, the other side is tried by every rule there is; then, without its last layers, and with
what is often done to a tree undone: what that shows is compared.`,
  arguments: [
    { name: "A", summary: "image, directory, dump file, UKI, disk or image id", holds: "reference" },
    { name: "B", summary: "another", holds: "reference" },
  ],
  options: OPTIONS,
  reportsJson: true,
  examples: [
    "sealroot diff oci:os:v1 oci:os:v2",
    "sealroot diff oci:os:v1 rootfs --html diff.html",
    "sealroot diff os.efi oci:os:v1",
    "sealroot diff --repo R 3ac1f0 debian",
    "sealroot diff before.img after.img",
  ],
  async run(invocation) {
    const { output } = invocation;
    const page = invocation.option("html");
    checkOutputFile(page, "page");
    const { diff, reportHtml, reportJson, reportLines } = await import("../diff/index.ts");
    using repository = await openGiven(invocation);
    const report = await diff(invocation.argument("A"), invocation.argument("B"), {
      repository,
      repositoryFirst: invocation.option("repo") !== undefined,
      registry: registryOptions(invocation),
      policy: policyChoice(invocation),
      plain: invocation.flag("plain"),
      ...rules(invocation),
      events: invocation.events,
    });
    if (page !== undefined) await writePage(page, reportHtml(report));
    if (invocation.json) output.json(reportJson(report));
    else for (const line of reportLines(report)) output.line(line);
    return report.equal ? 0 : 1;
  },
});

/** What is not given follows from the two sides. */
function rules(invocation: Call) {
  const [xattrs, times, version] = [
    invocation.option("xattrs"),
    invocation.option("boot-times"),
    invocation.option("erofs-version"),
  ];
  return {
    ...(xattrs === undefined ? {} : { keepUserXattrs: xattrs === "keep-user-xattrs" }),
    ...(times === undefined ? {} : { bootTimes: times === "seconds" ? ("seconds" as const) : ("full" as const) }),
    ...(version === undefined ? {} : { version: version === "v2" ? (2 as const) : (1 as const) }),
  };
}

/** That of the options, or the default one if there is one. */
async function openGiven(invocation: Call) {
  const isGiven = (["user", "system"] as const).some((name) => invocation.flag(name));
  const { openRepository } = await import("../repository/index.ts");
  const path = repositoryPath(invocation);
  try {
    return await openRepository(path, { upgrade: false });
  } catch (error) {
    const isNeeded = isGiven || invocation.option("repo") !== undefined;
    if (!isNeeded && error instanceof SealrootError && ["not-found", "no-access"].includes(error.code))
      return undefined;
    throw error;
  }
}
