/** `sealroot repo linked-erofs-images ID`: the output of `cfsctl oci linked-erofs-images`. */
import type { Repository } from "../../repository/index.ts";
import { command } from "../shared/command.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const repoLinkedErofsImages = command({
  description: `Lists the EROFS images made from the same OCI image as the given one, including it, as JSON: plain and
bootable ones in each version. A deployment that names one in its UKI may name another as its fallback.`,
  arguments: [{ name: "ID", summary: "an EROFS image's id", holds: "image" }],
  options: REPOSITORY_OPTIONS,
  examples: ["sealroot repo linked-erofs-images --repo R 3ac1…"],
  reportsJson: true,
  async run(invocation) {
    const { linkedImages } = await import("../../imagestore/index.ts");
    using repository = await openSelectedRepository(invocation);
    const images = await linkedImages(repository, wholeId(repository, invocation.argument("ID")));
    const listed = images.map(({ id, bootable, version, keepUserXattrs, bootTimes }) => ({
      id,
      bootable,
      version,
      xattrMode: bootable ? (keepUserXattrs ? "keep-user-xattrs" : "allowlist-only") : null,
      ...(bootTimes === "seconds" && { bootTimes }),
    }));
    invocation.output.json(listed);
  },
});

/** An id that no image begins with stays unchanged: records may name an image whose link is gone. */
function wholeId(repository: Repository, id: string): string {
  const { images } = repository;
  return images.beginningWith(id).length === 0 ? id.toLowerCase() : images.resolve(id).entry;
}
