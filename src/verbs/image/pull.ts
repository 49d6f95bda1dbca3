/** `sealroot image pull REFERENCE [NAME]`. */
import { formatSize } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { PulledImage, RecordedBootImage } from "../../imagestore/index.ts";
import type { Repository } from "../../repository/index.ts";
import { BOOTABLE_TIMES_OPTION, bootTimesOption } from "../shared/boot-times-option.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, registryOptions } from "../shared/registry-options.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { parseSize } from "../shared/size.ts";
import { keepsUserXattrs, XATTRS_OPTION } from "../shared/xattrs-option.ts";

const ARGUMENTS = [
  { name: "REFERENCE", summary: "the image to pull", holds: "reference" },
  { name: "NAME", summary: "its tag in the repository", optional: true },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  { flags: "--bootable", summary: "also make the boot variant: /boot emptied, SELinux labels set" },
  XATTRS_OPTION,
  BOOTABLE_TIMES_OPTION,
  {
    flags: "--expected-digest <HEX>",
    needs: ["bootable"],
    summary: "make the boot image with this id, whatever rule and version it was made by",
  },
  {
    flags: "--layer-limit <SIZE>",
    summary: "let a layer unpack to this much (default: 1 GiB, or 100 times its compressed size)",
    check: (text) => void parseSize(text, "--layer-limit"),
  },
  {
    flags: "--link-files",
    summary: "for containers-storage: hard links to the store's files, which get fs-verity and become read-only",
  },
  ...POLICY_OPTIONS,
  { flags: "--platform <OS/ARCH>", summary: "of several images the one for this platform (default: this machine's)" },
  ...REGISTRY_OPTIONS,
  ...REPOSITORY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const imagePull = command({
  description: `Pulls an OCI image into a composefs repository: file bodies become objects, and the root file system
becomes an EROFS image. Digests of blobs and of their uncompressed content are checked as they stream; what does not
match gets no name. Nor does an image that the policy does not accept.

REFERENCE is docker://HOST/NAME[:TAG|@DIGEST], oci:DIRECTORY[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE,
dir:DIRECTORY or containers-storage:NAME. Registries are used as the machine's registries.conf, auth.json and certs.d
say. Without NAME the image is tagged with the reference.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: [
    "sealroot image pull --repo R oci:debian:latest debian",
    "sealroot image pull --repo R --bootable docker://quay.io/example/os:latest",
  ],
  reportsJson: true,
  async run(invocation) {
    const bootable = invocation.flag("bootable");
    const bootTimes = bootTimesOption(invocation);
    const expectedDigest = expectedDigestOption(invocation);
    const { bootImageById, pullImage } = await import("../../imagestore/index.ts");
    const { parsePlatform } = await import("../../oci/index.ts");
    refuseLinks(invocation);
    using repository = await openSelectedRepository(invocation);
    const name = invocation.optionalArgument("NAME");
    const platform = invocation.option("platform");
    const layerLimit = invocation.option("layer-limit");
    const pulled = await pullImage(repository, invocation.argument("REFERENCE"), {
      ...(name === undefined ? {} : { name }),
      bootable,
      bootTimes,
      keepUserXattrs: keepsUserXattrs(invocation),
      ...(expectedDigest !== undefined && {
        chooseBootImages: async (_, candidates) => [
          await bootImageById(expectedDigest, candidates, invocation.argument("REFERENCE")),
        ],
      }),
      registry: registryOptions(invocation),
      ...(platform === undefined ? {} : { platform: parsePlatform(platform) }),
      linkFiles: invocation.flag("link-files"),
      ...(layerLimit === undefined ? {} : { layerLimitBytes: parseSize(layerLimit, "--layer-limit") }),
      policy: policyChoice(invocation),
      events: invocation.events,
    });
    if (invocation.json) invocation.output.json(report(repository, pulled));
    else for (const line of lines(repository, pulled)) invocation.output.line(line);
  },
});

function expectedDigestOption(invocation: Call): string | undefined {
  const digest = invocation.option("expected-digest")?.toLowerCase();
  if (digest === undefined) return undefined;
  if (/^(?:[0-9a-f]{64}|[0-9a-f]{128})$/.test(digest)) return digest;
  throw new SealrootError("usage", `Cannot use --expected-digest: "${digest}" is not the id of an image`, {
    hint: "an id has 64 or 128 hex digits",
  });
}

/** Only podman's store has files to link to. */
function refuseLinks(invocation: Call): void {
  if (!invocation.flag("link-files") || invocation.argument("REFERENCE").startsWith("containers-storage:")) return;
  throw new SealrootError("usage", "Cannot link files: only an image in podman's store has any", {
    hint: "leave out --link-files, or name the image as containers-storage:NAME",
  });
}

/**
 * The lines of `cfsctl oci pull` (spec/repository.md 10); what cfsctl calls `verity` is the id of the stored manifest.
 */
function lines(repository: Repository, pulled: PulledImage): string[] {
  const { newObjects, presentObjects, storedBytes, inlinedBytes, fetchedBytes, savedBytes } = pulled.statistics;
  const counts = `${newObjects} new + ${presentObjects} already present objects`;
  const sizes = `${formatSize(storedBytes)} stored, ${formatSize(inlinedBytes)} inlined`;
  const [chosen] = pulled.chosenBootImages;
  const bootImage = chosen?.id ?? pulled.bootImageIds.get(repository.formats.default);
  return [
    `manifest ${pulled.manifestDigest}`,
    `config   ${pulled.configDigest}`,
    `stored   ${pulled.manifestStreamId}`,
    `tagged   ${pulled.name}`,
    `objects  ${counts}; ${sizes}`,
    ...(savedBytes === 0
      ? []
      : [`fetched  ${formatSize(fetchedBytes)}; ${formatSize(savedBytes)} of files were there`]),
    ...(bootImage === undefined ? [] : [`Boot image: ${bootImage}${chosen === undefined ? "" : ruleText(chosen)}`]),
  ];
}

/** cfsctl's wording, plus what it does not look for. */
function ruleText({ keepUserXattrs, version, bootTimes }: Omit<RecordedBootImage, "id">): string {
  const xattrs = keepUserXattrs ? "keep-user-xattrs" : "allowlist-only";
  const times = bootTimes === "seconds" ? ", boot-times=seconds" : "";
  return ` (xattr-mode=${xattrs}, format-version=V${version}${times})`;
}

function report(repository: Repository, pulled: PulledImage) {
  const { newObjects, presentObjects, storedBytes, inlinedBytes, fetchedBytes, savedBytes } = pulled.statistics;
  const version = repository.formats.default;
  return {
    manifestDigest: pulled.manifestDigest,
    configDigest: pulled.configDigest,
    manifestStreamId: pulled.manifestStreamId,
    name: pulled.name,
    imageId: pulled.imageIds.get(version) ?? null,
    bootImageId: pulled.chosenBootImages[0]?.id ?? pulled.bootImageIds.get(version) ?? null,
    objects: { new: newObjects, present: presentObjects, storedBytes, inlinedBytes },
    layers: { fetchedBytes, savedBytes },
  };
}
