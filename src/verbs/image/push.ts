/** `sealroot image push NAME DESTINATION`. */
import { command } from "../shared/command.ts";
import { COMPRESSION_OPTIONS, compressionOptions } from "../shared/compression-option.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { REGISTRY_OPTIONS, registryOptions } from "../shared/registry-options.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { checkDigestFile, DIGEST_FILE_OPTION, reportWritten } from "../shared/written-image.ts";

export const imagePush = command({
  description: `Writes an image of a repository somewhere else. The layers' tar streams are reassembled bit for bit and
checked against the diff ids; configuration and image id stay. A repository does not keep the compressed layers: those
that the destination lacks are compressed again, always to the same bytes, and where these differ from the ones that
were pulled, the manifest gets another digest.

DESTINATION is docker://HOST/NAME[:TAG], oci:DIRECTORY[:TAG],
oci-archive:FILE[:TAG] or dir:DIRECTORY.`,
  arguments: [
    { name: "NAME", summary: OCI_IMAGE_SUMMARY, holds: "image" },
    { name: "DESTINATION", summary: "where it goes", holds: "reference" },
  ],
  options: [...COMPRESSION_OPTIONS, DIGEST_FILE_OPTION, ...REGISTRY_OPTIONS, ...REPOSITORY_OPTIONS],
  examples: [
    "sealroot image push --repo R debian oci-archive:debian.tar:latest",
    "sealroot image push --repo R --compression zstd:chunked debian docker://quay.io/example/debian:13",
  ],
  reportsJson: true,
  async run(invocation) {
    const { parseReference } = await import("../../oci/index.ts");
    const { pushImage } = await import("../../imagestore/index.ts");
    const target = parseReference(invocation.argument("DESTINATION"));
    checkDigestFile(invocation);
    using repository = await openSelectedRepository(invocation);
    const written = await pushImage(repository, invocation.argument("NAME"), target, {
      ...compressionOptions(invocation),
      registry: registryOptions(invocation),
      events: invocation.events,
    });
    await reportWritten(invocation, target, written);
  },
});
