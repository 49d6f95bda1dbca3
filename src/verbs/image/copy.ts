/** `sealroot image copy SOURCE DESTINATION`. */
import type { ImageReference } from "../../oci/index.ts";
import { type ArgumentSpecification, command, type Invocation, type OptionSpecification } from "../shared/command.ts";
import { COMPRESSION_OPTIONS, compressionOptions } from "../shared/compression-option.ts";
import { POLICY_OPTIONS, policyChoice } from "../shared/policy-option.ts";
import { REGISTRY_OPTIONS, refuseSharedLogin, registryOptions } from "../shared/registry-options.ts";
import { checkDigestFile, DIGEST_FILE_OPTION, reportWritten, writeDigestFile } from "../shared/written-image.ts";

const ARGUMENTS = [
  { name: "SOURCE", summary: "the image to copy", holds: "reference" },
  { name: "DESTINATION", summary: "where it goes", holds: "reference" },
] as const satisfies readonly ArgumentSpecification[];

const OPTIONS = [
  {
    flags: "--all",
    summary: "the images of all platforms and the index over them",
    excludes: ["platform", "compression"],
  },
  { flags: "--platform <OS/ARCH>", summary: "the image for this platform (default: that of this machine)" },
  { flags: "--signatures", summary: "also copy what belongs to the image: signatures, attestations" },
  ...POLICY_OPTIONS,
  ...COMPRESSION_OPTIONS,
  DIGEST_FILE_OPTION,
  ...REGISTRY_OPTIONS,
] as const satisfies readonly OptionSpecification[];

type Call = Invocation<typeof OPTIONS, typeof ARGUMENTS>;

export const imageCopy = command({
  description: `Copies an image from one place to another, without a repository. Blobs and manifest stay the same, byte
for byte, so digests and signatures remain valid; every blob is checked against its digest on the way. Only
--compression changes that, and an image with a Docker manifest gets an OCI one, unless --all copies it. --signatures
also copies what accompanies the image; registries and layouts have a place for it.

DESTINATION is docker://HOST/NAME[:TAG], oci:DIRECTORY[:TAG],
oci-archive:FILE[:TAG] or dir:DIRECTORY.`,
  arguments: ARGUMENTS,
  options: OPTIONS,
  examples: [
    "sealroot image copy oci:debian dir:debian-files",
    "sealroot image copy --all --signatures docker://quay.io/example/os:1 docker://registry.example/os:1",
  ],
  reportsJson: true,
  async run(invocation) {
    const { copyImage } = await import("../../images/index.ts");
    const { parsePlatform, parseReference } = await import("../../oci/index.ts");
    const source = parseReference(invocation.argument("SOURCE"));
    const target = parseReference(invocation.argument("DESTINATION"));
    refuseSharedLogin(invocation, [source, target]);
    checkDigestFile(invocation);
    if (invocation.flag("all")) {
      await copyAll(invocation, source, target);
      return;
    }
    const platform = invocation.option("platform");
    const written = await copyImage(source, target, {
      ...compressionOptions(invocation),
      platform: platform === undefined ? undefined : parsePlatform(platform),
      signatures: invocation.flag("signatures"),
      policy: policyChoice(invocation),
      registry: registryOptions(invocation),
      events: invocation.events,
    });
    await reportWritten(invocation, target, written);
  },
});

async function copyAll(invocation: Call, source: ImageReference, target: ImageReference): Promise<void> {
  const { copyAllImages } = await import("../../images/index.ts");
  const { digest } = await copyAllImages(source, target, {
    signatures: invocation.flag("signatures"),
    policy: policyChoice(invocation),
    registry: registryOptions(invocation),
    events: invocation.events,
  });
  await writeDigestFile(invocation, digest);
  if (invocation.json)
    invocation.output.json({ reference: invocation.argument("DESTINATION"), manifestDigest: digest });
  else
    for (const line of [`manifest ${digest}`, `written  ${invocation.argument("DESTINATION")}`])
      invocation.output.line(line);
}
