/** `sealroot image list`. */
import { SealrootError } from "../../errors/index.ts";
import type { ListedImage } from "../../imagestore/index.ts";
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";
import { textTable } from "../shared/table.ts";

/** Enough digits of a digest to tell images apart at a glance. */
const SHORT_DIGEST_LENGTH = 12;

export const imageList = command({
  description: `Lists the tagged OCI images of a repository. --json reports what cfsctl does; --format json is bootc's
list, which has only a name and a type.`,
  options: [
    { flags: "--type <TYPE>", summary: "which images (default: all)", choices: ["all", "host", "logical"] },
    { flags: "--format <FORMAT>", summary: "the form of the list (default: table)", choices: ["table", "json"] },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot image list --repo R", "sealroot image list --repo R --json"],
  reportsJson: true,
  async run(invocation) {
    refuseLogical(invocation.option("type"));
    const { listImages, referrersOf } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const images = (await listImages(repository)).map((listed) =>
      report(listed, referrersOf(repository, listed.image.manifestDigest).length),
    );
    if (invocation.json) {
      invocation.output.json({ images });
      return;
    }
    if (invocation.option("format") === "json") {
      invocation.output.json(images.map(({ name }) => ({ image_type: "host", image: name })));
      return;
    }
    const rows = images.map((image) => [
      image.name,
      image.manifest_digest.slice("sha256:".length, "sha256:".length + SHORT_DIGEST_LENGTH),
      image.is_container ? image.architecture : "artifact",
      String(image.layer_count),
      String(image.referrer_count),
    ]);
    const header = ["NAME", "DIGEST", "ARCH", "LAYERS", "REFS"];
    for (const line of textTable([header, ...rows], [3, 4])) invocation.output.line(line);
  },
});

/** bootc's logically bound images are containers of podman's, not in a composefs repository. */
function refuseLogical(type: string | undefined): void {
  if (type !== "logical") return;
  throw new SealrootError("unsupported", "Cannot list logically bound images: podman keeps them", {
    hint: "run: podman --root /usr/lib/bootc/storage images",
  });
}

/** One entry as `cfsctl oci images --json` has it (spec/repository.md 10). */
function report({ name, image }: ListedImage, referrerCount: number) {
  return {
    name,
    manifest_digest: image.manifestDigest,
    is_container: image.config !== undefined,
    architecture: image.config?.architecture ?? "",
    os: image.config?.os ?? "",
    created: image.config?.created ?? null,
    layer_count: image.manifest.layers.length,
    referrer_count: referrerCount,
  };
}
